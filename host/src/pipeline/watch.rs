//! What is learned from an answer while it goes by: whether it is the client's yet, what it used, how it ended.
//!
//! The way back makes a watcher for each answer. Until its attempt is the one that the client gets, the watcher has no
//! record to write into; `adopt` gives it one.

use std::sync::Arc;

use bitrouter_dialect::{Dialect, End, Framing, Report, StreamError, Tap};
use bytes::Bytes;

use super::limits::Limits;
use super::{Received, explain};
use crate::credential::Scrubber;
use crate::error::Error;
use crate::plugin::contract;
use crate::route::Provider;
use crate::telemetry::{Finished, Outcome};
use crate::upstream::{Broken, Watch};

/// How much of an answer is held back at most. A preamble repeats the request at the most, and a document that is longer
/// than this is on its way for so long that its client had better see it come.
const MOST_HELD: u64 = 1 << 20;

/// Feeds the tap and completes the request's record.
pub(super) struct Watcher {
    tap: Option<Tap>,
    /// Whether the answer is one document, which is worth nothing to the client before it is whole.
    document: bool,
    seen: u64,
    ended: Option<Ended>,
    finished: Option<Finished>,
    shape: Dialect,
    explainer: Option<Explainer>,
    limits: Option<Limits>,
}

/// How the answer ended, where that is known before there is a record.
struct Ended {
    broken: Option<String>,
    report: Option<Report>,
}

/// Who is asked what an error event means.
struct Explainer {
    provider: Arc<Provider>,
    request: Arc<contract::Request>,
    scrubber: Option<Arc<Scrubber>>,
}

impl Watcher {
    /// A watcher for an answer framed this way; `None` for bytes without structure.
    pub(super) fn new(received: &Received, framing: Option<Framing>) -> Self {
        let shape = received.endpoint.shape;
        let events = &received.provider.observed_events;
        let limits = (!events.is_empty()).then(|| Limits::new(received));
        Watcher {
            tap: framing.map(|framing| Tap::new(shape, framing).observing(Arc::clone(events))),
            document: framing == Some(Framing::Json),
            seen: 0,
            ended: None,
            finished: None,
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

    /// The answer is the client's: what is learned of it goes into this record.
    pub(super) fn adopt(&mut self, finished: Finished) {
        self.finished = Some(finished);
        self.settle();
    }

    /// The gateway's id of the request.
    pub(super) fn id(&self) -> Arc<str> {
        self.finished.as_ref().map_or_else(|| "".into(), |finished| Arc::clone(&finished.id))
    }

    /// The client's dialect.
    pub(super) fn shape(&self) -> Dialect {
        self.shape
    }

    /// The error that the answer reported before any content.
    pub(super) fn refusal(&self) -> Option<StreamError> {
        match &self.ended {
            Some(Ended { report: Some(Report { end: End::Failed(error), first_content: false, .. }), .. }) => {
                Some((**error).clone())
            }
            Some(_) => None,
            None => self.tap.as_ref().filter(|tap| !tap.first_content()).and_then(Tap::error).cloned(),
        }
    }

    /// Whether the answer stopped before it was one: a document that is not whole, or a stream without any content.
    pub(super) fn is_cut(&self) -> bool {
        let Some(Ended { report: Some(report), .. }) = &self.ended else { return false };
        report.end == End::Cut && (self.document || !report.first_content)
    }

    /// What is wrong with an answer that was cut.
    pub(super) fn cut(&self) -> &'static str {
        match (self.document, self.seen) {
            (true, 0) => "the upstream answered with an empty document",
            (true, _) => "the upstream's answer is not one whole JSON document",
            (false, _) => "the upstream's stream ended before any content",
        }
    }

    /// Whether any content has passed.
    pub(super) fn has_content(&self) -> bool {
        match &self.ended {
            Some(Ended { report: Some(report), .. }) => report.first_content,
            _ => self.tap.as_ref().is_some_and(Tap::first_content),
        }
    }

    /// What the component said of the failure is what the record says; it is not asked again.
    pub(super) fn explained(&mut self) {
        self.explainer = None;
    }

    /// Completes the record, once there is one and the answer has ended.
    fn settle(&mut self) {
        let Some(finished) = &mut self.finished else { return };
        let Some(ended) = self.ended.take() else { return };
        if let Some(report) = &ended.report {
            finished.usage = report.usage;
        }
        let failed_already = matches!(finished.outcome, Outcome::Failed(_));
        finished.outcome = match (ended.broken, ended.report.map(|report| report.end)) {
            _ if failed_already => return,
            (Some(error), _) => Outcome::Failed(error),
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
        self.seen += bytes.len() as u64;
        if let Some(tap) = &mut self.tap {
            tap.feed(bytes);
        }
    }

    fn commits(&self) -> bool {
        match &self.tap {
            None => true,
            Some(_) if self.seen > MOST_HELD => true,
            Some(_) if self.document => false,
            Some(tap) => tap.first_content() || tap.error().is_some(),
        }
    }

    /// An error event of the client's dialect, where one may stand: what broke off within an event can only be cut.
    fn last_words(&self, broken: &Broken) -> Option<Bytes> {
        let (tap, explainer) = (self.tap.as_ref()?, self.explainer.as_ref()?);
        if !tap.between_events() || tap.error().is_some() || tap.is_complete() {
            return None;
        }
        let provider = explainer.provider.id().to_owned();
        let error = Error::Broken { provider, reason: broken.to_string() }.to_api(&self.id());
        Some(error.as_event(self.shape, tap.events()))
    }

    fn end(&mut self, error: Option<&str>) {
        let report = self.tap.as_mut().map(Tap::finish);
        self.ended = Some(Ended { broken: error.map(str::to_owned), report });
        self.settle();
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
