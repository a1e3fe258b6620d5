//! The CPU time of one hook: what its budget is spent on.
//!
//! `hook` asks at each tick of the engine's clock that a guest notices, and `document` before the host does long work on
//! a guest's behalf. Time is that of the thread, so a component pays for what it and its host calls did, and never for
//! what the machine was busy with meanwhile.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::{Notify, Semaphore};

/// What the time before a hook's first tick is charged: the clock is not read for a hook that ends before it.
const TICK: Duration = Duration::from_millis(1);
/// A hook that has used so much goes on as one of a few. Nearly all end before their first tick.
const LONG: Duration = Duration::from_millis(2);

/// The turns to do long work, the host's or a guest's: half of the machine's cores may at once, so that the other half
/// answers.
static TURNS: LazyLock<Turns> =
    LazyLock::new(|| Turns::new(std::thread::available_parallelism().map_or(1, |cores| cores.get() / 2).max(1)));

/// Turns that are taken by who runs, never handed to who waits: a client that reads nothing leaves its hook waiting with
/// nobody to poll it, and a turn in its hands would be lost to all for as long.
struct Turns {
    free: Semaphore,
    /// Wakes all who wait, in the order in which they came.
    bell: Notify,
}

/// A turn, until it is dropped.
struct Turn(&'static Turns);

impl Turns {
    fn new(turns: usize) -> Self {
        Turns { free: Semaphore::new(turns), bell: Notify::new() }
    }

    async fn take(&'static self) -> Turn {
        loop {
            // Before it looks, so that a turn given back in between is noticed.
            let rung = self.bell.notified();
            if let Ok(free) = self.free.try_acquire() {
                free.forget();
                return Turn(self);
            }
            rung.await;
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.free.add_permits(1);
        self.0.bell.notify_waiters();
    }
}

/// What a hook has used, and may use.
pub(super) struct Meter {
    budget: Duration,
    used: Duration,
    /// None before the first tick.
    going: Option<Arc<Going>>,
}

/// How a guest went on after its last tick.
#[derive(Default)]
struct Going {
    /// The thread's CPU time then, in nanoseconds.
    since: AtomicU64,
    /// The turn that it has, if its work has become long.
    turn: Mutex<Option<Turn>>,
}

impl Going {
    fn turn(&self, turn: Option<Turn>) {
        *self.turn.lock().unwrap_or_else(PoisonError::into_inner) = turn;
    }

    fn has_turn(&self) -> bool {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// The guest goes on, on this thread.
    fn starts(&self) {
        let now = thread_time().map_or(0, |now| u64::try_from(now.as_nanos()).unwrap_or(u64::MAX));
        self.since.store(now, Ordering::Relaxed);
    }

    /// For how long it has run since then.
    fn ran(&self) -> Option<Duration> {
        Some(thread_time()?.saturating_sub(Duration::from_nanos(self.since.load(Ordering::Relaxed))))
    }
}

impl Meter {
    pub(super) fn new(budget: Duration) -> Self {
        Meter { budget, used: Duration::ZERO, going: None }
    }

    /// What it may use in all.
    pub(super) fn budget(&self) -> Duration {
        self.budget
    }

    /// The guest has noticed a tick: how it lets others run, or none if its budget is used up.
    pub(super) fn tick(&mut self) -> Option<impl Future<Output = ()> + Send + use<>> {
        self.used += self.going.as_ref().and_then(|going| going.ran()).unwrap_or(TICK);
        if self.used >= self.budget {
            return None;
        }
        let going = Arc::clone(self.going.get_or_insert_with(Arc::default));
        Some(rest(going, self.used >= LONG))
    }

    /// Does work of the host that may take milliseconds: away from the threads that answer everybody, a few at a time,
    /// and on the guest's account.
    pub(super) async fn work<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let timed = || {
            let before = thread_time();
            let done = work();
            (done, before.zip(thread_time()).map(|(before, after)| after.saturating_sub(before)))
        };
        let has_turn = self.going.as_ref().is_some_and(|going| going.has_turn());
        // Threads that waited here would all go on at once afterwards, beside those that answer.
        let _turn = if has_turn { None } else { Some(self.turn().await) };
        let (done, took) = match Handle::try_current() {
            Ok(handle) if handle.runtime_flavor() == RuntimeFlavor::MultiThread => tokio::task::block_in_place(timed),
            _ => timed(),
        };
        // From the first tick on, the next one finds it in the thread's time.
        if self.going.is_none() {
            self.used += took.unwrap_or(TICK);
        }
        done
    }

    /// Waits for a turn. It may go on on another thread.
    async fn turn(&mut self) -> Turn {
        self.used += self.going.as_ref().and_then(|going| going.ran()).unwrap_or_default();
        let turn = TURNS.take().await;
        self.going.as_ref().inspect(|going| going.starts());
        turn
    }

    /// The hook has ended; an instance that lives on has no turn meanwhile.
    pub(super) fn end(&mut self) {
        self.going = None;
    }
}

/// Lets the other tasks of the thread run once, and starts to measure when the guest goes on, on whichever thread. One whose
/// work is long waits for its turn as well, again at each tick: so all that are long go on in turn, beside the others.
async fn rest(going: Arc<Going>, long: bool) {
    going.turn(None);
    tokio::task::yield_now().await;
    if long {
        going.turn(Some(TURNS.take().await));
    }
    going.starts();
}

/// The CPU time that this thread has used; none where the system does not say it to the microsecond. Then each tick is
/// charged in whole.
#[cfg(unix)]
pub fn thread_time() -> Option<Duration> {
    use rustix::time::{ClockId, clock_gettime};
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Some(Duration::new(time.tv_sec.try_into().ok()?, time.tv_nsec.try_into().ok()?))
}

/// Nothing is known of it here.
#[cfg(not(unix))]
pub fn thread_time() -> Option<Duration> {
    None
}

#[cfg(test)]
mod tests {
    use std::hint::black_box;
    use std::task::{Context, Waker};

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
        meter.tick().expect("there is a budget").await;
        spin(Duration::from_millis(25));
        assert!(meter.tick().is_none());
        for ticks in [0, 1] {
            let mut meter = Meter::new(Duration::from_millis(20));
            for _ in 0..ticks {
                meter.tick().expect("there is a budget").await;
            }
            meter.work(|| spin(Duration::from_millis(25))).await;
            assert!(meter.tick().is_none(), "after {ticks} ticks");
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_guest_that_waits_for_a_turn_to_have_work_done_is_charged_for_itself_alone_and_holds_no_thread() {
        let mut turns = Vec::new();
        for _ in 0..std::thread::available_parallelism().map_or(1, |cores| cores.get() / 2).max(1) {
            turns.push(TURNS.take().await);
        }
        let waiting: Vec<_> = (0..8)
            .map(|_| {
                tokio::spawn(async {
                    let mut meter = Meter::new(Duration::from_millis(50));
                    meter.tick().expect("there is a budget").await;
                    meter.work(|| spin(Duration::from_millis(2))).await;
                    meter.tick().map(|_| meter.used)
                })
            })
            .collect();
        // Both threads are free meanwhile, and what they do is nobody's of those that wait.
        for _ in 0..4 {
            tokio::spawn(async { spin(Duration::from_millis(30)) }).await.unwrap();
        }
        drop(turns);
        for guest in waiting {
            let used = guest.await.unwrap().expect("it is within its budget");
            assert!((Duration::from_millis(3)..Duration::from_millis(20)).contains(&used), "{used:?}");
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn of_guests_whose_work_is_long_only_a_few_go_on_at_once() {
        let most = std::thread::available_parallelism().map_or(1, |cores| cores.get() / 2).max(1);
        static AT_ONCE: AtomicU64 = AtomicU64::new(0);
        let guest = || async {
            let mut meter = Meter::new(Duration::from_secs(1));
            meter.used = LONG;
            let mut seen = 0;
            for _ in 0..20 {
                meter.tick().expect("there is a budget").await;
                seen = seen.max(AT_ONCE.fetch_add(1, Ordering::SeqCst) + 1);
                // It has its turn already: more work of the host waits for none.
                meter.work(|| spin(Duration::from_micros(300))).await;
                AT_ONCE.fetch_sub(1, Ordering::SeqCst);
            }
            seen
        };
        let guests: Vec<_> = (0..4 * most).map(|_| tokio::spawn(guest())).collect();
        for guest in guests {
            assert!(guest.await.unwrap() <= most as u64);
        }
    }

    #[tokio::test]
    async fn who_waits_for_a_turn_and_is_never_polled_again_takes_it_from_nobody() {
        let turns: &'static Turns = Box::leak(Box::new(Turns::new(1)));
        let held = turns.take().await;
        let mut left = std::pin::pin!(turns.take());
        let polled = left.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert!(polled.is_pending());
        let after_it = tokio::spawn(turns.take());
        tokio::task::yield_now().await;
        assert!(!after_it.is_finished());
        drop(held);
        let turn = tokio::time::timeout(Duration::from_secs(10), after_it).await.expect("the turn is free").unwrap();
        drop(turn);
        let polled = left.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert!(polled.is_ready(), "it gets its turn once it is polled");
    }

    #[tokio::test]
    async fn a_guest_that_has_ended_keeps_no_turn() {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let mut ended = Vec::new();
        for _ in 0..=cores {
            let mut meter = Meter::new(Duration::from_secs(1));
            meter.used = LONG;
            let rest = meter.tick().expect("there is a budget");
            tokio::time::timeout(Duration::from_secs(10), rest).await.expect("a turn is free");
            assert!(meter.going.as_ref().unwrap().has_turn());
            meter.end();
            ended.push(meter);
        }
    }
}
