//! The count of a call's tokens where nobody counts them: an estimate, and it says that it is one.
//!
//! `run` asks where a call that wants to count found no target that does. Nothing is sent.

use axum::body::Body;
use axum::response::Response;
use bitrouter_dialect::{Dialect, ErrorKind, estimate_tokens};
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{HeaderName, StatusCode};
use serde_json::json;

use super::{Exhausted, deliver};
use crate::call::{Call, CallBody};
use crate::telemetry::Outcome;

/// On every count that is an estimate.
const ESTIMATED: HeaderName = HeaderName::from_static("x-bitrouter-estimated");

/// What has to be kept of a call so that its tokens can be estimated: nothing where it does not want to count.
pub(super) fn of(call: &Call) -> Option<Box<CallBody>> {
    let counts = call.endpoint.operation == "count-tokens" && member(call.endpoint.shape).is_some();
    counts.then(|| Box::new(call.body.clone()))
}

/// Where the answer says how many there are.
fn member(shape: Dialect) -> Option<&'static str> {
    match shape {
        Dialect::Messages => Some("input_tokens"),
        Dialect::GenerateContent => Some("totalTokens"),
        // A client of OpenAI's counts by itself where nobody does.
        Dialect::ChatCompletions | Dialect::Responses => None,
    }
}

/// The estimate in the place of a failure, if that was that nobody counts.
pub(super) fn instead(exhausted: Box<Exhausted>, body: &CallBody, shape: Dialect) -> Result<Response, Box<Exhausted>> {
    let (CallBody::Json(document), Some(member)) = (body, member(shape)) else { return Err(exhausted) };
    if exhausted.failed.meaning.kind != ErrorKind::NotImplemented {
        return Err(exhausted);
    }
    let tokens = estimate_tokens(shape, &document.output().into_bytes());
    let Exhausted { mut record, .. } = *exhausted;
    let mut response = Response::new(Body::from(json!({ member: tokens }).to_string()));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(ESTIMATED, HeaderValue::from_static("true"));
    deliver::sign(headers, &record);
    record.status = StatusCode::OK.as_u16();
    record.outcome = Outcome::Complete;
    Ok(response)
}
