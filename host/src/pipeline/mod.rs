//! One request on its way: route, plugin, credential, upstream, and the answer back.
//!
//! The gateway hands over a call that it has read. It travels from target to target until one answers: each attempt is a
//! file of this room, in the order in which its steps run; what fails on the way becomes the most useful error, in the
//! client's dialect.

mod attempt;
mod beside;
mod deliver;
mod describe;
mod explain;
mod failed;
mod fold;
mod late;
mod limits;
mod plan;
mod rewrite;
mod send;
mod watch;

use std::pin::Pin;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use axum::response::Response;

use crate::app::App;
use crate::credential::Scrubber;
use crate::error::Error;
use crate::gateway::{self, Call};
use crate::plugin::contract;
use crate::route::{Journey, Provider};
use crate::telemetry::Finished;
use crate::upstream;
use deliver::Delivered;
use failed::{At, Failed};

pub(crate) use beside::beside;

/// A journey to its answer, or to the failure that the client is told of.
type Travel = Pin<Box<dyn Future<Output = Result<Response, Box<Spent>>> + Send>>;

/// Every target was tried.
struct Spent {
    failed: Failed,
    finished: Finished,
}

/// An attempt whose answer has begun.
struct Received {
    provider: Arc<Provider>,
    account: Arc<str>,
    endpoint: &'static gateway::Endpoint,
    call: Box<contract::Call>,
    request: Arc<contract::Request>,
    scrubber: Option<Arc<Scrubber>>,
    response: http::Response<upstream::Received>,
    sent: Instant,
}

/// Answers a call.
pub async fn run(app: Arc<App>, call: Call, finished: Finished) -> Response {
    let (shape, streaming, id) = (call.endpoint.shape, call.streaming, Arc::clone(&finished.id));
    let outcome = if streaming {
        let mut travel: Travel = Box::pin(travel(app, call, finished));
        match tokio::time::timeout(late::PATIENCE, &mut travel).await {
            Ok(outcome) => outcome,
            Err(_) => return late::answer(travel, shape, &id),
        }
    } else {
        travel(app, call, finished).await
    };
    outcome.unwrap_or_else(|spent| spent.failed.respond(shape, spent.finished))
}

/// Tries target after target until one answers.
async fn travel(app: Arc<App>, call: Call, mut finished: Finished) -> Result<Response, Box<Spent>> {
    match first_answer(&app, call, &mut finished).await {
        Ok(delivered) => Ok(delivered.respond(finished)),
        Err(failed) => Err(Box::new(Spent { failed, finished })),
    }
}

/// The answer of the first target that has one, or the most useful of the failures.
async fn first_answer(app: &App, mut call: Call, finished: &mut Finished) -> Result<Delivered, Failed> {
    if let Some(first) = call.addresses.first() {
        finished.model.clone_from(first);
    }
    let targets = plan::targets(app, &call).await?;
    let (places, mut best) = plan::places(app, &mut call, &targets);
    let mut journey = Journey::new(app.directory.cooldowns(), places);
    while let Some(leg) = journey.next(SystemTime::now()) {
        let target = &targets[leg.place];
        let label = leg.account.as_ref().map(|payer| payer.0.label.clone());
        let at = At {
            provider: Arc::clone(&target.provider.plugin.id),
            account: label.as_deref().unwrap_or_default().into(),
            model: target.model.as_str().into(),
        };
        at.stands_in(finished);
        let body = if journey.goes_on() { call.body.clone() } else { std::mem::take(&mut call.body) };
        match attempt::run(target, label.as_deref(), &call, body, finished).await {
            Ok(delivered) => {
                journey.arrived(leg, SystemTime::now());
                return Ok(delivered);
            }
            Err(mut failed) => {
                tracing::warn!(
                    request = &*finished.id,
                    provider = &*at.provider,
                    account = &*at.account,
                    model = &*at.model,
                    reason = failed.sentence,
                    "attempt failed"
                );
                failed.at = Some(at);
                journey.failed(leg, &failed.meaning, failed.committed, SystemTime::now());
                best = Some(match best {
                    Some(other) if !failed.is_more_useful_than(&other) => other,
                    _ => failed,
                });
            }
        }
    }
    let from_memory = journey
        .first_to_end()
        .map(|passed| plan::from_memory(&targets[passed.place], journey.place(passed.place), passed));
    match (from_memory, best) {
        (Some(memory), Some(failed)) if memory.stands_in_for(&failed) => Err(memory),
        (_, Some(failed)) => Err(failed),
        (Some(memory), None) => Err(memory),
        (None, None) => Err(Error::Internal("no target could be tried, and nothing says why".into()).into()),
    }
}
