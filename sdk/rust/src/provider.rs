//! What a provider implements. The component glue calls it in a guest, the golden tests call it natively. All but
//! [`Provider`] is optional: what is not exported, or answers `None`, is done by the host as the description says.

use crate::{Answer, Call, Document, Event, Failure, Field, Head, Payload, Step, Trouble, Window};

/// A model provider. Often its description is all of it: `export!(Acme);`. Where a part of it takes code, the trait of that
/// part is implemented and named: `export!(Acme: Requests, Limits);`.
///
/// There is no `self`, because nothing lasts: every hook but the rewriter's runs in an instance of its own. For one
/// call of a client the host goes through these in order:
///
/// 1. [`describe`](Self::describe), once for each build of the component; the answer is cached.
/// 2. [`prepare`](Requests::prepare), once for each target that is tried.
/// 3. [`resume`](Requests::resume), after each [`Step::Ask`], at most three times, or as often as `exchanges` of the description says.
/// 4. Where the request asked for `rewrite`: [`rewriter`](Streams::rewriter), once, for an answer in events; its `push` for each
///    batch, then its `finish`. [`shape`](Answers::shape) for one that is a JSON document.
/// 5. [`explain`](Failures::explain), where the answer was a failure, or an error event came inside a stream.
/// 6. [`quota`](Limits::quota), each time a header or event matched `observe` of the description.
///
/// [`interpret`](Queries::interpret) stands beside the calls: once for each answer of a side request.
pub trait Provider: 'static {
    /// What the provider is: JSON under `description.schema.json`. A constant of the build, so best a file of its own
    /// and `include_str!`.
    fn describe() -> String;
}

/// A provider whose requests are more than what `paths` of the description says.
pub trait Requests: Provider {
    /// Shapes a call into a request. It runs on the way of every call: read no more of the body than is needed.
    /// [`Step::Described`] is what the description says, with the body as it was edited.
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
}

/// A provider whose failures cannot be told by `errors` of the description.
pub trait Failures: Provider {
    /// Says what a failure means; `memo` is the request's. `None` is what the host makes of it: by the rules of the
    /// description, and by the codes, statuses and shapes that OpenAI, Anthropic, Google and those who copied them use.
    fn explain(trouble: &Trouble, memo: Vec<u8>) -> Option<Failure>;
}

/// A provider with side requests that are more than a list of models.
pub trait Queries: Provider {
    /// Reads the answer of the side request called `side`, and returns JSON in the form of its kind:
    /// `{"models": […]}`, `{"windows": […], "plan": "…"}` or `{"claims": {…}}`. `None` is what the host makes of it: a failure
    /// as above, a list of models by the members `list`, `id` and so on of the side request.
    ///
    /// # Errors
    /// What the page says went wrong.
    fn interpret(side: &str, page: Answer) -> Result<Option<String>, Failure>;
}

/// A provider whose limits cannot be told by `limits` of the description.
pub trait Limits: Provider {
    /// Reads limits out of an answer's headers or out of one event, of which only those come that `observe` and `limits`
    /// name. `None` is what the host reads in them by `limits`.
    fn quota(headers: &[Field], event: Option<&str>) -> Option<Vec<Window>>;
}

/// A provider that asks for [`Delivery::Rewrite`](crate::Delivery::Rewrite), and whose answers come as one JSON document.
pub trait Answers: Provider {
    /// Edits a whole answer of status 2xx, which stays in the host, until it is in the call's dialect.
    ///
    /// # Errors
    /// The answer says that it is a failure after all.
    fn shape(call: &Call, memo: Vec<u8>, head: &Head, body: &Document<'_>) -> Result<(), Failure>;
}

/// A provider that asks for [`Delivery::Rewrite`](crate::Delivery::Rewrite), and whose answers come in events.
pub trait Streams: Provider {
    /// Starts to rewrite one answer, whose request had this memo; `None` where this one cannot be.
    fn rewriter(call: Call, memo: Vec<u8>, head: Head) -> Option<Box<dyn Rewriter>>;
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
