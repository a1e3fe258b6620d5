//! The paths that clients know, and what a call is once its body has been read.

use std::convert::Infallible;
use std::hash::{BuildHasher, RandomState};
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use bitrouter_dialect::Dialect;
use bitrouter_document::{Document, Kind};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, Method, Request};
use hyper::body::Incoming;
use serde_json::json;

use super::{body, multipart, reply};
use crate::app::{App, Live};
use crate::error::Error;
use crate::pipeline;
use crate::route::{Addresses, Wanted};
use crate::telemetry::{Finished, Outcome};

/// One path that takes calls.
#[derive(Debug)]
pub struct Endpoint {
    /// The path.
    pub path: &'static str,
    /// The contract's name of the operation.
    pub operation: &'static str,
    /// The contract's name of the body's dialect.
    pub dialect: &'static str,
    /// The dialect whose events and error shapes apply.
    pub shape: Dialect,
    /// Whether a multipart form is taken beside JSON.
    pub form: bool,
}

const fn json(path: &'static str, operation: &'static str, dialect: &'static str, shape: Dialect) -> Endpoint {
    Endpoint { path, operation, dialect, shape, form: false }
}

const fn openai(path: &'static str, operation: &'static str, form: bool) -> Endpoint {
    Endpoint { path, operation, dialect: "openai", shape: Dialect::ChatCompletions, form }
}

static ENDPOINTS: [Endpoint; 14] = [
    json("/v1/chat/completions", "generate", "chat-completions", Dialect::ChatCompletions),
    json("/v1/responses", "generate", "responses", Dialect::Responses),
    json("/v1/responses/compact", "compact", "responses", Dialect::Responses),
    json("/v1/responses/input_tokens", "count-tokens", "responses", Dialect::Responses),
    json("/v1/messages", "generate", "messages", Dialect::Messages),
    openai("/v1/embeddings", "embeddings", false),
    openai("/v1/completions", "completions", false),
    openai("/v1/moderations", "moderations", false),
    openai("/v1/images/generations", "images/generations", false),
    openai("/v1/images/edits", "images/edits", true),
    openai("/v1/images/variations", "images/variations", true),
    openai("/v1/audio/speech", "audio/speech", false),
    openai("/v1/audio/transcriptions", "audio/transcriptions", true),
    openai("/v1/audio/translations", "audio/translations", true),
];

/// The catalogue that a provider's own client asks for: a call without a body.
static CATALOGUE: Endpoint = json("/v1/models", "models", "responses", Dialect::Responses);

impl Endpoint {
    /// What it wants of a provider.
    pub fn wanted(&self) -> Wanted<'static> {
        Wanted { operation: self.operation, dialect: self.dialect }
    }
}

/// A client's call, read and checked as far as routing needs.
pub struct Call {
    /// Where it came in.
    pub endpoint: &'static Endpoint,
    /// The client's headers.
    pub headers: HeaderMap,
    /// The client's query string.
    pub query: Option<String>,
    /// The addresses of its models, as the client wrote them.
    pub addresses: Addresses,
    /// Whether the client asked for a stream.
    pub streaming: bool,
    /// What it sent.
    pub body: CallBody,
}

/// A call's body. A clone shares its bytes.
#[derive(Clone, Default)]
pub enum CallBody {
    /// A JSON object.
    Json(Document),
    /// A multipart form, kept as it came.
    Form {
        /// With the boundary.
        content_type: String,
        /// All of it.
        bytes: Bytes,
        /// Where the model's name stands.
        model_at: Range<usize>,
    },
    /// None.
    #[default]
    None,
}

impl CallBody {
    /// Its length in bytes, as it came.
    pub fn len(&self) -> usize {
        match self {
            CallBody::Json(document) => document.body_len(),
            CallBody::Form { bytes, .. } => bytes.len(),
            CallBody::None => 0,
        }
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The endpoint that a request calls, if it is a call.
pub(super) fn called<B>(request: &Request<B>) -> Option<&'static Endpoint> {
    let path = request.uri().path();
    ENDPOINTS.iter().find(|endpoint| endpoint.path == path && request.method() == Method::POST)
}

/// The endpoint at a path, for who asks without a request.
pub fn endpoint(path: &str) -> Option<&'static Endpoint> {
    ENDPOINTS.iter().find(|endpoint| endpoint.path == path)
}

/// The paths of all endpoints.
pub fn paths() -> impl Iterator<Item = &'static str> {
    ENDPOINTS.iter().map(|endpoint| endpoint.path)
}

/// Everything that the gateway answers beside calls.
pub(super) fn pages(live: Arc<Live>) -> Router {
    Router::new()
        .route("/", get(about))
        .route("/health", get(health))
        .route("/v1/models", get(models))
        .fallback(unknown)
        .method_not_allowed_fallback(unknown)
        .with_state(live)
}

/// The dialect in which an error on this path is written.
pub(super) fn dialect_of(path: &str) -> Dialect {
    endpoint(path).map_or(Dialect::ChatCompletions, |endpoint| endpoint.shape)
}

/// Unique among all requests of all gateways, for practical purposes: a random start, then counting.
pub(super) fn request_id() -> Arc<str> {
    static START: LazyLock<u64> = LazyLock::new(|| RandomState::new().hash_one("request"));
    static COUNT: AtomicU64 = AtomicU64::new(0);
    format!("req_{:016x}{:08x}", *START, COUNT.fetch_add(1, Ordering::Relaxed)).into()
}

async fn about() -> String {
    format!("BitRouter {}. Point your client at /v1.\n", env!("CARGO_PKG_VERSION"))
}

async fn health() -> Json<serde_json::Value> {
    Json(json!({"status": "ok"}))
}

/// The Codex CLI, which says its version, is shown the catalogue of the provider that has one in its form. It keeps its
/// own where that is empty. Any other client gets the list of models.
async fn models(State(live): State<Arc<Live>>, request: Request<Body>) -> Response {
    let app = live.now();
    let query = request.uri().query().unwrap_or_default();
    if !form_urlencoded::parse(query.as_bytes()).any(|(name, _)| name == "client_version") {
        return list_of_models(&app).await;
    }
    let serving = app.directory.settled().await.serving(CATALOGUE.wanted());
    let Some(provider) = serving.first() else { return Json(json!({"models": []})).into_response() };
    let call = Call {
        endpoint: &CATALOGUE,
        query: Some(query.to_owned()),
        headers: request.headers().clone(),
        addresses: format!("{provider}:{}", CATALOGUE.operation).into(),
        streaming: false,
        body: CallBody::None,
    };
    let finished = Finished::start(&app.requests, request_id(), CATALOGUE.dialect);
    pipeline::run(app, call, finished).await
}

/// The user's own names, then the models of all active providers; a name that several of them serve is listed once, for
/// the first of them.
async fn list_of_models(app: &App) -> Response {
    let mut seen = std::collections::HashSet::new();
    let providers = app.directory.settled().await;
    let names = providers.names.exact().map(|(name, _)| (name.to_owned(), "bitrouter".to_owned()));
    let models = providers.models().into_iter().map(|model| (model.id, model.provider));
    let data: Vec<_> = names
        .chain(models)
        .filter(|(id, _)| seen.insert(id.clone()))
        .map(|(id, owner)| json!({"id": id, "object": "model", "created": 0, "owned_by": owner}))
        .collect();
    Json(json!({"object": "list", "data": data})).into_response()
}

async fn unknown(request: Request<Body>) -> Response {
    let shown = |text: &str| text.chars().take(200).flat_map(char::escape_debug).collect();
    let path = request.uri().path();
    let error = Error::NoEndpoint(request.method().to_string(), shown(path));
    reply::error(&error, dialect_of(path), &request_id())
}

/// Answers a call.
pub(super) async fn answer(
    app: Arc<App>,
    endpoint: &'static Endpoint,
    request: Request<Incoming>,
) -> Result<Response, Infallible> {
    let mut finished = Finished::start(&app.requests, request_id(), endpoint.dialect);
    let limit = usize::try_from(app.config.server.body_limit).unwrap_or(usize::MAX);
    Ok(match read(endpoint, request, limit).await {
        Ok(call) => pipeline::run(app, call, finished).await,
        Err(error) => {
            let response = reply::error(&error, endpoint.shape, &finished.id);
            finished.status = response.status().as_u16();
            finished.outcome = Outcome::Failed(error.to_string());
            response
        }
    })
}

/// Reads a call's body and finds its model.
async fn read(endpoint: &'static Endpoint, request: Request<Incoming>, limit: usize) -> Result<Call, Error> {
    let (head, body) = request.into_parts();
    let content_type = head.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let is_json = essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"));
    let is_form = endpoint.form && essence == "multipart/form-data";
    if !is_json && !is_form {
        let came = if essence.is_empty() { "not set".to_owned() } else { format!("`{}`", essence.escape_debug()) };
        let taken = if endpoint.form { "application/json or multipart/form-data" } else { "application/json" };
        return Err(Error::ContentType(came, taken));
    }
    let content_type = content_type.to_owned();
    let bytes = body::read(&head.headers, body, limit).await?;
    let (addresses, streaming, body) = if is_json { read_json(bytes)? } else { read_form(content_type, &bytes)? };
    let query = head.uri.query().map(str::to_owned);
    Ok(Call { endpoint, headers: head.headers, query, addresses, streaming, body })
}

fn read_json(bytes: Bytes) -> Result<(Addresses, bool, CallBody), Error> {
    let mut document = Document::parse(bytes)?;
    let addresses = Addresses::take(&mut document)?;
    let streaming = match document.kind("/stream")? {
        None | Some(Kind::Null) => false,
        Some(_) => document.boolean("stream")?.unwrap_or(false),
    };
    Ok((addresses, streaming, CallBody::Json(document)))
}

fn read_form(content_type: String, bytes: &Bytes) -> Result<(Addresses, bool, CallBody), Error> {
    let form = multipart::read(&content_type, bytes)?;
    Ok((form.addresses, form.streaming, CallBody::Form { content_type, bytes: form.bytes, model_at: form.at }))
}
