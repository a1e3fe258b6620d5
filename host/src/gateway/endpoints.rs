//! What is answered at each path: a call goes to the pipeline once its body has been read, and a page is written here.

use std::convert::Infallible;
use std::sync::Arc;

use axum::response::Response;
use axum::routing::get;
use axum::{Json, Router};
use bitrouter_document::{Document, Kind};
use bitrouter_route::Addresses;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{Method, Request};
use hyper::body::Incoming;
use serde_json::json;

use super::body::Rules;
use super::{apart, body, models, multipart, responses};
use crate::app::{App, Live};
use crate::call::resource::Resource;
use crate::call::{Call, CallBody, Endpoint, ModelIn, Object, destination, query, reply, request_id};
use crate::caller::Caller;
use crate::error::Error;
use crate::pipeline;
use crate::telemetry::{Outcome, RequestRecord};

/// A longer body is looked through apart: it takes milliseconds.
pub(super) const LONG: usize = 4 << 20;

/// Everything that the gateway answers beside calls.
pub(super) fn pages(live: Arc<Live>) -> Router {
    Router::new()
        .route("/", get(about))
        .route("/health", get(health))
        .route("/v1/models", get(models::list))
        .route("/v1/models/{*model}", get(models::one))
        .route("/v1beta/models", get(models::list))
        .route("/v1beta/models/{*model}", get(models::one))
        .with_state(live)
}

async fn about() -> String {
    format!("BitRouter {}. Point your client at /v1.\n", env!("CARGO_PKG_VERSION"))
}

async fn health() -> Json<serde_json::Value> {
    Json(json!({"status": "ok"}))
}

/// Answers a call.
pub(super) async fn answer(
    app: Arc<App>,
    endpoint: &'static Endpoint,
    caller: Caller,
    request: Request<Incoming>,
) -> Result<Response, Infallible> {
    let record = RequestRecord::start(&app.requests, request_id(), caller, endpoint.dialect);
    let call = read(&app, endpoint, caller, request).await;
    Ok(run(app, call, endpoint, record).await)
}

/// Answers a request about an object: the gateway itself, for a response that it keeps, else whoever made it.
pub(super) async fn about_object(
    app: Arc<App>,
    object: Object,
    caller: Caller,
    request: Request<Incoming>,
) -> Result<Response, Infallible> {
    if let Some(kept) = responses::kept(&app, caller, &object, request.uri().query()) {
        return Ok(kept);
    }
    let endpoint = object.endpoint;
    let record = RequestRecord::start(&app.requests, request_id(), caller, endpoint.dialect);
    let call = read_object(&app, object, caller, request).await;
    Ok(run(app, call, endpoint, record).await)
}

async fn run(
    app: Arc<App>,
    call: Result<Box<Call>, Error>,
    endpoint: &'static Endpoint,
    mut record: Box<RequestRecord>,
) -> Response {
    match call {
        Ok(call) => pipeline::run(app, call, record).await,
        Err(error) => {
            let response = reply::error(&error, endpoint.shape, &record.id);
            record.status = response.status().as_u16();
            record.outcome = Outcome::Failed(error.to_string());
            response
        }
    }
}

/// Reads a request about an object. Its body is nobody's business here: it goes up as it came.
async fn read_object(
    app: &App,
    object: Object,
    caller: Caller,
    request: Request<Incoming>,
) -> Result<Box<Call>, Error> {
    let (head, body) = request.into_parts();
    let content_type = head.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let content_type = content_type.unwrap_or("application/octet-stream").to_owned();
    let body = match object.method {
        Method::POST => {
            let bytes = body::read(&head.headers, body, Rules::of(&app.config.server), &app.bodies).await?;
            match bytes.is_empty() {
                true => CallBody::None,
                false => CallBody::Opaque { content_type, bytes },
            }
        }
        _ => CallBody::None,
    };
    let query = head.uri.query().and_then(|query| query::without_ours(query, false));
    Ok(Box::new(Call {
        endpoint: object.endpoint,
        caller,
        streaming: query::is_set(query.as_deref(), "stream"),
        query,
        headers: head.headers,
        addresses: object.endpoint.operation.to_owned().into(),
        as_array: false,
        body,
        continued: None,
        socket: None,
        object: Some(object),
    }))
}

/// Reads a call's body and finds its model.
async fn read(
    app: &App,
    endpoint: &'static Endpoint,
    caller: Caller,
    request: Request<Incoming>,
) -> Result<Box<Call>, Error> {
    let (head, body) = request.into_parts();
    let content_type = head.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let is_json = essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"));
    let is_form = endpoint.form && essence == "multipart/form-data";
    if !is_json && !is_form {
        let came =
            if essence.is_empty() { "not set".to_owned() } else { format!("`{}`", destination::shown(&essence)) };
        let taken = if endpoint.form { "application/json or multipart/form-data" } else { "application/json" };
        return Err(Error::ContentType(came, taken));
    }
    let content_type = content_type.to_owned();
    let bytes = body::read(&head.headers, body, Rules::of(&app.config.server), &app.bodies).await?;
    let long = bytes.len() > LONG;
    let in_path = match endpoint.model {
        ModelIn::Path { streams } => {
            let model = Resource::of(head.uri.path()).map(|resource| resource.model);
            Some((Addresses::one(model.unwrap_or_default())?, streams))
        }
        ModelIn::Body | ModelIn::BodyOrNowhere => None,
    };
    let google = in_path.is_some();
    let find = move || match in_path {
        Some((addresses, streaming)) => {
            let body = CallBody::Json(Document::parse(bytes)?);
            Ok(ReadBody { addresses: Some(addresses), streaming, body })
        }
        None if is_json => read_document(Document::parse(bytes)?),
        None => read_form(content_type, &bytes),
    };
    let ReadBody { addresses, streaming, body } = match long {
        true => apart::run(async move { find() }).await?,
        false => find()?,
    };
    let addresses = match addresses {
        Some(addresses) => addresses,
        None if endpoint.model == ModelIn::BodyOrNowhere => models::usual(app, endpoint).await?,
        None => return Err(Error::NoModel),
    };
    let as_array = google && streaming && !query::wants_events(head.uri.query());
    let query = head.uri.query().and_then(|query| query::without_ours(query, google));
    Ok(Box::new(Call {
        endpoint,
        caller,
        headers: head.headers,
        query,
        addresses,
        streaming,
        as_array,
        body,
        continued: None,
        socket: None,
        object: None,
    }))
}

/// What a body says.
pub(super) struct ReadBody {
    /// None where it names no model.
    pub(super) addresses: Option<Addresses>,
    streaming: bool,
    pub(super) body: CallBody,
}

/// What a body of JSON says.
pub(super) fn read_document(mut document: Document) -> Result<ReadBody, Error> {
    let addresses = Addresses::take(&mut document)?;
    let streaming = match document.kind("/stream")? {
        None | Some(Kind::Null) => false,
        Some(Kind::Boolean) => document.boolean("stream")?.unwrap_or(false),
        Some(found) => {
            let problem = format!("is of type {found}: it takes true or false");
            return Err(Error::Member { name: "stream", problem });
        }
    };
    Ok(ReadBody { addresses, streaming, body: CallBody::Json(document) })
}

fn read_form(content_type: String, bytes: &Bytes) -> Result<ReadBody, Error> {
    let form = multipart::read(&content_type, bytes)?;
    let body = CallBody::Form { content_type, bytes: form.bytes, model_at: form.at };
    Ok(ReadBody { addresses: form.addresses, streaming: form.streaming, body })
}
