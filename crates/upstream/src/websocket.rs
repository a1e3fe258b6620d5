//! A WebSocket to a provider: opened over the same connections as requests, through the same proxies and TLS, and used by one
//! conversation at a time. The pipeline sends messages and reads what comes; what they mean is not known here.

use std::collections::HashMap;
use std::fmt;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::{FutureExt as _, SinkExt as _, Stream, StreamExt as _};
use http::header::{CONNECTION, HeaderMap, HeaderValue, UPGRADE};
use http::header::{SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION};
use http::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error as SocketError, Message, Utf8Bytes};

use super::Outgoing;
use super::client::{SendError, Upstream, key_of, lost, origin};
use super::connection::{Connection, Stream as Connected};
use super::pool::Key;

/// What is read at once, and gathered before it is written.
const BUFFER: usize = 16 << 10;
/// The longest message: the last of an answer may repeat all of it.
const LONGEST: usize = 64 << 20;
/// How long an origin that has no WebSockets is not asked for one.
const REFUSED_FOR: Duration = Duration::from_secs(600);
/// Origins that are remembered at most.
const MOST_REFUSED: usize = 256;

/// Origins that have no WebSockets, and since when that is known.
#[derive(Default)]
pub(super) struct Refusals(Mutex<HashMap<Key, Instant>>);

impl Refusals {
    fn has(&self, key: &Key) -> bool {
        self.lock().get(key).is_some_and(|since| since.elapsed() < REFUSED_FOR)
    }

    fn remember(&self, key: &Key) {
        let mut refusals = self.lock();
        refusals.retain(|_, since| since.elapsed() < REFUSED_FOR);
        if refusals.len() < MOST_REFUSED {
            refusals.insert(key.clone(), Instant::now());
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Key, Instant>> {
        // Nothing that runs under the lock leaves it half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A WebSocket that is open.
pub struct WebSocket {
    socket: Box<WebSocketStream<TokioIo<Connected>>>,
    headers: HeaderMap,
}

impl fmt::Debug for WebSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocket").finish_non_exhaustive()
    }
}

impl Upstream {
    /// Opens a WebSocket with the headers of this request, whose method and body are not used. None where the origin answers
    /// anything else than that it opens one: then requests go by POST, and it is not asked again for a while.
    pub async fn open_websocket(
        &self,
        mut request: Request<Outgoing>,
        connect_within: Option<Duration>,
    ) -> Result<Option<WebSocket>, SendError> {
        let key = key_of(request.uri())?;
        if self.refusals.has(&key) {
            return Ok(None);
        }
        let nonce = generate_key();
        let accept = derive_accept_key(nonce.as_bytes());
        *request.method_mut() = http::Method::GET;
        *request.body_mut() = Outgoing::default();
        let headers = request.headers_mut();
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        if let Ok(nonce) = HeaderValue::from_str(&nonce) {
            headers.insert(SEC_WEBSOCKET_KEY, nonce);
        }
        let stream = self.open_http1(request.uri(), &key, connect_within).await?;
        let mut connection = Connection::new(stream);
        let answer = match tokio::time::timeout(self.connect_within(), connection.exchange(&request, &key.1)).await {
            Ok(Ok(answer)) => answer,
            // A proxy on the way that knows no upgrade may do either.
            Ok(Err(unanswered)) => {
                tracing::info!(origin = origin(&key), error = %lost(&key, &unanswered.fault), "no WebSocket: POST is used");
                self.refusals.remember(&key);
                return Ok(None);
            }
            Err(_) => {
                tracing::info!(origin = origin(&key), "no WebSocket in time: POST is used");
                self.refusals.remember(&key);
                return Ok(None);
            }
        };
        if !is_opened(&answer, &accept) {
            tracing::info!(origin = origin(&key), status = answer.status().as_u16(), "no WebSocket: POST is used");
            // What says only that one may not ask now says nothing of later.
            if !matches!(answer.status(), StatusCode::UNAUTHORIZED | StatusCode::TOO_MANY_REQUESTS)
                && !answer.status().is_server_error()
            {
                self.refusals.remember(&key);
            }
            return Ok(None);
        }
        let headers = answer.into_parts().0.headers;
        let (stream, came) = connection.into_parts();
        let config = WebSocketConfig::default()
            .read_buffer_size(BUFFER)
            .write_buffer_size(BUFFER)
            .max_message_size(Some(LONGEST))
            .max_frame_size(Some(LONGEST));
        let socket = WebSocketStream::from_partially_read(stream, came.to_vec(), Role::Client, Some(config)).await;
        Ok(Some(WebSocket { socket: Box::new(socket), headers }))
    }
}

/// RFC 6455, section 4.1. Nothing was offered, so nothing may be chosen.
fn is_opened(answer: &Response<()>, accept: &str) -> bool {
    let headers = answer.headers();
    let is = |value: Option<&HeaderValue>, wanted: &str| {
        value.and_then(|value| value.to_str().ok()).is_some_and(|value| value.trim() == wanted)
    };
    let upgrades = headers.get(UPGRADE).and_then(|value| value.to_str().ok());
    answer.status() == StatusCode::SWITCHING_PROTOCOLS
        && upgrades.is_some_and(|upgrade| upgrade.trim().eq_ignore_ascii_case("websocket"))
        && is(headers.get(SEC_WEBSOCKET_ACCEPT), accept)
        && !headers.contains_key("sec-websocket-extensions")
        && !headers.contains_key("sec-websocket-protocol")
}

impl WebSocket {
    /// The headers of the answer that opened it.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// Whether nothing has come since the last message that was waited for. Pings are answered meanwhile; a WebSocket on which
    /// anything else came, or which was closed, takes no message more.
    pub fn is_quiet(&mut self) -> bool {
        loop {
            match self.socket.next().now_or_never() {
                None => return true,
                Some(Some(Ok(Message::Ping(_) | Message::Pong(_)))) => {}
                Some(_) => return false,
            }
        }
    }

    /// Sends a text message.
    pub async fn send(&mut self, text: Bytes) -> Result<(), WebSocketError> {
        let text = Utf8Bytes::try_from(text).map_err(|_| WebSocketError::Text)?;
        Ok(self.socket.send(Message::Text(text)).await?)
    }

    /// The next text message; none where the other side has closed.
    pub fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, WebSocketError>>> {
        loop {
            return match Pin::new(&mut *self.socket).poll_next(context) {
                Poll::Pending => Poll::Pending,
                Poll::Ready(None | Some(Ok(Message::Close(_)))) => Poll::Ready(None),
                Poll::Ready(Some(Ok(Message::Text(text)))) => Poll::Ready(Some(Ok(text.into()))),
                Poll::Ready(Some(Ok(Message::Ping(_) | Message::Pong(_)))) => continue,
                Poll::Ready(Some(Ok(Message::Binary(_) | Message::Frame(_)))) => {
                    Poll::Ready(Some(Err(WebSocketError::Binary)))
                }
                Poll::Ready(Some(Err(error))) => Poll::Ready(Some(Err(error.into()))),
            };
        }
    }
}

/// What breaks a WebSocket off.
#[derive(Debug, thiserror::Error)]
pub enum WebSocketError {
    /// What the system, TLS or the frames say.
    #[error("its WebSocket: {0}")]
    Socket(#[from] Box<SocketError>),
    /// A message that is no text came.
    #[error("its WebSocket: a binary message came, and all of them are text")]
    Binary,
    /// A message that is no text was to be sent.
    #[error("a message over a WebSocket is UTF-8, and this is not")]
    Text,
    /// It was closed before the answer was whole.
    #[error("its WebSocket was closed")]
    Closed,
}

impl From<SocketError> for WebSocketError {
    fn from(error: SocketError) -> Self {
        WebSocketError::Socket(Box::new(error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_answer_to_this_very_handshake_opens_a_websocket() {
        let accept = derive_accept_key(b"dGhlIHNhbXBsZSBub25jZQ==");
        let answer = |status: u16, name: &'static str, value: &'static str| {
            let mut answer = Response::new(());
            *answer.status_mut() = StatusCode::from_u16(status).unwrap();
            answer.headers_mut().insert(UPGRADE, HeaderValue::from_static("WebSocket"));
            answer.headers_mut().insert(SEC_WEBSOCKET_ACCEPT, HeaderValue::from_static("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
            answer.headers_mut().insert(name, HeaderValue::from_static(value));
            is_opened(&answer, &accept)
        };
        assert!(answer(101, "x-request-id", "1"));
        for (status, name, value) in [
            (200, "x-request-id", "1"),
            (101, "upgrade", "h2c"),
            (101, "sec-websocket-accept", "another"),
            (101, "sec-websocket-extensions", "permessage-deflate"),
        ] {
            assert!(!answer(status, name, value), "{status} {name}: {value}");
        }
    }

    #[test]
    fn an_origin_without_websockets_is_remembered_and_others_are_asked() {
        let refusals = Refusals::default();
        let key = |port: u16| (http::uri::Scheme::HTTP, format!("localhost:{port}").parse().unwrap());
        refusals.remember(&key(1));
        assert!(refusals.has(&key(1)) && !refusals.has(&key(2)));
    }
}
