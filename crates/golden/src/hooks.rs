//! What runs the hooks of a provider: a driver. Where a provider has no hook, or leaves one to its description, the driver does
//! what the gateway does.

use bitrouter_contract::described::Window;
use bitrouter_document::Document;

use crate::{Answer, Call, Event, Failure, Field, Head, Step, Trouble};

/// What a call has for a body.
#[derive(Default)]
pub enum Body {
    /// A JSON object, which hooks read and edit.
    Json(Document),
    /// Bytes of this content type, which no hook sees.
    Opaque(String),
    /// None at all.
    #[default]
    None,
}

/// Why a hook gave no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Broken {
    /// The body is not what JSON allows, at a place that the hook read: the client is told so.
    Body(String),
    /// The hook crashed, took too long, or broke the contract.
    Hook(String),
    /// The case asks for a hook that is not there.
    Absent(String),
}

/// The hooks of one or several providers, in the order in which a gateway calls them. The outer error is that there was no
/// answer, the inner one is the provider's own.
pub trait Hooks {
    /// The ids of the providers, the first being the one that a case is for which names none.
    fn providers(&self) -> Vec<String>;

    /// Shapes a call. The body is left as the hook left it.
    fn prepare(&mut self, call: &Call, body: &mut Body) -> Result<Result<Step, Failure>, Broken>;

    /// Goes on after [`Step::Ask`].
    fn resume(
        &mut self,
        call: &Call,
        body: &mut Body,
        memo: &[u8],
        answer: &Answer,
    ) -> Result<Result<Step, Failure>, Broken>;

    /// Says what a failure means.
    fn explain(&mut self, provider: &str, trouble: &Trouble, memo: &[u8]) -> Result<Failure, Broken>;

    /// Reads limits.
    fn quota(&mut self, provider: &str, headers: &[Field], event: Option<&str>) -> Result<Vec<Window>, Broken>;

    /// Reads the answer of a side request, into the JSON of its kind. [`written`](crate::written) makes it of a page.
    fn interpret(&mut self, provider: &str, side: &str, page: &Answer) -> Result<Result<String, Failure>, Broken>;

    /// Edits a whole answer.
    fn shape(
        &mut self,
        call: &Call,
        memo: &[u8],
        head: &Head,
        document: &mut Document,
    ) -> Result<Result<(), Failure>, Broken>;

    /// Begins to rewrite an answer.
    fn rewriter<'d>(&'d mut self, call: &Call, memo: &[u8], head: &Head) -> Result<Box<dyn Rewriter + 'd>, Broken>;
}

/// An answer that is being rewritten.
pub trait Rewriter {
    /// Takes what one read brought.
    fn push(&mut self, events: Vec<Event>) -> Result<Result<Vec<Event>, Failure>, Broken>;

    /// Returns what is left.
    fn finish(&mut self) -> Result<Result<Vec<Event>, Failure>, Broken>;
}
