//! One request on its way: route, plugin, credential, upstream, and the answer back.
//!
//! The gateway hands over a call that it has read. It is sent to target after target until one answers (`candidates`,
//! `failover`): each attempt takes the steps of this room; what fails on the way becomes the most useful error, in the
//! client's dialect.

mod answer;
mod attempt;
mod body;
mod candidates;
mod continued;
mod deliver;
mod describe;
mod estimate;
mod explain;
mod failed;
mod failover;
mod head;
mod keeping;
mod limits;
mod over_websocket;
mod owned;
mod page;
mod prepare;
mod query;
mod record;
mod reply;
mod send;
mod translate;
mod wait;
mod whole;

use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

use axum::response::Response;
use bitrouter_credential::Scrubber;
use bitrouter_plugin::contract;

use crate::app::App;
use crate::call::{self, Call};
use crate::route::Provider;
use crate::telemetry::RequestRecord;
use answer::{array, heartbeat};
use failed::Failed;

pub(crate) use continued::resolve;
pub(crate) use keeping::Keeping;
pub(crate) use query::query;
pub(crate) use record::{Exchanged, exchange};

/// A call's way to its answer, or to the failure that its client reads.
type PendingAnswer = Pin<Box<dyn Future<Output = Result<Response, Box<Exhausted>>> + Send>>;

/// Every target was tried.
struct Exhausted {
    failed: Failed,
    record: Box<RequestRecord>,
}

/// An attempt whose answer has begun.
struct Received {
    provider: Arc<Provider>,
    account: Arc<str>,
    endpoint: &'static call::Endpoint,
    call: Box<contract::Call>,
    request: Arc<contract::Request>,
    scrubber: Option<Arc<Scrubber>>,
    response: http::Response<bitrouter_upstream::Received>,
    sent: Instant,
    /// What brings the answer back into its client's dialect, where the provider speaks another.
    translating: Option<Box<translate::Translating>>,
    /// Who keeps the answer as it comes, where its provider does not and the client may name it.
    keeping: Option<keeping::Keeping>,
    /// What is to be learned of the answer, where it makes something that its provider keeps.
    learning: Option<Box<answer::learn::Learning>>,
}

/// Answers a call.
pub async fn run(app: Arc<App>, mut call: Box<Call>, record: Box<RequestRecord>) -> Response {
    call.caller.bind_idempotency_key(&mut call.headers);
    let (shape, streaming, id) = (call.endpoint.shape, call.streaming, Arc::clone(&record.id));
    let as_array = call.as_array;
    let formed = |answer| if as_array { array::of(answer) } else { answer };
    if let Err(error) = continued::resolve(&app, &mut call).await {
        return formed(Failed::from(error).respond(shape, record));
    }
    let counted = estimate::of(&call);
    let mut outcome = if streaming {
        let under_way = record.under_way().clone();
        let mut pending: PendingAnswer = Box::pin(try_targets(app, call, record));
        match tokio::time::timeout(heartbeat::FIRST_AFTER, &mut pending).await {
            Ok(outcome) => outcome,
            Err(_) => return formed(heartbeat::answer(pending, shape, &id, &under_way)),
        }
    } else {
        try_targets(app, call, record).await
    };
    if let Some(body) = counted {
        outcome = outcome.or_else(|exhausted| estimate::instead(exhausted, &body, shape));
    }
    formed(outcome.unwrap_or_else(|exhausted| exhausted.failed.respond(shape, exhausted.record)))
}

/// Tries target after target until one answers.
async fn try_targets(
    app: Arc<App>,
    call: Box<Call>,
    mut record: Box<RequestRecord>,
) -> Result<Response, Box<Exhausted>> {
    match failover::first_answer(&app, call, &mut record).await {
        Ok(delivered) => Ok(delivered.respond(record)),
        Err(failed) => Err(Box::new(Exhausted { failed, record })),
    }
}
