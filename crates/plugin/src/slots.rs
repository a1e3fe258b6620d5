//! The slots in which hooks run, shared among components: none can take all of them.
//!
//! `hook` and `rewriter` take one for each instance. A component may hold three times as many as are left, so one alone
//! gets three quarters of them, and there is always a slot for another.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::Notify;

use super::instance::HookError;

/// How long a hook waits for a slot before the client is told to come back.
const SLOT_WAIT: Duration = Duration::from_millis(100);

/// All slots of one kind.
pub(super) struct Slots {
    free: AtomicUsize,
    freed: Notify,
}

impl Slots {
    pub(super) fn new(count: usize) -> Arc<Self> {
        Arc::new(Slots { free: AtomicUsize::new(count), freed: Notify::new() })
    }

    /// What one component has of them.
    pub(super) fn share(self: &Arc<Self>) -> Arc<Share> {
        Arc::new(Share { all: Arc::clone(self), held: AtomicUsize::new(0) })
    }
}

/// One component's part of them.
pub(super) struct Share {
    all: Arc<Slots>,
    held: AtomicUsize,
}

impl Share {
    /// Takes a slot; waits a little where there is none.
    pub(super) async fn slot(self: &Arc<Self>) -> Result<Slot, HookError> {
        if let Some(slot) = self.take() {
            return Ok(slot);
        }
        let waiting = async {
            loop {
                // Made before the look, so that no slot which is given back in between is missed.
                let freed = self.all.freed.notified();
                if let Some(slot) = self.take() {
                    return slot;
                }
                freed.await;
            }
        };
        tokio::time::timeout(SLOT_WAIT, waiting).await.map_err(|_| HookError::Busy)
    }

    fn take(self: &Arc<Self>) -> Option<Slot> {
        let held = self.held.fetch_add(1, Ordering::Relaxed) + 1;
        let fair = |free: usize| (free > 0 && held <= 3 * free).then(|| free - 1);
        let taken = self.all.free.fetch_update(Ordering::AcqRel, Ordering::Acquire, fair);
        if taken.is_err() {
            self.held.fetch_sub(1, Ordering::Relaxed);
        }
        taken.ok().map(|_| Slot(Arc::clone(self)))
    }
}

/// A slot; given back when it is dropped.
pub(super) struct Slot(Arc<Share>);

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.held.fetch_sub(1, Ordering::Relaxed);
        self.0.all.free.fetch_add(1, Ordering::AcqRel);
        self.0.all.freed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_component_cannot_take_the_slots_of_all() {
        let slots = Slots::new(256);
        let (greedy, modest, third) = (slots.share(), slots.share(), slots.share());
        let mut taken = Vec::new();
        while let Ok(slot) = greedy.slot().await {
            taken.push(slot);
        }
        assert_eq!(taken.len(), 192, "alone it gets three quarters");
        let mut others = Vec::new();
        while let Ok(slot) = modest.slot().await {
            others.push(slot);
        }
        assert!(others.len() >= 32, "{} for a second one", others.len());
        assert!(third.slot().await.is_ok(), "and there is one for a third");
    }

    #[tokio::test]
    async fn a_slot_that_is_given_back_goes_to_who_waits() {
        let slots = Slots::new(1);
        let share = slots.share();
        let slot = share.slot().await.unwrap();
        assert!(matches!(share.slot().await.err(), Some(HookError::Busy)));
        let (waited, ()) = tokio::join!(share.slot(), async {
            tokio::time::sleep(Duration::from_millis(10)).await;
            drop(slot);
        });
        assert!(waited.is_ok());
    }
}
