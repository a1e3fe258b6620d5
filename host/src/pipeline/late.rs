//! A stream whose content is long in coming: after a while its head and a heartbeat leave, so that the client and whatever
//! stands in between stay awake. What goes on behind it may still fail over; only where every target fails does the
//! client read an error, as an event of its own dialect.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bitrouter_dialect::{ApiError, Dialect, ErrorKind};
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use http_body::Frame;
use tokio::time::Interval;

use super::Travel;

/// How long nothing is said. Proxies in between close what is silent for a minute, clients often sooner.
pub(super) const PATIENCE: Duration = Duration::from_secs(15);

/// The answer to a call whose journey is still under way.
pub(super) fn answer(travel: Travel, shape: Dialect, request_id: &Arc<str>) -> Response {
    let beat = Bytes::from_static(shape.heartbeat());
    let mut beats = tokio::time::interval_at(tokio::time::Instant::now() + PATIENCE, PATIENCE);
    beats.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let waiting = Waiting { first: Some(beat.clone()), beat, beats, shape, state: State::Under(travel) };
    let mut response = Response::new(Body::new(waiting));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    if let Ok(id) = HeaderValue::from_str(request_id) {
        headers.insert("x-bitrouter-request-id", id);
    }
    response
}

struct Waiting {
    first: Option<Bytes>,
    beat: Bytes,
    beats: Interval,
    shape: Dialect,
    state: State,
}

enum State {
    /// No target has answered yet.
    Under(Travel),
    /// One has.
    Answered(Body),
    /// Nothing more comes.
    Over,
}

impl http_body::Body for Waiting {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = &mut *self;
        if let Some(first) = this.first.take() {
            return Poll::Ready(Some(Ok(Frame::data(first))));
        }
        loop {
            match &mut this.state {
                State::Under(travel) => match travel.as_mut().poll(context) {
                    Poll::Pending => {
                        return this.beats.poll_tick(context).map(|_| Some(Ok(Frame::data(this.beat.clone()))));
                    }
                    Poll::Ready(Ok(response)) if is_stream(&response) => {
                        this.state = State::Answered(response.into_body());
                    }
                    Poll::Ready(Ok(_)) => {
                        let sentence = "the upstream answered with a document where a stream was asked for";
                        let event = ApiError::new(ErrorKind::Upstream, sentence).as_event(this.shape, 0);
                        this.state = State::Over;
                        return Poll::Ready(Some(Ok(Frame::data(event))));
                    }
                    Poll::Ready(Err(spent)) => {
                        let event = spent.failed.event(this.shape, spent.finished);
                        this.state = State::Over;
                        return Poll::Ready(Some(Ok(Frame::data(event))));
                    }
                },
                State::Answered(body) => return Pin::new(body).poll_frame(context),
                State::Over => return Poll::Ready(None),
            }
        }
    }
}

fn is_stream(response: &Response) -> bool {
    let content_type = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    content_type.is_none_or(|value| !value.starts_with("application/json"))
}
