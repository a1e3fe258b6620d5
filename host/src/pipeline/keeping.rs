//! What of a conversation is kept once its answer is whole, for a client of Responses that may name it later.
//!
//! The translation keeps what it makes, and a WebSocket what goes over it. An answer that comes as its provider made it is kept where that provider keeps
//! nothing, though the client did not say `store: false`: a ChatGPT plan takes no request that would be stored.

use bitrouter_dialect::Dialect;
use bitrouter_dialect::history;
use bitrouter_document::Document;
use bitrouter_plugin::HookBody;
use bytes::Bytes;

use crate::call::{Call, CallBody, Previous};
use crate::history::{History, ResponseOwner};

/// The longest value of `store` that says something.
const FLAG: u32 = 8;

/// An answer that is kept once it is whole.
pub(crate) struct Keeping {
    history: History,
    owner: ResponseOwner,
    previous: Option<String>,
    /// What the request itself said: a list of items.
    input: Vec<u8>,
}

impl Keeping {
    /// Of a request with this body, whole, which may continue a response that is kept for the same owner: then what stands
    /// before the request's own items is not kept again.
    pub(crate) fn of(history: History, owner: ResponseOwner, previous: Option<&Previous>, body: &[u8]) -> Self {
        let previous = previous.filter(|previous| previous.owner == owner);
        let before = previous.map_or(0, |previous| previous.items);
        let input = history::own_items(body).skip(before).collect::<Vec<_>>().join(&b","[..]);
        let input = [&b"["[..], &input, b"]"].concat();
        Keeping { history, owner, previous: previous.map(|previous| previous.id.clone()), input }
    }

    /// Keeps the answer.
    pub(crate) fn keep(self, response: &[u8]) {
        let Keeping { history, owner, previous, input } = self;
        history.responses.of(owner).keep(previous.as_deref(), &input, response);
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
