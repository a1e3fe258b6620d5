//! The way back: from the provider's answer to the client's.

use axum::body::Body;
use axum::response::Response;
use bitrouter_dialect::Framing;
use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION, RETRY_AFTER};
use http::{HeaderName, StatusCode};
use http_body_util::BodyExt;

use super::limits::Limits;
use super::watch::Watcher;
use super::{Received, failed, fold, rewrite};
use crate::credential::{ScrubStream, Scrubber, answer_headers};
use crate::error::Error;
use crate::plugin::contract::{self, Delivery, Field, Trouble};
use crate::telemetry::Finished;
use crate::upstream::{self, Answer};

/// How much of an answer `explain` and `resume` are shown, and how much of it is read for the client.
const SHOWN: usize = 64 << 10;
const MOST: usize = 1 << 20;
/// How much of a side request's answer `interpret` is shown: a catalogue may hold a prompt for each model.
const PAGE: usize = 4 << 20;
/// How many dropped members the client is told of.
const MAX_DROPPED: usize = 64;
/// Longer than any credential in any encoding.
const SCRUB_MARGIN: usize = 64 << 10;

/// Answers the client.
pub(super) async fn deliver(received: Received, finished: Finished) -> Response {
    let status = received.response.status();
    if status.is_informational() {
        let reason = format!("the upstream answered {status}, which is no answer to a call");
        let error = Error::Broken { provider: received.provider.id().to_owned(), reason };
        return failed(&error, received.endpoint.shape, finished);
    }
    if status.is_redirection() {
        let location = location(received.response.headers(), received.scrubber.as_deref());
        let error = Error::Redirect { provider: received.provider.id().to_owned(), location };
        return failed(&error, received.endpoint.shape, finished);
    }
    let limits = Limits::in_headers(&received, &finished);
    let response = if status.is_success() {
        success(received, finished).await
    } else {
        Box::pin(explained(received, finished)).await
    };
    if let Some((limits, said)) = limits {
        limits.tell(said);
    }
    response
}

/// Where a redirect leads, for the error: scrubbed before anything is cut off or escaped.
pub(super) fn location(headers: &HeaderMap, scrubber: Option<&Scrubber>) -> String {
    let location = headers.get(LOCATION).map_or("?".into(), |value| String::from_utf8_lossy(value.as_bytes()));
    let location = scrubber.map_or(location.clone(), |scrubber| scrubber.scrub_text(&location).into_owned().into());
    location.chars().take(200).flat_map(char::escape_debug).collect()
}

/// A success: forwarded as it came, through the component's rewriter, or folded into one document.
async fn success(received: Received, mut finished: Finished) -> Response {
    let shape = received.endpoint.shape;
    let provider = received.provider.id().to_owned();
    let framing = framing(&received);
    let status = received.response.status();
    let headers = client_headers(&received, &finished);
    finished.status = status.as_u16();
    let watcher = Watcher::new(&received, framing, finished);
    let body = match &received.request.delivery {
        Delivery::Fold if framing == Some(Framing::Sse) => {
            return Box::pin(fold::deliver(received, watcher, headers)).await;
        }
        // An upstream that answers with the whole although a stream was asked for has nothing to be folded.
        Delivery::Pass | Delivery::Fold => {
            let watcher = watcher.explaining(&received);
            let deadlines = received.provider.deadlines;
            let events = framing == Some(Framing::Sse);
            let scrub = received.scrubber.map(ScrubStream::new);
            let answer = Answer::new(received.response.into_body(), scrub, watcher, deadlines, received.sent, events);
            match answer.begin().await {
                Ok(body) => Body::new(body),
                Err((broken, watcher)) => {
                    let error = Error::Broken { provider, reason: broken.to_string() };
                    return failed(&error, shape, watcher.into_finished());
                }
            }
        }
        Delivery::Rewrite(_) => match Box::pin(rewrite::start(received, watcher)).await {
            Ok(body) => body,
            Err((error, finished)) => return failed(&error, shape, *finished),
        },
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

/// How the answer is to be watched; `None` for bytes without structure.
fn framing(received: &Received) -> Option<Framing> {
    let content_type = received.response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let json = content_type.is_some_and(|value| value.starts_with("application/json"));
    match received.request.framing.as_str() {
        "sse" if !json => Some(Framing::Sse),
        "sse" | "json" => Some(Framing::Json),
        _ => None,
    }
}

/// The headers of the answer that the client is sent.
fn client_headers(received: &Received, finished: &Finished) -> HeaderMap {
    let Received { response, scrubber, request, .. } = received;
    let answer = response.headers();
    let mut headers = HeaderMap::with_capacity(answer.len() + 4);
    for (name, value) in answer_headers(answer) {
        let value =
            scrubber.as_ref().map_or_else(|| value.clone(), |scrubber| scrubber.scrub_header(value).into_owned());
        headers.append(name, value);
    }
    let ours = [
        ("x-bitrouter-request-id", &*finished.id),
        ("x-bitrouter-provider", &*finished.provider),
        ("x-bitrouter-account", &*finished.account),
        ("x-bitrouter-model", finished.model.as_str()),
    ];
    for (name, value) in ours {
        // A model's name may hold what no header can; it is left out then.
        if !value.is_empty()
            && let Ok(value) = HeaderValue::from_str(value)
        {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    headers.insert(HeaderName::from_static("x-bitrouter-attempts"), HeaderValue::from(finished.attempts));
    if !request.dropped.is_empty() {
        let dropped = request.dropped.iter().take(MAX_DROPPED).map(|pointer| pointer.trim_start_matches('/'));
        if let Ok(value) = HeaderValue::from_str(&dropped.collect::<Vec<_>>().join(", ")) {
            headers.insert(HeaderName::from_static("x-bitrouter-dropped"), value);
        }
    }
    headers
}

/// An answer that is not a success: the component says what it means, and the client gets it as it came.
async fn explained(received: Received, mut finished: Finished) -> Response {
    let mut headers = client_headers(&received, &finished);
    let Received { provider, endpoint, request, scrubber, response, .. } = received;
    let status = response.status();
    let (answer, body) = match answer(response, scrubber.as_deref()).await {
        Ok(answer) => answer,
        Err(reason) => {
            return failed(&Error::Broken { provider: provider.id().to_owned(), reason }, endpoint.shape, finished);
        }
    };
    let explained = provider.plugin.explain(&Trouble::Answer(answer), &request.memo, scrubber).await;
    let message = match explained {
        Ok(failure) => {
            if let Some(after) = failure.retry_after_ms
                && !headers.contains_key(RETRY_AFTER)
            {
                headers.insert(RETRY_AFTER, HeaderValue::from(after.div_ceil(1000)));
            }
            format!("{status}, {} of {}: {}", failure.kind, failure.scope, failure.message)
        }
        Err(error) => {
            tracing::warn!(provider = provider.id(), %error, "a component could not explain a failure");
            format!("{status}")
        }
    };
    finished.status = status.as_u16();
    finished.outcome = crate::telemetry::Outcome::Failed(message);
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(status.as_u16()).unwrap_or(StatusCode::BAD_GATEWAY);
    *response.headers_mut() = headers;
    response
}

/// Reads an answer that the host needs in one piece: as a component sees it, and its bytes, both scrubbed. An error page
/// longer than a megabyte is cut.
pub(super) async fn answer(
    response: http::Response<upstream::Received>,
    scrubber: Option<&Scrubber>,
) -> Result<(contract::Answer, Bytes), String> {
    read(response, scrubber, MOST, SHOWN).await
}

/// Reads the answer of a side request, of which a component sees more.
pub(super) async fn page(
    response: http::Response<upstream::Received>,
    scrubber: Option<&Scrubber>,
) -> Result<contract::Answer, String> {
    read(response, scrubber, PAGE + SCRUB_MARGIN, PAGE).await.map(|(page, _)| page)
}

async fn read(
    response: http::Response<upstream::Received>,
    scrubber: Option<&Scrubber>,
    most: usize,
    shown: usize,
) -> Result<(contract::Answer, Bytes), String> {
    let (head, mut body) = response.into_parts();
    let mut bytes = BytesMut::new();
    let idle = std::time::Duration::from_secs(30);
    while bytes.len() < most {
        match tokio::time::timeout(idle, body.frame()).await {
            Ok(None) => break,
            Ok(Some(Ok(frame))) => {
                if let Some(data) = frame.data_ref() {
                    bytes.extend_from_slice(data);
                }
            }
            Ok(Some(Err(error))) => return Err(format!("the answer broke off: {error}")),
            Err(_) => return Err(format!("the answer stalled for {} s", idle.as_secs())),
        }
    }
    let cut = bytes.len() >= most;
    let bytes = bytes.freeze();
    let mut bytes = scrubber.map_or(bytes.clone(), |scrubber| scrubber.scrub_bytes(bytes));
    if cut {
        // A secret that lies across the cut is not found above: the answer ends before it could begin.
        bytes.truncate(bytes.len().saturating_sub(SCRUB_MARGIN));
    }
    let headers = answer_headers(&head.headers).filter_map(|(name, value)| {
        let value = value.to_str().ok()?;
        let value = scrubber.map_or(value.into(), |scrubber| scrubber.scrub_text(value));
        Some(Field { name: name.as_str().to_owned(), value: value.into_owned() })
    });
    let truncated = cut || bytes.len() > shown;
    let shown = &bytes[..bytes.len().min(shown)];
    let answer = contract::Answer {
        status: head.status.as_u16(),
        headers: headers.collect(),
        body: String::from_utf8_lossy(shown).into_owned(),
        truncated,
    };
    Ok((answer, bytes))
}
