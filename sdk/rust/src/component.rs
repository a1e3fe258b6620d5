//! Joins a provider to wit-bindgen's traits. `export!` names it; it turns arguments into the SDK's types and must not
//! decide anything.

use std::cell::RefCell;
use std::marker::PhantomData;

use crate::bindings::answers::exports::bitrouter::provider::answers;
use crate::bindings::exports::bitrouter::provider::provider as described;
use crate::bindings::failures::exports::bitrouter::provider::failures;
use crate::bindings::limits::exports::bitrouter::provider::limits;
use crate::bindings::queries::exports::bitrouter::provider::queries;
use crate::bindings::requests::exports::bitrouter::provider::requests;
use crate::bindings::streams::exports::bitrouter::provider::streams;
use crate::panic;
use crate::{Answer, Call, Document, Event, Failure, Field, Head, Payload, Rewriter, Step, Trouble, Window};
use crate::{Answers, Failures, Limits, Provider, Queries, Requests, Streams};

/// A provider as the component model sees it.
pub struct Component<P>(PhantomData<P>);

impl<P: Provider> described::Guest for Component<P> {
    fn describe() -> String {
        panic::tell();
        P::describe()
    }
}

impl<P: Requests> requests::Guest for Component<P> {
    fn prepare(call: Call, body: requests::Payload<'_>) -> Result<Step, Failure> {
        panic::tell();
        P::prepare(&call, &payload(body))
    }

    fn resume(call: Call, body: requests::Payload<'_>, memo: Vec<u8>, answer: Answer) -> Result<Step, Failure> {
        panic::tell();
        P::resume(&call, &payload(body), memo, answer)
    }
}

impl<P: Failures> failures::Guest for Component<P> {
    fn explain(trouble: Trouble, memo: Vec<u8>) -> Option<Failure> {
        panic::tell();
        P::explain(&trouble, memo)
    }
}

impl<P: Queries> queries::Guest for Component<P> {
    fn interpret(side: String, page: Answer) -> Result<Option<String>, Failure> {
        panic::tell();
        P::interpret(&side, page)
    }
}

impl<P: Limits> limits::Guest for Component<P> {
    fn quota(headers: Vec<Field>, event: Option<String>) -> Option<Vec<Window>> {
        panic::tell();
        P::quota(&headers, event.as_deref())
    }
}

impl<P: Answers> answers::Guest for Component<P> {
    fn shape(call: Call, memo: Vec<u8>, head: Head, body: &answers::Document) -> Result<(), Failure> {
        panic::tell();
        P::shape(&call, memo, &head, &Document::lent(body))
    }
}

impl<P: Streams> streams::Guest for Component<P> {
    type Rewriter = Stream<P>;
}

fn payload(body: requests::Payload<'_>) -> Payload<'_> {
    match body {
        requests::Payload::Json(document) => Payload::Json(Document::lent(document)),
        requests::Payload::Opaque(blob) => Payload::Opaque(blob),
        requests::Payload::None => Payload::None,
    }
}

/// One answer that is being rewritten; none where the provider asked for a rewriter and has none.
pub struct Stream<P> {
    rewriter: RefCell<Option<Box<dyn Rewriter>>>,
    provider: PhantomData<P>,
}

impl<P> Stream<P> {
    fn with(&self, step: impl FnOnce(&mut dyn Rewriter) -> Result<Vec<Event>, Failure>) -> Result<Vec<Event>, Failure> {
        match &mut *self.rewriter.borrow_mut() {
            Some(rewriter) => step(rewriter.as_mut()),
            None => Err(Failure::unsupported("this provider asked for a rewriter and has none")),
        }
    }
}

impl<P: Streams> streams::GuestRewriter for Stream<P> {
    fn new(call: Call, memo: Vec<u8>, head: Head) -> Self {
        #[cfg(feature = "arena")]
        crate::arena::retire();
        panic::tell();
        Self { rewriter: RefCell::new(P::rewriter(call, memo, head)), provider: PhantomData }
    }

    fn push(&self, events: Vec<Event>) -> Result<Vec<Event>, Failure> {
        self.with(|rewriter| rewriter.push(events))
    }

    fn finish(&self) -> Result<Vec<Event>, Failure> {
        self.with(|rewriter| rewriter.finish())
    }
}
