//! Tells a web page from an answer of the API: something in front of the provider (a check for robots, a captive portal, a
//! proxy) answers in its place, and then no status means what the API means by it.
//!
//! The way back asks for every answer that is no success, and for the others where it must be JSON or events and is not.

use bitrouter_plugin::contract;
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderMap};

use super::wait;
use crate::error::{Error, Page};
use crate::route::Provider;

/// How much of a body is looked at.
const LOOKED_AT: usize = 32 << 10;

/// The page that an answer is, if it is one. `body` is what came of it.
pub(super) fn of(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Option<Page> {
    // Cloudflare says so itself, whatever the page is.
    if headers.get("cf-mitigated").is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"challenge")) {
        return Some(Page::Robots);
    }
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body).trim_ascii_start();
    let body = &body[..body.len().min(LOOKED_AT)];
    let lower = body.to_ascii_lowercase();
    let has = |words: &str| memchr::memmem::find(&lower, words.as_bytes()).is_some();
    match lower.first() {
        None | Some(b'{' | b'[') => return None,
        Some(b'<') if is_of_the_web(headers) || is_markup(&lower) => {}
        // Cloudflare's refusals of its own have a number of four digits: `error code: 1020`.
        Some(b'e') if status == StatusCode::FORBIDDEN && is_refusal_of_cloudflare(&lower) => return Some(Page::Robots),
        // A text with a type that nobody chose.
        Some(_) if is_of_the_web(headers) && has("<") && has(">") => {}
        Some(_) => return None,
    }
    let robots = [
        "just a moment",
        "cf-chl",
        "cf_chl",
        "challenge-platform",
        "captcha",
        "attention required",
        "checking your browser",
        "verify you are human",
        "are you a robot",
        "unusual traffic",
        "_incapsula_",
        "px-captcha",
        "datadome",
    ];
    Some(match () {
        () if robots.into_iter().any(has) => Page::Robots,
        () if has("type=\"password\"") || has("type='password'") || has("type=password") => Page::Login,
        () if status == StatusCode::NETWORK_AUTHENTICATION_REQUIRED => Page::Login,
        () => Page::Other,
    })
}

/// The error for it.
pub(super) fn error(
    provider: &Provider,
    request: &contract::Request,
    status: StatusCode,
    headers: &HeaderMap,
    page: Page,
) -> Error {
    let host = provider.origins.get(&request.origin).map_or_else(String::new, |origin| origin.host().to_owned());
    Error::Page { provider: provider.id().to_owned(), host, status, page, ends: wait::after(headers) }
}

/// Whether the type of an answer is a web page's.
pub(super) fn is_of_the_web(headers: &HeaderMap) -> bool {
    let of_type = |value: &http::HeaderValue| {
        let value = value.as_bytes().trim_ascii_start();
        ["text/html", "application/xhtml"]
            .iter()
            .any(|page| value.get(..page.len()).is_some_and(|start| start.eq_ignore_ascii_case(page.as_bytes())))
    };
    headers.get_all(CONTENT_TYPE).iter().any(of_type)
}

/// Whether a text that begins with `<`, in lower case, begins as a page does. Other XML may be an API's own.
fn is_markup(text: &[u8]) -> bool {
    let text = match text.starts_with(b"<?xml") || text.starts_with(b"<!--") {
        // A page may stand behind either.
        true => &text[..text.len().min(1024)],
        false => &text[..text.len().min(16)],
    };
    let starts = ["<!doctype html", "<html", "<head", "<body", "<title", "<script", "<meta", "<center", "<h1"];
    starts.iter().any(|start| memchr::memmem::find(text, start.as_bytes()).is_some())
}

fn is_refusal_of_cloudflare(text: &[u8]) -> bool {
    let number = text.strip_prefix(b"error code: 1").map(<[u8]>::trim_ascii_end);
    number.is_some_and(|number| number.len() == 3 && number.iter().all(u8::is_ascii_digit))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn page(status: u16, content_type: &'static str, body: &str) -> Option<Page> {
        let headers = [(CONTENT_TYPE, HeaderValue::from_static(content_type))].into_iter().collect();
        of(StatusCode::from_u16(status).unwrap(), &headers, body.as_bytes())
    }

    #[test]
    fn a_page_is_one_whatever_its_status_and_its_type_say() {
        for (status, content_type, body, expected) in [
            (403, "text/html; charset=UTF-8", "<!DOCTYPE html><title>Just a moment...</title>", Page::Robots),
            (429, "Text/HTML", "\u{feff}\n <HTML><title>Attention Required! | Cloudflare", Page::Robots),
            (503, "application/json", "<!doctype html><script src=/cdn-cgi/challenge-platform>", Page::Robots),
            (403, "text/plain; charset=UTF-8", "error code: 1020\n", Page::Robots),
            (401, "text/html", "<html><form><input type=\"password\">", Page::Login),
            (511, "text/html", "<html>Welcome to the hotel", Page::Login),
            (502, "text/html", "<html>\r\n<head><title>502 Bad Gateway</title></head>", Page::Other),
            (404, "text/plain", "<html><body>nginx", Page::Other),
            (520, "application/xhtml+xml", "<?xml version=\"1.0\"?><html>", Page::Other),
            (200, "text/html", "Welcome <b>to</b> the hotel", Page::Other),
            (200, "", "<!-- x --><html>", Page::Other),
        ] {
            assert_eq!(page(status, content_type, body), Some(expected), "{status} {content_type} {body}");
        }
        let challenge = [("cf-mitigated", "challenge")]
            .map(|(name, value)| (http::HeaderName::from_static(name), HeaderValue::from_static(value)));
        assert_eq!(of(StatusCode::FORBIDDEN, &challenge.into_iter().collect(), b""), Some(Page::Robots));
    }

    #[test]
    fn what_an_api_answers_is_no_page_though_its_type_be_wrong_and_it_speak_of_markup() {
        for (status, content_type, body) in [
            (401, "text/html", "{\"error\":{\"message\":\"no\"}}"),
            (500, "text/html", " [1]"),
            (403, "text/html", ""),
            (403, "text/plain", "Forbidden"),
            (429, "text/plain", "error code: 1015"),
            (503, "text/plain", "upstream connect error or disconnect/reset before headers"),
            (403, "application/xml", "<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code></Error>"),
            (500, "application/json", "{\"error\":\"<html>captcha</html>\"}"),
            (500, "text/plain", "see <https://example.com>"),
        ] {
            assert_eq!(page(status, content_type, body), None, "{status} {content_type} {body}");
        }
    }
}
