//! A client's socket, read in small pieces. `accept` puts one below each connection.
//!
//! hyper keeps the buffer that it reads into for as long as the connection is there, as large as the most that came at
//! once: a stream of an hour would hold what its request came in. Small pieces stay in the processor's cache, too.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf, Take};
use tokio::net::TcpStream;

/// The most that is read at once. hyper doubles its buffer, from 8 KiB, when a read fills it.
const PIECE: u64 = (16 << 10) - 1;

/// A connected socket.
pub(super) struct Socket(Take<TcpStream>);

impl Socket {
    pub(super) fn new(stream: TcpStream) -> Self {
        Socket(stream.take(PIECE))
    }

    fn stream(&mut self) -> Pin<&mut TcpStream> {
        Pin::new(self.0.get_mut())
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.0.set_limit(PIECE);
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.stream().poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.stream().poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn all_of_what_comes_is_read_a_small_piece_at_a_time() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut far = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let mut near = Socket::new(listener.accept().await.unwrap().0);
        let sent: Vec<u8> = (0..200_000u32).map(|number| number as u8).collect();
        let sending = sent.clone();
        let sender = tokio::spawn(async move { far.write_all(&sending).await });
        let (mut all, mut piece) = (Vec::new(), vec![0; 1 << 20]);
        loop {
            match near.read(&mut piece).await.unwrap() {
                0 => break,
                read => {
                    assert!(read as u64 <= PIECE, "{read} bytes came at once");
                    all.extend_from_slice(&piece[..read]);
                }
            }
        }
        sender.await.unwrap().unwrap();
        assert!(all == sent, "what came is not what was sent");
    }
}
