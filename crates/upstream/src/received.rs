//! An answer's body as it comes from the upstream, over either HTTP version.
//!
//! The client makes one for each answer, `Answer` reads it. Over HTTP/1.1 it owns the connection: read to its end, it gives
//! it back to the pool; dropped before, it closes it.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::Stream;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use super::connection::{Connection, Fault, Stream as Connected};
use super::pool::{Key, Pool};
use super::reason::reason;
use super::shared::StreamSlot;
use super::unpack::Unpacked;
use super::websocket::WebSocketError;

/// What breaks a body off.
#[derive(Debug, thiserror::Error)]
pub enum ReceiveError {
    /// Over HTTP/1.1.
    #[error(transparent)]
    Http1(#[from] Fault),
    /// Over HTTP/2.
    #[error("{}", reason(.0))]
    Http2(#[from] hyper::Error),
    /// Over a WebSocket.
    #[error(transparent)]
    WebSocket(#[from] WebSocketError),
    /// It is not what its content encoding says.
    #[error("it cannot be unpacked: {0}")]
    Packed(#[from] std::io::Error),
}

/// An answer's body.
pub struct Received(BodySource);

enum BodySource {
    Http1(Connection<Connected>, Home),
    /// A stream of a connection that requests share, and which has a task of its own; and its place there.
    Http2(Incoming, #[expect(dead_code, reason = "it is held")] StreamSlot),
    /// Another body, unpacked.
    Unpacked(Unpacked),
    /// What somebody makes of messages.
    Made(Pin<Box<dyn Stream<Item = Result<Bytes, ReceiveError>> + Send + Sync>>),
    /// All of it came, and the connection went back or was closed.
    Ended,
}

/// Where a connection goes when its answer is complete.
pub(super) type Home = (Arc<Pool>, Key);

impl Received {
    /// A body that comes over this connection.
    pub(super) fn over(connection: Connection<Connected>, home: Home) -> Self {
        Received(BodySource::Http1(connection, home))
    }

    /// A body that comes over a stream of a shared connection.
    pub(super) fn shared(incoming: Incoming, slot: StreamSlot) -> Self {
        Received(BodySource::Http2(incoming, slot))
    }

    /// A body that is unpacked on its way.
    pub(super) fn unpacked(unpacked: Unpacked) -> Self {
        Received(BodySource::Unpacked(unpacked))
    }

    /// A body that is made of something else, such as the messages of a WebSocket.
    pub fn made(stream: impl Stream<Item = Result<Bytes, ReceiveError>> + Send + Sync + 'static) -> Self {
        Received(BodySource::Made(Box::pin(stream)))
    }

    /// A body of which nothing comes.
    pub fn none() -> Self {
        Received(BodySource::Ended)
    }

    /// Is not woken by what comes until it is read again, if it can be helped. Whoever calls this must come back by
    /// itself, and soon.
    pub fn leave_alone(&mut self) {
        if let BodySource::Http1(connection, _) = &mut self.0 {
            connection.leave_alone();
        }
    }

    /// The answer is complete: the connection may take another request.
    fn give_back(&mut self) {
        if let BodySource::Http1(connection, (pool, key)) = std::mem::replace(&mut self.0, BodySource::Ended) {
            pool.put(key, connection);
        }
    }
}

impl Body for Received {
    type Data = Bytes;
    type Error = ReceiveError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ReceiveError>>> {
        let next = match &mut self.0 {
            BodySource::Http1(connection, _) => connection.poll_data(context).map_ok(Frame::data).map_err(Into::into),
            BodySource::Http2(incoming, _) => Pin::new(incoming).poll_frame(context).map_err(Into::into),
            BodySource::Unpacked(unpacked) => {
                unpacked.as_mut().poll_next(context).map(|next| next.map(|bytes| bytes.map(Frame::data)))
            }
            BodySource::Made(made) => {
                made.as_mut().poll_next(context).map(|next| next.map(|bytes| bytes.map(Frame::data)))
            }
            BodySource::Ended => Poll::Ready(None),
        };
        if matches!(next, Poll::Ready(None)) {
            self.give_back();
        }
        next
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            // Whoever stops reading here would keep the connection from going back.
            BodySource::Http1(..) | BodySource::Unpacked(_) | BodySource::Made(_) => false,
            BodySource::Http2(incoming, _) => incoming.is_end_stream(),
            BodySource::Ended => true,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            BodySource::Http1(connection, _) => connection.left().map_or_else(SizeHint::default, SizeHint::with_exact),
            BodySource::Http2(incoming, _) => incoming.size_hint(),
            BodySource::Unpacked(_) | BodySource::Made(_) => SizeHint::default(),
            BodySource::Ended => SizeHint::with_exact(0),
        }
    }
}
