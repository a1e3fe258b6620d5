//! The tap on streams of every dialect, each in a file that a person can read (tests/streams).

use std::sync::Arc;

use bitrouter_dialect::{
    Dialect, End, ErrorKind, EventClass, EventKind, Framing, Report, Splitter, Tap, Usage, classify,
};
use proptest::prelude::*;

struct Golden {
    dialect: Dialect,
    stream: &'static str,
}

const fn golden(dialect: Dialect, stream: &'static str) -> Golden {
    Golden { dialect, stream }
}

const CHAT: Golden = golden(Dialect::ChatCompletions, include_str!("streams/chat-text.sse"));
const CHAT_ERROR: Golden = golden(Dialect::ChatCompletions, include_str!("streams/chat-error.sse"));
const RESPONSES: Golden = golden(Dialect::Responses, include_str!("streams/responses-text.sse"));
const RESPONSES_FAILED: Golden = golden(Dialect::Responses, include_str!("streams/responses-failed.sse"));
const MESSAGES: Golden = golden(Dialect::Messages, include_str!("streams/messages-text.sse"));
const MESSAGES_ERROR: Golden = golden(Dialect::Messages, include_str!("streams/messages-error.sse"));
const GENERATE: Golden = golden(Dialect::GenerateContent, include_str!("streams/generate-content-text.sse"));
const GENERATE_ERROR: Golden = golden(Dialect::GenerateContent, include_str!("streams/generate-content-error.sse"));

const ALL: [Golden; 8] =
    [CHAT, CHAT_ERROR, RESPONSES, RESPONSES_FAILED, MESSAGES, MESSAGES_ERROR, GENERATE, GENERATE_ERROR];

impl Golden {
    fn report(&self) -> Report {
        report(self.dialect, Framing::Sse, &[self.stream.as_bytes()])
    }

    fn classes(&self) -> Vec<EventClass> {
        let mut classes = Vec::new();
        Splitter::default().feed(self.stream.as_bytes(), |event| classes.push(classify(self.dialect, &event)));
        classes
    }

    fn failure(&self) -> (ErrorKind, Option<String>, String) {
        match self.report().end {
            End::Failed(failure) => (failure.error.kind, failure.error.code, failure.error.message),
            end => panic!("expected a failure, got {end:?}"),
        }
    }
}

fn report(dialect: Dialect, framing: Framing, chunks: &[&[u8]]) -> Report {
    let mut tap = Tap::new(dialect, framing);
    for chunk in chunks {
        tap.feed(chunk);
    }
    tap.finish()
}

/// What every golden answer used, but for what its dialect does not report.
const USAGE: Usage = Usage {
    input: Some(120),
    output: Some(30),
    cached_input: Some(64),
    cache_write: None,
    reasoning: Some(12),
    total: Some(150),
};

#[test]
fn every_dialect_reports_the_same_usage_and_a_complete_end() {
    let messages = Usage { cache_write: Some(16), reasoning: None, ..USAGE };
    for (golden, usage) in [(CHAT, USAGE), (RESPONSES, USAGE), (MESSAGES, messages), (GENERATE, USAGE)] {
        let expected = Report { usage, end: End::Complete, first_content: true };
        assert_eq!(golden.report(), expected, "{}", golden.dialect);
    }
}

#[test]
fn preamble_is_told_from_content() {
    use EventClass::{Content, End, Error, Preamble};
    assert_eq!(CHAT.classes(), [Preamble, Preamble, Content, Content, Content, Preamble, End]);
    assert_eq!(CHAT_ERROR.classes(), [Preamble, Error, End]);
    assert_eq!(RESPONSES.classes(), [Preamble, Preamble, Preamble, Preamble, Content, Content, End]);
    assert_eq!(RESPONSES_FAILED.classes(), [Preamble, Error, Error]);
    assert_eq!(MESSAGES.classes(), [Preamble, Preamble, Content, Content, Content, Content, End]);
    assert_eq!(MESSAGES_ERROR.classes(), [Preamble, Error]);
    assert_eq!(GENERATE.classes(), [Preamble, Content, Content, End]);
    assert_eq!(GENERATE_ERROR.classes(), [Error]);
}

#[test]
fn unknown_events_and_reasoning_deltas_are_content() {
    let cases = [
        (Dialect::ChatCompletions, r#"{"choices":[{"delta":{"role":"assistant","reasoning_content":"hm"}}]}"#),
        (Dialect::ChatCompletions, r#"{"choices":[{"text":"legacy"}]}"#),
        (Dialect::ChatCompletions, r#"{"something":"new"}"#),
        (Dialect::Responses, r#"{"type":"response.reasoning_summary_text.delta","delta":"hm"}"#),
        (Dialect::Responses, r#"{"type":"response.of_tomorrow"}"#),
        (Dialect::Messages, r#"{"type":"message_of_tomorrow"}"#),
        (Dialect::GenerateContent, r#"{"something":"new"}"#),
    ];
    for (dialect, data) in cases {
        let mut tap = Tap::new(dialect, Framing::Sse);
        tap.feed(format!("data: {data}\n\n").as_bytes());
        assert!(tap.first_content(), "{dialect}: {data}");
    }
}

#[test]
fn first_content_is_known_at_the_event_that_brings_it() {
    for golden in [CHAT, RESPONSES, MESSAGES, GENERATE] {
        let mut tap = Tap::new(golden.dialect, Framing::Sse);
        let mut classes = golden.classes().into_iter();
        let mut passed = false;
        let mut splitter = Splitter::default();
        splitter.feed(golden.stream.as_bytes(), |event| {
            tap.feed(event.raw);
            passed |= classes.next() != Some(EventClass::Preamble);
            assert_eq!(tap.first_content(), passed, "{}", golden.dialect);
        });
    }
}

#[test]
fn an_error_inside_a_stream_is_read_before_any_content() {
    let overloaded = Some("server_is_overloaded".to_owned());
    assert_eq!(CHAT_ERROR.failure(), (ErrorKind::Overloaded, overloaded, "The model is overloaded.".to_owned()));
    let quota = Some("insufficient_quota".to_owned());
    let message = "You exceeded your current quota.".to_owned();
    assert_eq!(RESPONSES_FAILED.failure(), (ErrorKind::UsageLimit, quota, message));
    assert_eq!(MESSAGES_ERROR.failure(), (ErrorKind::Overloaded, None, "Overloaded".to_owned()));
    let message = "Quota exceeded for the day.".to_owned();
    assert_eq!(GENERATE_ERROR.failure(), (ErrorKind::RateLimited, None, message));
    for golden in [CHAT_ERROR, RESPONSES_FAILED, MESSAGES_ERROR, GENERATE_ERROR] {
        assert!(!golden.report().first_content, "{}", golden.dialect);
    }
}

#[test]
fn a_failure_alone_is_read_from_response_failed_and_flat_errors() {
    let cases = [
        r#"{"type":"response.failed","response":{"error":{"code":"rate_limit_exceeded","message":"slow"}}}"#,
        r#"{"type":"error","code":"rate_limit_exceeded","message":"slow","param":null,"sequence_number":3}"#,
        r#"{"type":"error","status":429,"error":{"type":"x","message":"slow"},"headers":{}}"#,
        r#"{"error":{"code":429,"message":"slow"}}"#,
    ];
    for data in cases {
        let mut tap = Tap::new(Dialect::Responses, Framing::Sse);
        tap.feed(format!("data: {data}\n\n").as_bytes());
        let failure = tap.error().unwrap();
        assert_eq!((failure.error.kind, failure.error.message.as_str()), (ErrorKind::RateLimited, "slow"));
        assert_eq!(failure.raw, data);
    }
}

#[test]
fn an_error_after_content_is_still_noticed() {
    for (golden, failed) in
        [(CHAT, CHAT_ERROR), (RESPONSES, RESPONSES_FAILED), (MESSAGES, MESSAGES_ERROR), (GENERATE, GENERATE_ERROR)]
    {
        let chunks = [golden.stream.as_bytes(), failed.stream.as_bytes()];
        let report = report(golden.dialect, Framing::Sse, &chunks);
        assert!(report.first_content);
        assert!(matches!(report.end, End::Failed(_)), "{}", golden.dialect);
    }
}

#[test]
fn a_stream_without_its_last_event_is_cut() {
    for golden in [RESPONSES, MESSAGES, GENERATE] {
        let end = golden.stream.trim_end().rfind("\n\n").or_else(|| golden.stream.trim_end().rfind("\r\n\r\n"));
        let stream = &golden.stream.as_bytes()[..end.unwrap()];
        assert_eq!(report(golden.dialect, Framing::Sse, &[stream]).end, End::Cut, "{}", golden.dialect);
    }
    let before_finish = CHAT.stream.find(r#""delta":{},"#).unwrap();
    let stream = &CHAT.stream.as_bytes()[..before_finish];
    assert_eq!(report(CHAT.dialect, Framing::Sse, &[stream]).end, End::Cut);
}

#[test]
fn a_missing_blank_line_at_the_very_end_is_forgiven() {
    for golden in [CHAT, RESPONSES, MESSAGES, GENERATE] {
        let stream = golden.stream.trim_end().as_bytes();
        assert_eq!(report(golden.dialect, Framing::Sse, &[stream]), golden.report(), "{}", golden.dialect);
    }
}

#[test]
fn a_last_event_broken_inside_is_not_read() {
    let stream = br#"data: {"type":"response.completed","response":{"id":"#;
    assert_eq!(report(Dialect::Responses, Framing::Sse, &[stream]).end, End::Cut);
}

#[test]
fn a_blocked_prompt_ends_a_generate_content_stream() {
    let stream = br#"data: {"promptFeedback":{"blockReason":"SAFETY"},"usageMetadata":{"promptTokenCount":3}}"#;
    let report = report(Dialect::GenerateContent, Framing::Sse, &[stream, b"\n\n"]);
    assert_eq!((report.end, report.usage.input), (End::Complete, Some(3)));
}

#[test]
fn usage_so_far_is_known_when_a_generate_content_stream_is_cut() {
    let last = GENERATE.stream.rfind("data: ").unwrap();
    let report = report(GENERATE.dialect, Framing::Sse, &[&GENERATE.stream.as_bytes()[..last]]);
    assert_eq!((report.end, report.usage.total, report.usage.output), (End::Cut, Some(109), Some(9)));
}

#[test]
fn observed_events_are_handed_out_once() {
    for pattern in ["codex.rate_limits", "codex.*"] {
        let patterns: Arc<[String]> = Arc::from([pattern.to_owned()]);
        let mut tap = Tap::new(Dialect::Responses, Framing::Sse).observing(patterns);
        tap.feed(RESPONSES.stream.as_bytes());
        let observed = tap.take_observed();
        assert_eq!(observed.len(), 1);
        assert!(observed[0].starts_with(br#"{"type":"codex.rate_limits""#));
        assert!(tap.take_observed().is_empty());
    }
}

#[test]
fn observed_events_are_bounded_and_the_newest_are_kept() {
    let patterns: Arc<[String]> = Arc::from(["x".to_owned()]);
    let mut tap = Tap::new(Dialect::Responses, Framing::Sse).observing(patterns);
    for index in 0..1000 {
        tap.feed(format!("data: {{\"type\":\"x\",\"pad\":\"{}\",\"n\":{index}}}\n\n", "-".repeat(8000)).as_bytes());
    }
    let observed = tap.take_observed();
    assert!(observed.iter().map(|data| data.len()).sum::<usize>() <= 256 * 1024);
    assert!(observed.last().unwrap().ends_with(b"\"n\":999}"));
}

#[test]
fn the_number_of_the_next_responses_event_is_known() {
    let mut tap = Tap::new(RESPONSES_FAILED.dialect, Framing::Sse);
    tap.feed(RESPONSES_FAILED.stream.as_bytes());
    assert_eq!(tap.position().next_number(), 3);
}

fn cut<'a>(stream: &'a [u8], cuts: &[prop::sample::Index]) -> Vec<&'a [u8]> {
    let mut at: Vec<_> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
    at.extend([0, stream.len()]);
    at.sort_unstable();
    at.windows(2).map(|pair| &stream[pair[0]..pair[1]]).collect()
}

#[test]
fn a_stream_fed_byte_by_byte_gives_the_same_report() {
    for golden in ALL {
        let bytes: Vec<_> = golden.stream.as_bytes().chunks(1).collect();
        assert_eq!(report(golden.dialect, Framing::Sse, &bytes), golden.report(), "{}", golden.dialect);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(bitrouter_fuzz::cases(256)))]

    #[test]
    fn any_split_of_a_stream_gives_the_same_report(which in 0..ALL.len(), cuts: Vec<prop::sample::Index>) {
        let golden = &ALL[which];
        let chunks = cut(golden.stream.as_bytes(), &cuts);
        prop_assert_eq!(report(golden.dialect, Framing::Sse, &chunks), golden.report());
    }

    #[test]
    fn a_broken_stream_never_panics(which in 0..ALL.len(), from: prop::sample::Index, noise: Vec<u8>, sse: bool) {
        let golden = &ALL[which];
        let mut stream = golden.stream.as_bytes().to_vec();
        let at = from.index(stream.len());
        for (byte, noise) in stream[at..].iter_mut().zip(&noise) {
            *byte = *noise;
        }
        let framing = if sse { Framing::Sse } else { Framing::Json };
        for dialect in Dialect::ALL {
            let _ = report(dialect, framing, &[&stream, &noise]);
        }
    }

    #[test]
    fn arbitrary_events_never_panic(data: Vec<u8>, name: Option<Vec<u8>>) {
        for dialect in Dialect::ALL {
            for kind in [EventKind::Message, EventKind::Unfinished] {
                let event = bitrouter_dialect::Event { kind, name: name.as_deref(), data: &data, raw: &data };
                let _ = classify(dialect, &event);
            }
        }
    }
}
