//! The paths and methods that the gateway serves, and the answers to all others.
//!
//! `service` asks for each request that the guard let in.

use axum::response::Response;
use bitrouter_dialect::Dialect;
use bitrouter_route::nearest::nearest_of_all;
use http::header::{ALLOW, CONNECTION, HeaderValue, UPGRADE};
use http::{HeaderMap, Method, Request, StatusCode};

use super::endpoints::{self, Endpoint, endpoint};
use super::reply;
use crate::error::Error;

/// The pages beside calls. A model's own page stands below the last.
const PAGES: [&str; 3] = ["/", "/health", "/v1/models"];
/// The longest path that is shown or compared, in characters.
const LONGEST_PATH: usize = 200;

/// Where a request goes.
pub(crate) enum Destination {
    /// To the pipeline.
    Call(&'static Endpoint),
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
            _ if wants_websocket(request.headers()) => Destination::Elsewhere(no_websocket(path, endpoint.shape)),
            _ => Destination::Elsewhere(wrong_method(method, path, CALLED, endpoint.shape)),
        };
    }
    if PAGES.contains(&path) || model_of(path).is_some() {
        return match *method {
            Method::GET | Method::HEAD => Destination::Page,
            Method::OPTIONS => Destination::Elsewhere(options(READ)),
            _ => Destination::Elsewhere(wrong_method(method, path, READ, Dialect::ChatCompletions)),
        };
    }
    match path {
        // RFC 9110, section 9.3.7: the server as a whole.
        "*" if method == Method::OPTIONS => Destination::Elsewhere(options("GET, HEAD, POST, OPTIONS")),
        _ => Destination::Elsewhere(unknown(method, path)),
    }
}

const CALLED: &str = "POST, OPTIONS";
const READ: &str = "GET, HEAD, OPTIONS";

/// The model that a path below `/v1/models` names, percent-encoded as it came. Names have slashes and colons.
pub(crate) fn model_of(path: &str) -> Option<&str> {
    path.strip_prefix("/v1/models/").filter(|model| !model.is_empty())
}

/// The dialect in which an error on this path is written: that of the nearest endpoint.
pub(crate) fn dialect_of(path: &str) -> Dialect {
    let near = || endpoint(nearest(path)).map(|endpoint| endpoint.shape);
    endpoint(path).map(|endpoint| endpoint.shape).or_else(near).unwrap_or(Dialect::ChatCompletions)
}

/// The path that was most likely meant.
fn nearest(path: &str) -> &'static str {
    let path: String = path.chars().take(LONGEST_PATH).collect::<String>().to_ascii_lowercase();
    let words: Vec<&str> = path.split('/').filter(|word| !word.is_empty()).collect();
    let path = words.join("/");
    let known = || endpoints::paths().chain(PAGES.into_iter().skip(1));
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
            ("/v1/messages/count_tokens", "/v1/messages"),
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
    fn a_websocket_is_told_from_other_upgrades() {
        let headers = |value: &'static str| HeaderMap::from_iter([(UPGRADE, HeaderValue::from_static(value))]);
        assert!(wants_websocket(&headers("WebSocket")));
        assert!(wants_websocket(&headers("h2c, websocket")));
        assert!(!wants_websocket(&headers("h2c")));
        assert!(!wants_websocket(&HeaderMap::new()));
    }
}
