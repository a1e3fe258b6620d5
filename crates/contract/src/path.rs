//! The path of a request: what may be joined to an origin without leaving it.
//!
//! Origin checks every path here, a component's as well as a redirect's. A path that two programs could read as two
//! places, by dots, slashes or encodings, is refused and never repaired.

use percent_encoding::percent_decode;
use thiserror::Error;

/// How often a path may be decoded between us and the provider (a proxy, a framework) before it is read.
const DECODINGS: usize = 3;

/// Why a path is refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PathError {
    /// It does not begin with `/`.
    #[error("the path `{0}` does not begin with `/`")]
    Relative(String),
    /// It has an empty, `.` or `..` segment, as it stands or once decoded.
    #[error("the path `{0}` has an empty, `.` or `..` segment, or a backslash: write the path that is meant")]
    Segment(String),
    /// It holds a query or fragment.
    #[error("the path `{0}` holds a `?` or `#`: give query parameters as such, and encode the character elsewhere")]
    Query(String),
    /// It holds what a path may not hold, or a `%` without two hexadecimal digits.
    #[error("the path `{0}` holds a character that a path cannot: percent-encode it")]
    Character(String),
    /// It holds an encoded control character.
    #[error("the path `{0}` holds a control character: take it out")]
    Control(String),
}

/// Whether a path is safe to append to an origin's prefix: it begins with `/`, has only characters that RFC 3986
/// (section 3.3) allows there, and no segment that any number of decodings turns into `.`, `..` or nothing. One `/` at
/// the end is fine.
pub(super) fn check(path: &str) -> Result<(), PathError> {
    let shown = || path.escape_debug().take(200).collect::<String>();
    if !path.starts_with('/') {
        return Err(PathError::Relative(shown()));
    }
    if path.contains(['?', '#']) {
        return Err(PathError::Query(shown()));
    }
    if path.contains('\\') || has_bad_segment(path.as_bytes()) {
        return Err(PathError::Segment(shown()));
    }
    if !is_well_formed(path.as_bytes()) {
        return Err(PathError::Character(shown()));
    }
    if path.contains('%') { check_decoded(path, shown) } else { Ok(()) }
}

/// Whether `path` is `prefix` or lies under it, by whole segments: `/v1` covers `/v1/chat` and not `/v10`.
pub(super) fn is_under(path: &str, prefix: &str) -> bool {
    path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn check_decoded(path: &str, shown: impl Fn() -> String) -> Result<(), PathError> {
    let mut decoded = path.as_bytes().to_vec();
    for _ in 0..DECODINGS {
        let next: Vec<u8> = percent_decode(&decoded).collect();
        if next == decoded {
            return Ok(());
        }
        if next.iter().any(u8::is_ascii_control) {
            return Err(PathError::Control(shown()));
        }
        if next.contains(&b'\\') || has_bad_segment(&next) {
            return Err(PathError::Segment(shown()));
        }
        decoded = next;
    }
    // Whatever is encoded more often than that is meant to deceive.
    Err(PathError::Character(shown()))
}

fn has_bad_segment(path: &[u8]) -> bool {
    let inner = path.strip_prefix(b"/").unwrap_or(path);
    let inner = inner.strip_suffix(b"/").unwrap_or(inner);
    path != b"/" && inner.split(|&byte| byte == b'/').any(|segment| matches!(segment, b"" | b"." | b".."))
}

fn is_well_formed(path: &[u8]) -> bool {
    let mut at = 0;
    while let Some(&byte) = path.get(at) {
        let step = match byte {
            b'%' if path.get(at + 1..at + 3).is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit)) => 3,
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'.' | b'_' | b'~' => 1,
            b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'=' | b':' | b'@' => 1,
            _ => return false,
        };
        at += step;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usual_paths_of_providers_are_taken() {
        for path in [
            "/",
            "/chat/completions",
            "/files/",
            "/v1beta/models/gemini-2.5-pro:streamGenerateContent",
            "/model/anthropic.claude-v2%3A1/invoke",
            "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Ainference-profile%2Fus.anthropic/invoke",
            "/deployments/gpt-4.1/chat",
            "/a/.well-known/...",
        ] {
            assert_eq!(check(path), Ok(()), "{path}");
        }
    }

    #[test]
    fn dot_segments_are_refused_however_they_are_written() {
        for path in [
            "/..",
            "/../x",
            "/a/./b",
            "/a/..",
            "/%2e%2e/x",
            "/.%2E/x",
            "/%252e%252e/x",
            "/a%2f..%2fb",
            "/a/..%5cb",
            "/a\\..\\b",
            "/a//b",
            "//host/x",
            "/a%2f%2fb",
            "/a%2f/b",
            "/%2e",
            "/%25252e%25252e",
        ] {
            assert!(matches!(check(path), Err(PathError::Segment(_))), "{path}: {:?}", check(path));
        }
    }

    #[test]
    fn controls_queries_and_broken_encodings_are_refused() {
        assert!(matches!(check("chat"), Err(PathError::Relative(_))));
        assert!(matches!(check(""), Err(PathError::Relative(_))));
        assert!(matches!(check("/a?b"), Err(PathError::Query(_))));
        assert!(matches!(check("/a#b"), Err(PathError::Query(_))));
        assert!(matches!(check("/a%0d%0aHost:x"), Err(PathError::Control(_))));
        assert!(matches!(check("/a%00"), Err(PathError::Control(_))));
        for path in ["/a b", "/a\r\n", "/é", "/a%", "/a%2", "/a%zz", "/a\"b", "/a\u{0}"] {
            assert!(matches!(check(path), Err(PathError::Character(_))), "{path}: {:?}", check(path));
        }
        assert!(matches!(check("/%2525252541"), Err(PathError::Character(_))));
    }

    #[test]
    fn a_prefix_covers_by_whole_segments() {
        assert!(is_under("/v1", "/v1"));
        assert!(is_under("/v1/chat", "/v1"));
        assert!(is_under("/v1", ""));
        assert!(!is_under("/v10", "/v1"));
        assert!(!is_under("/v1", "/v1/chat"));
    }

    #[test]
    fn a_refusal_names_the_path_and_what_to_do() {
        let error = check("/a/../b").unwrap_err().to_string();
        assert!(error.contains("`/a/../b`") && error.contains("write the path that is meant"), "{error}");
    }
}
