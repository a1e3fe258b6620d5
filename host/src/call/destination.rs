//! The paths and methods that the gateway serves, and the answers to all others.
//!
//! `service` asks for each request that the guard let in.

use axum::response::Response;
use bitrouter_dialect::Dialect;
use bitrouter_route::nearest::nearest_of_all;
use http::header::{ALLOW, CONNECTION, HeaderValue, UPGRADE};
use http::{HeaderMap, Method, Request, StatusCode, Uri};

use super::endpoints::{self, Endpoint, endpoint};
use super::object::{self, Object, ObjectPath};
use super::resource::Resource;
use super::{query, reply};
use crate::error::Error;

/// The pages beside calls. A model's own page stands below the last two.
const PAGES: [&str; 4] = ["/", "/health", "/v1/models", "/v1beta/models"];
/// What Claude Code asks before anything else, as it asks Anthropic's API.
const HELLO: &str = "/api/hello";
/// The longest path that is shown or compared, in characters.
const LONGEST_PATH: usize = 200;

/// Where a request goes.
pub(crate) enum Destination {
    /// To the pipeline.
    Call(&'static Endpoint),
    /// To the pipeline, about an object.
    Object(Box<Object>),
    /// To a WebSocket, over which the calls of this endpoint come.
    Socket(&'static Endpoint),
    /// To the router.
    Page,
    /// Nowhere: this is the answer.
    Elsewhere(Box<Response>),
}

/// Where this request goes.
pub(crate) fn of<B>(request: &Request<B>) -> Destination {
    let (path, method) = (request.uri().path(), request.method());
    if let Some(endpoint) = endpoint(path) {
        return match *method {
            Method::POST => Destination::Call(endpoint),
            Method::OPTIONS => Destination::Elsewhere(options(CALLED)),
            Method::GET if endpoint.socket && wants_websocket(request.headers()) => Destination::Socket(endpoint),
            _ if wants_websocket(request.headers()) => Destination::Elsewhere(no_websocket(path, endpoint.shape)),
            _ => Destination::Elsewhere(wrong_method(method, path, CALLED, endpoint.shape)),
        };
    }
    if is_page(path) {
        return match *method {
            Method::GET | Method::HEAD => Destination::Page,
            Method::OPTIONS => Destination::Elsewhere(options(READ)),
            // A method of Google's that there is not.
            Method::POST if Resource::of(path).is_some() => Destination::Elsewhere(unknown(method, path)),
            _ => Destination::Elsewhere(wrong_method(method, path, READ, shape_of(request))),
        };
    }
    if let Some(found) = ObjectPath::of(request.uri(), request.headers()) {
        let (allowed, shape) = (found.allowed, found.endpoint.shape);
        return match *method {
            Method::OPTIONS => Destination::Elsewhere(options(allowed)),
            _ => match found.with(method) {
                Some(object) => Destination::Object(Box::new(object)),
                None => Destination::Elsewhere(wrong_method(method, path, allowed, shape)),
            },
        };
    }
    match path {
        _ if is_probe(request) => Destination::Elsewhere(Box::default()),
        // RFC 9110, section 9.3.7: the server as a whole.
        "*" if method == Method::OPTIONS => Destination::Elsewhere(options("GET, HEAD, POST, OPTIONS")),
        _ => Destination::Elsewhere(unknown(method, path)),
    }
}

const CALLED: &str = "POST, OPTIONS";
const READ: &str = "GET, HEAD, OPTIONS";

/// The model that a path below the list of models names, percent-encoded as it came. Names have slashes and colons.
pub(crate) fn model_of(path: &str) -> Option<&str> {
    let model = path.strip_prefix("/v1/models/").or_else(|| path.strip_prefix("/v1beta/models/"));
    model.filter(|model| !model.is_empty())
}

fn is_page(path: &str) -> bool {
    PAGES.contains(&path) || model_of(path).is_some()
}

/// Whether a client only looks whether anybody is there, as no key is needed for.
pub(crate) fn is_probe<B>(request: &Request<B>) -> bool {
    request.method() == Method::HEAD && request.uri().path() == HELLO
}

/// The dialect in which whoever asks reads an error: that of the endpoint, and at the pages of models the client's own.
pub(crate) fn shape_of<B>(request: &Request<B>) -> Dialect {
    let path = request.uri().path();
    if is_page(path) {
        return endpoint(path).map_or_else(|| asker(request.uri(), request.headers()), |it| it.shape);
    }
    let object = || ObjectPath::of(request.uri(), request.headers());
    match endpoint(path) {
        None => object().map_or_else(|| dialect_of(path), |found| found.endpoint.shape),
        Some(endpoint) => endpoint.shape,
    }
}

/// Whose client asks at a path that those of several vendors know, told by what only they send.
pub(crate) fn asker(uri: &Uri, headers: &HeaderMap) -> Dialect {
    let google = uri.path().starts_with(BETA) || headers.contains_key("x-goog-api-key");
    if google || query::key(uri.query()).is_some() {
        Dialect::GenerateContent
    } else if headers.contains_key("anthropic-version") {
        Dialect::Messages
    } else {
        Dialect::ChatCompletions
    }
}

/// Only Google's clients ask below it.
const BETA: &str = "/v1beta/";

/// The dialect in which an error on this path is written: that of the nearest endpoint.
pub(crate) fn dialect_of(path: &str) -> Dialect {
    let near = || match path.starts_with(BETA) {
        true => Some(Dialect::GenerateContent),
        false => endpoint(nearest(path)).map(|endpoint| endpoint.shape),
    };
    endpoint(path).map(|endpoint| endpoint.shape).or_else(near).unwrap_or(Dialect::ChatCompletions)
}

/// The path that was most likely meant.
fn nearest(path: &str) -> &'static str {
    let path: String = path.chars().take(LONGEST_PATH).collect::<String>().to_ascii_lowercase();
    let words: Vec<&str> = path.split('/').filter(|word| !word.is_empty()).collect();
    let path = words.join("/");
    let known = || endpoints::paths().chain(object::paths()).chain(PAGES.into_iter().skip(1));
    // A base URL with too much, and the path of a model and a method behind it, or a method that there is not.
    if let Some((_, method)) = path.rsplit_once(':').filter(|_| path.contains("models/")) {
        let same = |known: &&str| known.to_ascii_lowercase().ends_with(&format!(":{method}"));
        let first = || endpoints::paths().find(|known| known.starts_with(BETA));
        if let Some(known) = endpoints::paths().find(same).or_else(first) {
            return known;
        }
    }
    // Most likely the base URL is wrong: what stands after it is right.
    let is_tail = |known: &&str| {
        let tail = known.trim_start_matches("/v1").trim_start_matches('/');
        path.strip_suffix(tail).is_some_and(|before| before.is_empty() || before.ends_with('/'))
    };
    if let Some(known) = known().filter(is_tail).max_by_key(|known| known.len()) {
        return known;
    }
    // Or it goes on where there is no more.
    let path = format!("/{path}");
    let is_head = |known: &&str| path.strip_prefix(*known).is_some_and(|rest| rest.starts_with('/'));
    if let Some(known) = known().filter(is_head).max_by_key(|known| known.len()) {
        return known;
    }
    nearest_of_all(&path, known(), 1).first().copied().map_or("/v1/models", |near| {
        // The candidates live as long as the program, which the list of them does not know.
        known().find(|known| *known == near).unwrap_or("/v1/models")
    })
}

/// Whether a client would rather speak over a WebSocket. `Upgrade: h2c`, which some send with every request, is not heeded.
fn wants_websocket(headers: &HeaderMap) -> bool {
    let protocols = headers.get_all(UPGRADE).iter().filter_map(|line| line.to_str().ok());
    protocols.flat_map(|line| line.split(',')).any(|protocol| protocol.trim().eq_ignore_ascii_case("websocket"))
}

/// The Codex CLI takes 426 for "ask over HTTP", at once; 404 it tries again.
fn no_websocket(path: &str, shape: Dialect) -> Box<Response> {
    let mut response = reply::error(&Error::NoWebSocket(shown(path)), shape, &endpoints::request_id());
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    Box::new(response)
}

fn wrong_method(method: &Method, path: &str, allowed: &'static str, shape: Dialect) -> Box<Response> {
    let error = Error::Method { method: shown(method.as_str()), path: shown(path), allowed };
    let mut response = reply::error(&error, shape, &endpoints::request_id());
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    Box::new(response)
}

fn unknown(method: &Method, path: &str) -> Box<Response> {
    let error = Error::NoEndpoint { method: shown(method.as_str()), path: shown(path), nearest: nearest(path) };
    Box::new(reply::error(&error, dialect_of(path), &endpoints::request_id()))
}

fn options(allowed: &'static str) -> Box<Response> {
    let mut response = Response::new(axum::body::Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    Box::new(response)
}

/// A client's text as an error or a log line may have it.
pub(crate) fn shown(text: &str) -> String {
    text.chars().take(LONGEST_PATH).flat_map(char::escape_debug).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_is_not_there_has_a_nearest_one() {
        for (path, wanted) in [
            ("/chat/completions", "/v1/chat/completions"),
            ("/v1/v1/chat/completions", "/v1/chat/completions"),
            ("/openai/v1/responses/", "/v1/responses"),
            ("/api/v1/Responses/compact", "/v1/responses/compact"),
            ("//v1//messages", "/v1/messages"),
            ("/completions", "/v1/completions"),
            ("/v1/chat/completion", "/v1/chat/completions"),
            ("/v1/embedding", "/v1/embeddings"),
            ("/v1/messages/count_token", "/v1/messages"),
            ("/v1/v1beta/models/gemini-2.5-pro:countTokens", "/v1beta/models/{model}:countTokens"),
            ("/v1beta/models/gemini-2.5-pro:predict", "/v1beta/models/{model}:generateContent"),
            ("/v1/responses/resp_1/cancel", "/v1/responses"),
            ("/models", "/v1/models"),
            ("/healthz", "/health"),
        ] {
            assert_eq!(nearest(path), wanted, "{path}");
        }
        // However long or odd a path is, something is said.
        assert!(!nearest(&"/x".repeat(30_000)).is_empty());
        assert!(!nearest("").is_empty());
    }

    #[test]
    fn an_error_on_an_unknown_path_has_the_shape_of_its_neighbour() {
        assert_eq!(dialect_of("/messages"), Dialect::Messages);
        assert_eq!(dialect_of("/responses"), Dialect::Responses);
        assert_eq!(dialect_of("/nothing/at/all"), Dialect::ChatCompletions);
    }

    #[test]
    fn whose_client_asks_is_told_by_its_path_its_headers_and_its_key() {
        for (path, header, shape) in [
            ("/v1/models", "x-any", Dialect::ChatCompletions),
            ("/v1/models", "anthropic-version", Dialect::Messages),
            ("/v1/models/gpt-5", "anthropic-version", Dialect::Messages),
            ("/v1/models", "x-goog-api-key", Dialect::GenerateContent),
            ("/v1/models?key=k", "anthropic-version", Dialect::GenerateContent),
            ("/v1beta/models/gpt-5", "anthropic-version", Dialect::GenerateContent),
            ("/v1beta/files", "x-any", Dialect::GenerateContent),
            ("/v1/models/gpt-5:countTokens", "x-any", Dialect::GenerateContent),
            ("/v1/messages/count_tokens", "x-goog-api-key", Dialect::Messages),
        ] {
            let request = Request::builder().uri(path).header(header, "1").body(()).unwrap();
            assert_eq!(shape_of(&request), shape, "{path} {header}");
        }
    }

    #[test]
    fn a_websocket_is_told_from_other_upgrades() {
        let headers = |value: &'static str| HeaderMap::from_iter([(UPGRADE, HeaderValue::from_static(value))]);
        assert!(wants_websocket(&headers("WebSocket")));
        assert!(wants_websocket(&headers("h2c, websocket")));
        assert!(!wants_websocket(&headers("h2c")));
        assert!(!wants_websocket(&HeaderMap::new()));
    }
}
