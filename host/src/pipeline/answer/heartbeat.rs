//! Keeps the client of a slow stream awake: after a while the head and a heartbeat leave, so that neither the client nor a
//! proxy in between gives up. Failover goes on behind it; only where every target fails does the client read an error, as
//! an event of its own dialect.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bitrouter_dialect::{ApiError, Dialect, ErrorKind, Position};
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http_body::{Body as _, Frame};
use tokio::time::{Instant, Interval};

use super::Broken;
use super::deadlines::HEARTBEAT_EVERY;
use crate::pipeline::{PendingAnswer, deliver};
use crate::telemetry::{Answering, RequestUnderWay};

/// How long a call waits before its head and the first heartbeat leave.
pub(in crate::pipeline) const FIRST_AFTER: Duration = HEARTBEAT_EVERY;
/// How long a client may read nothing before its call is given up.
const UNREAD: Duration = Duration::from_secs(60);

/// The answer to a call that no target has answered yet.
pub(in crate::pipeline) fn answer(
    pending: PendingAnswer,
    shape: Dialect,
    request_id: &Arc<str>,
    under_way: &RequestUnderWay,
) -> Response {
    let beat = Bytes::from_static(shape.heartbeat());
    let mut beats = tokio::time::interval_at(Instant::now() + HEARTBEAT_EVERY, HEARTBEAT_EVERY);
    beats.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let waiting = Arc::new(Mutex::new(Waiting {
        first: Some(beat.clone()),
        beat,
        beats,
        shape,
        id: Arc::clone(request_id),
        state: StreamState::Under(pending),
        asked: Instant::now(),
        waker: None,
    }));
    let answering: Arc<Mutex<dyn Answering>> = Arc::<Mutex<Waiting>>::clone(&waiting);
    under_way.answers(Arc::downgrade(&answering));
    let mut response = Response::new(Body::new(Shared(waiting)));
    let headers = response.headers_mut();
    deliver::as_event_stream(headers);
    if let Ok(id) = HeaderValue::from_str(request_id) {
        headers.insert("x-bitrouter-request-id", id);
    }
    response
}

/// What the server polls.
struct Shared(Arc<Mutex<Waiting>>);

struct Waiting {
    first: Option<Bytes>,
    beat: Bytes,
    beats: Interval,
    shape: Dialect,
    id: Arc<str>,
    state: StreamState,
    /// When the server last asked for something.
    asked: Instant,
    waker: Option<Waker>,
}

enum StreamState {
    /// No target has answered yet.
    Under(PendingAnswer),
    /// One has.
    Answered(Body),
    /// The last event, and then the end that says that it is none.
    Broken(Option<Bytes>, Option<Broken>),
    /// Nothing more comes.
    Over,
}

impl http_body::Body for Shared {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        // A poll that panicked takes its connection with it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner).poll(context)
    }
}

impl Waiting {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(Frame::data(first))));
        }
        loop {
            match &mut self.state {
                StreamState::Under(pending) => match pending.as_mut().poll(context) {
                    Poll::Pending => {
                        self.asked = Instant::now();
                        self.waker = Some(context.waker().clone());
                        return self.beats.poll_tick(context).map(|_| Some(Ok(Frame::data(self.beat.clone()))));
                    }
                    Poll::Ready(Ok(response)) if is_stream(&response) => {
                        self.state = StreamState::Answered(response.into_body());
                    }
                    Poll::Ready(Ok(_)) => {
                        let sentence = "the upstream answered with a document where a stream was asked for";
                        return self.tells(ApiError::new(ErrorKind::Upstream, sentence));
                    }
                    Poll::Ready(Err(exhausted)) => {
                        let event = exhausted.failed.event(self.shape, exhausted.record);
                        self.state = StreamState::Over;
                        return Poll::Ready(Some(Ok(Frame::data(event))));
                    }
                },
                StreamState::Answered(body) => return Pin::new(body).poll_frame(context),
                StreamState::Broken(event, broken) => match (event.take(), broken.take()) {
                    (Some(event), broken) => {
                        self.state = StreamState::Broken(None, broken);
                        return Poll::Ready(Some(Ok(Frame::data(event))));
                    }
                    (None, Some(broken)) => {
                        self.state = StreamState::Over;
                        return Poll::Ready(Some(Err(axum::Error::new(broken))));
                    }
                    (None, None) => self.state = StreamState::Over,
                },
                StreamState::Over => return Poll::Ready(None),
            }
        }
    }

    /// The last event.
    fn tells(&mut self, error: ApiError) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.state = StreamState::Over;
        Poll::Ready(Some(Ok(Frame::data(error.as_event(self.shape, &Position::default())))))
    }

    /// Ends the call, if no target has answered yet.
    fn end(&mut self, broken: Broken) {
        if let StreamState::Under(_) = self.state {
            let mut error = ApiError::new(ErrorKind::Unavailable, broken.to_string());
            error.request_id = Some(self.id.to_string());
            let event = error.as_event(self.shape, &Position::default());
            self.state = StreamState::Broken(Some(event), Some(broken));
            if let Some(waker) = self.waker.take() {
                waker.wake();
            }
        }
    }
}

impl Answering for Waiting {
    fn look(&mut self) {
        if self.asked.elapsed() > UNREAD {
            self.end(Broken::Unread(UNREAD));
        }
    }

    fn stop(&mut self) {
        self.end(Broken::Stopping);
    }
}

fn is_stream(response: &Response) -> bool {
    let content_type = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    content_type.is_none_or(|value| !value.starts_with("application/json"))
}

#[cfg(test)]
mod tests;
