//! What is an origin, what it covers, and that nothing joined to it leaves it.

use super::*;
use proptest::prelude::*;

fn origin(text: &str) -> Origin {
    text.parse().unwrap_or_else(|error| panic!("{error}"))
}

fn refusal(text: &str) -> String {
    text.parse::<Origin>().map(|origin| origin.to_string()).expect_err(text).to_string()
}

#[test]
fn an_origin_has_one_canonical_form() {
    for (text, canonical) in [
        ("https://api.openai.com/v1", "https://api.openai.com/v1"),
        ("https://api.openai.com/v1/", "https://api.openai.com/v1"),
        ("HTTPS://API.OpenAI.com:443/", "https://api.openai.com"),
        ("https://api.openai.com:8443", "https://api.openai.com:8443"),
        ("http://localhost:80/v1", "http://localhost/v1"),
        ("http://127.0.0.1:11434", "http://127.0.0.1:11434"),
        ("https://[0:0:0:0:0:0:0:1]:8080/a/b", "https://[::1]:8080/a/b"),
        ("https://xn--bcher-kva.example", "https://xn--bcher-kva.example"),
    ] {
        assert_eq!(origin(text).to_string(), canonical);
        assert_eq!(origin(canonical), origin(text));
    }
}

#[test]
fn a_path_keeps_its_case() {
    assert_ne!(origin("https://a.example/V1"), origin("https://a.example/v1"));
}

#[test]
fn a_host_is_this_machine_by_a_name_that_is_always_its_own() {
    for host in ["localhost", "LocalHost", "127.0.0.1", "127.8.8.8", "::1", "[::1]"] {
        assert!(crate::is_loopback(host), "{host}");
    }
    for host in [
        "",
        "localhost.",
        "localhost.example.com",
        "127.0.0.1.example.com",
        "0.0.0.0",
        "10.0.0.1",
        "[::]",
        "[::1",
        "::ffff:127.0.0.1",
    ] {
        assert!(!crate::is_loopback(host), "{host}");
    }
}

#[test]
fn plain_http_goes_to_loopback_alone() {
    for text in ["http://localhost", "http://LOCALHOST:1", "http://127.0.0.1", "http://127.8.9.1:80", "http://[::1]:1"]
    {
        assert!(origin(text).is_loopback(), "{text}");
    }
    for text in [
        "http://api.openai.com",
        "http://128.0.0.1",
        "http://localhost.evil.example",
        "http://127.0.0.1.evil.example",
        "http://[::2]",
        "http://[::ffff:127.0.0.1]",
        "http://0.0.0.0",
    ] {
        assert!(refusal(text).contains("use `https`"), "{text}: {}", refusal(text));
    }
    assert!(!origin("https://api.openai.com").is_loopback());
}

#[test]
fn what_is_not_an_origin_is_refused_with_a_reason() {
    for (text, reason) in [
        ("", "begins with neither"),
        ("api.openai.com", "begins with neither"),
        ("ftp://a.example", "begins with neither"),
        ("https:/a.example", "begins with neither"),
        ("https://", "no valid host"),
        ("https:///v1", "no valid host"),
        ("https://user@a.example", "user name"),
        ("https://a.example@evil.example", "user name"),
        ("https://a.example?x=1", "holds a query"),
        ("https://a.example/#x", "holds a fragment"),
        ("https://bücher.example", "`xn--` form"),
        ("https://а.example", "`xn--` form"),
        ("https://a.example\\@evil.example", "backslash"),
        ("https://a.example /", "white space"),
        (" https://a.example", "white space"),
        ("https://a.example\n", "control character"),
        ("https://a..example", "no valid host"),
        ("https://a.example.", "no valid host"),
        ("https://-a.example", "no valid host"),
        ("https://2130706433", "no valid host"),
        ("https://0x7f.1", "no valid host"),
        ("https://127.1", "no valid host"),
        ("https://0177.0.0.1", "no valid host"),
        ("https://[::1", "port"),
        ("https://[fe80::1%25eth0]", "no valid host"),
        ("https://[::1]x", "no valid host"),
        ("https://a%2eexample", "no valid host"),
        ("https://a.example:", "port"),
        ("https://a.example:0", "port"),
        ("https://a.example:65536", "port"),
        ("https://a.example:+443", "port"),
        ("https://a.example:443:443", "port"),
        ("https://a.example/../v1", "segment"),
        ("https://a.example/v1/.", "segment"),
        ("https://a.example//v1", "segment"),
        ("https://a.example/v1//", "segment"),
        ("https://a.example/%2e%2e/v1", "percent-encoded"),
        ("https://a.example/v%31", "percent-encoded"),
        ("https://a.example/v1%2fx", "percent-encoded"),
        ("https://a.example/<v1>", "no URL path may hold"),
    ] {
        let refusal = refusal(text);
        assert!(refusal.contains(reason), "{text}: {refusal}");
    }
}

#[test]
fn a_refusal_shows_neither_password_nor_query() {
    for text in ["https://me:canary-pw@a.example/v1", "ftp://me:canary-pw@a.example", "https://a.example/?k=canary-pw"]
    {
        let refusal = refusal(text);
        assert!(!refusal.contains("canary"), "{refusal}");
        assert!(refusal.contains("a.example"), "{refusal}");
    }
}

#[test]
fn an_origin_covers_itself_and_what_lies_under_it_by_whole_segments() {
    let bound = origin("https://api.example/v1");
    for under in ["https://api.example/v1", "https://API.example:443/v1/", "https://api.example/v1/chat"] {
        assert!(bound.covers(&origin(under)), "{under}");
    }
    for outside in [
        "https://api.example",
        "https://api.example/v10",
        "https://api.example/V1",
        "https://api.example:444/v1",
        "https://evil.api.example/v1",
        "https://api.example.evil/v1",
    ] {
        assert!(!bound.covers(&origin(outside)), "{outside}");
    }
    assert!(!origin("https://localhost/v1").covers(&origin("http://localhost:443/v1")));
    assert!(origin("https://api.example").covers(&bound));
}

#[test]
fn a_redirect_is_covered_only_where_it_can_be_read_in_one_way() {
    let bound = origin("https://api.example/v1");
    let covers = |url: &str| bound.covers_url(&url.parse::<Uri>().unwrap());
    for url in ["https://api.example/v1", "https://Api.Example:443/v1/chat?x=1", "https://api.example/v1/"] {
        assert!(covers(url), "{url}");
    }
    for url in [
        "/v1/chat",
        "https://api.example/",
        "https://api.example/v10",
        "https://api.example/v1/../admin",
        "https://api.example/v1/%2e%2e/admin",
        "https://api.example/v1/..%2fadmin",
        "https://api.example/v1//x",
        "https://api.example/%76%31/x",
        "https://api.example:8443/v1",
        "http://api.example:443/v1",
        "https://me@api.example/v1",
        "https://api.example@evil.example/v1",
        "https://evil.example/v1",
    ] {
        assert!(!covers(url), "{url}");
    }
}

#[test]
fn join_appends_the_path_and_encodes_the_query() {
    let api = origin("https://api.example:8443/v1");
    let url = api.join("/chat/completions", &[("a b", "c&d=é"), ("key", "\r\n#?/")]).unwrap();
    assert_eq!(
        url.to_string(),
        "https://api.example:8443/v1/chat/completions?a%20b=c%26d%3D%C3%A9&key=%0D%0A%23%3F%2F"
    );
    let none: &[(&str, &str)] = &[];
    assert_eq!(origin("https://api.example").join("/", none).unwrap().to_string(), "https://api.example/");
    assert_eq!(origin("http://[::1]:9").join("/x", none).unwrap().to_string(), "http://[::1]:9/x");
}

#[test]
fn join_refuses_a_path_that_leaves_and_an_address_without_end() {
    let api = origin("https://api.example/v1");
    let none: &[(&str, &str)] = &[];
    for path in ["/../admin", "/%2e%2e/admin", "@evil.example/", ".evil.example", "//evil.example/x", "/a?b", ""] {
        assert!(matches!(api.join(path, none), Err(JoinError::Path(_))), "{path}");
    }
    assert_eq!(api.join("/x", &[("q", "x".repeat(70_000))]), Err(JoinError::TooLong));
}

proptest! {
    #[test]
    fn whatever_is_joined_lies_under_its_origin(
        prefix in "(/[a-z0-9._~-]{1,4}){0,3}",
        path in prop_oneof!["\\PC{0,20}", "[/.%\\\\@:?#a-c25eEfF]{0,16}", "/(\\.|%2[eEfF]|%25|%5c|/|a){0,8}"],
        query in proptest::collection::vec(("\\PC{0,6}", ".{0,6}"), 0..3),
    ) {
        let Ok(bound) = format!("https://api.example:8443{prefix}").parse::<Origin>() else { return Ok(()) };
        if let Ok(url) = bound.join(&path, &query) {
            prop_assert!(bound.covers_url(&url), "{url}");
            prop_assert_eq!(url.authority().map(Authority::as_str), Some("api.example:8443"));
            // What a provider's server may make of it: decoded, then dots resolved.
            let decoded = percent_encoding::percent_decode_str(url.path()).decode_utf8_lossy().into_owned();
            let mut resolved = Vec::new();
            for segment in decoded.split(['/', '\\']) {
                match segment { ".." => { resolved.pop(); } "" | "." => {} other => resolved.push(other) }
            }
            let resolved = format!("/{}", resolved.join("/"));
            prop_assert!(path::is_under(&resolved, bound.prefix()), "{}", resolved);
            prop_assert!(url.to_string().parse::<Uri>().is_ok());
        }
    }

    #[test]
    fn parsing_never_panics_and_display_is_a_fixed_point(text in prop_oneof!["\\PC{0,30}", "https?://[a-zA-Z0-9.:@/\\[\\]%-]{0,30}"]) {
        if let Ok(origin) = text.parse::<Origin>() {
            prop_assert_eq!(origin.to_string().parse::<Origin>().unwrap(), origin);
        }
    }
}

#[test]
fn an_origin_goes_where_its_neighbour_on_the_same_server_goes() {
    let origin = |url: &str| url.parse::<Origin>().unwrap();
    let moved = |to: &str| {
        let account = origin("https://chatgpt.com/backend-api/wham");
        account.beside(&origin("https://chatgpt.com/backend-api/codex"), &origin(to)).unwrap().to_string()
    };
    for (to, account) in [
        ("http://127.0.0.1:18456/backend-api/codex", "http://127.0.0.1:18456/backend-api/wham"),
        ("https://proxy.example/a/b/codex", "https://proxy.example/a/b/wham"),
        ("https://proxy.example/codex", "https://proxy.example/wham"),
        // Where nothing tells, the path stays.
        ("http://localhost:8000/v1", "http://localhost:8000/backend-api/wham"),
        ("http://localhost:8000", "http://localhost:8000/backend-api/wham"),
    ] {
        assert_eq!(moved(to), account, "{to}");
    }
    let issuer = origin("https://auth.openai.com");
    assert!(issuer.beside(&origin("https://chatgpt.com/backend-api/codex"), &origin("http://127.0.0.1:1")).is_none());
}

#[test]
fn only_a_server_of_the_open_internet_is_public() {
    for (address, public) in [
        ("https://api.openai.com/v1", true),
        ("https://a.example", true),
        ("https://A.EXAMPLE:8443", true),
        ("http://127.0.0.1:9", false),
        ("http://localhost", false),
        ("https://127.0.0.1", false),
        ("https://localhost", false),
        ("https://a.localhost", false),
        ("https://10.0.0.1", false),
        ("https://192.168.1.1", false),
        ("https://169.254.169.254/latest", false),
        ("https://100.64.0.1", false),
        // In numbers, nobody sees whose it is.
        ("https://93.184.216.34", false),
        ("https://[::1]", false),
        ("https://[fe80::1]", false),
        ("https://[fd00::1]", false),
        ("https://[::ffff:10.0.0.1]", false),
        ("https://[2606:2800:220:1::1]", false),
        ("https://router", false),
        ("https://printer.local", false),
        ("https://metadata.google.internal", false),
        ("https://nas.home.arpa", false),
        ("https://box.lan", false),
        ("https://shop.test", false),
        ("https://wiki.corp", false),
    ] {
        let origin: Origin = address.parse().unwrap_or_else(|error| panic!("{address}: {error}"));
        assert_eq!(origin.is_public(), public, "{address}");
    }
}
