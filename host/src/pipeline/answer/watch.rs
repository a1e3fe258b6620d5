//! What is learned from an answer while it goes by: whether it is the client's yet, what it used, how it ended.
//!
//! The way back makes a watcher for each answer. Until its attempt is the one that the client gets, the watcher has no
//! record to write into; `adopt` gives it one.

use std::sync::Arc;

use bitrouter_credential::Scrubber;
use bitrouter_dialect::{ApiError, DEFAULT_FOLD_LIMIT, Dialect, End, Framing, Report, StreamError, Tap};
use bitrouter_plugin::contract::{self, Event};
use bytes::Bytes;

use super::{Broken, Ending, Watch};
use crate::error::Error;
use crate::pipeline::limits::Limits;
use crate::pipeline::{Received, explain, failed};
use crate::route::Provider;
use crate::telemetry::{Outcome, RequestRecord};

/// How much of an answer is held back at most. A preamble repeats the request at the most, and a document that is longer
/// than this is on its way for so long that its client had better see it come.
const MOST_HELD: u64 = 1 << 20;
/// The longest event of a translated answer: its last one may repeat all that was said, which the translation bounds.
const LONGEST_TRANSLATED: usize = 2 * DEFAULT_FOLD_LIMIT;

/// Feeds the tap and completes the request's record.
pub(in crate::pipeline) struct Watcher {
    tap: Option<Tap>,
    /// Whether the answer is one document, which is worth nothing to the client before it is whole.
    document: bool,
    seen: u64,
    ended: Option<Ended>,
    record: Option<Box<RequestRecord>>,
    shape: Dialect,
    provider: Arc<Provider>,
    request: Arc<contract::Request>,
    scrubber: Option<Arc<Scrubber>>,
    /// Whether the component is still to be asked what an error event means.
    explains: bool,
    limits: Option<Limits>,
}

/// How the answer ended, where that is known before there is a record.
struct Ended {
    broken: Option<String>,
    report: Option<Report>,
    /// Whether the answer was the client's by then.
    begun: bool,
}

impl Watcher {
    /// A watcher for an answer framed this way; `None` for bytes without structure. What a rewriter writes is the
    /// component's own: it is neither asked what its errors mean, nor shown its own events.
    pub(in crate::pipeline) fn new(received: &Received, framing: Option<Framing>, rewritten: bool) -> Box<Self> {
        let Received { endpoint, provider, request, scrubber, .. } = received;
        let observed = &provider.observed_events;
        let observes = !observed.is_empty() && !rewritten;
        let tap = framing.map(|framing| Tap::new(endpoint.shape, framing).ending_with(endpoint.last_word));
        let tap = match received.translating {
            Some(_) => tap.map(|tap| tap.with_event_limit(LONGEST_TRANSLATED)),
            None => tap,
        };
        Box::new(Watcher {
            tap: tap.map(|tap| if observes { tap.observing(Arc::clone(observed)) } else { tap }),
            document: framing == Some(Framing::Json),
            seen: 0,
            ended: None,
            record: None,
            shape: endpoint.shape,
            provider: Arc::clone(provider),
            request: Arc::clone(request),
            scrubber: scrubber.clone(),
            explains: !rewritten,
            limits: observes.then(|| Limits::new(received)),
        })
    }

    /// The answer is the client's: what is learned of it goes into this record.
    pub(in crate::pipeline) fn adopt(&mut self, record: Box<RequestRecord>) {
        self.record = Some(record);
        self.settle();
    }

    /// The error that the answer reported before any content.
    pub(in crate::pipeline) fn refusal(&self) -> Option<StreamError> {
        match &self.ended {
            Some(Ended { report: Some(Report { end: End::Failed(error), first_content: false, .. }), .. }) => {
                Some((**error).clone())
            }
            Some(_) => None,
            None => self.tap.as_ref().filter(|tap| !tap.first_content()).and_then(Tap::error).cloned(),
        }
    }

    /// Whether the answer stopped before it was one, and before any of it was the client's.
    pub(in crate::pipeline) fn is_cut(&self) -> bool {
        let Some(Ended { report: Some(report), begun, .. }) = &self.ended else { return false };
        report.end == End::Cut && (self.document || !report.first_content || !begun)
    }

    /// What is wrong with an answer that was cut.
    pub(in crate::pipeline) fn cut(&self) -> &'static str {
        match (self.document, self.seen) {
            (true, 0) => "the upstream answered with an empty document",
            (true, _) => "the upstream's answer is not one whole JSON document",
            (false, _) if self.has_content() => "the upstream's stream ended without saying that it is whole",
            (false, _) => "the upstream's stream ended before any content",
        }
    }

    /// Whether any content has passed.
    pub(in crate::pipeline) fn has_content(&self) -> bool {
        match &self.ended {
            Some(Ended { report: Some(report), .. }) => report.first_content,
            _ => self.tap.as_ref().is_some_and(Tap::first_content),
        }
    }

    /// What the component said of the failure is what the record says; it is not asked again.
    pub(in crate::pipeline) fn explained(&mut self) {
        self.explains = false;
    }

    /// What the client is told of what broke the answer off, in its dialect and without a secret.
    fn told(&self, reported: Option<&StreamError>, broken: &Broken) -> Option<Bytes> {
        let position = self.tap.as_ref()?.position();
        let id = self.record.as_ref().map_or("", |record| &*record.id);
        let event = match (broken, reported) {
            (Broken::Reported, Some(reported)) => {
                let mut error: ApiError = failed::api_error(reported, None);
                error.request_id = Some(id.to_owned());
                reported.as_event(self.shape, &error, position)
            }
            (Broken::Rewriting(error), _) => error.to_api(id).as_event(self.shape, position),
            _ => {
                let error = Error::Broken { provider: self.provider.id().to_owned(), reason: broken.to_string() };
                error.to_api(id).as_event(self.shape, position)
            }
        };
        Some(match &self.scrubber {
            Some(scrubber) => scrubber.scrub_bytes(event),
            None => event,
        })
    }

    /// Completes the record, once there is one and the answer has ended.
    fn settle(&mut self) {
        let Some(record) = &mut self.record else { return };
        let Some(ended) = self.ended.take() else { return };
        if let Some(report) = &ended.report {
            record.usage = report.usage;
        }
        let failed_already = matches!(record.outcome, Outcome::Failed(_));
        record.outcome = match (ended.broken, ended.report.map(|report| report.end)) {
            _ if failed_already => return,
            (Some(error), _) => Outcome::Failed(error),
            (None, Some(End::Failed(error))) => {
                record.outcome = Outcome::Failed(error.error.message.clone());
                return self.explain(error);
            }
            (None, Some(End::Cut)) => {
                Outcome::Failed("the upstream's answer ended without saying that it is whole".into())
            }
            (None, Some(End::Complete) | None) => Outcome::Complete,
        };
    }

    /// Asks the component what an error event means, for the request's record alone: nobody waits for it.
    fn explain(&mut self, error: Box<StreamError>) {
        if !std::mem::take(&mut self.explains) {
            return;
        }
        let Some(mut record) = self.record.take() else { return };
        let (provider, request) = (Arc::clone(&self.provider), Arc::clone(&self.request));
        let scrubber = self.scrubber.clone();
        tokio::spawn(async move {
            if let Some(failure) =
                explain::event(&provider, &request.memo, scrubber, Event::text(None, error.raw)).await
            {
                record.outcome = Outcome::Failed(explain::sentence(&failure));
            }
            // Which writes it.
            drop(record);
        });
    }
}

impl Watch for Watcher {
    fn bytes(&mut self, bytes: &[u8]) -> usize {
        self.seen += bytes.len() as u64;
        self.tap.as_mut().map_or(bytes.len(), |tap| tap.feed(bytes))
    }

    fn commits(&self) -> bool {
        match &self.tap {
            None => true,
            Some(_) if self.seen > MOST_HELD => true,
            Some(_) if self.document => false,
            Some(tap) => tap.first_content() || tap.error().is_some(),
        }
    }

    fn is_over(&self) -> bool {
        self.tap.as_ref().is_some_and(Tap::is_over)
    }

    fn must_tell(&self) -> bool {
        self.tap.as_ref().is_some_and(Tap::has_unreadable_error)
    }

    fn heartbeat(&self) -> Option<&'static [u8]> {
        let quiet = self.tap.as_ref().is_some_and(|tap| tap.between_events() && !tap.is_over());
        quiet.then(|| self.shape.heartbeat())
    }

    fn end(&mut self, how: Result<(), Broken>, begun: bool) -> Ending {
        let Some(tap) = &mut self.tap else {
            // Bytes without structure are whole where their connection says so.
            self.ended = Some(Ended { broken: how.as_ref().err().map(ToString::to_string), report: None, begun });
            self.settle();
            return how.err().map_or(Ending::Whole, |broken| Ending::Broken(broken, None));
        };
        // What broke off within an event can only be cut. Behind an error that the client knows nothing more is said.
        let may_tell =
            begun && !self.document && (tap.has_unreadable_error() || tap.between_events() && tap.error().is_none());
        // A document is held to its connection's word as well: it is nobody's yet, and another may take its place.
        let said_whole = tap.is_complete() && !tap.has_unreadable_error() && !self.document;
        let report = tap.finish();
        let broken = match how {
            // Whatever becomes of the connection then.
            Err(_) if said_whole => None,
            Err(broken) => Some(broken),
            Ok(()) if begun && !self.document && report.end == End::Cut => Some(Broken::Cut),
            Ok(()) => None,
        };
        let reported = match &report.end {
            End::Failed(error) => Some(&**error),
            End::Complete | End::Cut => None,
        };
        let told = broken.as_ref().filter(|_| may_tell).and_then(|broken| self.told(reported, broken));
        // What was reported is in the report.
        let reason = broken.as_ref().filter(|broken| !matches!(broken, Broken::Reported)).map(ToString::to_string);
        self.ended = Some(Ended { broken: reason, report: Some(report), begun });
        self.settle();
        broken.map_or(Ending::Whole, |broken| Ending::Broken(broken, told))
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
