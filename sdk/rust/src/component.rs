//! Joins a [`Provider`] to wit-bindgen's traits. `export!` names it; it turns arguments into the SDK's types and must
//! not decide anything.

use std::cell::RefCell;
use std::marker::PhantomData;

use crate::bindings::exports::bitrouter::provider::provider::{self as contract, Guest, GuestRewriter};
use crate::panic;
use crate::{Answer, Call, Document, Event, Failure, Field, Payload, Provider, Rewriter, Step, Trouble, Window};

/// A provider as the component model sees it.
pub struct Component<P>(PhantomData<P>);

impl<P: Provider> Guest for Component<P> {
    type Rewriter = Stream<P>;

    fn describe() -> String {
        panic::tell();
        P::describe()
    }

    fn prepare(call: Call, body: contract::Payload<'_>) -> Result<Step, Failure> {
        panic::tell();
        P::prepare(&call, &payload(body))
    }

    fn resume(call: Call, body: contract::Payload<'_>, memo: Vec<u8>, answer: Answer) -> Result<Step, Failure> {
        panic::tell();
        P::resume(&call, &payload(body), memo, answer)
    }

    fn explain(trouble: Trouble, memo: Vec<u8>) -> Failure {
        panic::tell();
        P::explain(&trouble, memo)
    }

    fn interpret(side: String, page: Answer) -> Result<String, Failure> {
        panic::tell();
        P::interpret(&side, page)
    }

    fn quota(headers: Vec<Field>, event: Option<String>) -> Vec<Window> {
        panic::tell();
        P::quota(&headers, event.as_deref())
    }
}

fn payload(body: contract::Payload<'_>) -> Payload<'_> {
    match body {
        contract::Payload::Json(document) => Payload::Json(Document::lent(document)),
        contract::Payload::Opaque(blob) => Payload::Opaque(blob),
        contract::Payload::None => Payload::None,
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

impl<P: Provider> GuestRewriter for Stream<P> {
    fn new(call: Call, memo: Vec<u8>) -> Self {
        #[cfg(feature = "arena")]
        crate::arena::retire();
        panic::tell();
        Self { rewriter: RefCell::new(P::rewriter(call, memo)), provider: PhantomData }
    }

    fn push(&self, events: Vec<Event>) -> Result<Vec<Event>, Failure> {
        self.with(|rewriter| rewriter.push(events))
    }

    fn finish(&self) -> Result<Vec<Event>, Failure> {
        self.with(|rewriter| rewriter.finish())
    }
}
