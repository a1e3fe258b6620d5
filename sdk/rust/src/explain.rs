//! The default meaning of a failure, from the statuses, headers and error bodies that OpenAI, Anthropic and those who
//! copied them use. `Provider::explain` calls it; a provider with codes of its own calls it for the rest.

use std::borrow::Cow;

use bitrouter_wait::{Ends, limit_ends, milliseconds, retry_after};

use crate::{Answer, Failure, Json, Trouble, base64, kind, scope};

/// What an upstream's own code or type means. Sources: OpenAI's guide to error codes, Anthropic's API errors, and the
/// error events of OpenAI's Responses streams.
const CODES: &[(&str, &str, &str)] = &[
    ("rate_limit_exceeded", kind::RATE_LIMITED, scope::ACCOUNT),
    ("rate_limit_error", kind::RATE_LIMITED, scope::ACCOUNT),
    ("insufficient_quota", kind::USAGE_LIMIT, scope::ACCOUNT),
    ("billing_hard_limit_reached", kind::USAGE_LIMIT, scope::ACCOUNT),
    ("billing_error", kind::USAGE_LIMIT, scope::ACCOUNT),
    ("credit_balance_exhausted", kind::USAGE_LIMIT, scope::ACCOUNT),
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

/// Statuses that no body of a call brings about: who is asked, where and by which method is the component's and the
/// host's, so another account or provider may do better. A component that is asked at the wrong path answers so, too.
const MISDIRECTED: [u16; 8] = [404, 405, 406, 410, 411, 421, 425, 426];

/// What a failure means by its code, else by its status. When it ends is read in every form that providers write:
/// `retry-after-ms`, `retry-after` as seconds or as a date, and of a limit the reset of the window that is used up.
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
    match ends(answer, &failure) {
        Some(Ends::After(after)) => failure.retry_after_ms = Some(after),
        Some(Ends::At(at)) => failure.resets_at = failure.resets_at.or(Some(at)),
        None => failure.retry_after_ms = said_delay_ms(&failure).or(failure.retry_after_ms),
    }
    failure
}

fn ends(answer: &Answer, failure: &Failure) -> Option<Ends> {
    let headers = answer.headers.iter().map(|field| (field.name.as_str(), field.value.as_str()));
    match failure.kind == kind::RATE_LIMITED || failure.kind == kind::USAGE_LIMIT {
        true => limit_ends(headers, None),
        false => retry_after(headers, None),
    }
}

fn meaning(status: u16, error: &Error<'_>) -> (&'static str, &'static str) {
    let coded = error.meaning();
    match status {
        401 => (kind::UNAUTHORIZED, scope::ACCOUNT),
        402 => (kind::USAGE_LIMIT, scope::ACCOUNT),
        // The latter where a country's law or an organization's rules are in the way.
        403 | 451 => (kind::FORBIDDEN, scope::ACCOUNT),
        404 | 410 if error.speaks_of("model") => (kind::MODEL_NOT_FOUND, scope::MODEL),
        404 | 410 if error.names_what_the_call_holds() => (kind::INVALID_REQUEST, scope::REQUEST),
        _ if MISDIRECTED.contains(&status) => (kind::OTHER, scope::ACCOUNT),
        413 => (kind::CONTEXT_EXCEEDED, scope::MODEL),
        429 => coded.filter(|(kind, _)| *kind != kind::INVALID_REQUEST).unwrap_or((kind::RATE_LIMITED, scope::ACCOUNT)),
        503 | 529 => (kind::OVERLOADED, scope::MODEL),
        // With 407 a proxy on the way wants a login, with 424 a backend behind the API has failed.
        407 | 408 | 424 | 500.. => {
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
    param: Option<Cow<'a, str>>,
    /// The wait of Google's `RetryInfo`.
    retry_delay: Option<Cow<'a, str>>,
    resets_at: Option<u64>,
    resets_in_seconds: Option<u64>,
}

impl<'a> Error<'a> {
    fn of(body: Json<'a>) -> Self {
        // Google's path for OpenAI's clients answers with a list.
        let body = body.items().next().unwrap_or(body);
        let error = body.get("error").or_else(|| body.at(&["response", "error"])).unwrap_or(body);
        let text = |name| error.get(name).and_then(Json::text);
        let whole = |name| error.get(name).and_then(Json::integer);
        Self {
            message: text("message").or_else(|| text("detail")).or_else(|| error.text()),
            code: text("code"),
            class: text("type"),
            param: text("param"),
            retry_delay: error.get("details").and_then(|all| all.items().find_map(|it| it.get("retryDelay")?.text())),
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

    /// Whether it minds a member of the body, or says that something which the body names is not there.
    fn names_what_the_call_holds(&self) -> bool {
        let names = |code: &Cow<'_, str>| code.ends_with("_not_found") && code != "url_not_found";
        self.param.is_some() || self.code.as_ref().is_some_and(names)
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
        let delay = || milliseconds(self.retry_delay.as_deref()?);
        failure.retry_after_ms = self.resets_in_seconds.and_then(|seconds| seconds.checked_mul(1000)).or_else(delay);
        failure
    }
}

/// What can be said of an answer without an error message.
fn excerpt(answer: &Answer) -> String {
    let mut message = String::from("the provider answered with status ");
    message.push_str(&answer.status.to_string());
    match answer.body.trim_ascii() {
        "" => {}
        // Markup tells a person nothing.
        page if page.starts_with('<') => message.push_str(" and a page that is no JSON"),
        body => {
            message.push_str(": ");
            message.extend(body.chars().take(EXCERPT));
        }
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

/// The delay in OpenAI's "Please try again in 1.2s.", which is all that an event has; also `20ms`, `6m0s`, `3 seconds`,
/// and Google's "Please retry in 10h17m5.7s.".
fn said_delay_ms(failure: &Failure) -> Option<u64> {
    const WORDS: [&[u8]; 2] = [b"try again in", b"retry in"];
    if failure.kind != kind::RATE_LIMITED {
        return None;
    }
    let message = failure.message.as_bytes();
    let end = |words: &[u8]| {
        let at = message.windows(words.len()).position(|part| part.eq_ignore_ascii_case(words))?;
        Some(at + words.len())
    };
    let at = WORDS.iter().find_map(|words| end(words))?;
    let mut words = failure.message.get(at..)?.split_ascii_whitespace();
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
            (404, kind::OTHER),
            (405, kind::OTHER),
            (407, kind::UNAVAILABLE),
            (410, kind::OTHER),
            (421, kind::OTHER),
            (425, kind::OTHER),
            (422, kind::INVALID_REQUEST),
            (429, kind::RATE_LIMITED),
            (500, kind::UNAVAILABLE),
            (502, kind::UNAVAILABLE),
            (503, kind::OVERLOADED),
            (511, kind::UNAVAILABLE),
            (520, kind::UNAVAILABLE),
            (529, kind::OVERLOADED),
            (451, kind::FORBIDDEN),
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
    fn a_text_is_shown_in_part_and_markup_not_at_all() {
        let failure = answer(502, &"upstream connect error ".repeat(1000));
        assert!(failure.message.contains("502: upstream connect error") && failure.message.len() < 400);
        assert!(!answer(502, "  <html><b>Bad gateway</b>").message.contains('<'));
    }

    #[test]
    fn what_is_not_found_is_the_calls_own_only_where_the_error_names_a_part_of_it() {
        let meaning = |status, body: &str| {
            let failure = answer(status, body);
            (failure.kind, failure.scope)
        };
        for body in [
            "",
            "Not Found",
            r#"{"detail":"Not Found"}"#,
            r#"{"error":{"message":"Invalid URL (POST /v1/x)","type":"invalid_request_error","param":null,"code":null}}"#,
            r#"{"error":{"message":"no route","code":"url_not_found"}}"#,
            r#"{"error":{"message":"nothing here","code":"not_found"}}"#,
            "[]",
        ] {
            for status in [404, 405, 410, 421, 425, 426] {
                let expected = (kind::OTHER.to_owned(), scope::ACCOUNT.to_owned());
                assert_eq!(meaning(status, body), expected, "{status} {body}");
            }
        }
        for body in [
            r#"{"error":{"message":"Item with id 'rs_1' not found.","type":"invalid_request_error","param":"input"}}"#,
            r#"{"error":{"message":"gone","code":"previous_response_not_found"}}"#,
        ] {
            assert_eq!(meaning(404, body).0, kind::INVALID_REQUEST, "{body}");
        }
        let retired = r#"{"error":{"message":"The model `gpt-3` has been retired"}}"#;
        assert_eq!(meaning(410, retired), (kind::MODEL_NOT_FOUND.to_owned(), scope::MODEL.to_owned()));
    }

    #[test]
    fn when_to_come_back_is_read_in_every_form_with_and_without_a_clock() {
        let told = |status, headers: &[(&str, &str)], body: &str| {
            let headers = headers.iter().map(|(name, value)| Field::new(*name, *value)).collect();
            let failure = explain(&Trouble::Answer(Answer { status, headers, body: body.into(), truncated: false }));
            (failure.retry_after_ms, failure.resets_at)
        };
        const THEN: (&str, &str) = ("retry-after", "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(told(429, &[THEN], ""), (None, Some(784_111_777)));
        assert_eq!(told(429, &[THEN, ("date", "Sun, 06 Nov 1994 08:49:07 GMT")], ""), (Some(30_000), None));
        assert_eq!(told(503, &[("retry-after", "1.5")], ""), (Some(1500), None));
        assert_eq!(told(429, &[("retry-after", "soon")], ""), (None, None));
        let used_up = [("x-ratelimit-remaining-tokens", "0"), ("x-ratelimit-reset-tokens", "2m59.56s")];
        assert_eq!(told(429, &used_up, ""), (Some(179_560), None));
        assert_eq!(told(500, &used_up, ""), (None, None), "it is no limit that failed");
        let google = r#"[{"error":{"code":429,"message":"quota","details":[{"@type":"x"},{"retryDelay":"45.8s"}]}}]"#;
        assert_eq!(told(429, &[], google), (Some(45_800), None));
        assert_eq!(told(429, &[], r#"{"error":{"message":"Please retry in 1m5.7s."}}"#), (Some(65_700), None));
    }
}
