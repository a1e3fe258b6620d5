//! What the server calls for each request: the guard first, then the pipeline at once for a call, and axum's router for
//! every other page.
//!
//! A call does not go through the router: on the way it would be boxed and moved three times, and its future is large.

use std::cell::RefCell;
use std::convert::Infallible;
use std::future::{pending, ready};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant, SystemTime};

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::Request;
use http::header::{CONNECTION, DATE, HeaderValue, ORIGIN};
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use tower::ServiceExt;

use super::connections::{Seat, UnderWay};
use super::endpoints;
use super::websocket::{self, Opened, Sockets};
use crate::app::Live;
use crate::call::destination::Destination;
use crate::call::{Endpoint, destination, guard, query, reply, request_id};
use crate::caller::Caller;
use crate::error::Error;
use crate::telemetry::Requests;

/// The service of a gateway. A clone shares everything.
#[derive(Clone)]
pub struct Service {
    live: Arc<Live>,
    pages: Router,
    sockets: Sockets,
}

/// All answers under way, whatever is reloaded.
pub(super) struct Streams(Arc<Requests>);

impl Streams {
    /// Ends each and tells its client.
    pub(super) fn stop(&self) {
        self.0.in_flight.stop();
    }
}

/// What a connection serves once it is no HTTP any more, if that comes.
pub(super) type After = Mutex<Option<Pin<Box<dyn Future<Output = ()> + Send>>>>;

type Answering = Pin<Box<dyn Future<Output = Result<http::Response<TrackedBody>, Infallible>> + Send>>;

impl Service {
    /// The service of this gateway.
    pub fn new(live: Arc<Live>) -> Self {
        Service { pages: endpoints::pages(Arc::clone(&live)), live, sockets: Sockets::new() }
    }

    /// What is under way.
    pub(super) fn streams(&self) -> Streams {
        Streams(Arc::clone(&self.live.now().requests))
    }

    /// The WebSockets that are open.
    pub(super) fn sockets(&self) -> Sockets {
        self.sockets.clone()
    }

    /// How many connections the config allows.
    pub(super) fn connections(&self) -> u64 {
        self.live.now().config.server.connections
    }

    /// Answers a request that came on this connection. What follows on it where it is no HTTP any more is put into `after`.
    pub(super) fn answer(&self, mut request: Request<Incoming>, seat: &Arc<Seat>, after: &After) -> Answering {
        // The connection is being closed for its silence: whoever asks now will ask on another.
        let Some(under_way) = seat.begin() else { return Box::pin(pending()) };
        let app = self.live.now();
        let caller = match app.guard.admit(&request) {
            Ok(caller) => caller,
            Err(refused) => return Box::pin(ready(Ok(sent(refused, under_way)))),
        };
        let origin = request.headers().get(ORIGIN).cloned();
        let answer: Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>> = match destination::of(&request)
        {
            Destination::Call(endpoint) | Destination::Socket(endpoint) if under_way.is_beyond() => {
                Box::pin(ready(Ok(crowded(endpoint))))
            }
            Destination::Object(object) if under_way.is_beyond() => Box::pin(ready(Ok(crowded(object.endpoint)))),
            Destination::Object(object) => {
                return Box::pin(async move {
                    let answer = endpoints::about_object(app, *object, caller, request).await?;
                    Ok(sent(readable(answer, origin), under_way))
                });
            }
            Destination::Call(endpoint) => {
                return Box::pin(async move {
                    let answer = endpoints::answer(app, endpoint, caller, request).await?;
                    Ok(sent(readable(answer, origin), under_way))
                });
            }
            Destination::Socket(endpoint) => {
                let answer = self.open(endpoint, caller, &mut request, seat, after);
                Box::pin(ready(Ok(answer)))
            }
            Destination::Page => {
                request.extensions_mut().insert(caller);
                Box::pin(self.pages.clone().oneshot(request.map(Body::new)))
            }
            Destination::Elsewhere(refused) => Box::pin(ready(Ok(*refused))),
        };
        Box::pin(async move { Ok(sent(readable(answer.await?, origin), under_way)) })
    }
}

impl Service {
    /// Answers the handshake of a WebSocket.
    fn open(
        &self,
        endpoint: &'static Endpoint,
        caller: Caller,
        request: &mut Request<Incoming>,
        seat: &Arc<Seat>,
        after: &After,
    ) -> Response {
        let (response, upgraded) = match websocket::upgrade(request) {
            Ok(opened) => opened,
            Err(error) => return reply::error(&error, endpoint.shape, &request_id()),
        };
        let query = request.uri().query().and_then(|query| query::without_ours(query, false));
        let (live, headers) = (Arc::clone(&self.live), std::mem::take(request.headers_mut()));
        let opened = Opened { live, endpoint, caller, headers, query };
        let serving = websocket::serve(upgraded, opened, Arc::clone(seat), self.sockets.open());
        *after.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::pin(serving));
        response
    }
}

/// As many are busy as may be.
fn crowded(endpoint: &Endpoint) -> Response {
    let mut refused = reply::error(&Error::Crowded, endpoint.shape, &request_id());
    refused.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    refused
}

/// What the page at this origin may read. Only an allowed origin comes this far.
fn readable(response: Response, origin: Option<HeaderValue>) -> Response {
    match origin {
        None => response,
        Some(origin) => guard::allow(response, origin),
    }
}

/// An answer on its way out.
fn sent(mut response: Response, under_way: UnderWay) -> http::Response<TrackedBody> {
    response.headers_mut().entry(DATE).or_insert_with(date);
    response.map(|body| TrackedBody { body, _under_way: under_way })
}

/// The time for `Date`. hyper's own stays in the future after the clock was set back.
fn date() -> HeaderValue {
    const LASTS: Duration = Duration::from_millis(500);
    thread_local!(static MADE: RefCell<Option<(Instant, HeaderValue)>> = const { RefCell::new(None) });
    MADE.with_borrow_mut(|made| match made {
        Some((at, date)) if at.elapsed() < LASTS => date.clone(),
        _ => {
            let text = httpdate::fmt_http_date(SystemTime::now());
            let date = HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static(""));
            made.insert((Instant::now(), date)).1.clone()
        }
    })
}

/// An answer's body. As long as it is there, its connection is busy.
pub(super) struct TrackedBody {
    body: Body,
    _under_way: UnderWay,
}

impl http_body::Body for TrackedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
