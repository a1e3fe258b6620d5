//! Where long work on bodies is done: on a thread apart from those that serve requests, which yields to them.
//!
//! One thread: whoever sends much to unpack takes no more than one core, and the others' requests come first.

use std::cell::Cell;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;

use crate::error::Error;
use crate::memory;

/// None where the system gives no thread: then the work is done where it came up.
static APART: LazyLock<Option<Runtime>> = LazyLock::new(|| {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(1).thread_name("bodies").enable_time().on_thread_start(gives_way);
    // Nothing else wakes this thread for what it still holds. Between two bodies it rests often, and needs it again.
    builder.on_thread_park(|| match BODIES.load(Relaxed) {
        0 => memory::give_back(true),
        _ => memory::before_sleep(),
    });
    builder.build().ok()
});

/// The scheduler prefers every other thread of the process.
fn gives_way() {
    // Elsewhere it would be said of the whole process.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::nice(19);
}

/// How many bodies are unpacked apart, or wait for their turn.
static BODIES: AtomicUsize = AtomicUsize::new(0);
/// With so many there is no hurry: they wait for each other.
const CROWD: usize = 2;
/// After so much work the thread rests for as long, where bodies wait.
const WORK: Duration = Duration::from_millis(1);

/// A body that is unpacked here, for as long as this is there.
pub(super) struct One(());

/// There is one more.
pub(super) fn one_more() -> One {
    BODIES.fetch_add(1, Relaxed);
    One(())
}

impl Drop for One {
    fn drop(&mut self) {
        BODIES.fetch_sub(1, Relaxed);
    }
}

thread_local! {
    static RESTED: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Lets others come between, and the thread rest when it is time to: it has half a core while bodies queue up. A nice value
/// alone does not keep it from one that serves requests: each of its slices is as long, if rarer.
pub(super) async fn between() {
    let worked = RESTED.get().map_or(WORK, |rested| rested.elapsed());
    if worked >= WORK {
        if BODIES.load(Relaxed) > CROWD && APART.is_some() {
            // Whatever is done here is to rest, not this body alone. What looks like more may have been a wait for the core.
            std::thread::sleep(worked.min(2 * WORK));
        }
        RESTED.set(Some(Instant::now()));
    }
    tokio::task::yield_now().await;
}

/// Runs this apart. It ends when the caller is dropped.
pub(super) async fn run<T: Send + 'static>(
    work: impl Future<Output = Result<T, Error>> + Send + 'static,
) -> Result<T, Error> {
    let Some(apart) = &*APART else { return work.await };
    let mut tasks = JoinSet::new();
    tasks.spawn_on(work, apart.handle());
    match tasks.join_next().await {
        Some(Ok(done)) => done,
        Some(Err(error)) => Err(Error::Internal(error.to_string())),
        None => Err(Error::Internal("a body was not read".into())),
    }
}
