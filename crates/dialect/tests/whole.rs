//! The tap on answers that are not streamed.

use bitrouter_dialect::{Dialect, End, ErrorKind, Framing, Report, Tap, Usage};
use proptest::prelude::*;

fn report(dialect: Dialect, chunks: &[&[u8]]) -> Report {
    let mut tap = Tap::new(dialect, Framing::Json);
    for chunk in chunks {
        tap.feed(chunk);
    }
    tap.finish()
}

const CHAT: &str = r#"{"id":"c1","choices":[{"index":0,"message":{"role":"assistant","content":"\"usage\":{}}\\"},"finish_reason":"stop"}],
  "usage":{"prompt_tokens":120,"completion_tokens":30,"total_tokens":150,"prompt_tokens_details":{"cached_tokens":64},"completion_tokens_details":{"reasoning_tokens":12}}}"#;
const RESPONSES: &str = r#"{"id":"resp_1","object":"response","status":"completed","error":null,"output":[{"type":"function_call","arguments":"{\"usage\":1}"}],"tools":[{"usage":{"input_tokens":7}}],"usage":{"input_tokens":120,"input_tokens_details":{"cached_tokens":64},"output_tokens":30,"output_tokens_details":{"reasoning_tokens":12},"total_tokens":150},"metadata":{"usage":"x"}}"#;
const MESSAGES: &str = r#"{"id":"msg_1","type":"message","role":"assistant","content":[{"type":"tool_use","input":{"usage":{"input_tokens":9}}}],"stop_reason":"tool_use","usage":{"input_tokens":40,"cache_creation_input_tokens":16,"cache_read_input_tokens":64,"output_tokens":30}}"#;
const GENERATE: &str = r#"{"candidates":[{"content":{"parts":[{"text":"."}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":100,"cachedContentTokenCount":64,"toolUsePromptTokenCount":20,"candidatesTokenCount":18,"thoughtsTokenCount":12,"totalTokenCount":150}}"#;

const USAGE: Usage = Usage {
    input: Some(120),
    output: Some(30),
    cached_input: Some(64),
    cache_write: None,
    reasoning: Some(12),
    total: Some(150),
};

#[test]
fn a_whole_answer_reports_what_its_stream_reports() {
    let messages = Usage { cache_write: Some(16), reasoning: None, ..USAGE };
    let cases = [
        (Dialect::ChatCompletions, CHAT, USAGE, include_str!("streams/chat-text.sse")),
        (Dialect::Responses, RESPONSES, USAGE, include_str!("streams/responses-text.sse")),
        (Dialect::Messages, MESSAGES, messages, include_str!("streams/messages-text.sse")),
        (Dialect::GenerateContent, GENERATE, USAGE, include_str!("streams/generate-content-text.sse")),
    ];
    for (dialect, whole, usage, stream) in cases {
        let mut tap = Tap::new(dialect, Framing::Sse);
        tap.feed(stream.as_bytes());
        let whole = report(dialect, &[whole.as_bytes()]);
        assert_eq!(whole, tap.finish(), "{dialect}");
        assert_eq!(whole.usage, usage, "{dialect}");
    }
}

#[test]
fn embeddings_report_their_prompt() {
    let body = br#"{"object":"list","data":[{"embedding":[0.1,-2e-3]}],"usage":{"prompt_tokens":8,"total_tokens":8}}"#;
    let report = report(Dialect::ChatCompletions, &[body]);
    assert_eq!(report.usage, Usage { input: Some(8), total: Some(8), ..Usage::default() });
    assert_eq!(report.end, End::Complete);
}

#[test]
fn geminis_array_of_chunks_is_read_and_the_last_usage_wins() {
    let first = r#"{"candidates":[{}],"usageMetadata":{"promptTokenCount":100}}"#;
    let body = format!("[{first},\r\n{GENERATE}\n]\n");
    assert_eq!(report(Dialect::GenerateContent, &[body.as_bytes()]).usage, USAGE);
    let open = body.trim_end().trim_end_matches(']');
    assert_eq!(report(Dialect::GenerateContent, &[open.as_bytes()]).end, End::Cut);
}

#[test]
fn an_error_in_a_whole_answer_is_a_failure_without_content() {
    let body = br#"{"error":{"message":"too many","type":"requests","code":"rate_limit_exceeded"}}"#;
    let report = report(Dialect::ChatCompletions, &[body]);
    assert!(!report.first_content);
    match report.end {
        End::Failed(failure) => {
            assert_eq!(failure.error.kind, ErrorKind::RateLimited);
            assert_eq!(failure.raw.as_bytes(), body);
        }
        end => panic!("expected a failure, got {end:?}"),
    }
}

#[test]
fn an_error_is_a_failure_without_content_wherever_it_stands() {
    for (dialect, body) in [
        (
            Dialect::Messages,
            r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"},"request_id":"r"}"#,
        ),
        (
            Dialect::Responses,
            r#"{"id":"resp_1","status":"failed","error":{"code":"server_is_overloaded","message":"."},"output":[]}"#,
        ),
        (Dialect::ChatCompletions, r#"{"id":"c1","error":{"code":"server_is_overloaded","message":"."}}"#),
    ] {
        let report = report(dialect, &[body.as_bytes()]);
        let overloaded = matches!(&report.end, End::Failed(failure) if failure.error.kind == ErrorKind::Overloaded);
        assert!(overloaded && !report.first_content, "{body}: {report:?}");
    }
    for blank in ["null", "{}", "\"\"", "[]"] {
        let body = format!("{{\"id\":\"c1\",\"error\":{blank},\"choices\":[]}}");
        let report = report(Dialect::ChatCompletions, &[body.as_bytes()]);
        assert_eq!((report.end, report.first_content), (End::Complete, true), "{body}");
    }
}

#[test]
fn a_truncated_answer_is_cut() {
    let cut = &CHAT.as_bytes()[..CHAT.len() - 1];
    assert_eq!(report(Dialect::ChatCompletions, &[cut]).end, End::Cut);
    assert_eq!(report(Dialect::ChatCompletions, &[b"<html>"]).end, End::Cut);
    assert_eq!(report(Dialect::ChatCompletions, &[]).end, End::Cut);
}

proptest! {
    #[test]
    fn any_split_of_an_answer_gives_the_same_report(which in 0..4usize, cuts: Vec<prop::sample::Index>) {
        let body = [CHAT, RESPONSES, MESSAGES, GENERATE][which].as_bytes();
        let dialect = Dialect::ALL[which];
        let mut at: Vec<_> = cuts.iter().map(|cut| cut.index(body.len() + 1)).collect();
        at.extend([0, body.len()]);
        at.sort_unstable();
        let chunks: Vec<_> = at.windows(2).map(|pair| &body[pair[0]..pair[1]]).collect();
        prop_assert_eq!(report(dialect, &chunks), report(dialect, &[body]));
    }
}
