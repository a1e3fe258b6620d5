//! The messages of a WebSocket that are no events of an answer: what a client asks, and what it is told of an error.
//!
//! An error has the status that HTTP would have: a client that finds none waits for more, as the Codex CLI does for 300 s.

use bitrouter_dialect::{ApiError, Dialect, ErrorKind, parse_error};
use bitrouter_document::{Document, Edit, Kind};
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING};
use http::{HeaderMap, StatusCode};
use serde_json::{Map, Value, json};

use crate::call::{reply, request_id};
use crate::error::Error;

/// A `response.create`.
pub(super) struct Create {
    /// The body of the request that it is.
    pub body: Document,
    /// Whether an answer is wanted; without one the client only says beforehand what it will ask with.
    pub generate: bool,
}

/// What a message asks for; none where it only tells something.
pub(super) fn read(message: Bytes) -> Result<Option<Create>, Error> {
    let mut body = Document::parse(message)?;
    match body.string("type")?.as_deref() {
        Some("response.create") => {}
        // That an answer has been dealt with.
        Some("response.processed") => return Ok(None),
        Some(other) => {
            let other: String = other.chars().take(100).flat_map(char::escape_debug).collect();
            let problem = format!("is `{other}`, which is not known here: it takes response.create");
            return Err(Error::Member { name: "type", problem });
        }
        None => {
            let problem = "is missing: a message is {\"type\":\"response.create\", ...}".to_owned();
            return Err(Error::Member { name: "type", problem });
        }
    }
    if !matches!(body.kind("/stream_id")?, None | Some(Kind::Null)) {
        return Err(Error::StreamId);
    }
    let generate = match body.kind("/generate")? {
        None | Some(Kind::Null) => true,
        Some(Kind::Boolean) => body.boolean("generate")?.unwrap_or(true),
        Some(found) => {
            let problem = format!("is of type {found}: it takes true or false");
            return Err(Error::Member { name: "generate", problem });
        }
    };
    // What is left is what POST takes, and its answer is a stream whatever it says.
    for path in ["/type", "/stream_id", "/generate", "/background"] {
        if body.kind(path)?.is_some() {
            body.patch(&[Edit::Remove { path }])?;
        }
    }
    body.patch(&[Edit::Add { path: "/stream", value: "true" }])?;
    Ok(Some(Create { body, generate }))
}

/// An error of the gateway's own.
pub(super) fn of_error(error: &Error) -> String {
    let id = request_id();
    let api = error.to_api(&id);
    let answer = reply::written(&api, Dialect::Responses, &id);
    failed(answer.status(), answer.headers(), &api.body(Dialect::Responses))
}

/// An answer that is none: its status, its error and its headers.
pub(super) fn failed(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> String {
    let framing = [CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING];
    let told = headers.iter().filter(|(name, _)| !framing.contains(name));
    let told = told.filter_map(|(name, value)| Some((name.to_string(), Value::from(value.to_str().ok()?))));
    let error = serde_json::from_slice(body).ok().and_then(|mut body: Value| match body["error"].take() {
        Value::Object(error) => Some(error),
        _ => None,
    });
    let error = error.unwrap_or_else(|| in_words(status.as_u16(), body));
    let headers: Map<String, Value> = told.collect();
    json!({"type": "error", "status": status.as_u16(), "error": error, "headers": headers}).to_string()
}

/// The error of a body of another shape, such as the ChatGPT backend's `{"detail": "..."}`.
fn in_words(status: u16, body: &[u8]) -> Map<String, Value> {
    let parsed = parse_error(status, body).unwrap_or_default();
    let message = match parsed.message.is_empty() {
        true => format!("the upstream answered {status} and did not say why"),
        false => parsed.message,
    };
    let error = ApiError { code: parsed.code, param: parsed.param, ..ApiError::new(parsed.kind, message) };
    match serde_json::from_slice(&error.body(Dialect::Responses)) {
        Ok(Value::Object(mut body)) => match body.remove("error") {
            Some(Value::Object(error)) => error,
            _ => Map::new(),
        },
        _ => Map::new(),
    }
}

/// An event that reports an error, as a frame: with its status, and with the error as an object. Over HTTP the error's members
/// may stand beside its type, and the status nowhere.
pub(super) fn with_status(event: &[u8]) -> String {
    let parsed = parse_error(0, event).unwrap_or_default();
    let mut frame: Map<String, Value> = serde_json::from_slice(event).unwrap_or_default();
    frame.insert("type".into(), "error".into());
    if !frame.get("error").is_some_and(Value::is_object) {
        frame.insert("error".into(), in_words(parsed.kind.status(), event).into());
    }
    let known = frame.get("status").and_then(Value::as_u64).filter(|status| (400..600).contains(status));
    if known.is_none() {
        frame.insert("status".into(), parsed.kind.status().into());
    }
    Value::from(frame).to_string()
}

/// The last word of an answer that ended without one.
pub(super) fn cut() -> String {
    let error = ApiError::new(ErrorKind::Upstream, "the answer ended without saying that it is whole. Ask again");
    failed(StatusCode::BAD_GATEWAY, &HeaderMap::new(), &error.body(Dialect::Responses))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use http::header::RETRY_AFTER;

    use super::*;

    fn create(message: &'static str) -> Result<Option<Create>, Error> {
        read(Bytes::from_static(message.as_bytes()))
    }

    #[test]
    fn a_create_is_the_body_of_a_streamed_request() {
        for (message, body, generate) in [
            (r#"{"type":"response.create","model":"m","input":[]}"#, r#"{"model":"m","input":[],"stream":true}"#, true),
            (
                r#"{"model":"m","generate":false,"stream":false,"background":null,"type":"response.create","stream_id":null}"#,
                r#"{"model":"m","stream":true}"#,
                false,
            ),
        ] {
            let create = create(message).unwrap().unwrap();
            assert_eq!(std::str::from_utf8(&create.body.output().into_bytes()).unwrap(), body);
            assert_eq!(create.generate, generate);
        }
        assert!(create(r#"{"type":"response.processed","response_id":"resp_1"}"#).unwrap().is_none());
    }

    #[test]
    fn what_is_not_understood_is_an_error_frame_with_a_status() {
        for (message, status, code, param) in [
            ("{", 400, Value::Null, Value::Null),
            ("[]", 400, Value::Null, Value::Null),
            ("{}", 400, "parameter_invalid".into(), "type".into()),
            (r#"{"type":"response.cancel"}"#, 400, "parameter_invalid".into(), "type".into()),
            (r#"{"type":"response.steer"}"#, 400, "parameter_invalid".into(), "type".into()),
            (r#"{"type":"response.create","generate":1}"#, 400, "parameter_invalid".into(), "generate".into()),
            (r#"{"type":"response.create","stream_id":"a"}"#, 400, "invalid_stream_id".into(), "stream_id".into()),
        ] {
            let Err(error) = create(message) else { panic!("{message} was understood") };
            let frame: Value = serde_json::from_str(&of_error(&error)).unwrap();
            assert_eq!((&frame["type"], &frame["status"]), (&"error".into(), &status.into()), "{message}");
            assert_eq!((&frame["error"]["code"], &frame["error"]["param"]), (&code, &param), "{message}");
            assert!(frame["headers"]["x-bitrouter-request-id"].is_string());
        }
    }

    #[test]
    fn a_failed_answer_has_its_status_its_error_and_its_headers() {
        let headers = HeaderMap::from_iter([
            (RETRY_AFTER, HeaderValue::from_static("7")),
            (CONTENT_TYPE, HeaderValue::from_static("application/json")),
        ]);
        let frame = |body: &[u8]| -> Value {
            serde_json::from_str(&failed(StatusCode::TOO_MANY_REQUESTS, &headers, body)).unwrap()
        };
        let known = frame(br#"{"error":{"type":"usage_limit_reached","resets_at":9,"message":"m"}}"#);
        let error = json!({"type": "usage_limit_reached", "resets_at": 9, "message": "m"});
        assert_eq!(known, json!({"type": "error", "status": 429, "error": error, "headers": {"retry-after": "7"}}));
        assert_eq!(frame(br#"{"detail":"Not now"}"#)["error"]["message"], "Not now");
        assert!(frame(b"<html>")["error"]["message"].as_str().unwrap().contains("429"));
    }

    #[test]
    fn an_error_event_without_a_status_gets_the_one_that_its_word_means() {
        for (event, status, message) in [
            (r#"{"type":"error","code":"rate_limit_exceeded","message":"m"}"#, 429, "m"),
            (r#"{"type":"error","error":{"code":"server_is_overloaded","message":"m"}}"#, 503, "m"),
            (r#"{"type":"error","status":418,"error":{"message":"tea"}}"#, 418, "tea"),
            (r#"{"type":"error","status":200,"error":{"message":"odd"}}"#, 502, "odd"),
            (r#"{"error":{"message":"stray"}}"#, 502, "stray"),
        ] {
            let frame: Value = serde_json::from_str(&with_status(event.as_bytes())).unwrap();
            assert_eq!(frame["type"], "error");
            assert_eq!((&frame["status"], &frame["error"]["message"]), (&status.into(), &message.into()), "{event}");
        }
    }
}
