//! Connections that are kept for the next request: idle HTTP/1.1 ones, and HTTP/2 ones that all requests share.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use http::Uri;
use http::uri::{Authority, Scheme};

use super::connection::{Connection, Stream};
use super::shared::{Place, Sender, Shared};

/// Providers close idle connections after some minutes; below that a connection is worth keeping.
const IDLE: Duration = Duration::from_secs(90);
/// Idle connections kept for one origin. A burst may open more; they are closed when it is over.
const MOST_IDLE: usize = 256;

/// Scheme, host and port.
pub(super) type Key = (Scheme, Authority);

/// The key of a request's URL, if it is an absolute one.
pub(super) fn key(uri: &Uri) -> Option<Key> {
    Some((uri.scheme()?.clone(), uri.authority()?.clone()))
}

/// All kept connections.
#[derive(Default)]
pub struct Pool {
    origins: Mutex<HashMap<Key, Kept>>,
}

#[derive(Default)]
struct Kept {
    /// The last used is last, and is taken first: those behind it may go.
    idle: Vec<(Connection<Stream>, Instant)>,
    /// The first that has room is taken, so that those behind it may go.
    shared: Vec<Shared>,
    /// Held while a connection is opened that no request waits for.
    opens: Weak<()>,
}

impl Pool {
    /// An empty pool, swept from time to time. Must be made inside a tokio runtime.
    pub(super) fn start() -> Arc<Self> {
        let pool = Arc::new(Pool::default());
        tokio::spawn(sweep(Arc::downgrade(&pool)));
        pool
    }

    /// The idle connection that was used last.
    pub(super) fn take(&self, key: &Key) -> Option<Connection<Stream>> {
        self.lock().get_mut(key)?.idle.pop().map(|(connection, _)| connection)
    }

    /// Keeps a connection that is ready for another request.
    pub(super) fn put(&self, key: Key, connection: Connection<Stream>) {
        let mut origins = self.lock();
        let idle = &mut origins.entry(key).or_default().idle;
        if idle.len() < MOST_IDLE {
            idle.push((connection, Instant::now()));
        }
    }

    /// A place on a shared connection, if one of them has room.
    pub(super) fn shared(&self, key: &Key) -> Option<(Sender, Place)> {
        let mut origins = self.lock();
        let shared = &mut origins.get_mut(key)?.shared;
        shared.retain(|connection| !connection.is_closed());
        shared.iter_mut().find_map(Shared::place)
    }

    /// Keeps a connection for all requests.
    pub(super) fn share(&self, key: Key, connection: Shared) {
        self.lock().entry(key).or_default().shared.push(connection);
    }

    /// Leave to open a connection that no request waits for, for as long as it is held; one for each origin.
    pub(super) fn opens(&self, key: &Key) -> Option<Arc<()>> {
        let mut origins = self.lock();
        let opens = &mut origins.entry(key.clone()).or_default().opens;
        if opens.strong_count() > 0 {
            return None;
        }
        let only = Arc::new(());
        *opens = Arc::downgrade(&only);
        Some(only)
    }

    /// Closes what has been idle for too long.
    pub(super) fn close_idle(&self, now: Instant) {
        for kept in self.lock().values_mut() {
            kept.idle.retain(|(_, since)| now.duration_since(*since) < IDLE);
            kept.shared.retain_mut(|connection| now.duration_since(connection.idle_since(now)) < IDLE);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Kept>> {
        // Nothing that runs under the lock can leave it half changed.
        self.origins.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Looks from time to time for what has been idle for too long, until the pool is gone.
async fn sweep(pool: Weak<Pool>) {
    loop {
        tokio::time::sleep(IDLE / 3).await;
        let Some(pool) = pool.upgrade() else { return };
        pool.close_idle(Instant::now());
    }
}
