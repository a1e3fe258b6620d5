//! What a provider implements. The component glue calls it in a guest, the golden tests call it natively; the defaults
//! here are what most providers need, and nothing in this file does anything but hand over.

use crate::{Answer, Call, Event, Failure, Field, Payload, Step, Trouble, Window, explain, rate_limits};

/// A model provider. Only [`describe`](Self::describe) and [`prepare`](Self::prepare) are required.
///
/// There is no `self`, because nothing lasts: every hook but the rewriter's runs in an instance of its own. For one
/// call of a client the host goes through these in order:
///
/// 1. [`describe`](Self::describe), once for each build of the component; the answer is cached.
/// 2. [`prepare`](Self::prepare), once for each target that is tried.
/// 3. [`resume`](Self::resume), after each [`Step::Ask`], at most three times.
/// 4. [`rewriter`](Self::rewriter), once, where the request asked for it; its `push` for each batch, then its `finish`.
/// 5. [`explain`](Self::explain), where the answer was a failure, or an error event came inside a stream.
/// 6. [`quota`](Self::quota), each time a header or event matched `observe` of the description.
///
/// [`interpret`](Self::interpret) stands beside the calls: once for each answer of a side request.
pub trait Provider: 'static {
    /// What the provider is: JSON under `description.schema.json`. A constant of the build, so best a file of its own
    /// and `include_str!`.
    fn describe() -> String;

    /// Shapes a call into a request. It runs on the way of every call: read no more of the body than is needed.
    ///
    /// # Errors
    /// A failure ends the attempt before anything is sent.
    fn prepare(call: &Call, body: &Payload<'_>) -> Result<Step, Failure>;

    /// Goes on after [`Step::Ask`], with the exchange's memo and answer. Edits of the body made so far are still there.
    ///
    /// # Errors
    /// As [`prepare`](Self::prepare). The default is `unsupported`, for providers that never ask.
    fn resume(call: &Call, body: &Payload<'_>, memo: Vec<u8>, answer: Answer) -> Result<Step, Failure> {
        let _ = (call, body, memo, answer);
        Err(Failure::unsupported("this provider asks nothing, so it has nothing to resume"))
    }

    /// Says what a failure means; `memo` is the request's. The default reads the statuses, headers and error shapes
    /// that OpenAI and Anthropic use: see [`explain()`](crate::explain).
    fn explain(trouble: &Trouble, memo: Vec<u8>) -> Failure {
        let _ = memo;
        explain(trouble)
    }

    /// Reads the answer of the side request called `side`, and returns JSON in the form of its kind:
    /// `{"models": […]}`, `{"windows": […], "plan": "…"}` or `{"claims": {…}}`.
    ///
    /// # Errors
    /// What the page says went wrong. The default is `unsupported`, for providers that declare no side request.
    fn interpret(side: &str, page: Answer) -> Result<String, Failure> {
        let _ = (side, page);
        Err(Failure::unsupported("this provider has no side request"))
    }

    /// Reads limits out of an answer's headers or out of one event, of which only those come that `observe` names.
    /// The default reads `x-ratelimit-*` headers: see [`rate_limits`].
    fn quota(headers: &[Field], event: Option<&str>) -> Vec<Window> {
        let _ = event;
        rate_limits(headers)
    }

    /// Starts to rewrite one answer, whose request had [`Delivery::Rewrite`](crate::Delivery::Rewrite) and this memo.
    /// The default is none, for providers that never ask for it.
    fn rewriter(call: Call, memo: Vec<u8>) -> Option<Box<dyn Rewriter>> {
        let _ = (call, memo);
        None
    }
}

/// Rewrites one answer. Its instance lives as long as the stream, so it may keep state, and memory is freed.
pub trait Rewriter {
    /// Takes the events that one read brought, in order, and returns any number.
    ///
    /// # Errors
    /// A failure ends the stream; the client reads it in its own dialect.
    fn push(&mut self, events: Vec<Event>) -> Result<Vec<Event>, Failure>;

    /// The upstream has ended: returns what is left. The default is nothing.
    ///
    /// # Errors
    /// As [`push`](Self::push), such as for an answer that was cut off.
    fn finish(&mut self) -> Result<Vec<Event>, Failure> {
        Ok(Vec::new())
    }
}
