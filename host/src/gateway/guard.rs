//! Who may ask: `Host`, `Origin` and the gateway's own keys.
//!
//! Any web page can make a browser send requests to a loopback port, and DNS rebinding gets around the same-origin rule;
//! so a `Host` that is not ours and an `Origin` that is not allowed are refused before anything is read.

mod idempotency;

use std::sync::Arc;

use std::net::IpAddr;

use axum::response::Response;
use http::header::{self, HeaderMap, HeaderValue};
use http::{Method, Request, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::endpoints;
use super::reply;
use crate::config::Server;
use crate::credential::Scrubber;
use crate::error::Error;

/// The rules of the door.
pub struct Guard {
    /// True if the gateway listens on loopback only: then every name but loopback's is foreign.
    loopback_only: bool,
    allowed_origins: Vec<String>,
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
            keys: server.keys.iter().map(digest).collect(),
            _not_logged: Arc::new(Scrubber::new(server.keys.iter().map(ExposeSecret::expose_secret))).watch_the_log(),
        }
    }

    /// Lets a request in, or says what it is answered instead: an error, or what a browser asks before it sends one.
    pub(super) fn admit<B>(&self, request: &Request<B>) -> Result<(), Response> {
        if let Err(error) = self.check(request) {
            tracing::warn!(path = request.uri().path(), %error, "refused at the door");
            return Err(reply::error(&error, endpoints::dialect_of(request.uri().path()), &endpoints::request_id()));
        }
        match request.headers().get(header::ORIGIN) {
            Some(origin) if request.method() == Method::OPTIONS => Err(Self::allow(preflight(), origin.clone())),
            _ => Ok(()),
        }
    }

    /// Lets the page at this origin read the answer. Only an allowed origin comes this far.
    pub(super) fn allow(mut response: Response, origin: HeaderValue) -> Response {
        response.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        response.headers_mut().append(header::VARY, HeaderValue::from_static("origin"));
        response
    }

    fn check<B>(&self, request: &Request<B>) -> Result<(), Error> {
        let headers = request.headers();
        let host =
            request.uri().authority().map(|authority| authority.as_str()).or_else(|| text(headers, header::HOST));
        let host = host.unwrap_or_default();
        if !self.knows_host(host) {
            return Err(Error::ForeignHost(shown(host)));
        }
        if let Some(origin) = headers.get(header::ORIGIN) {
            let origin = origin.to_str().unwrap_or("?");
            if !self.allows_origin(origin) {
                return Err(Error::ForeignOrigin(shown(origin)));
            }
        }
        let open = matches!(request.uri().path(), "/" | "/health") || request.method() == Method::OPTIONS;
        if open || self.keys.is_empty() || self.caller(headers).is_some() { Ok(()) } else { Err(Error::NoKey) }
    }

    /// Beyond loopback the gateway has names that it cannot know; there a key is required, which rebinding does not have.
    fn knows_host(&self, host: &str) -> bool {
        let name = match host.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
            _ => host,
        };
        let name = name.trim_start_matches('[').trim_end_matches(']');
        let loopback =
            name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
        loopback || (!self.loopback_only && !name.is_empty())
    }

    fn allows_origin(&self, origin: &str) -> bool {
        self.allowed_origins.iter().any(|allowed| allowed.eq_ignore_ascii_case(origin))
    }

    /// The digest of the gateway's key that a request shows.
    fn caller(&self, headers: &HeaderMap) -> Option<[u8; 32]> {
        let bearer = text(headers, header::AUTHORIZATION).and_then(|value| {
            let (scheme, key) = value.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
        });
        let plain = ["x-api-key", "x-goog-api-key"].into_iter().find_map(|name| headers.get(name)?.to_str().ok());
        let offered = [bearer, plain].into_iter().flatten().map(|key| -> [u8; 32] { Sha256::digest(key).into() });
        // Every key is compared, so that the time says nothing about which one was close.
        let known = |offered: &[u8; 32]| {
            self.keys.iter().fold(subtle::Choice::from(0), |found, key| found | key.ct_eq(offered)).into()
        };
        offered.into_iter().find(known)
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

/// The answer to a browser's question whether an allowed page may ask.
fn preflight() -> Response {
    let mut response = Response::new(axum::body::Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST, HEAD"));
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_HEADERS,
        HeaderValue::from_static("authorization, content-type, x-api-key, anthropic-version, anthropic-beta"),
    );
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    response
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
            assert_eq!(guard.caller(&headers).is_some(), known, "{name}: {value}");
        }
    }
}
