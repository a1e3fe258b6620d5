//! The client at the other end of a WebSocket: whole messages in, frames out, and how the connection ends.
//!
//! A message is held to what a body is: its size, its share of the memory of all bodies, and how slowly it may come. Whoever
//! reads nothing is sent nothing more: sending waits, and so does whatever is behind it.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite};
use tokio::time::Instant;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::{CapacityError, Error as SocketError, ProtocolError};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

use super::frame;
use super::meter::{Meter, Metered};
use crate::call::{Bodies, Share};
use crate::error::Error;
use crate::gateway::body::{Rules, STALLED};

/// What is read at once, and gathered before it is written.
const BUFFER: usize = 16 << 10;
/// By so much more of a message may come each time there is room.
const STEP: usize = 256 << 10;
/// What a short frame of a client has beside its payload: RFC 6455, section 5.2.
const HEAD: usize = 6;
/// How long a client is waited for once it was told that the connection ends.
const GOODBYE: Duration = Duration::from_secs(1);

/// A client.
pub(super) struct Client<S> {
    socket: WebSocketStream<Metered<S>>,
    meter: Arc<Meter>,
    bodies: Arc<Bodies>,
    share: Share,
    rules: Rules,
}

/// Why a connection ends.
#[derive(Debug)]
pub(super) enum End {
    /// The client is gone, or says goodbye.
    Gone,
    /// It is told in a frame of the connection alone.
    Closed(CloseCode, &'static str),
    /// It is told in an error frame before that.
    Refused(Error, CloseCode),
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    /// The client at the other end of this stream, whose messages are held to these rules.
    pub(super) async fn over(stream: S, rules: Rules, bodies: &Arc<Bodies>) -> Self {
        let (stream, meter) = Metered::new(stream);
        let config = WebSocketConfig::default()
            .read_buffer_size(BUFFER)
            .write_buffer_size(BUFFER)
            .max_message_size(Some(rules.limit()))
            .max_frame_size(Some(rules.limit()));
        let socket = WebSocketStream::from_raw_socket(stream, Role::Server, Some(config)).await;
        Client { socket, meter, share: bodies.share(), bodies: Arc::clone(bodies), rules }
    }

    /// The next message. Nothing is lost where this is given up before it came.
    pub(super) async fn next(&mut self) -> Result<Bytes, End> {
        let reader = self.share.reader();
        let mut gives_way = pin!(reader.gives_way(&self.bodies));
        loop {
            let due = self.due();
            let message = tokio::select! {
                biased;
                message = self.socket.next() => message,
                () = self.meter.wants_more() => {
                    let more = self.meter.came() + STEP;
                    // As much of it as there may be; what is longer is refused by its length.
                    let more = more.min(self.rules.limit().max(self.meter.came()) + STEP);
                    self.share.grow(more).await.map_err(|full| End::Refused(full, CloseCode::Again))?;
                    self.meter.allow(more);
                    continue;
                }
                // From now on it has a deadline.
                () = self.meter.begins(), if due.is_none() => continue,
                full = &mut gives_way => return Err(End::Refused(full, CloseCode::Again)),
                () = tokio::time::sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                    // It may have gone on meanwhile.
                    match self.due() {
                        Some(due) if due <= Instant::now() => {
                            let slow = Error::BodySlow(format!("only {} bytes of a message came", self.meter.came()));
                            return Err(End::Refused(slow, CloseCode::Policy));
                        }
                        _ => continue,
                    }
                }
            };
            match message {
                Some(Ok(Message::Text(text))) => {
                    self.meter.is_whole();
                    let share = std::mem::replace(&mut self.share, self.bodies.share());
                    return Ok(share.keeps(Bytes::from(text)));
                }
                // The library answers a ping as soon as something is read or written.
                Some(Ok(Message::Ping(data) | Message::Pong(data))) => self.meter.passed(data.len() + HEAD),
                Some(Ok(Message::Binary(_))) => {
                    let problem = "a message is text, and this one is binary".to_owned();
                    return Err(End::Refused(Error::Frame(problem), CloseCode::Unsupported));
                }
                Some(Ok(Message::Close(_) | Message::Frame(_))) | None => return Err(End::Gone),
                Some(Err(error)) => return Err(self.broken(&error)),
            }
        }
    }

    /// Until when the message that is coming has to be whole, or go on.
    fn due(&self) -> Option<Instant> {
        let (began, last) = self.meter.times()?;
        Some((last + STALLED).min(began + self.rules.within(self.meter.came() as u64)))
    }

    fn broken(&self, error: &SocketError) -> End {
        match error {
            SocketError::Capacity(CapacityError::MessageTooLong { .. }) => {
                End::Refused(self.rules.over(), CloseCode::Size)
            }
            SocketError::Utf8(_) => End::Closed(CloseCode::Invalid, "a text message is UTF-8"),
            SocketError::Protocol(ProtocolError::ResetWithoutClosingHandshake) => End::Gone,
            SocketError::Protocol(_) => End::Closed(CloseCode::Protocol, "this is not as RFC 6455 has it"),
            _ => End::Gone,
        }
    }

    /// Hands over a message; it leaves with the next that is sent.
    pub(super) async fn feed(&mut self, message: Message) -> Result<(), End> {
        self.socket.feed(message).await.map_err(|_| End::Gone)
    }

    /// Sends what was handed over.
    pub(super) async fn flush(&mut self) -> Result<(), End> {
        self.socket.flush().await.map_err(|_| End::Gone)
    }

    /// Sends a message.
    pub(super) async fn send(&mut self, text: impl Into<Utf8Bytes>) -> Result<(), End> {
        self.socket.send(Message::Text(text.into())).await.map_err(|_| End::Gone)
    }

    /// Ends the connection, and says why.
    pub(super) async fn close(mut self, end: End) {
        let _ = tokio::time::timeout(GOODBYE, self.say_goodbye(end)).await;
    }

    async fn say_goodbye(&mut self, end: End) {
        let (code, reason) = match end {
            End::Gone => {
                // Which answers a goodbye, if there was one.
                let _ = self.socket.flush().await;
                return;
            }
            End::Closed(code, reason) => (code, reason),
            End::Refused(error, code) => {
                tracing::debug!(%error, "a WebSocket is closed");
                if self.send(frame::of_error(&error)).await.is_err() {
                    return;
                }
                (code, "")
            }
        };
        if self.socket.close(Some(CloseFrame { code, reason: reason.into() })).await.is_err() {
            return;
        }
        // What was sent would be lost if the connection were cut while something comes.
        while let Some(Ok(_)) = self.socket.next().await {}
        let mut rest = [0; 4 << 10];
        while matches!(self.socket.get_mut().stream().read(&mut rest).await, Ok(1..)) {}
    }
}
