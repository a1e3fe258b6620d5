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

/// What connections run over.
pub(super) type Stream = MaybeHttpsStream<TokioIo<TcpStream>>;

/// A connection that nobody else uses.
pub(super) struct Connection {
    sender: http1::SendRequest<Outgoing>,
    driver: http1::Connection<Stream, Outgoing>,
}

impl Connection {
    /// Speaks HTTP/1.1 over a fresh stream.
    pub(super) async fn open(stream: Stream) -> hyper::Result<Self> {
        let (sender, driver) = http1::handshake(stream).await?;
        Ok(Connection { sender, driver })
    }

    /// Whether it can still take a request: it was not closed while it lay idle.
    pub(super) fn poll_alive(&mut self, context: &mut Context<'_>) -> bool {
        Pin::new(&mut self.driver).poll(context).is_pending() && self.sender.is_ready()
    }

    /// Sends a request and waits for the head of its answer.
    pub(super) async fn exchange(
        mut self,
        request: Request<Outgoing>,
        home: (Arc<Pool>, Key),
    ) -> hyper::Result<Response<Received>> {
        let mut ended = false;
        let response = {
            let mut head = pin!(self.sender.send_request(request));
            let driver = &mut self.driver;
            std::future::poll_fn(|context| {
                if let Poll::Ready(head) = head.as_mut().poll(context) {
                    return Poll::Ready(head);
                }
                if !ended && let Poll::Ready(outcome) = Pin::new(&mut *driver).poll(context) {
                    ended = true;
                    if let Err(error) = outcome {
                        return Poll::Ready(Err(error));
                    }
                }
                head.as_mut().poll(context)
            })
            .await?
        };
        let connection = (!ended).then_some((self, home));
        Ok(response.map(|incoming| Received { incoming, connection }))
    }
}

/// An answer's body together with the connection that brings it, which goes back to its pool at the end.
pub struct Received {
    incoming: Incoming,
    /// None over HTTP/2, whose connection has a task of its own, and once the connection has ended.
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
        let mut frame = Pin::new(&mut this.incoming).poll_frame(context);
        if frame.is_pending()
            && let Some((connection, _)) = &mut this.connection
        {
            if Pin::new(&mut connection.driver).poll(context).is_ready() {
                // What it read before it ended is still there; an error comes out of `incoming`.
                this.connection = None;
            }
            frame = Pin::new(&mut this.incoming).poll_frame(context);
        }
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
