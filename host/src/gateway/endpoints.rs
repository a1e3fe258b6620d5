//! The paths that clients know, and what a call is once its body has been read.

use std::convert::Infallible;
use std::hash::{BuildHasher, RandomState};
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};

use axum::response::Response;
use axum::routing::get;
use axum::{Json, Router};
use bitrouter_dialect::{Dialect, LastWord};
use bitrouter_document::{Document, Kind};
use bitrouter_route::{Addresses, Wanted};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, Request};
use hyper::body::Incoming;
use serde_json::json;

use super::body::Rules;
use super::{apart, body, models, multipart, place, reply};
use crate::app::{App, Live};
use crate::error::Error;
use crate::pipeline;
use crate::telemetry::{Finished, Outcome};

/// A longer body is looked through apart: it takes milliseconds.
const LONG: usize = 4 << 20;

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
    /// What says that a streamed answer is whole.
    pub last_word: LastWord,
    /// Whether a multipart form is taken beside JSON.
    pub form: bool,
    /// Whether a call may leave the model out, as OpenAI's own clients do there.
    pub model_optional: bool,
}

const fn json(path: &'static str, operation: &'static str, dialect: &'static str, shape: Dialect) -> Endpoint {
    Endpoint { path, operation, dialect, shape, last_word: LastWord::Dialect, form: false, model_optional: false }
}

const fn openai(path: &'static str, operation: &'static str, form: bool, last_word: LastWord) -> Endpoint {
    let shape = Dialect::ChatCompletions;
    Endpoint { path, operation, dialect: "openai", shape, last_word, form, model_optional: false }
}

const fn without_model(endpoint: Endpoint) -> Endpoint {
    Endpoint { model_optional: true, ..endpoint }
}

static ENDPOINTS: [Endpoint; 14] = [
    json("/v1/chat/completions", "generate", "chat-completions", Dialect::ChatCompletions),
    json("/v1/responses", "generate", "responses", Dialect::Responses),
    json("/v1/responses/compact", "compact", "responses", Dialect::Responses),
    json("/v1/responses/input_tokens", "count-tokens", "responses", Dialect::Responses),
    json("/v1/messages", "generate", "messages", Dialect::Messages),
    openai("/v1/embeddings", "embeddings", false, LastWord::Nothing),
    openai("/v1/completions", "completions", false, LastWord::Dialect),
    without_model(openai("/v1/moderations", "moderations", false, LastWord::Nothing)),
    without_model(openai(
        "/v1/images/generations",
        "images/generations",
        false,
        LastWord::Each("image_generation.completed"),
    )),
    without_model(openai("/v1/images/edits", "images/edits", true, LastWord::Each("image_edit.completed"))),
    without_model(openai("/v1/images/variations", "images/variations", true, LastWord::Nothing)),
    openai("/v1/audio/speech", "audio/speech", false, LastWord::Once("speech.audio.done")),
    openai("/v1/audio/transcriptions", "audio/transcriptions", true, LastWord::Once("transcript.text.done")),
    openai("/v1/audio/translations", "audio/translations", true, LastWord::Nothing),
];

/// The catalogue that a provider's own client asks for: a call without a body.
pub(super) static CATALOGUE: Endpoint = json("/v1/models", "models", "responses", Dialect::Responses);

impl Endpoint {
    /// What it wants of a provider.
    pub fn wanted(&self) -> Wanted<'static> {
        Wanted { operation: self.operation, dialect: self.dialect }
    }
}

/// A client's call, read and checked as far as routing needs. It is boxed on its way: each step would copy it.
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
        .route("/v1/models", get(models::list))
        .route("/v1/models/{*model}", get(models::one))
        .with_state(live)
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

/// Answers a call.
pub(super) async fn answer(
    app: Arc<App>,
    endpoint: &'static Endpoint,
    request: Request<Incoming>,
) -> Result<Response, Infallible> {
    let mut finished = Finished::start(&app.requests, request_id(), endpoint.dialect);
    Ok(match read(&app, endpoint, request).await {
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
async fn read(app: &App, endpoint: &'static Endpoint, request: Request<Incoming>) -> Result<Box<Call>, Error> {
    let (head, body) = request.into_parts();
    let content_type = head.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let is_json = essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"));
    let is_form = endpoint.form && essence == "multipart/form-data";
    if !is_json && !is_form {
        let came = if essence.is_empty() { "not set".to_owned() } else { format!("`{}`", place::shown(&essence)) };
        let taken = if endpoint.form { "application/json or multipart/form-data" } else { "application/json" };
        return Err(Error::ContentType(came, taken));
    }
    let content_type = content_type.to_owned();
    let bytes = body::read(&head.headers, body, Rules::of(&app.config.server), &app.bodies).await?;
    let long = bytes.len() > LONG;
    let find = move || match is_json {
        true => read_json(bytes),
        false => read_form(content_type, &bytes),
    };
    let Found { addresses, streaming, body } = match long {
        true => apart::run(async move { find() }).await?,
        false => find()?,
    };
    let addresses = match addresses {
        Some(addresses) => addresses,
        None if endpoint.model_optional => models::usual(app, endpoint).await?,
        None => return Err(Error::NoModel),
    };
    let query = head.uri.query().map(str::to_owned);
    Ok(Box::new(Call { endpoint, headers: head.headers, query, addresses, streaming, body }))
}

/// What a body says.
struct Found {
    /// None where it names no model.
    addresses: Option<Addresses>,
    streaming: bool,
    body: CallBody,
}

fn read_json(bytes: Bytes) -> Result<Found, Error> {
    let mut document = Document::parse(bytes)?;
    let addresses = Addresses::take(&mut document)?;
    let streaming = match document.kind("/stream")? {
        None | Some(Kind::Null) => false,
        Some(Kind::Boolean) => document.boolean("stream")?.unwrap_or(false),
        Some(found) => {
            let problem = format!("is of type {found}: it takes true or false");
            return Err(Error::Member { name: "stream", problem });
        }
    };
    Ok(Found { addresses, streaming, body: CallBody::Json(document) })
}

fn read_form(content_type: String, bytes: &Bytes) -> Result<Found, Error> {
    let form = multipart::read(&content_type, bytes)?;
    let body = CallBody::Form { content_type, bytes: form.bytes, model_at: form.at };
    Ok(Found { addresses: form.addresses, streaming: form.streaming, body })
}
