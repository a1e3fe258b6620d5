//! One HTTP/1.1 connection, driven by the task that reads its answer.
//!
//! hyper's usual client gives each connection a task of its own and hands frames over one by one: two switches between
//! tasks for each event of a stream. Here the reader polls the connection itself, so that a burst is read in one go.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_rustls::MaybeHttpsStream;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::Outgoing;
use super::pool::{Key, Pool};
use super::quiet::Quiet;

/// What connections run over.
pub(super) type Stream = MaybeHttpsStream<TokioIo<TcpStream>>;

/// A connection that nobody else uses. Its driver is boxed, for it is moved at every step from the pool to the answer and
/// back: as it is, it has more than a kilobyte, and every future on the way would have that several times over.
pub(super) struct Connection {
    sender: http1::SendRequest<Outgoing>,
    /// None once the connection is closed; dropping it tells whoever still waits.
    driver: Option<Box<http1::Connection<Stream, Outgoing>>>,
    quiet: Quiet,
}

impl Connection {
    /// Speaks HTTP/1.1 over a fresh stream.
    pub(super) async fn open(stream: Stream) -> hyper::Result<Self> {
        let (sender, driver) = http1::handshake(stream).await?;
        Ok(Connection { sender, driver: Some(Box::new(driver)), quiet: Quiet::new() })
    }

    /// Whether it can still take a request: it was not closed while it lay idle.
    pub(super) fn poll_alive(&mut self, context: &mut Context<'_>) -> bool {
        let nothing = self.poll_with(context, |_| Poll::<()>::Pending);
        nothing.is_pending() && self.driver.is_some() && self.sender.is_ready()
    }

    /// Polls what waits for the connection, and the connection itself where that is not ready. An error of the
    /// connection's reaches whoever waits through hyper's channel.
    fn poll_with<T>(&mut self, context: &Context<'_>, mut waiting: impl FnMut(&mut Context<'_>) -> Poll<T>) -> Poll<T> {
        let driver = &mut self.driver;
        self.quiet.poll(context, |context| {
            let outcome = waiting(context);
            match driver {
                Some(connection) if outcome.is_pending() => {
                    if Pin::new(&mut **connection).poll(context).is_ready() {
                        *driver = None;
                    }
                    waiting(context)
                }
                _ => outcome,
            }
        })
    }

    /// Sends a request and waits for the head of its answer.
    pub(super) async fn exchange(
        mut self,
        request: Request<Outgoing>,
        home: (Arc<Pool>, Key),
    ) -> hyper::Result<Response<Received>> {
        let mut head = pin!(self.sender.send_request(request));
        let answer = std::future::poll_fn(|context| self.poll_with(context, |context| head.as_mut().poll(context)));
        let response = answer.await?;
        Ok(response.map(|incoming| Received { incoming, connection: Some((self, home)) }))
    }
}

/// An answer's body together with the connection that brings it, which goes back to its pool at the end.
pub struct Received {
    incoming: Incoming,
    /// None over HTTP/2, whose connection has a task of its own, and once it was given back.
    connection: Option<(Connection, (Arc<Pool>, Key))>,
}

impl From<Incoming> for Received {
    fn from(incoming: Incoming) -> Self {
        Received { incoming, connection: None }
    }
}

impl Received {
    /// The answer is complete: the connection may take another request.
    fn give_back(&mut self, context: &mut Context<'_>) {
        if let Some((mut connection, (pool, key))) = self.connection.take()
            && connection.poll_alive(context)
        {
            pool.put(key, connection);
        }
    }
}

impl Body for Received {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let this = &mut *self;
        let incoming = &mut this.incoming;
        let frame = match &mut this.connection {
            Some((connection, _)) => {
                connection.poll_with(context, |context| Pin::new(&mut *incoming).poll_frame(context))
            }
            None => Pin::new(incoming).poll_frame(context),
        };
        if matches!(frame, Poll::Ready(None)) {
            this.give_back(context);
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}
