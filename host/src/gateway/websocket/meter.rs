//! What has come of a message that is not whole yet: it counts among the bodies of all requests, and nothing more is read
//! before there is room for it. `client` reads through it.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;
use tokio::time::Instant;

/// So much comes before room is asked for.
const FREE: usize = 16 << 10;

/// A stream whose reads are counted.
pub(super) struct Metered<S> {
    stream: S,
    meter: Arc<Meter>,
}

/// The count.
#[derive(Default)]
pub(super) struct Meter {
    state: Mutex<State>,
    wants: Notify,
    begins: Notify,
}

struct State {
    came: usize,
    allowed: usize,
    /// When the message began to come, and when its last bytes did.
    began: Option<Instant>,
    last: Option<Instant>,
    waker: Option<Waker>,
}

impl Default for State {
    fn default() -> Self {
        State { came: 0, allowed: FREE, began: None, last: None, waker: None }
    }
}

impl Meter {
    /// Returns once more comes than was allowed.
    pub(super) async fn wants_more(&self) {
        self.wants.notified().await;
    }

    /// Returns once a message has begun to come.
    pub(super) async fn begins(&self) {
        self.begins.notified().await;
    }

    /// How many bytes of the message have come.
    pub(super) fn came(&self) -> usize {
        self.state().came
    }

    /// When the message began to come and when its last bytes did; none where nothing has come.
    pub(super) fn times(&self) -> Option<(Instant, Instant)> {
        let state = self.state();
        state.began.zip(state.last)
    }

    /// So much may come in all.
    pub(super) fn allow(&self, bytes: usize) {
        let waker = {
            let mut state = self.state();
            state.allowed = bytes;
            state.waker.take()
        };
        waker.into_iter().for_each(Waker::wake);
    }

    /// The message is whole: what comes now is the next.
    pub(super) fn is_whole(&self) {
        *self.state() = State::default();
    }

    /// So many bytes were no part of a message.
    pub(super) fn passed(&self, bytes: usize) {
        let mut state = self.state();
        state.came = state.came.saturating_sub(bytes);
        if state.came == 0 {
            (state.began, state.last) = (None, None);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing that runs under the lock leaves it half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S> Metered<S> {
    /// Counts what is read of this stream.
    pub(super) fn new(stream: S) -> (Self, Arc<Meter>) {
        let meter = Arc::<Meter>::default();
        (Metered { stream, meter: Arc::clone(&meter) }, meter)
    }

    /// The stream, for who reads no messages any more.
    pub(super) fn stream(&mut self) -> &mut S {
        &mut self.stream
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Metered<S> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        {
            let mut state = this.meter.state();
            if state.came >= state.allowed {
                state.waker = Some(context.waker().clone());
                this.meter.wants.notify_one();
                return Poll::Pending;
            }
        }
        let before = buffer.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(context, buffer);
        let came = buffer.filled().len() - before;
        if came > 0 {
            let mut state = this.meter.state();
            state.came += came;
            let now = Instant::now();
            state.last = Some(now);
            if state.began.is_none() {
                state.began = Some(now);
                this.meter.begins.notify_one();
            }
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Metered<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}
