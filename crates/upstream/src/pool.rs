//! Connections that are kept for the next request: idle HTTP/1.1 ones, and HTTP/2 ones that all requests share.
//!
//! What comes over an idle connection belongs to no request. The pool hears of it while the connection is idle, the client
//! looks once more right before it sends. An origin that does so again and again is believed no more for a while: over
//! HTTP/1.1 nothing but the order tells whose answer it is.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Wake, Waker};
use std::time::{Duration, Instant};

use http::Uri;
use http::uri::{Authority, Scheme};
use tokio::sync::Notify;

use super::connection::{Connection, Seen, Stream};
use super::shared::{Sender, Shared, StreamSlot};

/// Providers close idle connections after some minutes; below that a connection is worth keeping.
const IDLE_TIMEOUT: Duration = Duration::from_secs(90);
/// Idle connections kept for one origin. A burst may open more; they are closed when it is over.
const MOST_IDLE: usize = 256;
/// A connection that has been idle for this long is preferred: what a confused upstream sends late has come by then.
const REST: Duration = Duration::from_millis(50);
/// How long the pool waits for more once it has heard something: servers close idle connections in bunches.
const GATHER: Duration = Duration::from_millis(50);
/// How often an origin may send what nobody asked for before its connections are used once only, and for how long.
const MOST_SURPLUS: u32 = 3;
const CAREFUL: Duration = Duration::from_secs(600);

/// Scheme, host and port.
pub(super) type Key = (Scheme, Authority);

/// The key of a request's URL, if it is an absolute one.
pub(super) fn key(uri: &Uri) -> Option<Key> {
    Some((uri.scheme()?.clone(), uri.authority()?.clone()))
}

/// All kept connections.
#[derive(Default)]
pub(crate) struct Pool {
    origins: Mutex<HashMap<Key, OriginConnections>>,
    ready: Arc<ReadySignal>,
}

#[derive(Default)]
struct OriginConnections {
    /// The last used is last, and is taken first where all have rested: those behind it may go.
    idle: Vec<(Connection<Stream>, Instant)>,
    /// The first that has room is taken, so that those behind it may go.
    shared: Vec<Shared>,
    /// Held while a connection is opened that no request waits for.
    opens: Weak<()>,
    /// How often something came that no request had asked for, and when it did last.
    surplus: Option<(u32, Instant)>,
    /// Whether it has said that HTTP/2 will not do.
    only_http1: bool,
}

impl OriginConnections {
    /// Whether what comes next over a connection of this origin is likely the answer to what was sent last.
    fn is_believed(&self, now: Instant) -> bool {
        !self.surplus.is_some_and(|(times, last)| times >= MOST_SURPLUS && now.duration_since(last) < CAREFUL)
    }

    /// Counts what nobody had asked for; whether the origin is not believed from now on.
    fn count_surplus(&mut self, now: Instant) -> bool {
        let before = self.surplus.filter(|(_, last)| now.duration_since(*last) < CAREFUL).map_or(0, |(times, _)| times);
        self.surplus = Some((before + 1, now));
        before + 1 == MOST_SURPLUS
    }
}

impl Pool {
    /// An empty pool, swept from time to time. Must be made inside a tokio runtime.
    pub(super) fn start() -> Arc<Self> {
        let pool = Arc::new(Pool::default());
        tokio::spawn(sweep(Arc::downgrade(&pool), Arc::clone(&pool.ready)));
        pool
    }

    /// An idle connection: the one that was used last of those that have rested, or else of all.
    pub(super) fn take(&self, key: &Key) -> Option<Connection<Stream>> {
        let now = Instant::now();
        let mut origins = self.lock();
        let idle = &mut origins.get_mut(key)?.idle;
        let rested = idle.iter().rposition(|(_, since)| now.duration_since(*since) >= REST);
        let at = rested.or(idle.len().checked_sub(1))?;
        Some(idle.remove(at).0)
    }

    /// Keeps a connection if it is ready for another request.
    pub(super) fn put(&self, key: Key, mut connection: Connection<Stream>) {
        match connection.look(&mut Context::from_waker(&self.waker())) {
            Seen::Silence => {}
            Seen::End => return,
            Seen::Surplus => return self.surplus_came(&key),
        }
        let now = Instant::now();
        let mut origins = self.lock();
        let kept = origins.entry(key).or_default();
        if kept.idle.len() < MOST_IDLE && kept.is_believed(now) {
            kept.idle.push((connection, now));
        }
    }

    /// Something came from this origin that no request had asked for. The connection is not used again; where that has
    /// happened before, no other is.
    pub(super) fn surplus_came(&self, key: &Key) {
        let mut origins = self.lock();
        let kept = origins.entry(key.clone()).or_default();
        let careful = kept.count_surplus(Instant::now());
        let closed = if careful { std::mem::take(&mut kept.idle) } else { Vec::new() };
        drop(origins);
        drop(closed);
        log_surplus(key, careful);
    }

    /// A slot on a shared connection, if one of them has room.
    pub(super) fn shared(&self, key: &Key) -> Option<(Sender, StreamSlot)> {
        let mut origins = self.lock();
        let shared = &mut origins.get_mut(key)?.shared;
        shared.retain(|connection| !connection.is_closed());
        shared.iter_mut().find_map(Shared::slot)
    }

    /// Keeps a connection for all requests.
    pub(super) fn share(&self, key: Key, connection: Shared) {
        let mut origins = self.lock();
        let kept = origins.entry(key).or_default();
        if !kept.only_http1 {
            kept.shared.push(connection);
        }
    }

    /// The origin wants HTTP/1.1: it is spoken to in nothing else from now on. Streams that it has taken go on.
    pub(super) fn use_only_http1(&self, key: &Key) {
        let mut origins = self.lock();
        let kept = origins.entry(key.clone()).or_default();
        kept.only_http1 = true;
        kept.shared.clear();
    }

    /// Whether the origin is spoken to in HTTP/1.1 only.
    pub(super) fn uses_only_http1(&self, key: &Key) -> bool {
        self.lock().get(key).is_some_and(|kept| kept.only_http1)
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

    /// Closes what has been idle for too long, has ended, or has had something to say while it was idle.
    pub(super) fn close_idle(&self, now: Instant) {
        let waker = self.waker();
        let mut context = Context::from_waker(&waker);
        let (mut closed, mut surplus) = (Vec::new(), Vec::new());
        for (key, kept) in &mut *self.lock() {
            closed.extend(kept.idle.extract_if(.., |(connection, since)| {
                let seen = connection.look(&mut context);
                if seen == Seen::Surplus {
                    surplus.push(key.clone());
                }
                seen != Seen::Silence || now.duration_since(*since) >= IDLE_TIMEOUT
            }));
            kept.shared.retain_mut(|connection| now.duration_since(connection.idle_since(now)) < IDLE_TIMEOUT);
        }
        // To close them takes the system a moment, in which requests want the lock.
        drop(closed);
        surplus.iter().for_each(|key| self.surplus_came(key));
    }

    /// Wakes the pool when something is to be heard on an idle connection.
    fn waker(&self) -> Waker {
        Waker::from(Arc::clone(&self.ready))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, OriginConnections>> {
        // Nothing that runs under the lock can leave it half changed.
        self.origins.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn log_surplus((scheme, authority): &Key, careful: bool) {
    if careful {
        tracing::warn!(
            origin = format!("{scheme}://{authority}"),
            "the upstream sends what no request asked for: for {} minutes each of its HTTP/1.1 connections is used once",
            CAREFUL.as_secs() / 60
        );
    } else {
        tracing::debug!(
            origin = format!("{scheme}://{authority}"),
            "a connection had more than its answers: it is closed"
        );
    }
}

/// Whether there is something to be heard on an idle connection.
#[derive(Default)]
struct ReadySignal(Notify);

impl Wake for ReadySignal {
    fn wake(self: Arc<Self>) {
        self.0.notify_one();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.notify_one();
    }
}

/// Looks for what is to be closed, from time to time and soon after something was heard.
async fn sweep(pool: Weak<Pool>, ready: Arc<ReadySignal>) {
    loop {
        if tokio::time::timeout(IDLE_TIMEOUT / 3, ready.0.notified()).await.is_ok() {
            tokio::time::sleep(GATHER).await;
        }
        let Some(pool) = pool.upgrade() else { return };
        pool.close_idle(Instant::now());
    }
}

#[cfg(test)]
mod tests;
