//! Free memory goes back to the system, whichever thread it was used on.
//!
//! The allocator keeps what is free for each thread apart, and looks through it after some thousands of allocations of this
//! thread. After a rush of large bodies that may be hours. So each thread of the runtime looks, once a second at most, before it
//! sleeps.

use std::cell::Cell;
use std::sync::atomic::{AtomicU32, Ordering};

/// Rounds until what was forgotten is given back as well.
const FORGOTTEN_AFTER: u32 = 10;

static ROUND: AtomicU32 = AtomicU32::new(0);

thread_local! {
    static SEEN: Cell<u32> = const { Cell::new(0) };
}

/// Takes memory in pages of 4 KiB from now on. The system zeroes 2 MiB at the first byte of a huge one, in some 0.3 ms of a
/// thread that serves requests; few bodies need as much, and what is given back has to be zeroed again. (Decision 0027.)
#[cfg(target_os = "linux")]
pub fn in_small_pages() {
    if let Err(error) = nix::sys::prctl::set_thp_disable(true) {
        tracing::debug!(%error, "the system goes on giving huge pages");
    }
}

/// Elsewhere the system is not asked for others.
#[cfg(not(target_os = "linux"))]
pub fn in_small_pages() {}

/// Begins a round, in which each thread looks once. It is called within a runtime.
pub fn begin_round() {
    let round = ROUND.fetch_add(1, Ordering::Relaxed);
    // The allocator gives back what no thread holds a second later, but forgets it where two threads meet over it. This
    // may take milliseconds, so it has a thread of its own.
    if round.is_multiple_of(FORGOTTEN_AFTER) {
        tokio::task::spawn_blocking(|| give_back(true));
    }
}

/// This thread is about to sleep.
pub fn before_sleep() {
    let round = ROUND.load(Ordering::Relaxed);
    if SEEN.replace(round) != round {
        give_back(false);
    }
}

/// Gives back what of this thread's memory was free for some rounds; with `all`, whatever is free.
#[allow(unsafe_code)]
pub fn give_back(all: bool) {
    // SAFETY: it may be called on any thread at any time, and frees nothing that is in use.
    unsafe { libmimalloc_sys::mi_collect(all) }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    #[test]
    fn the_system_gives_no_huge_pages_any_more() {
        super::in_small_pages();
        assert!(nix::sys::prctl::get_thp_disable().unwrap());
    }
}
