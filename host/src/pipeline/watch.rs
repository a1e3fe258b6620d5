//! What is learned from an answer while it goes by.

use std::sync::Arc;

use bitrouter_dialect::{Dialect, End, Framing, StreamError, Tap};
use http::StatusCode;

use super::limits::Limits;
use super::{Received, explain};
use crate::credential::Scrubber;
use crate::plugin::contract;
use crate::route::Provider;
use crate::telemetry::{Finished, Outcome};
use crate::upstream::Watch;

/// Feeds the tap and completes the request's record.
pub(super) struct Watcher {
    tap: Option<Tap>,
    /// None once the record was handed on.
    finished: Option<Finished>,
    shape: Dialect,
    explainer: Option<Explainer>,
    limits: Option<Limits>,
}

/// Who is asked what an error event means.
struct Explainer {
    provider: Arc<Provider>,
    request: Arc<contract::Request>,
    scrubber: Option<Arc<Scrubber>>,
}

impl Watcher {
    /// A watcher for an answer framed this way; `None` for bytes without structure.
    pub(super) fn new(received: &Received, framing: Option<Framing>, finished: Finished) -> Self {
        let shape = received.endpoint.shape;
        let events = &received.provider.observed_events;
        let limits = (!events.is_empty()).then(|| Limits::new(received, &finished));
        Watcher {
            tap: framing.map(|framing| Tap::new(shape, framing).observing(Arc::clone(events))),
            finished: Some(finished),
            shape,
            explainer: None,
            limits,
        }
    }

    /// Asks the component what an error event means, for the request's record alone: nobody waits for it.
    pub(super) fn explaining(mut self, received: &Received) -> Self {
        self.explainer = Some(Explainer {
            provider: Arc::clone(&received.provider),
            request: Arc::clone(&received.request),
            scrubber: received.scrubber.clone(),
        });
        self
    }

    /// The gateway's id of the request.
    pub(super) fn id(&self) -> Arc<str> {
        self.finished.as_ref().map_or_else(|| "".into(), |finished| Arc::clone(&finished.id))
    }

    /// The client's dialect.
    pub(super) fn shape(&self) -> Dialect {
        self.shape
    }

    /// The status that the client is sent.
    pub(super) fn answered(&mut self, status: StatusCode) {
        if let Some(finished) = &mut self.finished {
            finished.status = status.as_u16();
        }
    }

    /// The record, for an answer that ends otherwise.
    pub(super) fn into_finished(mut self) -> Finished {
        self.finished.take().expect("it is handed on only at the end of a stream that the client has got")
    }

    fn explain(&mut self, error: Box<StreamError>) {
        let Some(explainer) = self.explainer.take() else { return };
        let Some(mut finished) = self.finished.take() else { return };
        tokio::spawn(async move {
            let Explainer { provider, request, scrubber } = explainer;
            if let Some(failure) = explain::event(&provider, &request.memo, scrubber, &error.raw).await {
                finished.outcome = Outcome::Failed(explain::sentence(&failure));
            }
            // Which writes it.
            drop(finished);
        });
    }
}

impl Watch for Watcher {
    fn bytes(&mut self, bytes: &[u8]) {
        if let Some(tap) = &mut self.tap {
            tap.feed(bytes);
        }
    }

    fn end(&mut self, error: Option<&str>) {
        let report = self.tap.as_mut().map(Tap::finish);
        let Some(finished) = &mut self.finished else { return };
        if let Some(report) = &report {
            finished.usage = report.usage;
        }
        finished.outcome = match (error, report.map(|report| report.end)) {
            (Some(error), _) => Outcome::Failed(error.to_owned()),
            (None, Some(End::Failed(error))) => {
                finished.outcome = Outcome::Failed(error.error.message.clone());
                return self.explain(error);
            }
            (None, Some(End::Cut)) => {
                Outcome::Failed("the upstream's answer ended without saying that it is whole".into())
            }
            (None, Some(End::Complete) | None) => Outcome::Complete,
        };
    }
}

impl Drop for Watcher {
    /// Here and not at the end, so that what was said of limits counts for a client that went away, too.
    fn drop(&mut self) {
        if let (Some(tap), Some(limits)) = (&mut self.tap, &self.limits) {
            limits.events(tap.take_observed());
        }
    }
}
