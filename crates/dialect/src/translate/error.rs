//! Errors of an upstream in the words of another dialect's client: the vendor's sentence stays, its shape and what tools
//! act on are rewritten. The host calls it for the body of a failed answer, `stream` for an error inside one.

use crate::dialect::Dialect;
use crate::error::{ApiError, ErrorKind, ParsedError, parse_error};

/// What is said when the upstream said nothing.
const SILENT: &str = "the upstream failed without saying why";

/// The error that a client of that dialect is answered with, for an upstream's answer of another dialect that failed.
pub fn error(upstream: Dialect, client: Dialect, status: u16, body: &[u8]) -> ApiError {
    let mut error = parse_error(status, body).unwrap_or_else(|| ParsedError {
        kind: ErrorKind::from_status(status),
        message: excerpt(body),
        ..ParsedError::default()
    });
    as_client_reads(&mut error, upstream, client);
    ApiError { status, ..api_error(&error) }
}

/// An upstream's error as one of ours.
pub(crate) fn api_error(error: &ParsedError) -> ApiError {
    let message = if error.message.is_empty() { SILENT } else { &error.message };
    ApiError {
        code: error.code.clone(),
        param: error.param.clone(),
        retry_after: error.retry_after,
        resets_at: error.resets_at,
        ..ApiError::new(error.kind, message)
    }
}

/// Brings an error to what a client of that dialect acts on: a prompt that is too long reads as one, and no code of one
/// vendor stands where another's is expected.
pub(crate) fn as_client_reads(error: &mut ParsedError, upstream: Dialect, client: Dialect) {
    if matches!(error.kind, ErrorKind::InvalidRequest | ErrorKind::PayloadTooLarge) && says_too_long(&error.message) {
        error.kind = ErrorKind::ContextWindow;
        error.code = None;
    }
    // Google's `UNAVAILABLE` is what others call overloaded, which their clients wait for.
    if upstream == Dialect::GenerateContent && error.kind == ErrorKind::Unavailable {
        error.kind = ErrorKind::Overloaded;
    }
    let is_openai = |dialect| matches!(dialect, Dialect::ChatCompletions | Dialect::Responses);
    if !(is_openai(upstream) && is_openai(client)) {
        error.code = None;
        error.param = None;
    }
    // Other servers write the status there.
    error.code = error.code.take().filter(|code| !code.bytes().all(|byte| byte.is_ascii_digit()));
    let claude = client == Dialect::Messages && error.kind == ErrorKind::ContextWindow;
    if claude && !error.message.to_ascii_lowercase().contains("prompt is too long") {
        error.message = format!("prompt is too long: {}", error.message);
    }
}

/// Whether the sentence is of a prompt that does not fit, in the words of the vendors and of the servers that many run.
fn says_too_long(message: &str) -> bool {
    let message = message.to_ascii_lowercase();
    [
        "prompt is too long",
        "input is too long",
        "maximum context length",
        "context length",
        "context window",
        "context size",
        "exceeds the maximum number of tokens",
        "exceed context limit",
        "maximum number of input tokens",
    ]
    .into_iter()
    .any(|words| message.contains(words))
}

/// The beginning of a body that is no error of any known shape.
fn excerpt(body: &[u8]) -> String {
    String::from_utf8_lossy(&body[..body.len().min(2048)]).trim().chars().take(300).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLAUDE: &str = r#"{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 210000 tokens > 200000 maximum"},"request_id":"r"}"#;
    const OPENAI: &str = r#"{"error":{"message":"Your input exceeds the context window of this model.","type":"invalid_request_error","param":"input","code":"context_length_exceeded"}}"#;
    const GOOGLE: &str = r#"{"error":{"code":400,"message":"The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).","status":"INVALID_ARGUMENT"}}"#;

    fn body(upstream: Dialect, client: Dialect, status: u16, body: &str) -> String {
        String::from_utf8_lossy(&error(upstream, client, status, body.as_bytes()).body(client)).into_owned()
    }

    #[test]
    fn a_prompt_that_is_too_long_reads_as_one_everywhere() {
        for (upstream, text) in
            [(Dialect::Messages, CLAUDE), (Dialect::Responses, OPENAI), (Dialect::GenerateContent, GOOGLE)]
        {
            for client in Dialect::ALL.into_iter().filter(|client| *client != upstream) {
                let body = body(upstream, client, 400, text);
                match client {
                    Dialect::Messages => assert!(body.contains(r#""message":"prompt is too long"#), "{body}"),
                    Dialect::GenerateContent => assert!(body.contains(r#""status":"INVALID_ARGUMENT""#), "{body}"),
                    _ => assert!(body.contains(r#""code":"context_length_exceeded""#), "{body}"),
                }
            }
        }
    }

    #[test]
    fn the_sentence_and_the_wait_stay() {
        let limited = r#"{"error":{"code":429,"message":"Quota exceeded.","status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"7s"}]}}"#;
        let error = error(Dialect::GenerateContent, Dialect::Messages, 429, limited.as_bytes());
        assert_eq!((error.status, error.retry_after), (429, Some(7)));
        let body = error.body(Dialect::Messages);
        let body = String::from_utf8_lossy(&body);
        assert!(body.contains("rate_limit_error") && body.contains("Quota exceeded."), "{body}");
    }

    #[test]
    fn a_body_of_no_known_shape_is_quoted() {
        let error = error(Dialect::Messages, Dialect::ChatCompletions, 502, b"<html>Bad gateway</html>");
        assert_eq!((error.status, error.kind), (502, ErrorKind::Upstream));
        assert!(error.message.contains("Bad gateway"));
        assert_eq!(super::error(Dialect::Messages, Dialect::ChatCompletions, 500, b"").message, SILENT);
    }
}
