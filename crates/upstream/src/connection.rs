//! One HTTP/1.1 connection, driven by the task that reads its answer; `docs/decisions/0010` says why it is our own.
//!
//! The client sends over it, `Received` reads from it, the pool keeps it between two requests. It reads only when its
//! reader asks, and decodes all that one read brought in one pass. A connection whose last message was not complete to
//! the byte is never used again, nor is one on which anything came that no request had asked for.

mod body;
mod fault;
mod head;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use bytes::{Buf, Bytes};
use http::uri::Authority;
use http::{Method, Request, Response};
use hyper_rustls::MaybeHttpsStream;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite as _, ReadBuf};

use self::body::Decoder;
pub use self::fault::Fault;
use self::head::{Head, Reader};
use super::Outgoing;
use super::socket::Socket;

/// What connections run over.
pub(super) type Stream = MaybeHttpsStream<TokioIo<Socket>>;

/// How much is read at once. A read that does not fill it also tells that nothing more is there, without asking again.
const READ: usize = 64 << 10;
/// How many pieces are written at once.
const PIECES: usize = 32;
/// How many bytes of them, and in one turn of the task. The system copies what it takes, several megabytes where the upstream is
/// near, and nobody else has the thread meanwhile. An agent's request leaves in one turn: to be woken for another costs a fifth
/// of what 1 MB costs in all.
const WRITE: usize = 2 << 20;

thread_local! {
    /// Where reads end up before they are decoded: one for each thread, so that a stream which waits holds no buffer.
    static READ_INTO: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ].into_boxed_slice());
}

/// A connection that nobody else uses. It is boxed, for it is moved at every step from the pool to the answer and back.
pub(super) struct Connection<S>(Box<ConnectionState<S>>);

struct ConnectionState<S> {
    stream: TokioIo<S>,
    /// What of the request has not been written yet: its head, and the pieces of its body.
    unsent: VecDeque<Bytes>,
    /// Whether what was written may still lie in a buffer of TLS.
    unflushed: bool,
    /// What was read and not decoded yet: what came together with the head, then nothing any more.
    come: Bytes,
    body: Decoder,
    /// Why the body ends here, where what came before that is handed out first.
    fault: Option<Fault>,
    /// Whether another request may follow.
    reusable: bool,
    /// Whether more came than the answer.
    surplus: bool,
}

/// What is seen on a connection while no answer is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// Nothing: it can take another request.
    Silence,
    /// Its end, or that its last exchange was the last that it takes.
    End,
    /// Something that no request had asked for. Whoever sent it may take the next request for the one before.
    Surplus,
}

/// An exchange that brought no answer.
#[derive(Debug)]
pub(super) struct Unanswered {
    pub(super) fault: Fault,
    /// Whether not a byte of an answer came: then the request may be sent again over another connection.
    pub(super) untouched: bool,
}

impl<S: hyper::rt::Read + hyper::rt::Write + Unpin> Connection<S> {
    /// Speaks HTTP/1.1 over a fresh stream.
    pub(super) fn new(stream: S) -> Self {
        Connection(Box::new(ConnectionState {
            stream: TokioIo::new(stream),
            unsent: VecDeque::new(),
            unflushed: false,
            come: Bytes::new(),
            body: Decoder::none(),
            fault: None,
            reusable: true,
            surplus: false,
        }))
    }

    /// Sends a request and waits for the head of its answer. The answer may come before all of the request has left:
    /// the rest of it then leaves while the answer's body is read.
    pub(super) async fn exchange(
        &mut self,
        request: &Request<Outgoing>,
        host: &Authority,
    ) -> Result<Response<()>, Unanswered> {
        let state = &mut *self.0;
        state.unsent.push_back(head::request(request, host));
        state.unsent.extend(request.body().pieces());
        let mut reader = Reader::new(request.method());
        let answer = std::future::poll_fn(|context| state.poll_head(context, &mut reader)).await;
        let head = answer.map_err(|fault| Unanswered { fault, untouched: reader.is_untouched() })?;
        // An answer that began before its request had left may be one to nothing: then the real one is still to come.
        state.reusable &= head.keep_alive && state.unsent.is_empty() && !has_odd_body(request);
        state.come = head.rest;
        state.body = head.body;
        Ok(head.response)
    }

    /// The stream, with what of it was read behind the head of an answer that ends HTTP on it.
    pub(super) fn into_parts(self) -> (TokioIo<S>, Bytes) {
        let state = *self.0;
        (state.stream, state.come)
    }

    /// The next bytes of the answer's body: all that one read brought. None once it is complete.
    pub(super) fn poll_data(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Fault>>> {
        self.0.poll_data(context)
    }

    /// How many bytes of the body are still to come, where that is known.
    pub(super) fn left(&self) -> Option<u64> {
        self.0.body.left()
    }

    /// What is seen on the connection by now. It can take another request only if the last message is complete in both
    /// directions, and the upstream has neither sent more nor closed the connection since. Whoever asks is woken by what
    /// comes later.
    pub(super) fn look(&mut self, context: &mut Context<'_>) -> Seen {
        let state = &mut *self.0;
        if state.surplus || (state.body.is_complete() && !state.come.is_empty()) {
            return Seen::Surplus;
        }
        let may_go_on =
            state.reusable && state.body.is_complete() && matches!(state.poll_send(context), Poll::Ready(Ok(())));
        if !may_go_on {
            return Seen::End;
        }
        match poll_read(&mut state.stream, context, |bytes| bytes.is_empty() || is_idle_timeout(bytes)) {
            Poll::Pending => Seen::Silence,
            Poll::Ready(Ok(true) | Err(_)) => {
                state.reusable = false;
                Seen::End
            }
            Poll::Ready(Ok(false)) => {
                state.surplus = true;
                Seen::Surplus
            }
        }
    }

    /// Waits until something is seen on the connection.
    pub(super) async fn readable(&mut self) {
        std::future::poll_fn(|context| match self.look(context) {
            Seen::Silence => Poll::Pending,
            Seen::End | Seen::Surplus => Poll::Ready(()),
        })
        .await;
    }
}

impl Connection<Stream> {
    /// Is not woken by what the upstream sends until the body is read again and nothing is there. Whoever calls this must
    /// come back by itself.
    pub(super) fn leave_alone(&mut self) {
        if self.0.unsent.is_empty() {
            self.socket().leave_alone();
        }
    }

    /// What is seen on the connection at this very moment, whether the runtime has heard of it or not: asking the system
    /// costs a call, so it is done right before a request is sent. Nobody is woken.
    pub(super) fn look_now(&mut self) -> Seen {
        self.socket().read_unpolled(true);
        let seen = self.look(&mut Context::from_waker(Waker::noop()));
        self.socket().read_unpolled(false);
        seen
    }

    fn socket(&mut self) -> &mut Socket {
        match self.0.stream.inner_mut() {
            MaybeHttpsStream::Http(socket) => socket.inner_mut(),
            MaybeHttpsStream::Https(tls) => tls.inner_mut().get_mut().0.inner_mut().inner_mut(),
        }
    }
}

impl<S: hyper::rt::Read + hyper::rt::Write + Unpin> ConnectionState<S> {
    fn poll_head(&mut self, context: &mut Context<'_>, reader: &mut Reader) -> Poll<Result<Head, Fault>> {
        let unsent = self.send_on(context);
        let fault = loop {
            let read = poll_read(&mut self.stream, context, |bytes| match bytes {
                [] => Err(Fault::Closed),
                bytes => reader.read(bytes),
            });
            match read {
                Poll::Ready(Ok(Ok(Some(head)))) => return Poll::Ready(Ok(head)),
                Poll::Ready(Ok(Ok(None))) => {}
                Poll::Ready(Ok(Err(fault))) => break fault,
                Poll::Ready(Err(error)) => break error.into(),
                Poll::Pending => match unsent {
                    Some(error) => break error.into(),
                    None => return Poll::Pending,
                },
            }
        };
        Poll::Ready(Err(fault))
    }

    fn poll_data(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Fault>>> {
        if let Some(fault) = self.fault.take() {
            return Poll::Ready(Some(Err(fault)));
        }
        // If that fails, the answer is none the worse.
        self.send_on(context);
        while !self.body.is_complete() {
            let mut data = Vec::new();
            let body = &mut self.body;
            let decoded = if self.come.is_empty() {
                let read = poll_read(&mut self.stream, context, |bytes| decode(body, bytes, &mut data));
                ready!(read).unwrap_or_else(|error| Err(error.into()))
            } else {
                decode(body, &std::mem::take(&mut self.come), &mut data)
            };
            self.reusable &= matches!(decoded, Ok(Rest::ToCome));
            self.surplus |= matches!(decoded, Ok(Rest::Surplus));
            if let Err(fault) = decoded {
                self.body = Decoder::none();
                if data.is_empty() {
                    return Poll::Ready(Some(Err(fault)));
                }
                self.fault = Some(fault);
            }
            if !data.is_empty() {
                return Poll::Ready(Some(Ok(data.into())));
            }
        }
        Poll::Ready(None)
    }

    /// Sends what the upstream takes. Once it takes nothing more nothing more is sent, but it may have answered: an
    /// upstream that refuses a request need not read it to its end.
    fn send_on(&mut self, context: &mut Context<'_>) -> Option<io::Error> {
        let Poll::Ready(Err(error)) = self.poll_send(context) else { return None };
        self.unsent.clear();
        self.unflushed = false;
        self.reusable = false;
        Some(error)
    }

    fn poll_send(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut turn = WRITE;
        while !self.unsent.is_empty() {
            let mut slices = [IoSlice::new(&[]); PIECES];
            let (mut count, mut left) = (0, turn);
            for (slice, piece) in slices.iter_mut().zip(&self.unsent) {
                let part = &piece[..piece.len().min(left)];
                if part.is_empty() {
                    break;
                }
                *slice = IoSlice::new(part);
                (count, left) = (count + 1, left - part.len());
            }
            let sent = ready!(Pin::new(&mut self.stream).poll_write_vectored(context, &slices[..count]))?;
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.unflushed = true;
            self.sent(sent);
            turn -= sent;
            if turn == 0 && !self.unsent.is_empty() {
                // The rest leaves after the others' turn.
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
        }
        if self.unflushed {
            ready!(Pin::new(&mut self.stream).poll_flush(context))?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    /// Takes away what has left.
    fn sent(&mut self, mut bytes: usize) {
        while let Some(piece) = self.unsent.front_mut() {
            if piece.len() > bytes {
                piece.advance(bytes);
                return;
            }
            bytes -= piece.len();
            self.unsent.pop_front();
        }
    }
}

/// Reads what is there, at most [`READ`] bytes, and hands it over; no bytes mean that the connection was closed.
fn poll_read<S: AsyncRead + Unpin, T>(
    stream: &mut S,
    context: &mut Context<'_>,
    with: impl FnOnce(&[u8]) -> T,
) -> Poll<io::Result<T>> {
    READ_INTO.with_borrow_mut(|into| {
        let mut buffer = ReadBuf::new(into);
        ready!(Pin::new(stream).poll_read(context, &mut buffer))?;
        Poll::Ready(Ok(with(buffer.filled())))
    })
}

/// What a read says of what comes behind it.
enum Rest {
    /// Nothing: all that came was the answer's.
    ToCome,
    /// The connection was closed.
    Closed,
    /// More came than the answer.
    Surplus,
}

/// Decodes what one read brought.
fn decode(body: &mut Decoder, bytes: &[u8], data: &mut Vec<u8>) -> Result<Rest, Fault> {
    if bytes.is_empty() {
        return body.close().map(|()| Rest::Closed);
    }
    data.reserve(bytes.len());
    let taken = body.decode(bytes, data)?;
    Ok(if taken == bytes.len() { Rest::ToCome } else { Rest::Surplus })
}

/// Whether a request has a body that its method gives no meaning to (RFC 9110, section 9.3): a server that does not read it
/// takes it for the next request.
fn has_odd_body(request: &Request<Outgoing>) -> bool {
    !request.body().is_empty() && !matches!(*request.method(), Method::POST | Method::PUT | Method::PATCH)
}

/// Whether a server says that it closes an idle connection (RFC 9110, section 15.5.9): nothing is wrong with it.
fn is_idle_timeout(bytes: &[u8]) -> bool {
    bytes.starts_with(b"HTTP/1.") && bytes.get(8..).is_some_and(|rest| rest.starts_with(b" 408"))
}

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests;
