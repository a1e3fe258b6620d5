//! An answer that comes as a stream to a client that asked for none: read to its end and answered as one document. The
//! way back (`deliver`) calls it where the component described the delivery `fold`. Nothing reaches the client before
//! the whole is there, so an error inside the stream still gets its own status.

use std::time::{SystemTime, UNIX_EPOCH};

use axum::body::Body;
use axum::response::Response;
use bitrouter_dialect::{ApiError, Dialect, ErrorKind, Fold, FoldError, StreamError};
use bytes::Bytes;
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};

use super::watch::Watcher;
use super::{Received, explain, failed};
use crate::credential::ScrubStream;
use crate::error::{self, Error};
use crate::plugin::contract::Failure;
use crate::telemetry::{Finished, Outcome};
use crate::upstream::{Answer, AnswerBody, Watch};

/// Feeds the fold beside the watcher.
struct Folding {
    watcher: Watcher,
    fold: Fold,
}

impl Watch for Folding {
    fn bytes(&mut self, bytes: &[u8]) {
        self.watcher.bytes(bytes);
        self.fold.feed(bytes);
    }

    fn end(&mut self, error: Option<&str>) {
        self.watcher.end(error);
    }
}

/// Reads the answer and makes the client's of it; `headers` are those that the client is sent.
pub(super) async fn deliver(received: Received, watcher: Watcher, headers: HeaderMap) -> Response {
    let Received { provider, endpoint, request, scrubber, response, sent, .. } = received;
    let shape = endpoint.shape;
    let folding = Folding { watcher, fold: Fold::new(shape) };
    let scrub = scrubber.clone().map(ScrubStream::new);
    let answer = Answer::new(response.into_body(), scrub, folding, provider.deadlines, sent, false);
    let (read, Folding { mut watcher, fold }) = answer.read_until(|folding| folding.fold.is_settled()).await;
    let broken = |reason: String| Error::Broken { provider: provider.id().to_owned(), reason };
    if let Err(lost) = read
        && !fold.is_settled()
    {
        return failed(&broken(lost.to_string()), shape, watcher.into_finished());
    }
    match fold.finish() {
        Ok(document) => {
            watcher.answered(StatusCode::OK);
            reply(StatusCode::OK, headers, AnswerBody::Whole { bytes: document, _watch: watcher })
        }
        Err(FoldError::Failed(event)) => {
            let explained = explain::event(&provider, &request.memo, scrubber, &event.raw).await;
            event_reply(&event, explained, shape, headers, watcher.into_finished())
        }
        Err(other) => failed(&broken(other.to_string()), shape, watcher.into_finished()),
    }
}

/// An error event as the answer that it would have been without a stream: the upstream's own words where they are whole.
fn event_reply(
    event: &StreamError,
    explained: Option<Failure>,
    shape: Dialect,
    mut headers: HeaderMap,
    mut finished: Finished,
) -> Response {
    let sentence = explained.as_ref().map(explain::sentence);
    let mut error = api_error(event, explained);
    error.request_id = Some(finished.id.to_string());
    let status = StatusCode::from_u16(error.status_in(shape)).unwrap_or(StatusCode::BAD_GATEWAY);
    if let Some(seconds) = retry_after(&error)
        && !headers.contains_key(RETRY_AFTER)
    {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    finished.status = status.as_u16();
    finished.outcome = Outcome::Failed(sentence.unwrap_or_else(|| event.error.message.clone()));
    let body = event.body(shape).unwrap_or_else(|| error.body(shape));
    reply(status, headers, http_body_util::Full::new(body))
}

fn reply<B>(status: StatusCode, headers: HeaderMap, body: B) -> Response
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<axum::BoxError>,
{
    let mut response = Response::new(Body::new(body));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// What the event says, and above it what the component says of it.
fn api_error(event: &StreamError, explained: Option<Failure>) -> ApiError {
    let read = &event.error;
    let mut error = ApiError::new(read.kind, read.message.clone());
    error.code.clone_from(&read.code);
    error.param.clone_from(&read.param);
    error.retry_after = read.retry_after;
    error.resets_at = read.resets_at;
    if let Some(failure) = explained {
        let kind = error::refusal(&failure.kind);
        if kind != ErrorKind::Upstream {
            (error.kind, error.status) = (kind, kind.status());
        }
        if !failure.message.is_empty() {
            error.message = failure.message;
        }
        error.code = error.code.or(failure.code);
        error.retry_after = failure.retry_after_ms.map(|after| after.div_ceil(1000)).or(error.retry_after);
        error.resets_at = failure.resets_at.or(error.resets_at);
    }
    error
}

/// Seconds after which to try again: as it was said, else until the limit is reset.
fn retry_after(error: &ApiError) -> Option<u64> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    error.retry_after.or_else(|| error.resets_at?.checked_sub(now)).filter(|seconds| *seconds > 0)
}
