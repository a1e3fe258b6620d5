//! What failures mean, in each shape in which an upstream writes them, and when they end, in each form.

use bitrouter_contract::description::Errors;
use bitrouter_contract::{FailureKind, Scope};
use bitrouter_dialect::{Failure, Trouble};

fn answer(status: u16, body: &str) -> Failure {
    with(status, &[], body)
}

fn with(status: u16, headers: &[(&str, &str)], body: &str) -> Failure {
    Failure::of(&Errors::default(), Trouble::Answer { status, headers, body })
}

fn event(data: &str) -> Failure {
    Failure::of(&Errors::default(), Trouble::Event { headers: &[], data })
}

fn meaning(failure: &Failure) -> String {
    format!("{} {}", failure.kind.word(), failure.scope.word())
}

#[test]
fn each_shape_of_each_dialect_is_read_by_its_code_and_then_by_its_status() {
    for (status, body, expected, message, code) in [
        // OpenAI: Chat Completions and Responses.
        (
            429,
            r#"{"error":{"message":"You exceeded your quota","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}"#,
            "no-credit account",
            "You exceeded your quota",
            "insufficient_quota",
        ),
        (429, r#"{"error":{"message":"Slow","type":"requests"}}"#, "rate-limited account", "Slow", "requests"),
        (
            400,
            r#"{"error":{"message":"Too long","type":"invalid_request_error","code":"context_length_exceeded"}}"#,
            "context-exceeded model",
            "Too long",
            "context_length_exceeded",
        ),
        (
            400,
            r#"{"error":{"message":"This model's maximum context length is 8 tokens","type":"x"}}"#,
            "context-exceeded model",
            "This model's maximum context length is 8 tokens",
            "x",
        ),
        (
            404,
            r#"{"error":{"message":"The model `x` does not exist","code":"model_not_found"}}"#,
            "model-not-found model",
            "The model `x` does not exist",
            "model_not_found",
        ),
        (500, r#"{"error":{"message":"Oops","type":"server_error"}}"#, "unavailable provider", "Oops", "server_error"),
        (500, r#"{"error":{"message":"Full","code":"slow_down"}}"#, "overloaded model", "Full", "slow_down"),
        // Anthropic: Messages.
        (
            529,
            r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"},"request_id":"r"}"#,
            "overloaded model",
            "Overloaded",
            "overloaded_error",
        ),
        (
            400,
            r#"{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 2 > 1"}}"#,
            "context-exceeded model",
            "prompt is too long: 2 > 1",
            "invalid_request_error",
        ),
        (
            404,
            r#"{"type":"error","error":{"type":"not_found_error","message":"model: claude-9"}}"#,
            "model-not-found model",
            "model: claude-9",
            "not_found_error",
        ),
        (
            402,
            r#"{"type":"error","error":{"type":"billing_error","message":"No credit"}}"#,
            "no-credit account",
            "No credit",
            "billing_error",
        ),
        // Google: generateContent, and its path for OpenAI's clients, whose errors are a list.
        (
            429,
            r#"{"error":{"code":429,"message":"Quota exceeded","status":"RESOURCE_EXHAUSTED"}}"#,
            "rate-limited account",
            "Quota exceeded",
            "RESOURCE_EXHAUSTED",
        ),
        (
            400,
            r#"[{"error":{"code":400,"message":"Bad","status":"INVALID_ARGUMENT"}}]"#,
            "invalid-request request",
            "Bad",
            "INVALID_ARGUMENT",
        ),
        (
            400,
            r#"{"error":{"code":400,"message":"API key not valid.","status":"INVALID_ARGUMENT","details":[{"reason":"API_KEY_INVALID"}]}}"#,
            "unauthorized account",
            "API key not valid.",
            "API_KEY_INVALID",
        ),
        (
            404,
            r#"{"error":{"code":404,"message":"models/x is not found","status":"NOT_FOUND"}}"#,
            "model-not-found model",
            "models/x is not found",
            "NOT_FOUND",
        ),
        (
            403,
            r#"{"error":{"code":403,"message":"No","status":"PERMISSION_DENIED"}}"#,
            "forbidden account",
            "No",
            "PERMISSION_DENIED",
        ),
        (
            503,
            r#"{"error":{"code":503,"message":"Busy","status":"UNAVAILABLE"}}"#,
            "overloaded model",
            "Busy",
            "UNAVAILABLE",
        ),
        (
            504,
            r#"{"error":{"code":504,"message":"Late","status":"DEADLINE_EXCEEDED"}}"#,
            "unavailable provider",
            "Late",
            "DEADLINE_EXCEEDED",
        ),
        // FastAPI: a text, an object, a list.
        (422, r#"{"detail":"No"}"#, "invalid-request request", "No", ""),
        (400, r#"{"detail":{"message":"No","code":"bad"}}"#, "invalid-request request", "No", "bad"),
        (
            422,
            r#"{"detail":[{"loc":["body","x"],"msg":"Field required","type":"missing"}]}"#,
            "invalid-request request",
            "Field required",
            "missing",
        ),
        (401, r#"{"detail":"Unauthorized"}"#, "unauthorized account", "Unauthorized", ""),
        // Flat, as Mistral, Cohere and Bedrock.
        (400, r#"{"message":"Too hot"}"#, "invalid-request request", "Too hot", ""),
        (
            429,
            r#"{"object":"error","message":"Slow","type":"rate_limit_error","code":"1300"}"#,
            "rate-limited account",
            "Slow",
            "1300",
        ),
        // A number as the code, as OpenRouter and Z.ai.
        (429, r#"{"error":{"code":429,"message":"Slow"}}"#, "rate-limited account", "Slow", "429"),
        (402, r#"{"error":{"code":402,"message":"No credit"}}"#, "no-credit account", "No credit", "402"),
        (
            400,
            r#"{"error":{"code":"1261","message":"Prompt too long"}}"#,
            "invalid-request request",
            "Prompt too long",
            "1261",
        ),
        // A text as the error.
        (403, r#"{"error":"nope"}"#, "forbidden account", "nope", ""),
        (
            400,
            r#"{"error":"invalid_grant","error_description":"Old"}"#,
            "invalid-request request",
            "Old",
            "invalid_grant",
        ),
    ] {
        let failure = answer(status, body);
        let read = (meaning(&failure), failure.message.as_str(), failure.code.as_deref().unwrap_or_default());
        assert_eq!(read, (expected.to_owned(), message, code), "{status} {body}");
    }
}

#[test]
fn each_shape_of_an_error_event_is_read_by_its_code_and_then_by_the_status_that_it_names() {
    for (data, expected, message) in [
        (
            r#"{"type":"response.failed","response":{"error":{"code":"rate_limit_exceeded","message":"slow"}}}"#,
            "rate-limited account",
            "slow",
        ),
        (r#"{"type":"error","code":"server_error","message":"oops","param":null}"#, "unavailable provider", "oops"),
        (r#"{"type":"error","status":401,"error":{"type":"x","message":"who"}}"#, "unauthorized account", "who"),
        (
            r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
            "overloaded model",
            "Overloaded",
        ),
        (r#"{"error":{"code":429,"message":"Q","status":"RESOURCE_EXHAUSTED"}}"#, "rate-limited account", "Q"),
        (r#"[{"error":{"code":503,"message":"B","status":"UNAVAILABLE"}}]"#, "overloaded model", "B"),
        (r#"{"error":{"code":402,"message":"No credit"},"choices":[]}"#, "no-credit account", "No credit"),
        (r#"{"error":{"message":"Hm","code":"of_tomorrow"}}"#, "other provider", "Hm"),
        (r#"{"detail":"Hm"}"#, "other provider", "Hm"),
        (r#"{"message":"Hm"}"#, "other provider", "Hm"),
        (
            r#"{"type":"response.failed","response":{"error":null}}"#,
            "other provider",
            "the provider broke off its answer with an error",
        ),
        ("not json", "other provider", "the provider broke off its answer with an error"),
    ] {
        let failure = event(data);
        assert_eq!((meaning(&failure), failure.message.as_str()), (expected.to_owned(), message), "{data}");
    }
    let failed = event(r#"{"type":"response.failed","response":{"error":null}}"#);
    assert_eq!(failed.code, None, "an event's type is no code");
}

#[test]
fn statuses_without_a_body_have_a_meaning_and_a_sentence() {
    for (status, expected) in [
        (400, "invalid-request request"),
        (401, "unauthorized account"),
        (402, "no-credit account"),
        (403, "forbidden account"),
        (404, "other account"),
        (405, "other account"),
        (407, "unavailable provider"),
        (408, "unavailable provider"),
        (410, "other account"),
        (413, "context-exceeded model"),
        (421, "other account"),
        (422, "invalid-request request"),
        (424, "unavailable provider"),
        (425, "other account"),
        (429, "rate-limited account"),
        (451, "forbidden account"),
        (498, "overloaded model"),
        (499, "unavailable provider"),
        (500, "unavailable provider"),
        (501, "unsupported provider"),
        (502, "unavailable provider"),
        (503, "overloaded model"),
        (511, "unavailable provider"),
        (520, "unavailable provider"),
        (529, "overloaded model"),
        (302, "other provider"),
    ] {
        let failure = answer(status, "");
        assert_eq!(meaning(&failure), expected, "{status}");
        assert_eq!(failure.message, format!("the provider answered with status {status}"));
    }
}

#[test]
fn every_status_that_google_names_means_what_it_concerns() {
    for (status, word, expected) in [
        (400, "INVALID_ARGUMENT", "invalid-request request"),
        (400, "OUT_OF_RANGE", "invalid-request request"),
        (400, "FAILED_PRECONDITION", "forbidden account"),
        (401, "UNAUTHENTICATED", "unauthorized account"),
        (403, "PERMISSION_DENIED", "forbidden account"),
        (409, "ABORTED", "unavailable provider"),
        (409, "ALREADY_EXISTS", "invalid-request request"),
        (429, "RESOURCE_EXHAUSTED", "rate-limited account"),
        (499, "CANCELLED", "unavailable provider"),
        (500, "INTERNAL", "unavailable provider"),
        (500, "UNKNOWN", "unavailable provider"),
        (500, "DATA_LOSS", "unavailable provider"),
        (501, "UNIMPLEMENTED", "unsupported provider"),
        (503, "UNAVAILABLE", "overloaded model"),
        (504, "DEADLINE_EXCEEDED", "unavailable provider"),
    ] {
        let body = format!(r#"{{"error":{{"code":{status},"message":"No","status":"{word}"}}}}"#);
        assert_eq!(meaning(&answer(status, &body)), expected, "{status} {word}");
        // A stream that breaks off says it the same.
        assert_eq!(meaning(&event(&body)), expected, "{word}");
    }
}

#[test]
fn a_code_that_names_a_limit_or_a_filter_says_more_than_the_status_around_it() {
    for (status, code, expected) in [
        (403, "insufficient_quota", "no-credit account"),
        (403, "RATE_LIMIT_EXCEEDED", "rate-limited account"),
        (403, "content_filter", "content-filtered model"),
        (403, "model_not_found", "forbidden account"),
        (500, "insufficient_quota", "no-credit account"),
        (502, "rate_limit_exceeded", "rate-limited account"),
        (500, "invalid_request_error", "unavailable provider"),
        (501, "invalid_request_error", "unsupported provider"),
    ] {
        let body = format!(r#"{{"error":{{"message":"No","code":"{code}"}}}}"#);
        assert_eq!(meaning(&answer(status, &body)), expected, "{status} {code}");
    }
}

#[test]
fn what_is_not_found_is_the_calls_own_only_where_the_error_names_a_part_of_it() {
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
            assert_eq!(meaning(&answer(status, body)), "other account", "{status} {body}");
        }
    }
    for body in [
        r#"{"error":{"message":"Item with id 'rs_1' not found.","type":"invalid_request_error","param":"input"}}"#,
        r#"{"error":{"message":"gone","code":"previous_response_not_found"}}"#,
    ] {
        assert_eq!(answer(404, body).kind, FailureKind::InvalidRequest, "{body}");
    }
    let retired = r#"{"error":{"message":"The model `gpt-3` has been retired"}}"#;
    assert_eq!(meaning(&answer(410, retired)), "model-not-found model");
}

#[test]
fn a_rule_of_the_description_comes_before_all_that_is_known() {
    let errors: Errors = serde_json::from_str(
        r#"{
            "rules": [
                {"code": "1113", "kind": "usage-limit"},
                {"code": "usage_not_included", "kind": "forbidden", "scope": "model"},
                {"message": "with your plan", "status": 400, "kind": "model-not-found", "scope": "account"},
                {"status": 418, "kind": "overloaded", "scope": "provider"},
                {"code": "invalid_argument", "message": "limit: 0", "kind": "forbidden"}
            ],
            "unknown_event": "unavailable"
        }"#,
    )
    .unwrap();
    let of = |status, body| meaning(&Failure::of(&errors, Trouble::Answer { status, headers: &[], body }));
    for (status, body, expected) in [
        (429, r#"{"error":{"code":"1113","message":"x"}}"#, "usage-limit account"),
        (500, r#"{"error":{"code":1113,"message":"x"}}"#, "usage-limit account"),
        (429, r#"{"error":{"type":"usage_not_included","message":"x"}}"#, "forbidden model"),
        (400, r#"{"detail":"'x' is not supported with your plan."}"#, "model-not-found account"),
        (403, r#"{"detail":"'x' is not supported with your plan."}"#, "forbidden account"),
        (418, "", "overloaded provider"),
        (400, r#"{"error":{"code":400,"status":"INVALID_ARGUMENT","message":"limit: 0"}}"#, "forbidden account"),
        (400, r#"{"error":{"code":400,"status":"INVALID_ARGUMENT","message":"limit: 5"}}"#, "invalid-request request"),
    ] {
        assert_eq!(of(status, body), expected, "{status} {body}");
    }
    let event = |data| meaning(&Failure::of(&errors, Trouble::Event { headers: &[], data }));
    assert_eq!(event(r#"{"error":{"code":"1113","message":"x"}}"#), "usage-limit account");
    assert_eq!(event(r#"{"type":"error","status":418,"error":{"message":"x"}}"#), "overloaded provider");
    assert_eq!(event(r#"{"error":{"code":"of_tomorrow","message":"x"}}"#), "unavailable provider");
    assert_eq!(event(r#"{"error":{"code":"slow_down","message":"x"}}"#), "overloaded model");
}

#[test]
fn a_code_that_only_a_header_has_is_found() {
    let code = |name: &str, value: &str| with(401, &[(name, value)], "").code;
    let sealed = "eyJlcnJvciI6eyJjb2RlIjoidG9rZW5fZXhwaXJlZCJ9fQ==";
    assert_eq!(code("x-error-json", sealed).as_deref(), Some("token_expired"));
    assert_eq!(code("x-openai-authorization-error", "missing").as_deref(), Some("missing"));
    assert_eq!(code("x-error-json", "no base64!"), None);
    for kind in [
        "ThrottlingException:http://internal.amazon.com/coral/",
        "com.amazon#ThrottlingException",
        "ThrottlingException",
    ] {
        assert_eq!(code("x-amzn-errortype", kind).as_deref(), Some("ThrottlingException"), "{kind}");
    }
}

#[test]
fn what_a_frame_says_of_an_error_is_read_where_its_data_says_nothing() {
    let errors: Errors = serde_json::from_value(
        serde_json::json!({ "rules": [{ "code": "ThrottlingException", "kind": "rate-limited" }] }),
    )
    .unwrap();
    let of = |headers: &[(&str, &str)], data| {
        let Failure { kind, code, message, .. } = Failure::of(&errors, Trouble::Event { headers, data });
        (kind.word(), code.unwrap_or_default(), message)
    };
    let throttled = [(":message-type", "exception"), (":exception-type", "throttlingException")];
    let expected = ("rate-limited", "throttlingException".to_owned(), "Slow down.".to_owned());
    assert_eq!(of(&throttled, r#"{"message":"Slow down."}"#), expected);
    let broken = [(":message-type", "error"), (":error-code", "500"), (":error-message", "It broke.")];
    assert_eq!(of(&broken, ""), ("other", "500".to_owned(), "It broke.".to_owned()));
}

#[test]
fn when_to_come_back_is_read_in_every_form() {
    const THEN: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    const USED_UP: [(&str, &str); 2] =
        [("x-ratelimit-remaining-tokens", "0"), ("x-ratelimit-reset-tokens", "2m59.56s")];
    const GOOGLE: &str =
        r#"[{"error":{"code":429,"message":"quota","details":[{"@type":"x"},{"retryDelay":"45.837906927s"}]}}]"#;
    let ends = |status, headers: &[(&str, &str)], body: &str| {
        let failure = with(status, headers, body);
        (failure.retry_after_ms, failure.resets_at)
    };
    for (status, headers, body, expected) in [
        (429, &[("retry-after", "7")][..], "", (Some(7000), None)),
        (503, &[("retry-after", "1.5")], "", (Some(1500), None)),
        (429, &[("retry-after-ms", "250"), ("retry-after", "7")], "", (Some(250), None)),
        (429, &[("x-ms-retry-after-ms", "250")], "", (Some(250), None)),
        (429, &[("retry-after", THEN)], "", (None, Some(784_111_777))),
        (429, &[("retry-after", THEN), ("date", "Sun, 06 Nov 1994 08:49:07 GMT")], "", (Some(30_000), None)),
        (429, &[("retry-after", "soon")], "", (None, None)),
        (429, &USED_UP, "", (Some(179_560), None)),
        // It is no limit that failed.
        (500, &USED_UP, "", (None, None)),
        (429, &[], GOOGLE, (Some(45_837), None)),
        (429, &[("retry-after", "3")], GOOGLE, (Some(3000), None)),
        (429, &[], r#"{"error":{"message":"Please retry in 1m5.7s."}}"#, (Some(65_700), None)),
        (429, &[], r#"{"error":{"message":"Please try again in 1m2.5s."}}"#, (Some(62_500), None)),
        (400, &[], r#"{"error":{"message":"Please try again in 9s"}}"#, (None, None)),
        (
            429,
            &[],
            r#"{"error":{"type":"usage_limit_reached","resets_at":1795500000,"resets_in_seconds":7500}}"#,
            (Some(7_500_000), Some(1_795_500_000)),
        ),
        (429, &[], r#"{"error":{"message":"x","resets_in_seconds":18446744073709551615}}"#, (None, None)),
    ] {
        assert_eq!(ends(status, headers, body), expected, "{status} {headers:?} {body}");
    }
    let limited = event(r#"{"type":"error","code":"rate_limit_exceeded","message":"Please try again in 1.2s."}"#);
    assert_eq!(limited.retry_after_ms, Some(1200));
    let broken = event(r#"{"type":"error","code":"server_error","message":"Please try again in 9s"}"#);
    assert_eq!(broken.retry_after_ms, None);
}

#[test]
fn a_text_is_shown_in_part_and_markup_not_at_all() {
    let failure = answer(502, &"upstream connect error ".repeat(1000));
    assert!(failure.message.contains("502: upstream connect error") && failure.message.len() < 400);
    assert!(!answer(502, "  <html><b>Bad gateway</b>").message.contains('<'));
    assert_eq!(answer(502, "{").scope, Scope::Provider);
}
