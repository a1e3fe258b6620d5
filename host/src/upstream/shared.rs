//! An HTTP/2 connection that requests share, as many at a time as its server takes.
//!
//! The client opens one over a fresh stream, the pool hands out the places on it. A request without a place must not be
//! sent: it would wait inside `h2` until another stream ends, and that may take minutes.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::ready;
use std::time::{Duration, Instant};

use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use super::Outgoing;
use super::connection::Stream;

/// What sends requests over such a connection.
pub(super) type Sender = http2::SendRequest<Outgoing>;

/// A place on a connection: taken before the request is sent, and until the answer has ended.
pub(super) struct Place(#[expect(dead_code, reason = "it is counted")] Arc<()>);

/// The connection, as the pool keeps it. It closes once it is dropped and its last answer has ended.
pub(super) struct Shared {
    sender: Sender,
    driver: Arc<Mutex<Driven>>,
    /// How many streams its server took when that was last known.
    most: usize,
    /// Each place that is taken holds a clone.
    places: Arc<()>,
    /// When a place was last seen to be taken.
    used: Instant,
}

/// What a task of its own polls, until it ends. Others ask it what the server takes.
type Driven = Option<http2::Connection<Stream, Outgoing, TokioExecutor>>;

impl Shared {
    /// Speaks HTTP/2 over a fresh stream.
    pub(super) async fn open(stream: Stream) -> hyper::Result<Self> {
        let (sender, connection) = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            // Windows as large as browsers have, so that a long answer never waits for an update.
            .initial_stream_window_size(2 << 20)
            .initial_connection_window_size(16 << 20)
            .keep_alive_interval(Duration::from_secs(30))
            .keep_alive_timeout(Duration::from_secs(15))
            // Until the server has said what it takes, the request that opens the connection has it to itself: what goes
            // beyond the server's limit is refused or waits.
            .initial_max_send_streams(1)
            .handshake(stream)
            .await?;
        let driver = Arc::new(Mutex::new(Some(connection)));
        tokio::spawn(drive(Arc::clone(&driver)));
        Ok(Shared { sender, driver, most: 1, places: Arc::new(()), used: Instant::now() })
    }

    /// A place for a request, if one is free.
    pub(super) fn place(&mut self) -> Option<(Sender, Place)> {
        // While it is polled, what the server said before holds: nobody waits for a socket here.
        if let Ok(driven) = self.driver.try_lock() {
            self.most = driven.as_ref().map_or(0, http2::Connection::current_max_send_streams);
        }
        (self.taken() < self.most).then(|| self.take())
    }

    /// The place of the request that the connection was opened for.
    pub(super) fn take(&mut self) -> (Sender, Place) {
        self.used = Instant::now();
        (self.sender.clone(), Place(Arc::clone(&self.places)))
    }

    /// Whether it takes no more requests, being closed or about to be.
    pub(super) fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }

    /// Since when no place has been taken; now if one is.
    pub(super) fn idle_since(&mut self, now: Instant) -> Instant {
        if self.taken() > 0 {
            self.used = now;
        }
        self.used
    }

    fn taken(&self) -> usize {
        Arc::strong_count(&self.places) - 1
    }
}

/// Whether a request that got no answer may be sent once more over a fresh connection: if the connection went away with it,
/// or the server says that it did nothing with it (RFC 9113, section 8.7). A server that ends the stream has seen it.
pub(super) fn may_repeat(error: &hyper::Error) -> bool {
    let cause = std::error::Error::source(error).and_then(|cause| cause.downcast_ref::<h2::Error>());
    cause.is_none_or(|cause| !cause.is_reset() || cause.reason() == Some(h2::Reason::REFUSED_STREAM))
}

/// Polls a connection until it ends. It is dropped then, which hands back the requests that it had not taken yet.
fn drive(driver: Arc<Mutex<Driven>>) -> impl Future<Output = ()> {
    std::future::poll_fn(move |context| {
        let mut driver = lock(&driver);
        if let Some(connection) = &mut *driver {
            let ended = ready!(Pin::new(connection).poll(context));
            *driver = None;
            if let Err(error) = ended {
                tracing::debug!(%error, "an HTTP/2 connection ended");
            }
        }
        std::task::Poll::Ready(())
    })
}

fn lock(driver: &Mutex<Driven>) -> MutexGuard<'_, Driven> {
    // A connection that panicked is polled by nobody any more, and its requests are told so.
    driver.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
