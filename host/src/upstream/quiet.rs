//! A waker that stays quiet while its own task is polling.
//!
//! A connection that is polled in place hands frames to the reader through hyper's channel, whose two ends wake each
//! other. Both are the task that is running: without this, every frame would have it scheduled once more for nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use futures_util::task::AtomicWaker;

/// How often a poll goes round before the runtime gets its turn.
const ROUNDS: u32 = 8;

/// Polls with a waker of its own.
pub(super) struct Quiet {
    shared: Arc<Shared>,
    waker: Waker,
}

#[derive(Default)]
struct Shared {
    task: AtomicWaker,
    polling: AtomicBool,
    woken: AtomicBool,
}

impl Wake for Shared {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // The order matters: who polls clears `polling` and then looks at `woken`, so one of the two sees the other.
        self.woken.store(true, Ordering::SeqCst);
        if !self.polling.load(Ordering::SeqCst) {
            self.task.wake();
        }
    }
}

impl Quiet {
    pub(super) fn new() -> Self {
        let shared = Arc::new(Shared::default());
        Quiet { waker: Waker::from(Arc::clone(&shared)), shared }
    }

    /// Polls until it is ready, or pending with nothing new to be seen.
    pub(super) fn poll<T>(&self, task: &Context<'_>, mut step: impl FnMut(&mut Context<'_>) -> Poll<T>) -> Poll<T> {
        let shared = &*self.shared;
        shared.task.register(task.waker());
        for _ in 0..ROUNDS {
            shared.woken.store(false, Ordering::SeqCst);
            shared.polling.store(true, Ordering::SeqCst);
            let outcome = step(&mut Context::from_waker(&self.waker));
            shared.polling.store(false, Ordering::SeqCst);
            if outcome.is_ready() || !shared.woken.load(Ordering::SeqCst) {
                return outcome;
            }
        }
        task.waker().wake_by_ref();
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicU32;

    #[derive(Default)]
    struct Count(AtomicU32);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn a_wake_while_polling_polls_again_and_wakes_nobody() {
        let count = Arc::new(Count::default());
        let task = Waker::from(Arc::clone(&count));
        let quiet = Quiet::new();
        let mut rounds = 0;
        let outcome = quiet.poll(&Context::from_waker(&task), |context| {
            rounds += 1;
            if rounds < 3 {
                context.waker().wake_by_ref();
                return Poll::<()>::Pending;
            }
            Poll::Pending
        });
        assert!(outcome.is_pending());
        assert_eq!((rounds, count.0.load(Ordering::SeqCst)), (3, 0));
    }

    #[test]
    fn a_wake_afterwards_wakes_the_task() {
        let count = Arc::new(Count::default());
        let task = Waker::from(Arc::clone(&count));
        let quiet = Quiet::new();
        let mut kept = None;
        let _ = quiet.poll(&Context::from_waker(&task), |context| {
            kept = Some(context.waker().clone());
            Poll::<()>::Pending
        });
        kept.unwrap().wake();
        assert_eq!(count.0.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn who_wakes_itself_for_ever_lets_the_runtime_have_its_turn() {
        let count = Arc::new(Count::default());
        let task = Waker::from(Arc::clone(&count));
        let outcome = Quiet::new().poll(&Context::from_waker(&task), |context| {
            context.waker().wake_by_ref();
            Poll::<()>::Pending
        });
        assert!(outcome.is_pending());
        assert_eq!(count.0.load(Ordering::SeqCst), 1);
    }
}
