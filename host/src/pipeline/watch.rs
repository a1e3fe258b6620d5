//! What is learned from an answer while it goes by.

use std::sync::Arc;

use bitrouter_dialect::{Dialect, End, Framing, Tap};

use crate::telemetry::{Finished, Outcome};
use crate::upstream::Watch;

/// Feeds the tap and completes the request's record.
pub(super) struct Watcher {
    tap: Option<Tap>,
    finished: Finished,
    shape: Dialect,
}

impl Watcher {
    /// A watcher for an answer framed this way; `None` for bytes without structure.
    pub(super) fn new(shape: Dialect, framing: Option<Framing>, finished: Finished) -> Self {
        Watcher { tap: framing.map(|framing| Tap::new(shape, framing)), finished, shape }
    }

    /// The gateway's id of the request.
    pub(super) fn id(&self) -> Arc<str> {
        Arc::clone(&self.finished.id)
    }

    /// The client's dialect.
    pub(super) fn shape(&self) -> Dialect {
        self.shape
    }

    /// The record, for an answer that ends otherwise.
    pub(super) fn into_finished(self) -> Finished {
        self.finished
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
        if let Some(report) = &report {
            self.finished.usage = report.usage;
        }
        self.finished.outcome = match (error, report.map(|report| report.end)) {
            (Some(error), _) => Outcome::Failed(error.to_owned()),
            (None, Some(End::Failed(error))) => Outcome::Failed(error.error.message.clone()),
            (None, Some(End::Cut)) => {
                Outcome::Failed("the upstream's answer ended without saying that it is whole".into())
            }
            (None, Some(End::Complete) | None) => Outcome::Complete,
        };
    }
}
