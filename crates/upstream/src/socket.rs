//! A TCP socket that can be left alone for a while.
//!
//! The runtime is woken for every segment that arrives on a socket it watches, even while a burst is gathered and nobody
//! would read it. `connect` makes these, a connection lets go of them; whoever reads or writes is heard again.

use std::io::{self, IoSlice, Read};
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper_util::client::legacy::connect::{Connected, Connection};
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// How much is read at once from a socket that nobody watches.
const READ: usize = 16 << 10;
/// How much is read where hardly anything is expected: the space is cleared before each read.
const UNPOLLED: usize = 64;

/// A connected socket.
pub(super) struct Socket {
    state: SocketState,
    /// Whether the system is asked for what is there, and not the runtime, which may not have heard of it yet.
    unpolled: bool,
}

enum SocketState {
    /// The runtime wakes whoever waits for it.
    Watched(TcpStream),
    /// It can be read, but not waited for.
    Alone(std::net::TcpStream),
    /// The runtime could not let go of it, or take it back.
    Lost,
}

impl Socket {
    /// A socket that the runtime watches.
    pub(super) fn new(stream: TcpStream) -> Self {
        Socket { state: SocketState::Watched(stream), unpolled: false }
    }

    /// From now on reads what is there whether the runtime has heard of it or not, and wakes nobody where nothing is; or
    /// no longer does.
    pub(super) fn read_unpolled(&mut self, unpolled: bool) {
        self.unpolled = unpolled;
    }

    #[cfg(test)]
    pub(super) fn stream(&self) -> &TcpStream {
        let SocketState::Watched(stream) = &self.state else { panic!("it is not watched") };
        stream
    }

    /// Wakes nobody any more until it is read with nothing there, or written. Whoever calls this must come back by itself.
    pub(super) fn leave_alone(&mut self) {
        // Elsewhere a socket that was let go of cannot be watched again.
        if cfg!(unix) {
            self.state = match std::mem::replace(&mut self.state, SocketState::Lost) {
                SocketState::Watched(stream) => stream.into_std().map_or(SocketState::Lost, SocketState::Alone),
                other => other,
            };
        }
    }

    /// The socket, watched again.
    fn watched(&mut self) -> io::Result<Pin<&mut TcpStream>> {
        if let SocketState::Alone(_) = &self.state
            && let SocketState::Alone(stream) = std::mem::replace(&mut self.state, SocketState::Lost)
        {
            self.state = SocketState::Watched(TcpStream::from_std(stream)?);
        }
        match &mut self.state {
            SocketState::Watched(stream) => Ok(Pin::new(stream)),
            SocketState::Alone(_) | SocketState::Lost => Err(io::ErrorKind::NotConnected.into()),
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let unpolled = self.unpolled;
        let read = match &mut self.state {
            SocketState::Alone(stream) => read_now(stream, buffer, READ),
            SocketState::Watched(stream) if unpolled => read_now(&mut &*SockRef::from(&*stream), buffer, UNPOLLED),
            SocketState::Watched(_) | SocketState::Lost => Poll::Pending,
        };
        if read.is_ready() || unpolled {
            return read;
        }
        self.watched()?.poll_read(context, buffer)
    }
}

/// Reads what is there, without waiting, and no more than so much.
fn read_now(stream: &mut impl Read, buffer: &mut ReadBuf<'_>, most: usize) -> Poll<io::Result<()>> {
    let length = buffer.remaining().min(most);
    match stream.read(buffer.initialize_unfilled_to(length)) {
        Ok(bytes) => {
            buffer.advance(bytes);
            Poll::Ready(Ok(()))
        }
        Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => Poll::Pending,
        Err(error) => Poll::Ready(Err(error)),
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.watched()?.poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.state {
            SocketState::Watched(stream) => Pin::new(stream).poll_flush(context),
            // TCP keeps nothing back.
            SocketState::Alone(_) | SocketState::Lost => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.watched()?.poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.watched()?.poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }
}

impl Connection for Socket {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    async fn pair() -> (Socket, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        (Socket::new(near), listener.accept().await.unwrap().0)
    }

    fn is_alone(socket: &Socket) -> bool {
        matches!(socket.state, SocketState::Alone(_))
    }

    #[tokio::test]
    async fn a_socket_that_is_left_alone_has_all_that_came_meanwhile() {
        let (mut near, mut far) = pair().await;
        near.leave_alone();
        for piece in ["one ", "two ", "three"] {
            far.write_all(piece.as_bytes()).await.unwrap();
        }
        let mut read = [0; 13];
        near.read_exact(&mut read).await.unwrap();
        assert_eq!(&read, b"one two three");
    }

    #[tokio::test]
    async fn whoever_finds_nothing_there_is_woken_by_what_comes() {
        let (mut near, mut far) = pair().await;
        near.leave_alone();
        let reading = tokio::spawn(async move {
            let byte = near.read_u8().await.unwrap();
            (near, byte)
        });
        tokio::task::yield_now().await;
        far.write_all(b"a").await.unwrap();
        let (mut near, byte) = reading.await.unwrap();
        assert_eq!(byte, b'a');
        // And again, and to the end.
        near.leave_alone();
        drop(far);
        assert_eq!(near.read(&mut [0]).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn a_socket_that_is_left_alone_can_be_written() {
        let (mut near, mut far) = pair().await;
        near.leave_alone();
        assert_eq!(is_alone(&near), cfg!(unix));
        near.write_all(b"a").await.unwrap();
        assert!(!is_alone(&near));
        assert_eq!(far.read_u8().await.unwrap(), b'a');
    }

    #[tokio::test]
    async fn what_is_there_is_read_before_the_runtime_has_heard_of_it() {
        let (mut near, far) = pair().await;
        let mut context = Context::from_waker(std::task::Waker::noop());
        // The runtime of this test looks for events only where the test waits, and it does not.
        let mut far = far.into_std().unwrap();
        std::io::Write::write_all(&mut far, b"a").unwrap();
        let mut space = [0; 4];
        let mut buffer = ReadBuf::new(&mut space);
        assert!(Pin::new(&mut near).poll_read(&mut context, &mut buffer).is_pending());
        near.read_unpolled(true);
        assert!(Pin::new(&mut near).poll_read(&mut context, &mut buffer).is_ready());
        assert_eq!(buffer.filled(), b"a");
        assert!(Pin::new(&mut near).poll_read(&mut context, &mut buffer).is_pending(), "there is no more");
        near.read_unpolled(false);
        // Whoever waits is woken all the same.
        std::io::Write::write_all(&mut far, b"b").unwrap();
        assert_eq!(near.read_u8().await.unwrap(), b'b');
    }
}
