//! A call of a Responses client that names what was said before (`previous_response_id`, `item_reference`): what this gateway
//! keeps of it is put in its place before anything is tried, so that every target gets the whole conversation.
//!
//! `run` calls it. What a provider keeps stays a name, and only a target that can know it is asked; what this gateway made and
//! has forgotten is nobody's.

use std::sync::Arc;

use bitrouter_dialect::Dialect;
use bitrouter_dialect::history::{self, Resolved};
use bitrouter_document::{Document, Kind};
use bytes::Bytes;

use crate::app::App;
use crate::call::{Call, CallBody, Continued};
use crate::error::Error;
use crate::history::is_own;

/// From this size on a body is looked through on a thread that serves nobody.
const LONG: usize = 256 << 10;

/// Puts what is kept for this caller in the place of its names.
pub(super) async fn resolve(app: &App, call: &mut Call) -> Result<(), Error> {
    if call.endpoint.shape != Dialect::Responses {
        return Ok(());
    }
    let CallBody::Json(document) = &mut call.body else { return Ok(()) };
    let names_previous = document.kind("/previous_response_id")? == Some(Kind::String);
    let kept = app.history.responses.of(call.caller);
    // Without a copy where nothing was edited, which is the rule.
    let body = document.output().into_bytes();
    // Clients may leave the type of a reference out: each item is looked at where one may be ours.
    if !names_previous && kept.is_empty() && !history::may_name_items(&body) {
        return Ok(());
    }
    let Resolved { body, previous, unknown } = if body.len() < LONG {
        history::resolve(&body, &kept)
    } else {
        let (responses, caller) = (Arc::clone(&app.history.responses), call.caller);
        let resolving = tokio::task::spawn_blocking(move || history::resolve(&body, &responses.of(caller)));
        resolving.await.map_err(|error| Error::Internal(error.to_string()))?
    };
    if let Some(name) = unknown.iter().find(|name| is_own(name.id())) {
        return Err(Error::NotKept(name.clone()));
    }
    if let Some(body) = body {
        let limit = app.config.server.body_limit;
        if body.len() as u64 > limit {
            return Err(Error::BodyLimit(usize::try_from(limit).unwrap_or(usize::MAX)));
        }
        call.body = CallBody::Json(Document::parse(Bytes::from(body))?);
    }
    call.continued = Continued { previous, elsewhere: unknown.into_iter().next() };
    Ok(())
}
