//! The turns of a connection as the gateway answers them: each is a call of Responses with a stream for an answer. What a client
//! names of earlier turns is put in its place first, so that the pipeline gets the whole conversation and may take it to any
//! target. `session` asks.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::body::Body;
use axum::response::Response;
use bitrouter_document::Document;
use bytes::Bytes;
use http::HeaderMap;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use serde_json::json;

use super::frame::Create;
use super::session::Answers;
use crate::app::{App, Live};
use crate::call::{Call, CallBody, Endpoint, Socket, reply, request_id};
use crate::caller::Caller;
use crate::error::Error;
use crate::gateway::apart;
use crate::gateway::endpoints::{LONG, ReadBody, read_document};
use crate::history::History;
use crate::pipeline::{self, Keeping};
use crate::telemetry::{Outcome, RequestRecord};

/// What of a handshake is no part of the calls that follow: what makes it one, and what may be said of one call only.
const OF_THE_HANDSHAKE: [&str; 9] = [
    "connection",
    "upgrade",
    "sec-websocket-key",
    "sec-websocket-version",
    "sec-websocket-extensions",
    "sec-websocket-protocol",
    "idempotency-key",
    "x-idempotency-key",
    "content-type",
];
/// What OpenAI's clients say of WebSockets where they name what they are ready for.
const BETA: &str = "openai-beta";
const BETA_OF_WEBSOCKETS: &str = "responses_websockets";

/// A handshake that was answered.
pub(in crate::gateway) struct Opened {
    pub(in crate::gateway) live: Arc<Live>,
    pub(in crate::gateway) endpoint: &'static Endpoint,
    pub(in crate::gateway) caller: Caller,
    /// Those of the handshake; they are those of each call.
    pub(in crate::gateway) headers: HeaderMap,
    pub(in crate::gateway) query: Option<String>,
}

/// What answers the turns of one connection.
pub(super) struct Turns {
    opened: Opened,
    socket: Arc<Socket>,
    history: History,
}

/// An answer, and the turn that it is of, where it can be gone on from.
pub(super) struct Answered {
    pub(super) response: Response,
    pub(super) turn: Option<Turn>,
}

/// A turn that is being answered.
pub(super) struct Turn {
    socket: Arc<Socket>,
    history: History,
    keeping: Keeping,
    previous: Option<String>,
}

impl Turns {
    /// Those of this connection.
    pub(super) fn of(mut opened: Opened) -> Self {
        OF_THE_HANDSHAKE.into_iter().for_each(|name| drop(opened.headers.remove(name)));
        without_websockets(&mut opened.headers);
        let history = opened.live.now().history.clone();
        Turns { opened, socket: Arc::default(), history }
    }

    /// Reads what a client asks, and finds what it names of earlier turns.
    async fn call(&self, app: &App, body: Document) -> Result<Box<Call>, Error> {
        let ReadBody { addresses, body, .. } = match body.body_len() > LONG {
            true => apart::run(async move { read_document(body) }).await?,
            false => read_document(body)?,
        };
        let mut call = Box::new(Call {
            endpoint: self.opened.endpoint,
            caller: self.opened.caller,
            headers: self.opened.headers.clone(),
            query: self.opened.query.clone(),
            addresses: addresses.ok_or(Error::NoModel)?,
            streaming: true,
            as_array: false,
            body,
            continued: None,
            socket: Some(Arc::clone(&self.socket)),
            object: None,
        });
        pipeline::resolve(app, &mut call).await?;
        Ok(call)
    }

    fn turn(&self, call: &Call) -> Option<Turn> {
        let CallBody::Json(document) = &call.body else { return None };
        let body = document.output().into_bytes();
        let keeping = Keeping::of(self.history.clone(), self.socket.owner(), call.previous(), &body);
        let previous = call.previous().map(|previous| previous.id.clone());
        Some(Turn { socket: Arc::clone(&self.socket), history: self.history.clone(), keeping, previous })
    }
}

impl Answers for Turns {
    async fn answer(&self, Create { body, generate }: Create) -> Answered {
        let app = self.opened.live.now();
        let (id, endpoint) = (request_id(), self.opened.endpoint);
        if !generate {
            return match self.call(&app, body).await {
                Ok(call) => Answered { response: prewarmed(&id, &call), turn: self.turn(&call) },
                Err(error) => Answered { response: reply::error(&error, endpoint.shape, &id), turn: None },
            };
        }
        let mut record = RequestRecord::start(&app.requests, id, self.opened.caller, endpoint.dialect);
        match self.call(&app, body).await {
            Ok(call) => {
                let turn = self.turn(&call);
                Answered { response: pipeline::run(app, call, record).await, turn }
            }
            Err(error) => {
                let response = reply::error(&error, endpoint.shape, &record.id);
                record.status = response.status().as_u16();
                record.outcome = Outcome::Failed(error.to_string());
                Answered { response, turn: None }
            }
        }
    }
}

impl Drop for Turns {
    /// Its ids are good on this connection alone.
    fn drop(&mut self) {
        self.history.responses.forget(self.socket.owner());
    }
}

impl Turn {
    /// The answer has ended; none where it is not whole. A turn that failed takes with it what it went on from, as OpenAI has
    /// it: its client sends all of the conversation again.
    pub(super) fn ended(self, response: Option<&[u8]>) {
        let Turn { socket, history, keeping, previous } = self;
        match response {
            Some(response) => {
                keeping.keep(response);
                if let Some(id) = bitrouter_dialect::history::item_id(response) {
                    socket.gave(&id);
                }
            }
            None => {
                if let Some(id) = previous {
                    history.responses.of(socket.owner()).remove(&id);
                }
            }
        }
    }
}

/// The answer to a client that only says what it will ask with: an id that it can go on from, and no upstream is asked.
fn prewarmed(id: &str, call: &Call) -> Response {
    let id = format!("resp_{}", id.trim_start_matches("req_"));
    let created = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let model = call.addresses.first().cloned().unwrap_or_default();
    let response = |status: &str| {
        json!({
            "id": id, "object": "response", "created_at": created, "status": status, "error": null,
            "incomplete_details": null, "model": model, "output": [],
            "previous_response_id": call.previous().map(|previous| &previous.id),
        })
    };
    let mut completed = response("completed");
    completed["usage"] = json!({
        "input_tokens": 0, "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": 0, "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 0,
    });
    let event = |name: &str, number: u64, response| {
        let data = json!({"type": name, "sequence_number": number, "response": response});
        format!("event: {name}\ndata: {data}\n\n")
    };
    let created = event("response.created", 0, response("in_progress"));
    let events = created + &event("response.completed", 1, completed);
    let mut response = Response::new(Body::from(Bytes::from(events)));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    response
}

/// Takes out of a client's headers what it says of WebSockets: the calls may go on over HTTP.
fn without_websockets(headers: &mut HeaderMap) {
    let name = HeaderName::from_static(BETA);
    let said: Vec<HeaderValue> = headers.get_all(&name).iter().cloned().collect();
    headers.remove(&name);
    for line in said {
        let Ok(text) = line.to_str() else { continue };
        let kept: Vec<&str> =
            text.split(',').map(str::trim).filter(|beta| !beta.starts_with(BETA_OF_WEBSOCKETS)).collect();
        if let Ok(line) = HeaderValue::from_str(&kept.join(", "))
            && !line.is_empty()
        {
            headers.append(&name, line);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_client_says_of_websockets_goes_no_further_and_its_other_words_do() {
        for (said, goes) in [
            ("responses_websockets=2026-02-06", None),
            ("assistants=v2, responses_websockets=2026-02-06", Some("assistants=v2")),
            ("assistants=v2", Some("assistants=v2")),
        ] {
            let mut headers = HeaderMap::from_iter([(HeaderName::from_static(BETA), HeaderValue::from_static(said))]);
            without_websockets(&mut headers);
            assert_eq!(headers.get(BETA).map(|line| line.to_str().unwrap()), goes);
        }
    }
}
