//! How much memory the bodies of all requests may hold together, and who gives way where it is not enough.
//!
//! `body` takes from here what it really holds, as it grows; a body gives its share back when its last byte is let go of, which
//! may be long after its request went up. Where nothing is left, the largest body that is still being read gives way to a
//! smaller one, so that a few that nobody could want do not keep everyone else waiting. Small bodies have a share of their own.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Notify;

use crate::config::Server;
use crate::error::Error;

/// Bodies up to this size are not counted: they are little more than what a connection holds anyway.
const UNCOUNTED: usize = 16 << 10;
/// By so much a share grows.
const STEP: usize = 64 << 10;
/// A body beyond this size may have to give way while it is read, as may one that waits.
const LISTED: usize = 128 << 10;
/// A body beyond this size leaves the last eighth to others.
const SMALL_BODY: usize = 1 << 20;
/// How long a body of a gateway waits for room where none is larger.
const ROOM_WITHIN: Duration = Duration::from_secs(2);

/// The budget of a gateway; it lasts over reloads.
#[derive(Debug)]
pub struct Bodies {
    limit: AtomicUsize,
    held: AtomicUsize,
    /// Those beyond [`LISTED`] that are being read, and those that wait.
    reading: Mutex<Vec<Arc<Reader>>>,
    /// How many wait.
    waiting: AtomicUsize,
    freed: Notify,
    /// How long a body waits for room where none is larger.
    room_within: Duration,
}

/// A body that is being read.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    size: AtomicUsize,
    /// The size that it waits for; 0 where it does not.
    wants: AtomicUsize,
    gives_way: AtomicBool,
    signal: Notify,
}

/// What one body holds. Given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Share {
    bodies: Arc<Bodies>,
    reader: Arc<Reader>,
    size: usize,
    listed: bool,
}

impl Bodies {
    /// The budget that a configuration sets.
    pub fn new(server: &Server) -> Arc<Self> {
        let bodies = Bodies {
            limit: AtomicUsize::new(0),
            held: AtomicUsize::new(0),
            reading: Mutex::default(),
            waiting: AtomicUsize::new(0),
            freed: Notify::new(),
            room_within: ROOM_WITHIN,
        };
        bodies.allow(server);
        Arc::new(bodies)
    }

    /// Sets another budget. A single body of the largest size always fits, whatever the config says: unpacked in
    /// pieces it takes twice its size.
    pub fn allow(&self, server: &Server) {
        let limit = server.bodies_limit.max(server.body_limit.saturating_mul(3));
        self.limit.store(usize::try_from(limit).unwrap_or(usize::MAX), Relaxed);
        self.freed.notify_waiters();
    }

    /// The bytes that are held, and the most that may be.
    pub fn held(&self) -> (usize, usize) {
        (self.held.load(Relaxed), self.limit.load(Relaxed))
    }

    /// A body that begins to be read.
    pub(crate) fn share(self: &Arc<Self>) -> Share {
        Share { bodies: Arc::clone(self), reader: Arc::default(), size: 0, listed: false }
    }

    /// Takes so much more for a body that is this large then. The smallest of those that wait comes first.
    fn take(&self, more: usize, size: usize) -> bool {
        if self.waiting.load(Relaxed) > 0 {
            let reading = self.reading();
            let mut waiting = reading.iter().map(|reader| reader.wants.load(Relaxed)).filter(|wants| *wants > 0);
            if waiting.any(|wants| wants < size) {
                return false;
            }
        }
        let limit = self.limit.load(Relaxed);
        let limit = if size > SMALL_BODY { limit - limit / 8 } else { limit };
        let add = |held: usize| held.checked_add(more).filter(|held| *held <= limit);
        self.held.fetch_update(Relaxed, Relaxed, add).is_ok()
    }

    /// Tells the largest body that is being read to give way, if it is larger than this. One at a time.
    fn push_out(&self, size: usize) {
        let reading = self.reading();
        if reading.iter().any(|reader| reader.gives_way.load(Relaxed)) {
            return;
        }
        let largest = reading.iter().max_by_key(|reader| reader.size.load(Relaxed));
        if let Some(largest) = largest.filter(|largest| largest.size.load(Relaxed) > size) {
            largest.gives_way.store(true, Relaxed);
            largest.signal.notify_one();
        }
    }

    fn full(&self) -> Error {
        Error::BodiesFull(self.limit.load(Relaxed))
    }

    fn reading(&self) -> MutexGuard<'_, Vec<Arc<Reader>>> {
        // Nothing that runs under the lock leaves the list half changed.
        self.reading.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Share {
    /// What tells this body to give way.
    pub(crate) fn reader(&self) -> Arc<Reader> {
        Arc::clone(&self.reader)
    }

    /// Makes room for a body of so many bytes; waits a moment for others where there is none.
    pub(crate) async fn grow(&mut self, to: usize) -> Result<(), Error> {
        if to <= self.size || to <= UNCOUNTED {
            return Ok(());
        }
        let to = to.next_multiple_of(STEP);
        if !self.bodies.take(to - self.size, to) {
            self.wait(to).await?;
        }
        self.size = to;
        self.reader.size.store(to, Relaxed);
        if to > LISTED {
            self.list();
        }
        Ok(())
    }

    async fn wait(&mut self, to: usize) -> Result<(), Error> {
        self.list();
        let _waiting = Waiting::new(&self.bodies, &self.reader, to);
        let wait = async {
            loop {
                let freed = self.bodies.freed.notified();
                tokio::pin!(freed);
                freed.as_mut().enable();
                if self.bodies.take(to - self.size, to) {
                    return;
                }
                self.bodies.push_out(to);
                freed.await;
            }
        };
        tokio::time::timeout(self.bodies.room_within, wait).await.map_err(|_| self.bodies.full())
    }

    /// The body is whole: these bytes hold the share until the last of them is dropped.
    pub(crate) fn keeps<B: AsRef<[u8]> + Into<Bytes> + Send + 'static>(mut self, bytes: B) -> Bytes {
        if self.size == 0 {
            return bytes.into();
        }
        self.unlist();
        self.shrink(bytes.as_ref().len().next_multiple_of(STEP));
        Bytes::from_owner(CountedBody { bytes, _share: self })
    }

    /// So much is held now, and no more.
    pub(crate) fn shrink(&mut self, to: usize) {
        if let Some(less) = self.size.checked_sub(to).filter(|less| *less > 0) {
            self.size = to;
            self.bodies.held.fetch_sub(less, Relaxed);
            self.bodies.freed.notify_waiters();
        }
    }

    fn list(&mut self) {
        if !std::mem::replace(&mut self.listed, true) {
            self.bodies.reading().push(Arc::clone(&self.reader));
        }
    }

    fn unlist(&mut self) {
        if std::mem::take(&mut self.listed) {
            self.bodies.reading().retain(|reader| !Arc::ptr_eq(reader, &self.reader));
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.unlist();
        self.shrink(0);
    }
}

/// As long as this is there, a body waits.
struct Waiting<'s> {
    bodies: &'s Bodies,
    reader: &'s Reader,
}

impl<'s> Waiting<'s> {
    fn new(bodies: &'s Bodies, reader: &'s Reader, wants: usize) -> Self {
        reader.wants.store(wants, Relaxed);
        bodies.waiting.fetch_add(1, Relaxed);
        Waiting { bodies, reader }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.reader.wants.store(0, Relaxed);
        self.bodies.waiting.fetch_sub(1, Relaxed);
        // It may be another's turn.
        self.bodies.freed.notify_waiters();
    }
}

impl Reader {
    /// Returns once the body has to give way.
    pub(crate) async fn gives_way(&self, bodies: &Bodies) -> Error {
        self.signal.notified().await;
        bodies.full()
    }
}

/// A whole body with its share.
struct CountedBody<B> {
    bytes: B,
    _share: Share,
}

impl<B: AsRef<[u8]>> AsRef<[u8]> for CountedBody<B> {
    fn as_ref(&self) -> &[u8] {
        self.bytes.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1 << 20;

    fn bodies(limit: usize) -> Arc<Bodies> {
        let mut server = crate::config::Config::defaults(&crate::config::Paths::for_tests()).server;
        (server.bodies_limit, server.body_limit) = (limit as u64, 1024);
        let bodies = Arc::into_inner(Bodies::new(&server)).unwrap();
        Arc::new(Bodies { room_within: Duration::from_millis(100), ..bodies })
    }

    async fn holding(bodies: &Arc<Bodies>, size: usize) -> Share {
        let mut share = bodies.share();
        share.grow(size).await.unwrap();
        share
    }

    #[tokio::test]
    async fn what_a_body_holds_is_given_back_with_its_last_byte() {
        let bodies = bodies(16 * MIB);
        let share = holding(&bodies, 3 * MIB).await;
        let bytes = share.keeps(vec![0; 3 * MIB]);
        let slice = bytes.slice(7..8);
        drop(bytes);
        assert_eq!(bodies.held().0, 3 * MIB);
        drop(slice);
        assert_eq!(bodies.held().0, 0);
    }

    #[tokio::test]
    async fn a_large_body_leaves_room_for_small_ones_and_is_refused_after_a_while() {
        let bodies = bodies(16 * MIB);
        let large = holding(&bodies, 14 * MIB).await;
        let mut other = bodies.share();
        assert!(matches!(other.grow(2 * MIB).await, Err(Error::BodiesFull(_))));
        for _ in 0..3 {
            std::mem::forget(holding(&bodies, 600 << 10).await);
        }
        drop(large);
        other.grow(2 * MIB).await.unwrap();
    }

    #[tokio::test]
    async fn the_largest_that_is_being_read_gives_way_to_a_smaller_one() {
        let bodies = bodies(16 * MIB);
        let (middle, large) = (holding(&bodies, 4 * MIB).await, holding(&bodies, 10 * MIB).await);
        let reader = large.reader();
        let watch = Arc::clone(&bodies);
        let largest = tokio::spawn(async move {
            let signal = reader.gives_way(&watch).await;
            drop(large);
            signal
        });
        let small = holding(&bodies, 3 * MIB).await;
        assert!(matches!(largest.await.unwrap(), Error::BodiesFull(_)));
        drop((middle, small));
        assert_eq!(bodies.held().0, 0);
    }

    #[tokio::test]
    async fn of_those_that_wait_the_smallest_comes_first() {
        let bodies = bodies(16 * MIB);
        let whole = holding(&bodies, 14 * MIB).await.keeps(vec![0; 14 * MIB]);
        let crowd: Vec<_> = (0..2).map(|_| bodies.share()).collect();
        let crowd = crowd.into_iter().map(|mut share| {
            tokio::spawn(async move {
                share.grow(MIB).await.unwrap();
                share
            })
        });
        let crowd = futures_util::future::join_all(crowd).await;
        let watch = Arc::clone(&bodies);
        let waits = |size: usize| {
            let bodies = Arc::clone(&watch);
            tokio::spawn(async move {
                let mut share = bodies.share();
                share.grow(size).await.map(|()| share)
            })
        };
        let (large, small) = (waits(MIB), waits(200 << 10));
        while bodies.waiting.load(Relaxed) < 2 {
            tokio::task::yield_now().await;
        }
        assert!(!bodies.take(STEP, 2 * MIB), "nobody comes in between");
        drop(crowd);
        // There is room for both then; the smaller need not have waited for the larger.
        assert!(small.await.unwrap().is_ok() && large.await.unwrap().is_ok());
        drop(whole);
    }

    #[tokio::test]
    async fn a_body_that_is_whole_never_gives_way() {
        let bodies = bodies(16 * MIB);
        let whole = holding(&bodies, 14 * MIB).await.keeps(vec![0; 14 * MIB]);
        let mut other = bodies.share();
        assert!(other.grow(2 * MIB).await.is_err());
        drop(whole);
    }
}
