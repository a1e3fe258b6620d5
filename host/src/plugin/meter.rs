//! The CPU time of one hook: what its budget is spent on.
//!
//! `hook` asks at each tick of the engine's clock that a guest notices, and `document` before the host does long work on
//! a guest's behalf. Time is that of the thread, so a component pays for what it and its host calls did, and never for
//! what the machine was busy with meanwhile.

use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::runtime::{Handle, RuntimeFlavor};

/// What the time before a hook's first tick is charged: the clock is not read for a hook that ends before it.
const TICK: Duration = Duration::from_millis(1);

/// What a hook has used, and may use.
pub(super) struct Meter {
    budget: Duration,
    used: Duration,
    /// The thread's CPU time, in nanoseconds, when the guest went on after its last tick.
    since: Option<Arc<AtomicU64>>,
}

impl Meter {
    pub(super) fn new(budget: Duration) -> Self {
        Meter { budget, used: Duration::ZERO, since: None }
    }

    /// What it may use in all.
    pub(super) fn budget(&self) -> Duration {
        self.budget
    }

    /// The guest has noticed a tick: how it lets others run, or none if its budget is used up.
    pub(super) fn tick(&mut self) -> Option<Rest> {
        let ran = match (&self.since, thread_time()) {
            (Some(since), Some(now)) => now.saturating_sub(Duration::from_nanos(since.load(Ordering::Relaxed))),
            _ => TICK,
        };
        self.used += ran;
        if self.used >= self.budget {
            return None;
        }
        let since = Arc::clone(self.since.get_or_insert_with(Arc::default));
        Some(Rest { since, rested: false })
    }

    /// Does work of the host that may take milliseconds: away from the threads that answer everybody, a few at a time,
    /// and on the guest's account.
    pub(super) fn work<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let work = || {
            let _turn = Turn::wait();
            let before = thread_time();
            let done = work();
            (done, before.zip(thread_time()).map(|(before, after)| after.saturating_sub(before)))
        };
        let (done, took) = match Handle::try_current().map(|handle| handle.runtime_flavor()) {
            Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(work),
            _ => work(),
        };
        // From the first tick on, the next one finds it in the thread's time.
        if self.since.is_none() {
            self.used += took.unwrap_or(TICK);
        }
        done
    }
}

/// Lets the other tasks of the thread run once, and starts to measure when the guest goes on, on whichever thread.
pub(super) struct Rest {
    since: Arc<AtomicU64>,
    rested: bool,
}

impl Future for Rest {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if !std::mem::replace(&mut self.rested, true) {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let now = thread_time().map_or(0, |now| u64::try_from(now.as_nanos()).unwrap_or(u64::MAX));
        self.since.store(now, Ordering::Relaxed);
        Poll::Ready(())
    }
}

/// The CPU time that this thread has used; none where the system does not say it to the microsecond. Then each tick is
/// charged in whole.
#[cfg(unix)]
fn thread_time() -> Option<Duration> {
    use rustix::time::{ClockId, clock_gettime};
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Some(Duration::new(time.tv_sec.try_into().ok()?, time.tv_nsec.try_into().ok()?))
}

#[cfg(not(unix))]
fn thread_time() -> Option<Duration> {
    None
}

/// The right to do long work: half of the machine's cores may at once, so that the other half answers.
struct Turn;

static TURNS: (Mutex<usize>, Condvar) = (Mutex::new(0), Condvar::new());

impl Turn {
    fn wait() -> Self {
        let most = std::thread::available_parallelism().map_or(1, |cores| cores.get() / 2).max(1);
        let (taken, freed) = &TURNS;
        let taken = taken.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = freed.wait_while(taken, |taken| *taken >= most);
        *taken.unwrap_or_else(PoisonError::into_inner) += 1;
        Turn
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let (taken, freed) = &TURNS;
        *taken.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::hint::black_box;

    use super::*;

    /// Uses so much CPU time of this thread.
    fn spin(time: Duration) {
        let until = thread_time().unwrap() + time;
        while thread_time().unwrap() < until {
            black_box(());
        }
    }

    #[tokio::test]
    async fn time_in_which_a_guest_does_not_run_is_not_charged_however_many_ticks_pass() {
        let mut meter = Meter::new(Duration::from_millis(20));
        for _ in 0..30 {
            meter.tick().expect("almost nothing was used").await;
            // A busy machine: the thread waits, and other tasks run on it while the guest rests.
            std::thread::sleep(Duration::from_millis(2));
            spin(Duration::from_micros(50));
        }
        assert!(meter.used >= Duration::from_micros(29 * 50), "{:?}", meter.used);
    }

    #[tokio::test]
    async fn what_other_tasks_of_the_thread_do_while_a_guest_rests_is_not_charged() {
        let mut meter = Meter::new(Duration::from_millis(20));
        let other = async {
            for _ in 0..8 {
                spin(Duration::from_millis(10));
                tokio::task::yield_now().await;
            }
        };
        let guest = async {
            for _ in 0..8 {
                meter.tick().expect("nothing was used").await;
            }
        };
        tokio::join!(guest, other);
    }

    #[tokio::test]
    async fn what_a_guest_and_the_host_on_its_behalf_use_is_charged() {
        let mut meter = Meter::new(Duration::from_millis(20));
        let _ = meter.tick().expect("there is a budget").await;
        spin(Duration::from_millis(25));
        assert!(meter.tick().is_none());
        for ticks in [0, 1] {
            let mut meter = Meter::new(Duration::from_millis(20));
            for _ in 0..ticks {
                meter.tick().expect("there is a budget").await;
            }
            meter.work(|| spin(Duration::from_millis(25)));
            assert!(meter.tick().is_none(), "after {ticks} ticks");
        }
    }
}
