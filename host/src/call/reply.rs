//! Writing an error in the shape of the client's dialect.

use axum::response::Response;
use bitrouter_dialect::{ApiError, Dialect};
use http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use http::{HeaderName, StatusCode};

use crate::error::Error;

/// The gateway's id of the request, on every answer.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-bitrouter-request-id");

/// The HTTP answer for an error.
pub fn error(error: &Error, dialect: Dialect, request_id: &str) -> Response {
    written(&error.to_api(request_id), dialect, request_id)
}

/// The HTTP answer for an error that is in words already.
pub fn written(api: &ApiError, dialect: Dialect, request_id: &str) -> Response {
    let mut response = Response::new(axum::body::Body::from(api.body(dialect)));
    *response.status_mut() = StatusCode::from_u16(api.status_in(dialect)).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(after) = api.retry_after {
        headers.insert(RETRY_AFTER, HeaderValue::from(after));
    }
    if let Ok(id) = HeaderValue::from_str(request_id) {
        headers.insert(REQUEST_ID, id);
    }
    response
}
