//! The connections of clients: how many there may be, and which go first.
//!
//! `accept` asks for a place for each, and `service` says of each request when it begins and ends. A silent connection
//! costs others nothing: it has a deadline, and it is closed at once when its place is needed. Where all connections are
//! busy, a few more are accepted whose calls are refused, so that `/health` is still answered.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::task::AbortHandle;

use crate::memory;

/// How long a connection may take to its first request, whatever it sends meanwhile.
pub(super) const FIRST_REQUEST: Duration = Duration::from_secs(10);
/// How long one may be idle. Over HTTP/1.1 the next head is waited for less long.
const IDLE_TIMEOUT: Duration = Duration::from_secs(300);
/// How often those beyond their deadline are looked for.
const SWEEP_EVERY: Duration = Duration::from_secs(1);
/// Descriptors for everything but clients and their calls: the log, the control socket, files, what is compiled.
const OTHER_DESCRIPTORS: u64 = 64;
/// Connections that are let in beyond those that may call.
const BEYOND: usize = 16;
/// Fewer than these are of no use.
const FEWEST: u64 = 8;
/// This share of all places is made free at once, so that not every new connection looks through all.
const AT_ONCE: usize = 32;
/// The bit that says that a connection is being closed; below it stand its requests.
const LEAVES: usize = 1 << (usize::BITS - 1);

/// All connections of a gateway.
#[derive(Debug)]
pub struct Connections {
    /// What the process may have open.
    descriptors: u64,
    places: AtomicUsize,
    began: Instant,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    taken: HashMap<u64, (Arc<Seat>, AbortHandle)>,
    last: u64,
}

/// One connection's place.
#[derive(Debug)]
pub(super) struct Seat {
    /// Requests under way, and [`LEAVES`].
    requests: AtomicUsize,
    /// Whether it ever had one.
    asked: AtomicBool,
    /// Since when it is silent, in milliseconds since the gateway began.
    since: AtomicU64,
    /// How long it may be silent once it has asked, in milliseconds.
    stays: AtomicU64,
    began: Instant,
    /// Whether it may only ask how the gateway is.
    beyond: bool,
}

/// A request under way. It ends when this is dropped.
#[derive(Debug)]
pub(super) struct UnderWay(Arc<Seat>);

/// Gives a connection's place back when it is dropped.
pub(super) struct Seated {
    connections: Arc<Connections>,
    number: u64,
}

impl Connections {
    /// None yet. The process may have so many descriptors open.
    pub fn new(descriptors: u64) -> Arc<Self> {
        let places = AtomicUsize::new(0);
        let connections = Connections { descriptors, places, began: Instant::now(), open: Mutex::default() };
        connections.allow(u64::MAX);
        Arc::new(connections)
    }

    /// Sets how many there may be; fewer where the process has no descriptors for more. A call takes one for its client and
    /// one for its provider.
    pub fn allow(&self, wanted: u64) {
        let there = self.descriptors.saturating_sub(OTHER_DESCRIPTORS) / 2;
        let places = wanted.min(there).max(FEWEST);
        self.places.store(usize::try_from(places).unwrap_or(usize::MAX), Ordering::Relaxed);
    }

    /// How many there are, and how many there may be.
    pub fn open(&self) -> (usize, usize) {
        (self.lock().taken.len(), self.places.load(Ordering::Relaxed))
    }

    /// Gives a new connection a place. `begin` starts the task that serves it; it is not called where all are busy.
    pub(super) fn enter(self: &Arc<Self>, begin: impl FnOnce(Arc<Seat>, Seated) -> AbortHandle) -> bool {
        let places = self.places.load(Ordering::Relaxed);
        let mut open = self.lock();
        if open.taken.len() >= places {
            let too_many = open.taken.len() - places;
            open.free(too_many + places.div_ceil(AT_ONCE));
        }
        let beyond = open.taken.len() >= places;
        if open.taken.len() >= places.saturating_add(BEYOND) {
            return false;
        }
        let seat = Arc::new(Seat {
            requests: AtomicUsize::new(0),
            asked: AtomicBool::new(false),
            since: AtomicU64::new(millis(self.began)),
            stays: AtomicU64::new(IDLE_TIMEOUT.as_millis() as u64),
            began: self.began,
            beyond,
        });
        open.last += 1;
        let number = open.last;
        // A task that ends at once waits here for its place to be entered.
        let task = begin(Arc::clone(&seat), Seated { connections: Arc::clone(self), number });
        open.taken.insert(number, (seat, task));
        true
    }

    /// Closes some that are silent: descriptors have run out.
    pub(super) fn make_room(&self) {
        let mut open = self.lock();
        let some = open.taken.len().div_ceil(AT_ONCE);
        open.free(some);
    }

    /// Closes those that are beyond their deadline, for as long as it is polled, and has the memory of those that are gone given
    /// back to the system.
    pub(super) async fn sweep(&self, mut allowed: impl FnMut() -> u64) {
        let mut ticks = tokio::time::interval(SWEEP_EVERY);
        loop {
            ticks.tick().await;
            self.allow(allowed());
            self.close_overdue(millis(self.began));
            memory::begin_round();
        }
    }

    fn close_overdue(&self, now: u64) {
        self.lock().taken.retain(|_, (seat, task)| {
            let asked = seat.asked.load(Ordering::Relaxed);
            let deadline = if asked { seat.stays.load(Ordering::Relaxed) } else { FIRST_REQUEST.as_millis() as u64 };
            let overdue = now.saturating_sub(seat.since.load(Ordering::Relaxed)) >= deadline;
            let leaves = overdue && seat.leaves();
            if leaves {
                task.abort();
            }
            !leaves
        });
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        // Nothing that runs under the lock leaves it half changed.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    /// Closes so many of the silent: first those that never asked for anything, then those that were silent for longest.
    fn free(&mut self, some: usize) {
        let mut silent: Vec<(bool, u64, u64)> = self
            .taken
            .iter()
            .filter(|(_, (seat, _))| seat.requests.load(Ordering::Relaxed) == 0)
            .map(|(number, (seat, _))| {
                (seat.asked.load(Ordering::Relaxed), seat.since.load(Ordering::Relaxed), *number)
            })
            .collect();
        silent.sort_unstable();
        for (.., number) in silent.into_iter().take(some) {
            if self.taken.get(&number).is_some_and(|(seat, _)| seat.leaves())
                && let Some((_, task)) = self.taken.remove(&number)
            {
                task.abort();
            }
        }
    }
}

impl Seat {
    /// A request begins; none where the connection is being closed.
    pub(super) fn begin(self: &Arc<Self>) -> Option<UnderWay> {
        if self.requests.fetch_add(1, Ordering::AcqRel) & LEAVES != 0 {
            return None;
        }
        self.asked.store(true, Ordering::Relaxed);
        Some(UnderWay(Arc::clone(self)))
    }

    /// Lets it be silent for longer than others.
    pub(super) fn stays_for(&self, span: Duration) {
        self.stays.store(span.as_millis() as u64, Ordering::Relaxed);
    }

    /// Lets no request begin any more, unless one is under way.
    fn leaves(&self) -> bool {
        self.requests.compare_exchange(0, LEAVES, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }
}

impl UnderWay {
    /// Whether there is no room for calls on its connection.
    pub(super) fn is_beyond(&self) -> bool {
        self.0.beyond
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.since.store(millis(self.0.began), Ordering::Relaxed);
        self.0.requests.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Drop for Seated {
    fn drop(&mut self) {
        let left = self.connections.lock().taken.remove(&self.number);
        drop(left);
    }
}

fn millis(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A connection that stays until it is closed.
    fn enter(connections: &Arc<Connections>) -> Option<Arc<Seat>> {
        let mut entered = None;
        connections.enter(|seat, seated| {
            entered = Some(seat);
            tokio::spawn(async move {
                let _seated = seated;
                std::future::pending::<()>().await;
            })
            .abort_handle()
        });
        entered
    }

    fn of(places: u64) -> Arc<Connections> {
        Connections::new(OTHER_DESCRIPTORS + 2 * places)
    }

    fn is_closed(seat: &Arc<Seat>) -> bool {
        seat.requests.load(Ordering::Relaxed) & LEAVES != 0
    }

    #[tokio::test]
    async fn the_silent_go_first_and_of_those_who_never_asked() {
        let connections = of(8);
        let (idle, busy) = (enter(&connections).unwrap(), enter(&connections).unwrap());
        drop(idle.begin().unwrap());
        let request = busy.begin().unwrap();
        let silent: Vec<_> = (0..500).map(|_| enter(&connections).unwrap()).collect();
        assert!(silent.iter().all(|seat| !seat.beyond));
        assert_eq!(silent.iter().filter(|seat| !is_closed(seat)).count(), 6);
        assert!(!is_closed(&idle) && !is_closed(&busy));
        assert_eq!(connections.open(), (8, 8));
        drop(request);
    }

    #[tokio::test]
    async fn where_all_are_busy_a_few_are_let_in_to_ask_how_it_is() {
        let connections = of(8);
        let busy: Vec<_> = (0..8).map(|_| enter(&connections).unwrap().begin().unwrap()).collect();
        assert!(busy.iter().all(|request| !request.is_beyond()));
        let beyond: Vec<_> = (0..BEYOND).map(|_| enter(&connections).unwrap().begin().unwrap()).collect();
        assert!(beyond.iter().all(UnderWay::is_beyond));
        assert!(enter(&connections).is_none());
        drop((busy, beyond));
        assert!(!enter(&connections).unwrap().beyond);
    }

    #[tokio::test]
    async fn a_connection_that_never_asks_is_closed_and_so_is_one_that_is_idle_for_long() {
        let connections = of(100);
        let (silent, idle, busy) =
            (enter(&connections).unwrap(), enter(&connections).unwrap(), enter(&connections).unwrap());
        drop(idle.begin());
        let _request = busy.begin();
        let after = |began: &Arc<Seat>, span: Duration| began.since.load(Ordering::Relaxed) + span.as_millis() as u64;
        connections.close_overdue(after(&silent, FIRST_REQUEST) - 1);
        assert!(!is_closed(&silent));
        connections.close_overdue(after(&silent, FIRST_REQUEST));
        assert!(is_closed(&silent) && !is_closed(&idle) && !is_closed(&busy));
        assert!(silent.begin().is_none(), "no request begins on a connection that is being closed");
        connections.close_overdue(after(&idle, IDLE_TIMEOUT));
        assert!(is_closed(&idle) && !is_closed(&busy));
    }

    #[tokio::test]
    async fn there_are_no_more_connections_than_descriptors_for_them_and_their_calls() {
        let connections = Connections::new(256);
        connections.allow(10_000);
        assert_eq!(connections.open(), (0, 96));
        connections.allow(50);
        assert_eq!(connections.open(), (0, 50));
        connections.allow(0);
        assert_eq!(connections.open(), (0, 8));
    }
}
