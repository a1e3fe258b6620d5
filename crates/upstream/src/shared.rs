//! An HTTP/2 connection that requests share, as many at a time as its server takes.
//!
//! The client opens one over a fresh stream, the pool hands out the slots on it. A request without a slot must not be
//! sent: it would wait inside `h2` until another stream ends, and that may take minutes.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::ready;
use std::time::{Duration, Instant};

use h2::Reason;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::sync::Notify;

use super::Outgoing;
use super::connection::Stream;
use super::reason::reason;

/// What sends requests over such a connection.
pub(super) type Sender = http2::SendRequest<Outgoing>;

/// A slot on a connection: taken before the request is sent, and until the answer has ended.
pub(super) struct StreamSlot {
    #[expect(dead_code, reason = "it is counted")]
    taken: Arc<()>,
    driver: Arc<Mutex<Driven>>,
}

/// What a request that got no answer may do next.
pub(super) enum Next {
    /// Be sent over HTTP/1.1: the server will have it in nothing else.
    OverHttp1,
    /// Be sent once more, for the server did nothing with it, or the connection went away with it; the reason.
    OnceMore(String),
    /// Nothing: a server that ends the stream has seen it; the reason.
    Fail(String),
}

/// The connection, as the pool keeps it. It closes once it is dropped and its last answer has ended.
pub(super) struct Shared {
    sender: Sender,
    driver: Arc<Mutex<Driven>>,
    /// How many streams its server took when that was last known.
    most: usize,
    /// Each slot that is taken holds a clone.
    slots: Arc<()>,
    /// When a slot was last seen to be taken.
    used: Instant,
}

/// What a task of its own polls, until it ends. Others ask it what the server takes.
struct Driven {
    connection: Option<http2::Connection<Stream, Outgoing, TokioExecutor>>,
    /// What it ended with. Its requests are not told all of it.
    fault: Option<hyper::Error>,
    /// Rings once it has ended.
    ended: Arc<Notify>,
}

/// How long a connection whose requests have ended may take to end itself: it says farewell, on a socket that is there.
const FAREWELL: Duration = Duration::from_millis(200);

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
        let driver = Arc::new(Mutex::new(Driven { connection: Some(connection), fault: None, ended: Arc::default() }));
        tokio::spawn(drive(Arc::clone(&driver)));
        Ok(Shared { sender, driver, most: 1, slots: Arc::new(()), used: Instant::now() })
    }

    /// A slot for a request, if one is free.
    pub(super) fn slot(&mut self) -> Option<(Sender, StreamSlot)> {
        // While it is polled, what the server said before holds: nobody waits for a socket here.
        if let Ok(driven) = self.driver.try_lock() {
            self.most = driven.connection.as_ref().map_or(0, http2::Connection::current_max_send_streams);
        }
        (self.taken() < self.most).then(|| self.take())
    }

    /// The slot of the request that the connection was opened for.
    pub(super) fn take(&mut self) -> (Sender, StreamSlot) {
        self.used = Instant::now();
        let slot = StreamSlot { taken: Arc::clone(&self.slots), driver: Arc::clone(&self.driver) };
        (self.sender.clone(), slot)
    }

    /// Whether it takes no more requests, being closed or about to be.
    pub(super) fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }

    /// Since when no slot has been taken; now if one is.
    pub(super) fn idle_since(&mut self, now: Instant) -> Instant {
        if self.taken() > 0 {
            self.used = now;
        }
        self.used
    }

    fn taken(&self) -> usize {
        Arc::strong_count(&self.slots) - 1
    }
}

impl StreamSlot {
    /// What a request that failed like this may do next (RFC 9113, section 8.7).
    pub(super) async fn next(&self, error: &hyper::Error) -> Next {
        if of_http2(error).is_none() {
            // It went away with the request: why, it knows at its end.
            let _ = tokio::time::timeout(FAREWELL, self.ended()).await;
        }
        let driven = lock(&self.driver);
        let said = [Some(error), driven.fault.as_ref()].into_iter().flatten().find_map(of_http2);
        let why = said.and(driven.fault.as_ref()).filter(|_| of_http2(error).is_none()).unwrap_or(error);
        match said {
            Some(said) if said.is_remote() && said.reason() == Some(Reason::HTTP_1_1_REQUIRED) => Next::OverHttp1,
            _ if of_http2(error)
                .is_none_or(|said| !said.is_reset() || said.reason() == Some(Reason::REFUSED_STREAM)) =>
            {
                Next::OnceMore(reason(why))
            }
            _ => Next::Fail(reason(why)),
        }
    }
}

impl StreamSlot {
    async fn ended(&self) {
        let bell = Arc::clone(&lock(&self.driver).ended);
        loop {
            let mut rings = std::pin::pin!(bell.notified());
            rings.as_mut().enable();
            if lock(&self.driver).connection.is_none() {
                return;
            }
            rings.await;
        }
    }
}

/// What HTTP/2 says of it, where that is more than that the connection is gone.
fn of_http2(error: &hyper::Error) -> Option<&h2::Error> {
    std::error::Error::source(error)?.downcast_ref::<h2::Error>().filter(|error| !error.is_io())
}

/// Polls a connection until it ends. It is dropped then, which hands back the requests that it had not taken yet.
fn drive(driver: Arc<Mutex<Driven>>) -> impl Future<Output = ()> {
    std::future::poll_fn(move |context| {
        let mut driver = lock(&driver);
        if let Some(connection) = &mut driver.connection {
            let ended = ready!(Pin::new(connection).poll(context));
            driver.connection = None;
            if let Err(error) = ended {
                tracing::debug!(%error, "an HTTP/2 connection ended");
                driver.fault = Some(error);
            }
            driver.ended.notify_waiters();
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
