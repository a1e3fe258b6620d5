//! Which hooks a provider exports, for tests that run natively. `export!` fills it in; nothing of it is in a component.

use crate::{Answer, Call, Document, Failure, Field, Head, Payload, Rewriter, Step, Trouble, Window};
use crate::{Answers, Failures, Limits, Provider, Queries, Requests, Streams};

type Prepare = fn(&Call, &Payload<'_>) -> Result<Step, Failure>;
type Resume = fn(&Call, &Payload<'_>, Vec<u8>, Answer) -> Result<Step, Failure>;
type Explain = fn(&Trouble, Vec<u8>) -> Option<Failure>;
type Interpret = fn(&str, Answer) -> Result<Option<String>, Failure>;
type Quota = fn(&[Field], Option<&str>) -> Option<Vec<Window>>;
type Shape = fn(&Call, Vec<u8>, &Head, &Document<'_>) -> Result<(), Failure>;
type Rewrite = fn(Call, Vec<u8>, Head) -> Option<Box<dyn Rewriter>>;

/// The hooks of a provider: none is there but those of the traits that `export!` names.
#[derive(Clone, Copy)]
pub struct Hooks {
    /// [`Provider::describe`].
    pub describe: fn() -> String,
    /// [`Requests`].
    pub requests: Option<(Prepare, Resume)>,
    /// [`Failures::explain`].
    pub explain: Option<Explain>,
    /// [`Queries::interpret`].
    pub interpret: Option<Interpret>,
    /// [`Limits::quota`].
    pub quota: Option<Quota>,
    /// [`Answers::shape`].
    pub shape: Option<Shape>,
    /// [`Streams::rewriter`].
    pub rewriter: Option<Rewrite>,
}

/// A provider that `export!` names.
pub trait Exported: Provider {
    /// What it exports.
    fn hooks() -> Hooks;
}

#[allow(non_snake_case, reason = "each is called as its trait is, so that `export!` can name it")]
impl Hooks {
    /// Those of a provider that is described in full.
    pub fn of<P: Provider>() -> Self {
        Self {
            describe: P::describe,
            requests: None,
            explain: None,
            interpret: None,
            quota: None,
            shape: None,
            rewriter: None,
        }
    }

    /// Adds those of [`Requests`].
    pub fn Requests<P: Requests>(self) -> Self {
        Self { requests: Some((P::prepare, P::resume)), ..self }
    }

    /// Adds that of [`Failures`].
    pub fn Failures<P: Failures>(self) -> Self {
        Self { explain: Some(P::explain), ..self }
    }

    /// Adds that of [`Queries`].
    pub fn Queries<P: Queries>(self) -> Self {
        Self { interpret: Some(P::interpret), ..self }
    }

    /// Adds that of [`Limits`].
    pub fn Limits<P: Limits>(self) -> Self {
        Self { quota: Some(P::quota), ..self }
    }

    /// Adds that of [`Answers`].
    pub fn Answers<P: Answers>(self) -> Self {
        Self { shape: Some(P::shape), ..self }
    }

    /// Adds that of [`Streams`].
    pub fn Streams<P: Streams>(self) -> Self {
        Self { rewriter: Some(P::rewriter), ..self }
    }
}
