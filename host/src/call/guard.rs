//! Who may ask: `Host`, `Origin` and the gateway's own keys.
//!
//! Any web page can make a browser send requests to a loopback port, and DNS rebinding gets around the same-origin rule;
//! so a `Host` that is not ours and an `Origin` that is not allowed are refused before anything is read.

use std::sync::Arc;

use axum::response::Response;
use bitrouter_credential::Scrubber;
use http::header::{self, HeaderMap, HeaderValue};
use http::{Method, Request, StatusCode, Version};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::{destination, endpoints, query, reply};
use crate::caller::Caller;
use crate::config::Server;
use crate::error::Error;

/// Who may ask, as a configuration says it.
pub struct Guard {
    /// True if the gateway listens on loopback only: then every name but loopback's is foreign.
    loopback_only: bool,
    allowed_origins: Vec<String>,
    /// Names beside loopback's, in lower case.
    allowed_hosts: Vec<String>,
    /// Digests, so that comparing takes the same time whatever the length.
    keys: Vec<[u8; 32]>,
    /// Keeps the keys out of the log for as long as they are in use.
    _not_logged: Arc<Scrubber>,
}

impl Guard {
    /// The rules that a configuration sets.
    pub fn new(server: &Server) -> Self {
        Guard {
            loopback_only: server.listen.iter().all(|address| address.ip().is_loopback()),
            allowed_origins: server.allowed_origins.clone(),
            allowed_hosts: server.allowed_hosts.clone(),
            keys: server.keys.iter().map(|key| digest(key)).collect(),
            _not_logged: Arc::new(Scrubber::new(server.keys.iter().map(|key| key.expose_secret()))).watch_the_log(),
        }
    }

    /// Lets a request in and says who asks, or what it is answered instead: an error, or what a browser asks before it sends
    /// one.
    pub(crate) fn admit<B>(&self, request: &Request<B>) -> Result<Caller, Response> {
        let origin = match self.check_place(request) {
            Ok(origin) => origin,
            Err(error) => return Err(refused(request, &error)),
        };
        let preflight = origin.is_some() && request.method() == Method::OPTIONS;
        let answer = match self.check_key(request) {
            Ok(_) if preflight => self::preflight(request.headers()),
            Ok(caller) => return Ok(caller),
            Err(error) => refused(request, &error),
        };
        Err(match origin {
            Some(origin) => allow(answer, origin.clone()),
            None => answer,
        })
    }

    /// Checks that the request is meant for this gateway, and where it comes from: its origin, where it has one and that is
    /// allowed.
    fn check_place<'r, B>(&self, request: &'r Request<B>) -> Result<Option<&'r HeaderValue>, Error> {
        let host = host(request)?;
        if !self.knows_host(host) {
            return Err(Error::ForeignHost(shown(host)));
        }
        let mut origins = request.headers().get_all(header::ORIGIN).iter();
        let Some(origin) = origins.next() else { return Ok(None) };
        let text = origin.to_str().unwrap_or("?");
        // Of two lines the first does not speak for both.
        match self.allows_origin(text) && origins.next().is_none() {
            true => Ok(Some(origin)),
            false => Err(Error::ForeignOrigin(shown(text))),
        }
    }

    fn check_key<B>(&self, request: &Request<B>) -> Result<Caller, Error> {
        let open = matches!(request.uri().path(), "/" | "/health")
            || request.method() == Method::OPTIONS
            || destination::is_probe(request);
        match open || self.keys.is_empty() {
            true => Ok(Caller::Anybody),
            false => self.caller(request.headers(), request.uri().query()).ok_or(Error::NoKey),
        }
    }

    /// Beyond loopback the gateway has names that it cannot know; there a key is required, which rebinding does not have.
    fn knows_host(&self, host: &str) -> bool {
        let name = match host.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
            _ => host,
        };
        let name = name.trim_start_matches('[').trim_end_matches(']');
        if self.allowed_hosts.iter().any(|allowed| allowed.eq_ignore_ascii_case(name)) {
            return true;
        }
        bitrouter_contract::is_loopback(name) || (!self.loopback_only && !name.is_empty())
    }

    fn allows_origin(&self, origin: &str) -> bool {
        self.allowed_origins.iter().any(|allowed| allowed.eq_ignore_ascii_case(origin))
    }

    /// Whoever holds the key of the gateway's that a request shows.
    fn caller(&self, headers: &HeaderMap, query: Option<&str>) -> Option<Caller> {
        let bearer = text(headers, header::AUTHORIZATION).and_then(|value| {
            let (scheme, key) = value.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
        });
        let plain = ["x-api-key", "x-goog-api-key"].map(|name| headers.get(name)?.to_str().ok());
        let in_query = query::key(query);
        let offered = [bearer, plain[0], plain[1], in_query.as_deref()].into_iter().flatten();
        let offered = offered.map(|key| -> [u8; 32] { Sha256::digest(key).into() });
        // Every key is compared, so that the time says nothing about which one was close.
        let known = |offered: &[u8; 32]| {
            self.keys.iter().fold(subtle::Choice::from(0), |found, key| found | key.ct_eq(offered)).into()
        };
        offered.into_iter().find(known).map(Caller::Key)
    }
}

fn digest(key: &SecretString) -> [u8; 32] {
    Sha256::digest(key.expose_secret()).into()
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

fn shown(text: &str) -> String {
    text.chars().take(100).flat_map(char::escape_debug).collect()
}

/// The host that a request is meant for: that of its target, else its one `Host` line.
fn host<B>(request: &Request<B>) -> Result<&str, Error> {
    let mut lines = request.headers().get_all(header::HOST).iter();
    let line = lines.next().map(|line| line.to_str().unwrap_or("?"));
    if lines.next().is_some() {
        return Err(Error::BadHost("has two Host headers".into()));
    }
    let target = request.uri().authority().map(|authority| authority.as_str());
    match (target, line) {
        // RFC 9113, section 8.3.1. Over HTTP/1.1 the target holds, whatever the line says: RFC 9112, section 3.2.2.
        (Some(target), Some(line)) if is_shared(request.version()) && !target.eq_ignore_ascii_case(line) => {
            Err(Error::BadHost(format!("is for `{}` and has the Host header `{}`", shown(target), shown(line))))
        }
        (Some(host), _) | (None, Some(host)) => Ok(host),
        // RFC 9112, section 3.2.
        (None, None) if request.version() == Version::HTTP_11 => Err(Error::BadHost("has no Host header".into())),
        (None, None) => Ok(""),
    }
}

fn is_shared(version: Version) -> bool {
    version >= Version::HTTP_2
}

fn refused<B>(request: &Request<B>, error: &Error) -> Response {
    tracing::warn!(path = destination::shown(request.uri().path()), %error, "refused at the door");
    reply::error(error, destination::shape_of(request), &endpoints::request_id())
}

/// Lets the page at this origin read an answer, with all of its headers. Only an allowed origin comes this far.
pub(crate) fn allow(mut response: Response, origin: HeaderValue) -> Response {
    let headers = response.headers_mut();
    let hidden = [header::SET_COOKIE, header::CONNECTION, header::TRANSFER_ENCODING, header::VARY];
    let own = [header::RETRY_AFTER, reply::REQUEST_ID];
    let mut exposed: Vec<&str> = own.iter().map(header::HeaderName::as_str).collect();
    for name in headers.keys().filter(|name| !hidden.contains(name) && !own.contains(name)) {
        if !name.as_str().starts_with("access-control-") {
            exposed.push(name.as_str());
        }
    }
    if let Ok(exposed) = HeaderValue::from_str(&exposed.join(", ")) {
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
    }
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.append(header::VARY, HeaderValue::from_static("origin"));
    response
}

/// The answer to a browser's question whether an allowed page may ask: with whatever headers it has. They go no further than
/// the gateway unless a component names them.
fn preflight(asked: &HeaderMap) -> Response {
    const USUAL: &str = "authorization, content-type, x-api-key, x-goog-api-key, anthropic-version, anthropic-beta";
    let mut response = Response::new(axum::body::Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST, DELETE, HEAD, OPTIONS"));
    let wanted = asked.get(header::ACCESS_CONTROL_REQUEST_HEADERS).cloned();
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_HEADERS,
        wanted.filter(is_list_of_names).unwrap_or(HeaderValue::from_static(USUAL)),
    );
    if asked.get(PRIVATE_NETWORK).is_some_and(|wanted| wanted == "true") {
        headers.insert(ALLOW_PRIVATE_NETWORK, HeaderValue::from_static("true"));
    }
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    headers.insert(header::VARY, HeaderValue::from_static("access-control-request-headers"));
    response
}

/// A page of the internet that asks a machine of a private network: <https://wicg.github.io/private-network-access/>.
const PRIVATE_NETWORK: header::HeaderName = header::HeaderName::from_static("access-control-request-private-network");
const ALLOW_PRIVATE_NETWORK: header::HeaderName =
    header::HeaderName::from_static("access-control-allow-private-network");

/// Whether this is no more than names of headers, and not too much of it.
fn is_list_of_names(value: &HeaderValue) -> bool {
    let name = |name: &str| name.parse::<header::HeaderName>().is_ok();
    value.len() <= 4096 && value.to_str().is_ok_and(|list| list.split(',').map(str::trim).all(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard(listen: &str) -> Guard {
        let mut server = crate::config::Config::defaults(&crate::config::Paths::for_tests()).server;
        server.listen = vec![listen.parse().unwrap()];
        server.keys = vec!["a-key-of-sixteen".into()];
        server.allowed_origins = vec!["https://app.example".into()];
        Guard::new(&server)
    }

    #[test]
    fn a_name_that_was_rebound_to_loopback_is_foreign() {
        let guard = guard("127.0.0.1:4356");
        for host in ["localhost:4356", "127.0.0.1", "127.0.0.1:80", "[::1]:4356", "LOCALHOST"] {
            assert!(guard.knows_host(host), "{host}");
        }
        for host in
            ["evil.example:4356", "localhost.evil.example", "127.0.0.1.evil.example", "192.0.2.1", "", "0.0.0.0"]
        {
            assert!(!guard.knows_host(host), "{host}");
        }
    }

    #[test]
    fn beyond_loopback_any_name_may_be_ours() {
        assert!(guard("0.0.0.0:4356").knows_host("gateway.lan:4356"));
        assert!(!guard("0.0.0.0:4356").knows_host(""));
    }

    #[test]
    fn a_name_that_the_config_allows_is_ours_with_any_port() {
        let mut server = crate::config::Config::defaults(&crate::config::Paths::for_tests()).server;
        server.allowed_hosts = vec!["host.docker.internal".into()];
        let guard = Guard::new(&server);
        for host in ["host.docker.internal", "Host.Docker.Internal:4356", "localhost:4356"] {
            assert!(guard.knows_host(host), "{host}");
        }
        for host in ["docker.internal", "x.host.docker.internal", "host.docker.internal.evil.example", ""] {
            assert!(!guard.knows_host(host), "{host}");
        }
    }

    fn request(version: Version, target: &str, lines: &[&str]) -> Request<()> {
        let mut request = Request::builder().version(version).uri(target);
        for line in lines {
            request = request.header(header::HOST, *line);
        }
        request.body(()).unwrap()
    }

    #[test]
    fn a_request_names_one_host() {
        use Version as V;
        for (version, target, lines, wanted) in [
            (V::HTTP_11, "/", ["localhost"].as_slice(), Some("localhost")),
            (V::HTTP_11, "/", &["localhost", "localhost"], None),
            (V::HTTP_11, "/", &["localhost", "evil.example"], None),
            (V::HTTP_11, "/", &[], None),
            (V::HTTP_10, "/", &[], Some("")),
            (V::HTTP_11, "http://evil.example/", &["localhost"], Some("evil.example")),
            (V::HTTP_11, "http://localhost/", &["a", "b"], None),
            (V::HTTP_2, "http://localhost/", &[], Some("localhost")),
            (V::HTTP_2, "http://localhost/", &["LOCALHOST"], Some("localhost")),
            (V::HTTP_2, "http://localhost/", &["evil.example"], None),
        ] {
            let request = request(version, target, lines);
            assert_eq!(host(&request).ok(), wanted, "{version:?} {target} {lines:?}");
        }
    }

    #[test]
    fn an_allowed_page_may_send_the_headers_that_it_asks_for_and_read_all() {
        let mut asked = HeaderMap::new();
        let wanted = "authorization,content-type,x-stainless-os";
        asked.insert(header::ACCESS_CONTROL_REQUEST_HEADERS, HeaderValue::from_static(wanted));
        asked.insert(PRIVATE_NETWORK, HeaderValue::from_static("true"));
        let answer = preflight(&asked);
        assert_eq!(answer.headers()[header::ACCESS_CONTROL_ALLOW_HEADERS], wanted);
        assert_eq!(answer.headers()[ALLOW_PRIVATE_NETWORK], "true");
        for odd in ["*", "a b", "x-a,,x-b", "x-\u{e9}"] {
            asked.insert(header::ACCESS_CONTROL_REQUEST_HEADERS, HeaderValue::from_bytes(odd.as_bytes()).unwrap());
            let answer = preflight(&asked);
            let allowed = answer.headers()[header::ACCESS_CONTROL_ALLOW_HEADERS].to_str().unwrap();
            assert!(odd == "*" || allowed.starts_with("authorization"), "{odd}: {allowed}");
        }
        let mut answer = Response::new(axum::body::Body::empty());
        answer.headers_mut().insert("x-ratelimit-remaining-tokens", HeaderValue::from_static("7"));
        answer.headers_mut().insert(header::SET_COOKIE, HeaderValue::from_static("a=b"));
        let answer = allow(answer, HeaderValue::from_static("https://app.example"));
        let exposed = answer.headers()[header::ACCESS_CONTROL_EXPOSE_HEADERS].to_str().unwrap();
        assert_eq!(exposed, "retry-after, x-bitrouter-request-id, x-ratelimit-remaining-tokens");
    }

    #[test]
    fn only_listed_origins_are_allowed() {
        let guard = guard("127.0.0.1:4356");
        assert!(guard.allows_origin("https://app.example"));
        assert!(!guard.allows_origin("https://app.example.evil"));
        assert!(!guard.allows_origin("null"));
    }

    #[test]
    fn a_key_is_taken_from_each_header_that_clients_use() {
        let guard = guard("127.0.0.1:4356");
        for (name, value, known) in [
            ("authorization", "Bearer a-key-of-sixteen", true),
            ("authorization", "bearer  a-key-of-sixteen", true),
            ("authorization", "Basic a-key-of-sixteen", false),
            ("x-api-key", "a-key-of-sixteen", true),
            ("x-goog-api-key", "a-key-of-sixteen", true),
            ("x-api-key", "a-key-of-sixteen ", false),
            ("x-api-key", "", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(name, HeaderValue::from_str(value).unwrap());
            assert_eq!(guard.caller(&headers, None).is_some(), known, "{name}: {value}");
        }
        let none = HeaderMap::new();
        assert!(guard.caller(&none, Some("alt=sse&key=a-key-of-sixteen")).is_some());
        assert!(guard.caller(&none, Some("alt=sse&key=another&x=a-key-of-sixteen")).is_none());
        // A key of the vendor's own beside it is nobody's here.
        let both = HeaderMap::from_iter([
            (header::HeaderName::from_static("x-api-key"), HeaderValue::from_static("sk-ant")),
            (header::HeaderName::from_static("x-goog-api-key"), HeaderValue::from_static("a-key-of-sixteen")),
        ]);
        assert!(guard.caller(&both, None).is_some());
    }
}
