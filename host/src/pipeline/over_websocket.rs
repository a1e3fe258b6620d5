//! Sending a request over a WebSocket to a provider that has them, for a client that came over one: then what the provider has
//! of the conversation need not be sent again. The answer is read as the events of a stream, so all that follows is as by POST.
//!
//! `attempt` calls it before it sends by POST. The whole conversation is there, so a WebSocket that was lost, or that another
//! target's takes the place of, costs no more than a longer message.

use std::future::poll_fn;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;
use std::time::Duration;

use bitrouter_dialect::history::{self, own_items};
use bitrouter_dialect::{Dialect, Event, EventClass, EventKind, classify};
use bitrouter_plugin::contract;
use bitrouter_plugin::contract::{Delivery, types::Body};
use bitrouter_upstream::{Outgoing, ReceiveError, Received, SendError, WebSocketError};
use bytes::Bytes;
use futures_util::{Stream, stream};
use http::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, TRANSFER_ENCODING};
use http::{Request, Response, StatusCode};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::attempt::Attempt;
use crate::call::{Call, Link, Socket};
use crate::error::Error;

/// What a message may say that is known elsewhere: for these the whole conversation is sent once more.
const NOT_FOUND: &str = "previous_response_not_found";
const TOO_OLD: &str = "websocket_connection_limit_reached";
/// What of the handshake's answer, and of an error's headers, is no header of an answer.
const NO_ANSWERS: [&str; 6] =
    ["connection", "upgrade", "sec-websocket-accept", "sec-websocket-extensions", "sec-websocket-protocol", "date"];

/// What is said over a WebSocket.
pub(super) struct Said {
    socket: Arc<Socket>,
    body: Bytes,
    /// The response that it goes on from and how many of its items that has, where both are as the client's own.
    continues: Option<(String, usize)>,
}

impl Said {
    /// Of a call that came over a WebSocket, whose body had so many items before the component shaped it.
    pub(super) fn of(call: &Call, items: usize, body: Bytes) -> Option<Self> {
        let socket = Arc::clone(call.socket.as_ref()?);
        let previous = call.previous().filter(|previous| previous.owner == socket.owner());
        let same = previous.is_some() && own_items(&body).count() == items;
        let continues = previous.filter(|_| same).map(|previous| (previous.id.clone(), previous.items));
        Some(Said { socket, body, continues })
    }

    /// The message: without what the other side has, if that is where it left off.
    fn message(&self, last: Option<&str>) -> (Bytes, bool) {
        let continues = self.continues.as_ref().filter(|(id, _)| last == Some(id));
        let message = history::create(&self.body, continues.map(|(id, items)| (id.as_str(), *items)));
        (message.into(), continues.is_some())
    }
}

/// The first message of an answer.
struct First {
    message: Bytes,
    error: Option<Refused>,
}

/// A message that is an error with a status.
#[derive(Deserialize)]
struct Refused {
    status: u16,
    #[serde(default)]
    error: Value,
    #[serde(default)]
    headers: serde_json::Map<String, Value>,
}

impl Refused {
    fn code(&self) -> Option<&str> {
        self.error["code"].as_str()
    }
}

impl Attempt<'_> {
    /// Whether this request may go over a WebSocket.
    pub(super) fn may_use_websocket(&self, call: &contract::Call, request: &contract::Request) -> bool {
        let dialects = &self.provider.plugin.description.websocket.dialects;
        call.operation == "generate"
            && call.dialect == Dialect::Responses.as_str()
            && dialects.contains(&call.dialect)
            && call.streaming
            && request.method == "POST"
            && request.framing == "sse"
            && matches!((&request.delivery, &request.body), (Delivery::Pass, Body::Forward))
    }

    /// Sends it, and waits for the first message of the answer. None where the provider opens no WebSocket: POST is used then.
    pub(super) async fn over_websocket(
        &self,
        request: &contract::Request,
        said: &Said,
    ) -> Result<Option<Response<Received>>, Error> {
        let handshake = self.handshake(request)?;
        let opened_as = fingerprint(&handshake);
        let mut kept = said.socket.take_link().filter(|link| link.opened_as == opened_as);
        kept = kept.and_then(|mut link| link.socket.is_quiet().then_some(link));
        loop {
            let reused = kept.is_some();
            let mut link = match kept.take() {
                Some(link) => link,
                None => match self.open(&handshake, opened_as).await? {
                    Some(link) => link,
                    None => return Ok(None),
                },
            };
            let (message, continues) = said.message(link.last.as_deref());
            let first = match tokio::time::timeout(self.first_byte(), ask(&mut link, message)).await {
                Ok(Ok(first)) => first,
                Ok(Err(error)) if reused => {
                    tracing::debug!(provider = self.provider.id(), %error, "a WebSocket was lost: another is opened");
                    continue;
                }
                Ok(Err(error)) => {
                    let error = SendError::Lost { origin: origin(&handshake), reason: error.to_string() };
                    return Err(Error::Send { provider: self.id(), error });
                }
                Err(_) => {
                    let error = SendError::FirstByte { origin: origin(&handshake), after: self.first_byte() };
                    return Err(Error::Send { provider: self.id(), error });
                }
            };
            match first.error {
                Some(error) if continues && error.code() == Some(NOT_FOUND) => {
                    link.last = None;
                    kept = Some(link);
                }
                Some(error) if reused && error.code() == Some(TOO_OLD) => {}
                Some(error) => return Ok(Some(refusal(error, link, &said.socket))),
                None => return Ok(Some(answer(first.message, link, &said.socket))),
            }
        }
    }

    async fn open(&self, handshake: &Request<Outgoing>, opened_as: u64) -> Result<Option<Link>, Error> {
        let opened = self.provider.upstream.open_websocket(handshake.clone(), self.connect_within).await;
        let socket = opened.map_err(|error| Error::Send { provider: self.id(), error })?;
        Ok(socket.map(|socket| Link { opened_as, headers: socket.headers().clone(), socket, last: None }))
    }

    /// What the request would be without its body, and with what the description says of WebSockets.
    fn handshake(&self, request: &contract::Request) -> Result<Request<Outgoing>, Error> {
        let mut handshake = self.without_body(request)?;
        let headers = handshake.headers_mut();
        headers.remove(CONTENT_TYPE);
        headers.remove(ACCEPT);
        for (name, value) in &self.provider.plugin.description.websocket.headers {
            let header = self.provider.reserved.component_header(name, value);
            let (name, value) = header.map_err(|error| self.bad_request(error.to_string()))?;
            headers.insert(name, value);
        }
        Ok(handshake)
    }

    fn first_byte(&self) -> Duration {
        let deadlines = &self.provider.deadlines;
        deadlines.total.map_or(deadlines.first_byte, |total| total.min(deadlines.first_byte))
    }
}

/// Tells handshakes apart, the credential included.
fn fingerprint(handshake: &Request<Outgoing>) -> u64 {
    let mut hasher = DefaultHasher::new();
    handshake.uri().hash(&mut hasher);
    for (name, value) in handshake.headers() {
        (name, value).hash(&mut hasher);
    }
    hasher.finish()
}

fn origin(handshake: &Request<Outgoing>) -> String {
    handshake.uri().authority().map(ToString::to_string).unwrap_or_default()
}

/// Sends a message and waits for the first that answers it.
async fn ask(link: &mut Link, message: Bytes) -> Result<First, WebSocketError> {
    link.socket.send(message).await?;
    let message = poll_fn(|context| link.socket.poll_next(context)).await.ok_or(WebSocketError::Closed)??;
    let error = match class(&message) {
        EventClass::Error => serde_json::from_slice(&message).ok().filter(|error: &Refused| error.status >= 400),
        EventClass::Preamble | EventClass::Content | EventClass::End => None,
    };
    Ok(First { message, error })
}

fn event(message: &[u8]) -> Event<'_> {
    Event { kind: EventKind::Message, name: None, data: message, raw: message }
}

fn class(message: &[u8]) -> EventClass {
    classify(Dialect::Responses, &event(message))
}

/// An error with a status, as the answer that HTTP would have had.
fn refusal(Refused { status, error, headers }: Refused, mut link: Link, socket: &Socket) -> Response<Received> {
    let body = serde_json::json!({ "error": error }).to_string();
    let mut response = Response::new(Received::made(stream::iter([Ok(Bytes::from(body))])));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
    for (name, value) in &headers {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let header = (name.parse::<HeaderName>().ok()).zip(HeaderValue::from_str(&value).ok());
        response.headers_mut().extend(header.map(|(name, value)| (Some(name), value)));
    }
    cleared(response.headers_mut());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    // Who may not ask is not asked by again.
    if !matches!(status, 401 | 403) {
        link.last = None;
        socket.put_link(link);
    }
    response
}

/// An answer that begins with this message.
fn answer(first: Bytes, mut link: Link, socket: &Arc<Socket>) -> Response<Received> {
    let mut headers = std::mem::take(&mut link.headers);
    cleared(&mut headers);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    let mut response = Response::new(Received::made(events(first, link, Arc::clone(socket))));
    *response.headers_mut() = headers;
    response
}

fn cleared(headers: &mut HeaderMap) {
    NO_ANSWERS.into_iter().for_each(|name| drop(headers.remove(name)));
    [CONTENT_LENGTH, TRANSFER_ENCODING].into_iter().for_each(|name| drop(headers.remove(name)));
}

/// The messages of an answer, framed as events. The WebSocket goes back to its client's when the last has come; where the answer
/// is given up before that, it is closed, and the provider with it.
fn events(
    first: Bytes,
    link: Link,
    socket: Arc<Socket>,
) -> impl Stream<Item = Result<Bytes, ReceiveError>> + Send + Sync {
    stream::unfold((Some(first), Some(link), socket), |(first, link, socket)| async move {
        let mut link = link?;
        let message = match first {
            Some(first) => Ok(first),
            None => match poll_fn(|context| link.socket.poll_next(context)).await {
                Some(message) => message,
                None => Err(WebSocketError::Closed),
            },
        };
        let message = match message {
            Ok(message) => message,
            Err(error) => return Some((Err(error.into()), (None, None, socket))),
        };
        let link = match class(&message) {
            EventClass::Preamble | EventClass::Content => Some(link),
            EventClass::End => {
                link.last = response_id(&message);
                socket.put_link(link);
                None
            }
            EventClass::Error => {
                link.last = None;
                socket.put_link(link);
                None
            }
        };
        Some((Ok(framed(&message)), (None, link, socket)))
    })
}

/// The id of the response that an event tells of.
fn response_id(message: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Last<'m> {
        #[serde(borrow)]
        response: &'m RawValue,
    }
    let last: Last<'_> = serde_json::from_slice(message).ok()?;
    history::item_id(last.response.get().as_bytes()).map(Into::into)
}

/// A message as an event. A line break may stand between its members and is a space then.
fn framed(message: &[u8]) -> Bytes {
    let kind = event(message).type_name().unwrap_or_default();
    let mut framed = Vec::with_capacity(message.len() + kind.len() + 24);
    if !kind.is_empty() && !kind.contains(['\r', '\n']) {
        [b"event: ", kind.as_bytes(), b"\n"].into_iter().for_each(|part| framed.extend_from_slice(part));
    }
    framed.extend_from_slice(b"data: ");
    framed.extend(message.iter().map(|byte| if matches!(byte, b'\r' | b'\n') { b' ' } else { *byte }));
    framed.extend_from_slice(b"\n\n");
    framed.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_framed_as_one_event_however_it_is_written() {
        assert_eq!(
            framed(b"{\n \"type\": \"response.created\"\r\n}"),
            "event: response.created\ndata: {  \"type\": \"response.created\"  }\n\n"
        );
        assert_eq!(framed(b"{}"), "data: {}\n\n");
    }

    #[test]
    fn the_last_event_of_an_answer_says_which_response_can_be_gone_on_from() {
        let id = |message: &str| response_id(message.as_bytes());
        assert_eq!(
            id(r#"{"type":"response.completed","response":{"output":[],"id":"resp_1"}}"#).as_deref(),
            Some("resp_1")
        );
        assert_eq!(id(r#"{"type":"response.completed"}"#), None);
    }
}
