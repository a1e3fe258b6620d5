//! What the server calls for each request: the guard first, then the pipeline at once for a call, and axum's router for
//! every other page.
//!
//! A call does not go through the router: on the way it would be boxed and moved three times, and its future is large.

use std::convert::Infallible;
use std::future::ready;
use std::pin::Pin;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use http::Request;
use http::header::ORIGIN;
use hyper::body::Incoming;
use tower::ServiceExt;

use super::endpoints;
use super::guard::Guard;
use crate::app::Live;

/// The door and all that is behind it. A clone shares everything.
#[derive(Clone)]
pub struct Front {
    live: Arc<Live>,
    pages: Router,
}

type Answering = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

impl Front {
    /// The door of this gateway.
    pub fn new(live: Arc<Live>) -> Self {
        Front { pages: endpoints::pages(Arc::clone(&live)), live }
    }
}

impl hyper::service::Service<Request<Incoming>> for Front {
    type Response = Response;
    type Error = Infallible;
    type Future = Answering;

    fn call(&self, request: Request<Incoming>) -> Answering {
        let app = self.live.now();
        if let Err(refused) = app.guard.admit(&request) {
            return Box::pin(ready(Ok(refused)));
        }
        let origin = request.headers().get(ORIGIN).cloned();
        let answer: Answering = match endpoints::called(&request) {
            Some(endpoint) => Box::pin(endpoints::answer(app, endpoint, request)),
            None => Box::pin(self.pages.clone().oneshot(request.map(Body::new))),
        };
        match origin {
            None => answer,
            Some(origin) => Box::pin(async move { Ok(Guard::allow(answer.await?, origin)) }),
        }
    }
}
