//! Errors in each dialect's shape, written and read back.

use bitrouter_dialect::{ApiError, Dialect, ErrorKind, Framing, Position, Tap, parse_error};
use proptest::prelude::*;
use serde_json::{Value, json};

const KINDS: [ErrorKind; 16] = [
    ErrorKind::InvalidRequest,
    ErrorKind::ContextWindow,
    ErrorKind::ContentFilter,
    ErrorKind::Unauthorized,
    ErrorKind::Forbidden,
    ErrorKind::NotFound,
    ErrorKind::PayloadTooLarge,
    ErrorKind::UnsupportedMediaType,
    ErrorKind::RateLimited,
    ErrorKind::UsageLimit,
    ErrorKind::Overloaded,
    ErrorKind::Unavailable,
    ErrorKind::Timeout,
    ErrorKind::Upstream,
    ErrorKind::NotImplemented,
    ErrorKind::Internal,
];

fn body(error: &ApiError, dialect: Dialect) -> Value {
    serde_json::from_slice(&error.body(dialect)).expect("a body is JSON")
}

fn limited() -> ApiError {
    let mut error = ApiError::new(ErrorKind::UsageLimit, "The plan's limit is reached.");
    error.retry_after = Some(90);
    error.resets_at = Some(1_790_000_000);
    error.request_id = Some("req_1".to_owned());
    error
}

#[test]
fn a_usage_limit_reads_in_each_dialects_own_words() {
    let message = "The plan's limit is reached.";
    let openai = |kind: &str| {
        json!({"error": {"message": message, "type": kind, "param": null, "code": "insufficient_quota",
            "resets_at": 1_790_000_000, "resets_in_seconds": 90}})
    };
    assert_eq!(body(&limited(), Dialect::Responses), openai("usage_limit_reached"));
    assert_eq!(body(&limited(), Dialect::ChatCompletions), openai("insufficient_quota"));
    let anthropic =
        json!({"type": "error", "error": {"type": "rate_limit_error", "message": message}, "request_id": "req_1"});
    assert_eq!(body(&limited(), Dialect::Messages), anthropic);
    let retry = json!({"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "90s"});
    let google =
        json!({"error": {"code": 429, "message": message, "status": "RESOURCE_EXHAUSTED", "details": [retry]}});
    assert_eq!(body(&limited(), Dialect::GenerateContent), google);
}

#[test]
fn an_overloaded_model_is_529_to_anthropics_clients_only() {
    let error = ApiError::new(ErrorKind::Overloaded, "busy");
    let statuses = Dialect::ALL.map(|dialect| error.status_in(dialect));
    assert_eq!(statuses, [503, 503, 529, 503]);
}

#[test]
fn events_are_framed_as_each_dialects_clients_expect() {
    let error = ApiError::new(ErrorKind::NotFound, "gone");
    let mut tap = Tap::new(Dialect::Responses, Framing::Sse);
    tap.feed(b"data: {\"type\":\"response.created\",\"response\":{\"id\":\"resp_1\"},\"sequence_number\":6}\n\n");
    let event = |dialect| String::from_utf8(error.as_event(dialect, tap.position()).to_vec()).unwrap();
    assert!(event(Dialect::ChatCompletions).starts_with("data: {\"error\":{"));
    assert!(event(Dialect::GenerateContent).starts_with("data: {\"error\":{"));
    assert!(event(Dialect::Messages).starts_with("event: error\ndata: {"));
    let responses = event(Dialect::Responses);
    let frames: Vec<_> = responses.trim_end().split("\n\n").collect();
    let data = |frame: &str, name: &str| -> Value {
        serde_json::from_str(frame.strip_prefix(&format!("event: {name}\ndata: ")).unwrap()).unwrap()
    };
    let first = data(frames[0], "error");
    assert_eq!((&first["type"], &first["sequence_number"]), (&json!("error"), &json!(7)));
    assert_eq!((&first["message"], &first["error"]["message"]), (&json!("gone"), &json!("gone")));
    let second = data(frames[1], "response.failed");
    assert_eq!((&second["type"], &second["sequence_number"]), (&json!("response.failed"), &json!(8)));
    assert_eq!(second["response"]["error"]["message"], json!("gone"));
    assert_eq!(second["response"]["id"], json!("resp_1"));
}

#[test]
fn a_body_read_with_its_status_has_the_kind_it_was_written_with() {
    for kind in KINDS {
        let error = ApiError::new(kind, "message");
        for dialect in [Dialect::ChatCompletions, Dialect::Responses] {
            let read = parse_error(error.status, &error.body(dialect)).unwrap();
            assert_eq!(read.kind, kind, "{dialect}");
        }
    }
}

#[test]
fn every_shape_of_error_body_is_read() {
    let cases = [
        (400, r#"{"detail":"Store must be set to false"}"#, ErrorKind::InvalidRequest, "Store must be set to false"),
        (422, r#"{"detail":[{"loc":["body"],"msg":"field required"}]}"#, ErrorKind::InvalidRequest, "field required"),
        (403, r#"{"detail":{"message":"no","code":"plan"}}"#, ErrorKind::Forbidden, "no"),
        (404, r#"{"error":"model 'x' not found"}"#, ErrorKind::NotFound, "model 'x' not found"),
        (400, r#"{"error":"invalid_grant","error_description":"expired"}"#, ErrorKind::InvalidRequest, "expired"),
        (429, r#"{"error":{"type":"usage_limit_reached","message":"m"}}"#, ErrorKind::UsageLimit, "m"),
        (404, r#"{"error":{"type":"usage_limit_reached","message":"m"}}"#, ErrorKind::UsageLimit, "m"),
        (401, r#"{"error":{"type":"invalid_request_error","message":"m"}}"#, ErrorKind::Unauthorized, "m"),
        (400, r#"{"error":{"code":"context_length_exceeded","message":"m"}}"#, ErrorKind::ContextWindow, "m"),
        (529, r#"{"type":"error","error":{"type":"overloaded_error","message":"m"}}"#, ErrorKind::Overloaded, "m"),
        (503, r#"[{"error":{"code":503,"message":"m","status":"UNAVAILABLE"}}]"#, ErrorKind::Unavailable, "m"),
        (500, r#"{"message":"boom"}"#, ErrorKind::Internal, "boom"),
    ];
    for (status, body, kind, message) in cases {
        let read = parse_error(status, body.as_bytes()).unwrap();
        assert_eq!((read.kind, read.message.as_str()), (kind, message), "{body}");
    }
}

#[test]
fn what_is_no_error_is_not_read_as_one() {
    for body in ["", "<html>", "{}", "[]", "null", r#"{"id":1}"#] {
        assert_eq!(parse_error(500, body.as_bytes()), None, "{body}");
    }
}

#[test]
fn reset_times_are_read_from_openais_and_googles_fields() {
    let read = parse_error(429, &limited().body(Dialect::Responses)).unwrap();
    assert_eq!((read.retry_after, read.resets_at), (Some(90), Some(1_790_000_000)));
    let delay = br#"{"error":{"code":429,"status":"RESOURCE_EXHAUSTED","details":[{"retryDelay":"11.5s"}]}}"#;
    assert_eq!(parse_error(429, delay).unwrap().retry_after, Some(12));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(bitrouter_fuzz::cases(256)))]

    #[test]
    fn an_error_written_and_read_back_keeps_code_and_message(
        message in any::<String>(), code in "[a-z_]{1,20}", which in 0..KINDS.len(),
    ) {
        let mut error = ApiError::new(KINDS[which], message.clone());
        error.code = Some(code.clone());
        for dialect in Dialect::ALL {
            let read = parse_error(error.status, &error.body(dialect)).unwrap();
            prop_assert_eq!((read.code.as_deref(), &read.message), (Some(&*code), &message));

            let mut tap = Tap::new(dialect, Framing::Sse);
            tap.feed(&error.as_event(dialect, &Position::default()));
            prop_assert!(tap.between_events());
            let read = &tap.error().unwrap().error;
            prop_assert_eq!((read.code.as_deref(), &read.message), (Some(&*code), &message));
        }
    }

    #[test]
    fn arbitrary_bodies_never_panic(body: Vec<u8>, status: u16) {
        let _ = parse_error(status, &body);
    }
}
