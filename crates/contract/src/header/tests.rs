//! What passes in each direction, and that no credential does.

use super::*;
use crate::description::{ApiKey, Attach, Places};

fn auth(header: &str) -> Vec<Auth> {
    let attach = Attach { place: AttachTo::Header(header.into()), format: "{}".into(), claim: None, secret: None };
    let places = Places { create_url: None, origins: vec![] };
    vec![Auth::ApiKey(ApiKey { env: vec![], attach: vec![attach], optional: false, places })]
}

fn map(headers: &[(&'static str, &'static str)]) -> HeaderMap {
    headers.iter().map(|&(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
}

fn forwarded(patterns: &[&str], client: &HeaderMap) -> Vec<String> {
    let patterns: Vec<String> = patterns.iter().map(|&pattern| pattern.into()).collect();
    let forward = Forward::new(&patterns, Reserved::new(&auth("x-own-key"))).unwrap();
    forward.headers(client).map(|(name, value)| format!("{name}={}", value.to_str().unwrap())).collect()
}

#[test]
fn a_component_sets_ordinary_headers() {
    let reserved = Reserved::new(&[]);
    for name in ["content-type", "accept", "user-agent", "anthropic-version", "OpenAI-Beta", "x-forward"] {
        assert!(reserved.component_header(name, "x").is_ok(), "{name}");
    }
}

#[test]
fn a_component_sets_no_credential_framing_or_gateway_header() {
    let reserved = Reserved::new(&auth("x-own-key"));
    for name in
        ["Authorization", "x-api-key", "api-key", "X-Goog-Api-Key", "cookie", "proxy-authorization", "X-Own-Key"]
    {
        let error = reserved.component_header(name, "canary").unwrap_err();
        assert!(matches!(error, HeaderError::Credential(_)), "{name}");
        assert!(!error.to_string().contains("canary"), "{error}");
    }
    for name in [
        "host",
        "content-length",
        "content-encoding",
        "transfer-encoding",
        "connection",
        "te",
        "trailer",
        "upgrade",
        "keep-alive",
        "expect",
        "accept-encoding",
    ] {
        assert!(matches!(reserved.component_header(name, "x"), Err(HeaderError::Framing(_))), "{name}");
    }
    for name in ["forwarded", "x-forwarded-for", "x-bitrouter-account"] {
        assert!(matches!(reserved.component_header(name, "x"), Err(HeaderError::Gateway(_))), "{name}");
    }
}

#[test]
fn line_breaks_and_nul_are_refused_anywhere() {
    let reserved = Reserved::new(&[]);
    for value in ["a\r\nhost: b", "a\nb", "a\rb", "a\0b"] {
        assert!(matches!(reserved.component_header("x-a", value), Err(HeaderError::Value(_))), "{value:?}");
    }
    for name in ["x-a\r\nhost", "x a", "", "x-a:", "x\0"] {
        assert!(matches!(reserved.component_header(name, "x"), Err(HeaderError::Name(_))), "{name:?}");
    }
}

#[test]
fn client_headers_go_up_only_when_named() {
    let client = map(&[("user-agent", "c"), ("anthropic-beta", "1"), ("x-codex-a", "2"), ("anthropic-beta", "3")]);
    assert_eq!(
        forwarded(&["anthropic-beta", "x-codex-*"], &client),
        ["anthropic-beta=1", "anthropic-beta=3", "x-codex-a=2"]
    );
    assert!(forwarded(&[], &client).is_empty());
    assert!(forwarded(&["x-codex"], &client).is_empty());
}

#[test]
fn a_clients_credential_never_goes_up_whatever_the_description_says() {
    let client = map(&[
        ("authorization", "c"),
        ("x-api-key", "c"),
        ("cookie", "c"),
        ("set-cookie", "c"),
        ("proxy-authorization", "c"),
        ("x-own-key", "c"),
        ("host", "h"),
        ("content-length", "1"),
        ("x-forwarded-for", "f"),
        ("x-bitrouter-a", "b"),
    ]);
    let exact = ["authorization", "x-api-key", "cookie", "x-own-key", "host", "x-forwarded-for"];
    assert!(forwarded(&exact, &client).is_empty());
    assert!(forwarded(&["*"], &client).is_empty());
    assert!(forwarded(&["auth*", "x-*", "c*", "proxy-*"], &client).is_empty());
}

#[test]
fn what_connection_names_stays_on_its_hop() {
    let headers = map(&[("connection", "close, X-Hop"), ("x-hop", "1"), ("x-end", "2")]);
    assert_eq!(forwarded(&["*"], &headers), ["x-end=2"]);
    let back: Vec<_> = answer_headers(&headers).map(|(name, _)| name.as_str()).collect();
    assert_eq!(back, ["x-end"]);
}

#[test]
fn a_pattern_that_is_no_header_name_is_an_error() {
    for pattern in ["", "a b", "a\n*", "x:*"] {
        let made = Forward::new(&[pattern.to_owned()], Reserved::default());
        assert!(matches!(made, Err(HeaderError::Name(_))), "{pattern:?}");
    }
}

#[test]
fn an_answer_loses_its_hop_its_length_its_cookies_and_what_speaks_for_the_gateway() {
    let answer = map(&[
        ("content-type", "t"),
        ("x-codex-turn-state", "s"),
        ("x-ratelimit-remaining", "1"),
        ("retry-after", "3"),
        ("content-encoding", "gzip"),
        ("transfer-encoding", "chunked"),
        ("content-length", "1"),
        ("set-cookie", "c"),
        ("keep-alive", "k"),
        ("proxy-authenticate", "p"),
        ("access-control-allow-origin", "*"),
        ("alt-svc", "h3"),
        ("x-bitrouter-account", "forged"),
        ("upgrade", "u"),
        ("te", "t"),
        ("trailer", "t"),
    ]);
    let back: Vec<_> = answer_headers(&answer).map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        back,
        ["content-type", "x-codex-turn-state", "x-ratelimit-remaining", "retry-after", "content-encoding"]
    );
}
