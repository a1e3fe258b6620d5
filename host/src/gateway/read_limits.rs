//! A client's socket, read in large pieces inside a body and in small ones at its end. `accept` wraps every socket in it.
//!
//! While an answer is streamed hyper waits for the client's next bytes, with a buffer of its own as large as the last reads
//! were: 64 KB for each stream after a request of 100 KB, 256 KB and more after one of 1 MB. What it allocates doubles when a
//! read fills it and halves after two reads that come to less than half of it. It is never touched: only its size counts,
//! since the allocator makes it of memory that the body just left.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll};

use http::{Request, Version};
use http_body::Body;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf, Take};
use tokio::net::TcpStream;

/// Far from the end of a body. All limits are a byte less than a size of hyper's buffer, which therefore stays there.
const LARGE: u64 = (64 << 10) - 1;
/// Nearer, and where nobody knows what comes: a head, chunks, HTTP/2.
const MIDDLE: u64 = (16 << 10) - 1;
/// At the end.
const SMALL: u64 = (8 << 10) - 1;
/// So much of a body is left where reads become smaller: room for as many as use up a large buffer and halve it twice.
const NEAR: u64 = 256 << 10;
/// The same for the middle one, with what may have been read together with the head.
const END: u64 = 48 << 10;

/// The most that one read brings where so much is left.
fn limit(left: u64) -> u64 {
    match left {
        0 => MIDDLE,
        1..=END => SMALL,
        _ if left <= NEAR => MIDDLE,
        _ => LARGE,
    }
}

/// The socket.
pub(super) struct LimitedReads {
    socket: Take<TcpStream>,
    left: Arc<AtomicU64>,
}

/// Tells a socket what is to come on it.
pub(super) struct ReadLimit(Arc<AtomicU64>);

impl LimitedReads {
    /// A socket, and what tells it of each request.
    pub(super) fn new(socket: TcpStream) -> (Self, ReadLimit) {
        let left = Arc::new(AtomicU64::new(0));
        (LimitedReads { socket: socket.take(0), left: Arc::clone(&left) }, ReadLimit(left))
    }

    fn socket(&mut self) -> Pin<&mut TcpStream> {
        Pin::new(self.socket.get_mut())
    }
}

impl ReadLimit {
    /// The head of a request has come; its body comes now, a part of which may have been read already.
    pub(super) fn expect<B: Body>(&self, request: &Request<B>) {
        let length = request.body().size_hint().exact().filter(|_| request.version() < Version::HTTP_2);
        self.0.store(length.unwrap_or(0), Relaxed);
    }
}

impl AsyncRead for LimitedReads {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let left = self.left.load(Relaxed);
        // The limit is this read's, not the connection's.
        self.socket.set_limit(limit(left));
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.socket).poll_read(context, buffer);
        let come = buffer.filled().len() - before;
        // One task is told and reads: nothing comes between.
        self.left.store(left.saturating_sub(come as u64), Relaxed);
        read
    }
}

impl AsyncWrite for LimitedReads {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.socket().poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket().poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket().poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.socket().poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.get_ref().is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http_body_util::Full;
    use tokio::io::AsyncWriteExt;
    use tokio::net::TcpListener;

    use super::*;

    /// How much one read brings where more than a small one could is there.
    async fn read(near: &mut LimitedReads) -> u64 {
        let mut seen = vec![0; 128 << 10];
        let come = async {
            while near.socket.get_ref().peek(&mut seen).await.unwrap() <= MIDDLE as usize {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), come).await.expect("the other end writes");
        near.read(&mut seen).await.unwrap() as u64
    }

    #[tokio::test]
    async fn only_far_from_the_end_of_a_known_body_a_read_is_large() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut far = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (mut near, read_limit) = LimitedReads::new(listener.accept().await.unwrap().0);
        let writing = tokio::spawn(async move { far.write_all(&vec![b'a'; 2 << 20]).await });

        assert_eq!(read(&mut near).await, MIDDLE, "before a request");
        let body = |length| Full::new(bytes::Bytes::from(vec![b'a'; length as usize]));
        read_limit.expect(&Request::new(body(NEAR + 1)));
        let large = read(&mut near).await;
        assert!(large > MIDDLE && large <= LARGE, "far from the end: {large}");
        assert_eq!(read(&mut near).await, MIDDLE, "nearer");
        read_limit.expect(&Request::new(body(END + 1)));
        assert_eq!(read(&mut near).await, MIDDLE, "a body that is not longer");
        assert_eq!(read(&mut near).await, SMALL, "at its end");
        let mut shared = Request::new(body(NEAR + 1));
        *shared.version_mut() = Version::HTTP_2;
        read_limit.expect(&shared);
        assert_eq!(read(&mut near).await, MIDDLE, "over HTTP/2");

        drop(near);
        writing.abort();
    }
}
