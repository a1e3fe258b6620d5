//! One request on its way: route, plugin, credential, upstream, and the answer back.
//!
//! The gateway hands over a call that it has read. It travels from target to target until one answers (`plan`, `walk`): each
//! attempt takes the steps of this room; what fails on the way becomes the most useful error, in the client's dialect.

mod answer;
mod attempt;
mod beside;
mod deliver;
mod describe;
mod explain;
mod failed;
mod limits;
mod page;
mod plan;
mod send;
mod wait;
mod walk;

use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

use axum::response::Response;
use bitrouter_credential::Scrubber;
use bitrouter_plugin::contract;

use crate::app::App;
use crate::call::{self, Call};
use crate::route::Provider;
use crate::telemetry::Finished;
use answer::waiting;
use failed::Failed;

pub(crate) use beside::beside;

/// A journey to its answer, or to the failure that the client is told of.
type Travel = Pin<Box<dyn Future<Output = Result<Response, Box<Spent>>> + Send>>;

/// Every target was tried.
struct Spent {
    failed: Failed,
    finished: Box<Finished>,
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
}

/// Answers a call.
pub async fn run(app: Arc<App>, mut call: Box<Call>, finished: Box<Finished>) -> Response {
    call.caller.bind_idempotency_key(&mut call.headers);
    let (shape, streaming, id) = (call.endpoint.shape, call.streaming, Arc::clone(&finished.id));
    let outcome = if streaming {
        let under_way = finished.under_way().clone();
        let mut travel: Travel = Box::pin(travel(app, call, finished));
        match tokio::time::timeout(waiting::PATIENCE, &mut travel).await {
            Ok(outcome) => outcome,
            Err(_) => return waiting::answer(travel, shape, &id, &under_way),
        }
    } else {
        travel(app, call, finished).await
    };
    outcome.unwrap_or_else(|spent| spent.failed.respond(shape, spent.finished))
}

/// Tries target after target until one answers.
async fn travel(app: Arc<App>, call: Box<Call>, mut finished: Box<Finished>) -> Result<Response, Box<Spent>> {
    match walk::first_answer(&app, call, &mut finished).await {
        Ok(delivered) => Ok(delivered.respond(finished)),
        Err(failed) => Err(Box::new(Spent { failed, finished })),
    }
}
