//! What of a conversation is kept once its answer is whole, for a client of Responses that may name it later.
//!
//! The translation keeps what it makes. An answer that comes as its provider made it is kept where that provider keeps
//! nothing, though the client did not say `store: false`: a ChatGPT plan takes no request that would be stored.

use bitrouter_dialect::Dialect;
use bitrouter_dialect::history;
use bitrouter_document::Document;
use bitrouter_plugin::HookBody;
use bytes::Bytes;

use crate::call::{Call, CallBody};
use crate::caller::Caller;
use crate::history::History;

/// The longest value of `store` that says something.
const FLAG: u32 = 8;

/// An answer that is kept once it is whole.
pub(super) struct Keeping {
    history: History,
    caller: Caller,
    previous: Option<String>,
    /// What the request itself said: a list of items.
    input: Vec<u8>,
}

impl Keeping {
    /// Of a request with this body, which continues that response: its id, and how many of its items stand before the
    /// request's own.
    pub(super) fn of(history: History, caller: Caller, previous: Option<(String, usize)>, body: &[u8]) -> Self {
        let before = previous.as_ref().map_or(0, |(_, items)| *items);
        let input = history::own_items(body).skip(before).collect::<Vec<_>>().join(&b","[..]);
        let input = [&b"["[..], &input, b"]"].concat();
        Keeping { history, caller, previous: previous.map(|(id, _)| id), input }
    }

    /// Keeps the answer.
    pub(super) fn keep(self, response: &[u8]) {
        let Keeping { history, caller, previous, input } = self;
        history.responses.of(caller).keep(previous.as_deref(), &input, response);
    }
}

/// What the client sent, if its answer is to be kept by whoever gives it.
pub(super) fn wished(body: &mut CallBody, call: &Call) -> Option<Bytes> {
    let CallBody::Json(document) = body else { return None };
    let keeps = call.endpoint.shape == Dialect::Responses && call.endpoint.operation == "generate";
    (keeps && !declines(document)).then(|| document.output().into_bytes())
}

/// Whether the provider is told to keep nothing.
pub(super) fn is_refused(body: &mut HookBody) -> bool {
    let HookBody::Json(document) = body else { return false };
    declines(document)
}

fn declines(document: &mut Document) -> bool {
    document.get("/store", FLAG).ok().flatten().as_deref() == Some("false")
}
