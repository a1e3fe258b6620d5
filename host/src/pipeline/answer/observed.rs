//! The provider's own events that its description observes, found before a stage makes others of them.

use std::sync::Arc;

use bitrouter_dialect::{Event, Observer};

use crate::pipeline::Received;
use crate::pipeline::limits::Limits;

/// Sees every event of the provider's.
pub(super) struct Observed {
    observer: Observer,
    limits: Limits,
}

impl Observed {
    /// Of an answer whose description observes events; none of any other.
    pub(super) fn of(received: &Received) -> Option<Self> {
        let patterns = &received.provider.observed_events;
        let observes = !patterns.is_empty();
        observes.then(|| Observed { observer: Observer::new(Arc::clone(patterns)), limits: Limits::new(received) })
    }

    pub(super) fn see(&mut self, event: &Event<'_>) {
        self.observer.see(event);
    }
}

impl Drop for Observed {
    fn drop(&mut self) {
        self.limits.events(self.observer.take());
    }
}
