//! An answer that a component gives by itself, as if an upstream had sent it: what follows on the way back is the same.

use std::sync::Arc;

use bitrouter_plugin::contract::types::Body;
use bitrouter_plugin::contract::{Delivery, Reply, Request};
use bitrouter_upstream::Received;
use bytes::Bytes;
use futures_util::stream;
use http::header::CONTENT_TYPE;
use http::{HeaderName, HeaderValue, Response, StatusCode};
use serde::de::IgnoredAny;

/// The request that was never sent, and its answer.
///
/// # Errors
///
/// What the contract does not allow of a reply.
pub(super) fn of(reply: Reply) -> Result<(Arc<Request>, Response<Received>), String> {
    let Reply { status, headers, framing, body, more: _ } = reply;
    let status = StatusCode::from_u16(status).ok().filter(StatusCode::is_success);
    let status = status.ok_or("its reply has a status other than 200 to 299: a failure is said as one")?;
    let content_type = match framing.as_str() {
        "json" => "application/json",
        "sse" => "text/event-stream",
        other => return Err(format!("its reply has the framing `{}`: `json` or `sse`", other.escape_debug())),
    };
    if framing == "json" {
        serde_json::from_str::<IgnoredAny>(&body).map_err(|error| format!("its reply is not JSON: {error}"))?;
    }
    let bytes = Bytes::from(body);
    let mut response = Response::new(Received::made(stream::once(std::future::ready(Ok(bytes)))));
    *response.status_mut() = status;
    for field in &headers {
        let (name, value) = (HeaderName::from_bytes(field.name.as_bytes()), HeaderValue::from_str(&field.value));
        let (Ok(name), Ok(value)) = (name, value) else {
            return Err(format!("its reply has a header that is none: `{}`", field.name.escape_debug()));
        };
        response.headers_mut().append(name, value);
    }
    response.headers_mut().entry(CONTENT_TYPE).or_insert(HeaderValue::from_static(content_type));
    let request = Request {
        method: "GET".into(),
        origin: "api".into(),
        path: "/".into(),
        values: Vec::new(),
        query: Vec::new(),
        headers: Vec::new(),
        body: Body::Empty,
        framing,
        delivery: Delivery::Pass,
        memo: Vec::new(),
        dropped: Vec::new(),
        more: String::new(),
    };
    Ok((Arc::new(request), response))
}
