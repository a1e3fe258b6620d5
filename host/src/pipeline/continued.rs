//! A call of a Responses client that names what was said before (`previous_response_id`, `item_reference`): what this gateway
//! keeps of it is put in its place before anything is tried, so that every target gets the whole conversation.
//!
//! `run` calls it, and before it who keeps the conversation of a WebSocket. What a provider keeps stays a name, and only a target that can know it is asked; what this gateway made and
//! has forgotten is nobody's.

use std::cell::Cell;
use std::sync::Arc;

use bitrouter_dialect::Dialect;
use bitrouter_dialect::history::{self, Kept, Resolved};
use bitrouter_document::{Document, Kind};
use bytes::Bytes;

use super::whole;
use crate::app::App;
use crate::call::{Call, CallBody, Continued, Previous, Socket};
use crate::caller::Caller;
use crate::error::Error;
use crate::history::{ResponseOwner, Responses, is_own};

/// Puts what is kept for this caller in the place of its names, unless that was done.
pub(crate) async fn resolve(app: &App, call: &mut Call) -> Result<(), Error> {
    if call.endpoint.shape != Dialect::Responses || call.continued.is_some() {
        return Ok(());
    }
    let CallBody::Json(document) = &mut call.body else { return Ok(()) };
    let names_previous = document.kind("/previous_response_id")? == Some(Kind::String);
    let kept = Findable::of(app, call.caller, call.socket.as_deref());
    // Without a copy where nothing was edited, which is the rule.
    let body = document.output().into_bytes();
    call.continued = Some(Continued::default());
    // Clients may leave the type of a reference out: each item is looked at where one may be ours.
    if !names_previous && kept.responses.of(call.caller).is_empty() && !history::may_name_items(&body) {
        return Ok(());
    }
    let (found, previous_of) = whole::work(body.len(), move || kept.resolve(&body)).await?;
    let Resolved { body, previous, unknown } = found;
    let is_lost = |id: &str| is_own(id) || call.socket.as_ref().is_some_and(|socket| socket.knows(id));
    if let Some(name) = unknown.iter().find(|name| is_lost(name.id())) {
        return Err(Error::NotKept(name.clone()));
    }
    if let Some(body) = body {
        let limit = app.config.server.body_limit;
        if body.len() as u64 > limit {
            return Err(Error::BodyLimit(usize::try_from(limit).unwrap_or(usize::MAX)));
        }
        call.body = CallBody::Json(Document::parse(Bytes::from(body))?);
    }
    let previous = previous.zip(previous_of).map(|((id, items), owner)| Previous { id, items, owner });
    call.continued = Some(Continued { previous, elsewhere: unknown.into_iter().next() });
    Ok(())
}

/// Where the names of a call are looked for: what its connection has, then what its caller has.
struct Findable {
    responses: Arc<Responses>,
    owners: [Option<ResponseOwner>; 2],
    /// For whom the conversation is kept that was found.
    found: Cell<Option<ResponseOwner>>,
}

impl Findable {
    fn of(app: &App, caller: Caller, socket: Option<&Socket>) -> Self {
        let owners = [socket.map(Socket::owner), Some(caller.into())];
        Findable { responses: Arc::clone(&app.history.responses), owners, found: Cell::new(None) }
    }

    fn resolve(self, body: &[u8]) -> (Resolved, Option<ResponseOwner>) {
        let resolved = history::resolve(body, &self);
        (resolved, self.found.get())
    }

    fn first(&self, has: &mut dyn FnMut(ResponseOwner) -> bool) -> Option<ResponseOwner> {
        self.owners.into_iter().flatten().find(|owner| has(*owner))
    }
}

impl Kept for Findable {
    fn conversation(&self, response: &str, each: &mut dyn FnMut(&[u8])) -> bool {
        self.found.set(self.first(&mut |owner| self.responses.of(owner).conversation(response, each)));
        self.found.get().is_some()
    }

    fn item(&self, id: &str, each: &mut dyn FnMut(&[u8])) -> bool {
        self.first(&mut |owner| self.responses.of(owner).item(id, each)).is_some()
    }
}
