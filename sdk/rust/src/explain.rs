//! The default meaning of a failure, from the statuses, headers and error bodies that OpenAI, Anthropic and those who
//! copied them use. `Provider::explain` calls it; a provider with codes of its own calls it for the rest.

use std::borrow::Cow;

use crate::limits::milliseconds;
use crate::{Answer, Failure, Json, Trouble, base64, kind, scope};

/// What an upstream's own code or type means. Sources: OpenAI's guide to error codes, Anthropic's API errors, and the
/// error events of OpenAI's Responses streams.
const CODES: &[(&str, &str, &str)] = &[
    ("rate_limit_exceeded", kind::RATE_LIMITED, scope::ACCOUNT),
    ("rate_limit_error", kind::RATE_LIMITED, scope::ACCOUNT),
    ("insufficient_quota", kind::USAGE_LIMIT, scope::ACCOUNT),
    ("billing_hard_limit_reached", kind::USAGE_LIMIT, scope::ACCOUNT),
    ("billing_error", kind::USAGE_LIMIT, scope::ACCOUNT),
    ("usage_limit_reached", kind::USAGE_LIMIT, scope::ACCOUNT),
    ("overloaded_error", kind::OVERLOADED, scope::MODEL),
    ("server_is_overloaded", kind::OVERLOADED, scope::MODEL),
    ("slow_down", kind::OVERLOADED, scope::MODEL),
    ("server_error", kind::UNAVAILABLE, scope::PROVIDER),
    ("api_error", kind::UNAVAILABLE, scope::PROVIDER),
    ("timeout_error", kind::UNAVAILABLE, scope::PROVIDER),
    ("invalid_api_key", kind::UNAUTHORIZED, scope::ACCOUNT),
    ("authentication_error", kind::UNAUTHORIZED, scope::ACCOUNT),
    ("permission_error", kind::FORBIDDEN, scope::ACCOUNT),
    ("model_not_found", kind::MODEL_NOT_FOUND, scope::MODEL),
    ("not_found_error", kind::MODEL_NOT_FOUND, scope::MODEL),
    ("context_length_exceeded", kind::CONTEXT_EXCEEDED, scope::MODEL),
    ("request_too_large", kind::CONTEXT_EXCEEDED, scope::MODEL),
    ("content_filter", kind::CONTENT_FILTERED, scope::MODEL),
    ("content_policy_violation", kind::CONTENT_FILTERED, scope::MODEL),
    ("invalid_prompt", kind::CONTENT_FILTERED, scope::MODEL),
    ("invalid_request_error", kind::INVALID_REQUEST, scope::REQUEST),
];

/// How much of a body that is not JSON is shown to a person.
const EXCERPT: usize = 300;

/// What a failure means by its code, else by its status. `retry-after-ms` and `retry-after` in seconds are read.
pub fn explain(trouble: &Trouble) -> Failure {
    match trouble {
        Trouble::Answer(answer) => explain_answer(answer),
        Trouble::Event(text) => {
            let error = Error::of(Json::parse(text));
            let (kind, scope) = error.meaning().unwrap_or((kind::OTHER, scope::PROVIDER));
            let mut failure = error.failure(kind, scope, "the provider broke off its answer with an error");
            failure.retry_after_ms = said_delay_ms(&failure).or(failure.retry_after_ms);
            failure
        }
    }
}

fn explain_answer(answer: &Answer) -> Failure {
    let error = Error::of(answer.json());
    let (kind, scope) = meaning(answer.status, &error);
    let mut failure = error.failure(kind, scope, "");
    if failure.message.is_empty() {
        failure.message = excerpt(answer);
    }
    failure.code = failure.code.or_else(|| code_in_headers(answer));
    let after = retry_after_ms(answer).or_else(|| said_delay_ms(&failure));
    failure.retry_after_ms = after.or(failure.retry_after_ms);
    failure
}

fn meaning(status: u16, error: &Error<'_>) -> (&'static str, &'static str) {
    let coded = error.meaning();
    match status {
        401 => (kind::UNAUTHORIZED, scope::ACCOUNT),
        402 => (kind::USAGE_LIMIT, scope::ACCOUNT),
        403 => (kind::FORBIDDEN, scope::ACCOUNT),
        404 if !error.speaks_of("model") => (kind::INVALID_REQUEST, scope::REQUEST),
        404 => (kind::MODEL_NOT_FOUND, scope::MODEL),
        413 => (kind::CONTEXT_EXCEEDED, scope::MODEL),
        429 => coded.filter(|(kind, _)| *kind != kind::INVALID_REQUEST).unwrap_or((kind::RATE_LIMITED, scope::ACCOUNT)),
        503 | 529 => (kind::OVERLOADED, scope::MODEL),
        408 | 500.. => {
            coded.filter(|(kind, _)| *kind == kind::OVERLOADED).unwrap_or((kind::UNAVAILABLE, scope::PROVIDER))
        }
        _ if error.speaks_of("prompt is too long") || error.speaks_of("maximum context length") => {
            (kind::CONTEXT_EXCEEDED, scope::MODEL)
        }
        400.. => coded.unwrap_or((kind::INVALID_REQUEST, scope::REQUEST)),
        _ => (kind::OTHER, scope::PROVIDER),
    }
}

/// An error as these bodies say it: `{"error": {…}}`, `{"response": {"error": {…}}}`, `{"error": "…"}`, or flat.
struct Error<'a> {
    message: Option<Cow<'a, str>>,
    code: Option<Cow<'a, str>>,
    class: Option<Cow<'a, str>>,
    resets_at: Option<u64>,
    resets_in_seconds: Option<u64>,
}

impl<'a> Error<'a> {
    fn of(body: Json<'a>) -> Self {
        let error = body.get("error").or_else(|| body.at(&["response", "error"])).unwrap_or(body);
        let text = |name| error.get(name).and_then(Json::text);
        let whole = |name| error.get(name).and_then(Json::integer);
        Self {
            message: text("message").or_else(|| text("detail")).or_else(|| error.text()),
            code: text("code"),
            class: text("type"),
            resets_at: whole("resets_at"),
            resets_in_seconds: whole("resets_in_seconds"),
        }
    }

    /// By the code, which says more, else by the type.
    fn meaning(&self) -> Option<(&'static str, &'static str)> {
        let known = |code: &Cow<'_, str>| CODES.iter().find(|(name, ..)| code == name);
        let &(_, kind, scope) = self.code.as_ref().and_then(known).or_else(|| self.class.as_ref().and_then(known))?;
        Some((kind, scope))
    }

    fn speaks_of(&self, words: &str) -> bool {
        // Not `str::contains`, whose search for long texts would be a tenth of a small component.
        let says = |text: &Option<Cow<'_, str>>| {
            text.as_ref().is_some_and(|text| text.as_bytes().windows(words.len()).any(|part| part == words.as_bytes()))
        };
        says(&self.message) || says(&self.code)
    }

    fn failure(self, kind: &str, scope: &str, fallback: &str) -> Failure {
        let message = self.message.unwrap_or(fallback.into());
        let mut failure = Failure::new(kind, scope, message);
        failure.code = self.code.or(self.class).map(Cow::into_owned);
        failure.resets_at = self.resets_at;
        failure.retry_after_ms = self.resets_in_seconds.and_then(|seconds| seconds.checked_mul(1000));
        failure
    }
}

/// What can be said of an answer without an error message.
fn excerpt(answer: &Answer) -> String {
    let mut message = String::from("the provider answered with status ");
    message.push_str(&answer.status.to_string());
    let body = answer.body.trim_ascii();
    if !body.is_empty() {
        message.push_str(": ");
        message.extend(body.chars().take(EXCERPT));
    }
    message
}

/// The code of an answer of OpenAI's whose body has none: two headers may say it, one of them as JSON in base64.
fn code_in_headers(answer: &Answer) -> Option<String> {
    let sealed = || {
        let json = String::from_utf8(base64(answer.header("x-error-json")?)?).ok()?;
        Some(Json::parse(&json).at(&["error", "code"])?.text()?.into())
    };
    answer.header("x-openai-authorization-error").map(Into::into).or_else(sealed)
}

fn retry_after_ms(answer: &Answer) -> Option<u64> {
    if let Some(milliseconds) = answer.header("retry-after-ms").and_then(|value| value.parse().ok()) {
        return Some(milliseconds);
    }
    let seconds: u64 = answer.header("retry-after")?.parse().ok()?;
    Some(seconds.saturating_mul(1000))
}

/// The delay in OpenAI's "Please try again in 1.2s.", which is all that an event has; also `20ms`, `6m0s`, `3 seconds`.
fn said_delay_ms(failure: &Failure) -> Option<u64> {
    const WORDS: &[u8] = b"try again in";
    if failure.kind != kind::RATE_LIMITED {
        return None;
    }
    let at = failure.message.as_bytes().windows(WORDS.len()).position(|part| part.eq_ignore_ascii_case(WORDS))?;
    let mut words = failure.message.get(at + WORDS.len()..)?.split_ascii_whitespace();
    let delay = words.next()?.trim_end_matches(['.', ',']);
    if delay.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return milliseconds(&[delay, words.next()?.trim_end_matches(['.', ','])].concat());
    }
    milliseconds(delay)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Field;

    fn answer(status: u16, body: &str) -> Failure {
        let headers = vec![Field::new("retry-after", "7")];
        explain(&Trouble::Answer(Answer { status, headers, body: body.into(), truncated: false }))
    }

    #[test]
    fn a_code_says_more_than_its_status() {
        let failure = answer(
            429,
            r#"{"error":{"message":"You exceeded your quota","type":"insufficient_quota","code":"insufficient_quota"}}"#,
        );
        assert_eq!((failure.kind.as_str(), failure.scope.as_str()), (kind::USAGE_LIMIT, scope::ACCOUNT));
        assert_eq!(failure.message, "You exceeded your quota");
        assert_eq!(failure.code.as_deref(), Some("insufficient_quota"));
        assert_eq!(failure.retry_after_ms, Some(7000));
    }

    #[test]
    fn a_code_that_only_a_header_has_is_found_and_so_is_the_end_of_a_limit() {
        let with = |name: &str, value: &str| {
            let headers = vec![Field::new(name, value)];
            let answer = Answer { status: 401, headers, body: String::new(), truncated: false };
            explain(&Trouble::Answer(answer)).code
        };
        let sealed = "eyJlcnJvciI6eyJjb2RlIjoidG9rZW5fZXhwaXJlZCJ9fQ==";
        assert_eq!(with("x-error-json", sealed).as_deref(), Some("token_expired"));
        assert_eq!(with("x-openai-authorization-error", "missing").as_deref(), Some("missing"));
        assert_eq!(with("x-error-json", "no base64!"), None);
        let event = r#"{"type":"error","error":{"type":"usage_limit_reached","resets_at":9,"resets_in_seconds":5}}"#;
        let failure = explain(&Trouble::Event(event.into()));
        assert_eq!((failure.resets_at, failure.retry_after_ms), (Some(9), Some(5000)));
    }

    #[test]
    fn statuses_without_a_body_have_a_meaning_and_a_sentence() {
        for (status, kind) in [
            (400, kind::INVALID_REQUEST),
            (401, kind::UNAUTHORIZED),
            (403, kind::FORBIDDEN),
            (404, kind::INVALID_REQUEST),
            (422, kind::INVALID_REQUEST),
            (429, kind::RATE_LIMITED),
            (500, kind::UNAVAILABLE),
            (502, kind::UNAVAILABLE),
            (503, kind::OVERLOADED),
            (529, kind::OVERLOADED),
            (302, kind::OTHER),
        ] {
            let failure = answer(status, "");
            assert_eq!(failure.kind, kind, "{status}");
            assert!(failure.message.ends_with(&status.to_string()), "{}", failure.message);
        }
    }

    #[test]
    fn anthropic_shapes_are_read() {
        let overloaded = r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#;
        assert_eq!(answer(529, overloaded).kind, kind::OVERLOADED);
        let failure = explain(&Trouble::Event(overloaded.into()));
        assert_eq!((failure.kind.as_str(), failure.message.as_str()), (kind::OVERLOADED, "Overloaded"));
        let long = r#"{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 2 > 1"}}"#;
        assert_eq!(answer(400, long).kind, kind::CONTEXT_EXCEEDED);
        let model = r#"{"type":"error","error":{"type":"not_found_error","message":"model: claude-9"}}"#;
        assert_eq!(answer(404, model).kind, kind::MODEL_NOT_FOUND);
    }

    #[test]
    fn error_events_of_responses_streams_are_read_nested_and_flat() {
        let nested =
            r#"{"type":"response.failed","response":{"error":{"code":"rate_limit_exceeded","message":"slow"}}}"#;
        let failure = explain(&Trouble::Event(nested.into()));
        assert_eq!((failure.kind.as_str(), failure.message.as_str()), (kind::RATE_LIMITED, "slow"));
        let flat = r#"{"type":"error","code":"server_error","message":"oops","param":null}"#;
        let failure = explain(&Trouble::Event(flat.into()));
        assert_eq!((failure.kind.as_str(), failure.message.as_str()), (kind::UNAVAILABLE, "oops"));
    }

    #[test]
    fn a_delay_that_only_the_message_says_is_read_in_every_form() {
        for (message, expected) in [
            ("Limit 1, used 1. Please try again in 1.2s. Visit a page.", Some(1200)),
            ("Please try again in 20ms.", Some(20)),
            ("Try again in 6m0s", Some(360_000)),
            ("try again in 3 seconds.", Some(3000)),
            ("Please try again in a while.", None),
            ("Please try again in 5", None),
            ("Please try again in", None),
        ] {
            let event = format!(r#"{{"type":"error","code":"rate_limit_exceeded","message":"{message}"}}"#);
            assert_eq!(explain(&Trouble::Event(event)).retry_after_ms, expected, "{message}");
        }
        let event = r#"{"type":"error","code":"server_error","message":"Please try again in 9s"}"#;
        assert_eq!(explain(&Trouble::Event(event.into())).retry_after_ms, None);
    }

    #[test]
    fn a_page_that_is_no_json_is_shown_in_part() {
        let failure = answer(502, &"<html>".repeat(1000));
        assert!(failure.message.contains("502: <html>") && failure.message.len() < 400);
    }
}
