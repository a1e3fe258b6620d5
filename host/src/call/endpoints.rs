//! The paths that clients know, and what a call is once its body has been read.
//!
//! The gateway makes calls of what comes in, and the pipeline answers them.

use std::hash::{BuildHasher, RandomState};
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};

use bitrouter_dialect::history::Name;
use bitrouter_dialect::{Dialect, LastWord};
use bitrouter_document::Document;
use bitrouter_route::{Addresses, Wanted};
use bytes::Bytes;
use http::HeaderMap;

use super::object::Object;
use super::resource::Resource;
use super::socket::Socket;
use crate::caller::Caller;
use crate::history::ResponseOwner;

/// One path that takes calls.
#[derive(Debug)]
pub struct Endpoint {
    /// The path, with `{model}` where it names the model.
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
    /// Where a call names its model.
    pub model: ModelIn,
    /// Whether calls may come over a WebSocket.
    pub socket: bool,
}

/// Where a call names its model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModelIn {
    /// In its body, as a member or field.
    Body,
    /// There too, or nowhere, as OpenAI's own clients do at some endpoints.
    BodyOrNowhere,
    /// In its path, with a method that says whether the answer is a stream. The body is asked for neither.
    Path {
        /// Whether it is one.
        streams: bool,
    },
}

const fn json(path: &'static str, operation: &'static str, dialect: &'static str, shape: Dialect) -> Endpoint {
    let (last_word, model) = (LastWord::Dialect, ModelIn::Body);
    Endpoint { path, operation, dialect, shape, last_word, form: false, model, socket: false }
}

const fn openai(path: &'static str, operation: &'static str, form: bool, last_word: LastWord) -> Endpoint {
    let shape = Dialect::ChatCompletions;
    Endpoint { path, operation, dialect: "openai", shape, last_word, form, model: ModelIn::Body, socket: false }
}

const fn with_socket(endpoint: Endpoint) -> Endpoint {
    Endpoint { socket: true, ..endpoint }
}

const fn without_model(endpoint: Endpoint) -> Endpoint {
    Endpoint { model: ModelIn::BodyOrNowhere, ..endpoint }
}

/// One of Google's. They are below `/v1` as well: its newer clients ask there.
const fn google(path: &'static str, operation: &'static str, streams: bool) -> Endpoint {
    let endpoint = json(path, operation, "generate-content", Dialect::GenerateContent);
    Endpoint { model: ModelIn::Path { streams }, ..endpoint }
}

/// What stands before the method in the paths of Google's.
const GOOGLE: &str = "/v1beta/models/{model}:";

static ENDPOINTS: [Endpoint; 19] = [
    json("/v1/chat/completions", "generate", "chat-completions", Dialect::ChatCompletions),
    with_socket(json("/v1/responses", "generate", "responses", Dialect::Responses)),
    json("/v1/responses/compact", "compact", "responses", Dialect::Responses),
    json("/v1/responses/input_tokens", "count-tokens", "responses", Dialect::Responses),
    json("/v1/messages", "generate", "messages", Dialect::Messages),
    json("/v1/messages/count_tokens", "count-tokens", "messages", Dialect::Messages),
    google("/v1beta/models/{model}:generateContent", "generate", false),
    google("/v1beta/models/{model}:streamGenerateContent", "generate", true),
    google("/v1beta/models/{model}:countTokens", "count-tokens", false),
    google("/v1beta/models/{model}:embedContent", "embeddings", false),
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
pub static CATALOGUE: Endpoint = json("/v1/models", "models", "responses", Dialect::Responses);

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
    /// Who asks.
    pub caller: Caller,
    /// The client's headers.
    pub headers: HeaderMap,
    /// The client's query string, without the gateway's key.
    pub query: Option<String>,
    /// The addresses of its models, as the client wrote them.
    pub addresses: Addresses,
    /// Whether the client asked for a stream.
    pub streaming: bool,
    /// Whether the events of that stream leave as the items of one JSON array, as Google's clients may ask.
    pub as_array: bool,
    /// What it sent.
    pub body: CallBody,
    /// What it names of earlier answers; none until that was looked for.
    pub continued: Option<Continued>,
    /// The WebSocket that it came over.
    pub socket: Option<Arc<Socket>>,
    /// The object that it is about; none where a model is asked.
    pub object: Option<Object>,
}

impl Call {
    /// The response that it continues.
    pub(crate) fn previous(&self) -> Option<&Previous> {
        self.continued.as_ref()?.previous.as_ref()
    }
}

/// What a call names of earlier answers, which Responses clients may.
#[derive(Clone, Debug, Default)]
pub struct Continued {
    /// The response whose conversation the gateway has put into the body.
    pub previous: Option<Previous>,
    /// What a provider keeps, if it is there at all.
    pub elsewhere: Option<Name>,
}

/// A response that is continued, as it is kept.
#[derive(Clone, Debug)]
pub struct Previous {
    /// Its id.
    pub id: String,
    /// How many items its conversation has.
    pub items: usize,
    /// For whom it is kept.
    pub owner: ResponseOwner,
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
    /// Anything, kept as it came.
    Opaque {
        /// As the client named it.
        content_type: String,
        /// All of it.
        bytes: Bytes,
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
            CallBody::Form { bytes, .. } | CallBody::Opaque { bytes, .. } => bytes.len(),
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
    ENDPOINTS.iter().find(|endpoint| endpoint.path == path).or_else(|| {
        let method = Resource::of(path)?.method;
        ENDPOINTS.iter().find(|endpoint| endpoint.path.strip_prefix(GOOGLE) == Some(&*method))
    })
}

/// An endpoint whose calls are of this operation, in this dialect.
pub fn endpoint_of(operation: &str, dialect: &str) -> Option<&'static Endpoint> {
    ENDPOINTS.iter().find(|endpoint| endpoint.operation == operation && endpoint.dialect == dialect)
}

/// The paths of all endpoints.
pub fn paths() -> impl Iterator<Item = &'static str> {
    ENDPOINTS.iter().map(|endpoint| endpoint.path)
}

/// Unique among all requests of all gateways, for practical purposes: a random start, then counting.
pub fn request_id() -> Arc<str> {
    static START: LazyLock<u64> = LazyLock::new(|| RandomState::new().hash_one("request"));
    static COUNT: AtomicU64 = AtomicU64::new(0);
    format!("req_{:016x}{:08x}", *START, COUNT.fetch_add(1, Ordering::Relaxed)).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_that_names_its_model_is_found_with_any_model() {
        let found = |path: &str| endpoint(path).map(|endpoint| (endpoint.operation, endpoint.dialect, endpoint.model));
        for version in ["v1", "v1beta"] {
            for (method, operation, streams) in [
                ("generateContent", "generate", false),
                ("streamGenerateContent", "generate", true),
                ("countTokens", "count-tokens", false),
                ("embedContent", "embeddings", false),
            ] {
                let path = format!("/{version}/models/openai@work:gpt-5:{method}");
                assert_eq!(found(&path), Some((operation, "generate-content", ModelIn::Path { streams })), "{path}");
            }
        }
        for path in
            ["/v1/models/qwen3:8b", "/v1beta/models/x:predict", "/v1beta/models/x", "/v1/models/generateContent"]
        {
            assert_eq!(found(path), None, "{path}");
        }
        assert_eq!(found("/v1/messages/count_tokens"), Some(("count-tokens", "messages", ModelIn::Body)));
    }
}
