//! One request to a gateway, as a client sends it: over HTTP, with the gateway's key. `doctor` and `connect` call it.

use std::time::Duration;

use bitrouter_upstream::{Deadlines, Outgoing, Upstream};
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use http_body_util::{BodyExt, Limited};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

/// How long a gateway may take to be reached.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// The most of an answer that is read.
const LONGEST_ANSWER: usize = 8 << 20;

/// Sends a body, or asks for a page where there is none; the answer is its JSON, the error one sentence. Must be called
/// inside a runtime.
pub(super) async fn ask(
    url: &str,
    key: Option<&SecretString>,
    body: Option<&Value>,
    within: Duration,
) -> Result<Value, String> {
    let method = if body.is_some() { http::Method::POST } else { http::Method::GET };
    let mut request = http::Request::builder().method(method).uri(url).header(CONTENT_TYPE, "application/json");
    if let Some(key) = key {
        let value = HeaderValue::try_from(format!("Bearer {}", key.expose_secret()));
        let mut value = value.map_err(|_| "the gateway's key cannot stand in a header")?;
        value.set_sensitive(true);
        request = request.header(AUTHORIZATION, value);
    }
    let body = body.map_or_else(Outgoing::default, |body| Outgoing::from(Bytes::from(body.to_string())));
    let request = request.body(body).map_err(|error| error.to_string())?;
    let deadlines = Deadlines { first_byte: within, idle: within, total: Some(within) };
    let upstream = Upstream::new(CONNECT_WITHIN);
    let answer = upstream.send(request, &deadlines, None).await.map_err(|error| error.to_string())?;
    let status = answer.status();
    let whole = tokio::time::timeout(within, Limited::new(answer.into_body(), LONGEST_ANSWER).collect()).await;
    let bytes = whole.map_err(|_| "the answer does not end")?.map_err(|error| error.to_string())?.to_bytes();
    let body: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    match status.is_success() {
        true => Ok(body),
        false => {
            let why = body["error"]["message"].as_str().unwrap_or("no reason is given");
            Err(format!("the gateway answers {status}: {why}"))
        }
    }
}
