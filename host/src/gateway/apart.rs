//! Where long work on bodies is done: on a thread apart from those that serve requests, which yields to them.
//!
//! One thread: whoever sends much to unpack takes no more than one core, and the others' requests come first.

use std::sync::LazyLock;

use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;

use crate::error::Error;

/// None where the system gives no thread: then the work is done where it came up.
static APART: LazyLock<Option<Runtime>> = LazyLock::new(|| {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(1).thread_name("bodies").enable_time().on_thread_start(gives_way);
    builder.build().ok()
});

/// The scheduler prefers every other thread of the process.
fn gives_way() {
    // Elsewhere it would be said of the whole process.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::nice(10);
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
