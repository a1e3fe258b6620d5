//! Streams folded into documents: each stream lies beside the answer that is not streamed (tests/folds).

use bitrouter_dialect::{Dialect, ErrorKind, Fold, FoldError, Framing, Tap};
use proptest::prelude::*;
use serde_json::{Value, json};

struct Golden {
    dialect: Dialect,
    stream: &'static str,
    whole: &'static str,
}

macro_rules! golden {
    ($dialect:ident, $name:literal) => {
        Golden {
            dialect: Dialect::$dialect,
            stream: include_str!(concat!("folds/", $name, ".sse")),
            whole: include_str!(concat!("folds/", $name, ".json")),
        }
    };
}

const ITEMS: Golden = golden!(Responses, "responses-items");
const INCOMPLETE: Golden = golden!(Responses, "responses-incomplete");
const CHAT: Golden = golden!(ChatCompletions, "chat-tools");
const MESSAGES: Golden = golden!(Messages, "messages-tools");
const GENERATE: Golden = golden!(GenerateContent, "generate-content-parts");
const ALL: [Golden; 5] = [ITEMS, INCOMPLETE, CHAT, MESSAGES, GENERATE];

fn fold(dialect: Dialect, chunks: &[&[u8]]) -> Result<String, FoldError> {
    let mut fold = Fold::new(dialect);
    for chunk in chunks {
        fold.feed(chunk);
    }
    fold.finish().map(|document| String::from_utf8_lossy(&document).into_owned())
}

fn fold_events(dialect: Dialect, events: &[Value]) -> Result<String, FoldError> {
    let stream: String = events.iter().map(|event| format!("data: {event}\n\n")).collect();
    fold(dialect, &[stream.as_bytes()])
}

fn value(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn a_stream_folded_is_the_answer_not_streamed() {
    for golden in ALL {
        let folded = fold(golden.dialect, &[golden.stream.as_bytes()]).unwrap();
        assert_eq!(value(&folded), value(golden.whole), "{}", golden.dialect);
    }
}

#[test]
fn items_of_a_response_survive_byte_for_byte_in_their_order() {
    for golden in [ITEMS, INCOMPLETE] {
        assert_eq!(fold(golden.dialect, &[golden.stream.as_bytes()]).unwrap(), golden.whole);
    }
}

#[test]
fn a_response_whose_output_is_there_is_the_answer_byte_for_byte() {
    let response = r#"{ "id":"r" ,"output" : [ {"type":"message" , "n":1.0e2} ], "error":null }"#;
    let stream = format!(
        "data: {{\"type\":\"response.output_item.done\",\"output_index\":0,\"item\":{{\"type\":\"other\"}}}}\r\n\r\n\
         data: {{\"type\":\"response.completed\", \"response\": {response} }}\r\n\r\ndata: {{\"type\":\"error\"}}\r\n\r\n"
    );
    assert_eq!(fold(Dialect::Responses, &[stream.as_bytes()]).unwrap(), response);
}

#[test]
fn a_response_without_output_gets_one() {
    let completed = |response: Value| json!({"type": "response.completed", "response": response});
    let item = json!({"type": "response.output_item.done", "item": {"id": "a"}});
    let other = json!({"type": "response.output_item.done", "item": {"id": "b"}});
    for output in [json!({"id": "r"}), json!({"id": "r", "output": null}), json!({"id": "r", "output": []})] {
        let folded = fold_events(Dialect::Responses, &[item.clone(), other.clone(), completed(output)]).unwrap();
        assert_eq!(value(&folded), json!({"id": "r", "output": [{"id": "a"}, {"id": "b"}]}));
    }
    let empty = fold_events(Dialect::Responses, &[completed(json!({"id": "r"}))]).unwrap();
    assert_eq!(value(&empty), json!({"id": "r", "output": []}));
}

#[test]
fn usage_of_a_folded_stream_is_that_of_the_stream() {
    for golden in ALL {
        let mut stream = Tap::new(golden.dialect, Framing::Sse);
        stream.feed(golden.stream.as_bytes());
        let mut whole = Tap::new(golden.dialect, Framing::Json);
        whole.feed(fold(golden.dialect, &[golden.stream.as_bytes()]).unwrap().as_bytes());
        assert_eq!(whole.finish(), stream.finish(), "{}", golden.dialect);
    }
}

#[test]
fn members_that_nobody_knows_are_joined_sensibly() {
    let chunk = |delta: Value| json!({"choices": [{"index": 0, "delta": delta}]});
    let folded = fold_events(
        Dialect::ChatCompletions,
        &[
            chunk(json!({"reasoning_details": [{"index": 0, "type": "reasoning.text", "text": "a", "format": "v1"}]})),
            chunk(json!({"reasoning_details": [{"index": 0, "type": "reasoning.text", "text": "b", "format": "v1"}]})),
            chunk(json!({"annotations": [{"url": "x"}], "audio": {"id": "s", "data": "AA"}, "n": 1})),
            chunk(json!({"annotations": [{"url": "y"}], "audio": {"data": "BB"}, "n": 2})),
            json!({"x_new": 1, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}),
        ],
    );
    let message = json!({
        "role": "assistant",
        "reasoning_details": [{"index": 0, "type": "reasoning.text", "text": "ab", "format": "v1"}],
        "annotations": [{"url": "x"}, {"url": "y"}],
        "audio": {"id": "s", "data": "AABB"},
        "n": 2,
        "content": null,
    });
    let choice = json!({"index": 0, "message": message, "finish_reason": "stop"});
    assert_eq!(value(&folded.unwrap()), json!({"choices": [choice], "x_new": 1}));
}

#[test]
fn legacy_completions_fold_too() {
    let chunk = |text: &str, end: Value| json!({"object": "text_completion", "choices": [{"index": 0, "text": text, "finish_reason": end}]});
    let events = [chunk("he", Value::Null), chunk("llo", json!("stop"))];
    let folded = fold_events(Dialect::ChatCompletions, &events).unwrap();
    assert_eq!(value(&folded), chunk("hello", json!("stop")));
}

#[test]
fn tool_input_that_was_cut_off_is_wrapped_and_not_lost() {
    let folded = fold_events(
        Dialect::Messages,
        &[
            json!({"type": "message_start", "message": {"id": "m", "content": []}}),
            json!({"type": "content_block_start", "index": 0, "content_block": {"type": "tool_use", "input": {}}}),
            json!({"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "partial_json": "{\"a\":\"b"}}),
            json!({"type": "message_delta", "delta": {"stop_reason": "max_tokens"}}),
            json!({"type": "message_stop"}),
        ],
    );
    let folded = value(&folded.unwrap());
    assert_eq!(folded["content"], json!([{"type": "tool_use", "input": {"INVALID_JSON": "{\"a\":\"b"}}]));
    assert_eq!(folded["stop_reason"], "max_tokens");
}

#[test]
fn an_error_event_before_the_end_is_an_error() {
    let cases = [
        (Dialect::ChatCompletions, include_str!("streams/chat-error.sse"), ErrorKind::Overloaded),
        (Dialect::Responses, include_str!("streams/responses-failed.sse"), ErrorKind::UsageLimit),
        (Dialect::Messages, include_str!("streams/messages-error.sse"), ErrorKind::Overloaded),
        (Dialect::GenerateContent, include_str!("streams/generate-content-error.sse"), ErrorKind::RateLimited),
    ];
    for (dialect, stream, kind) in cases {
        match fold(dialect, &[stream.as_bytes()]) {
            Err(FoldError::Failed(failed)) => assert_eq!(failed.error.kind, kind, "{dialect}"),
            other => panic!("{dialect}: {other:?}"),
        }
    }
}

#[test]
fn an_upstreams_error_object_is_a_body_byte_for_byte() {
    let error = r#"{"type":"usage_limit_reached" ,"message":"The usage limit has been reached","plan_type":"plus","resets_at":1790000000,"resets_in_seconds":60}"#;
    for event in [
        format!(r#"{{"type":"error","status":429,"error":{error},"headers":{{}}}}"#),
        format!(r#"{{"type":"response.failed","response":{{"id":"r","error":{error}}}}}"#),
    ] {
        match fold(Dialect::Responses, &[format!("data: {event}\n\n").as_bytes()]) {
            Err(FoldError::Failed(failed)) => {
                assert_eq!(failed.body(Dialect::Responses).unwrap(), format!(r#"{{"error":{error}}}"#));
                assert_eq!((failed.error.kind, failed.error.resets_at), (ErrorKind::UsageLimit, Some(1_790_000_000)));
            }
            other => panic!("{other:?}"),
        }
    }
    // Clients read a type; what has none is written anew.
    let untyped = r#"data: {"type":"response.failed","response":{"error":{"code":"x","message":"y"}}}"#;
    match fold(Dialect::Responses, &[untyped.as_bytes()]) {
        Err(FoldError::Failed(failed)) => assert_eq!(failed.body(Dialect::Responses), None),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_stream_that_does_not_say_that_it_is_whole_is_cut() {
    for golden in ALL {
        let cut = match golden.dialect {
            Dialect::ChatCompletions => golden.stream.find("\"finish_reason\":\"stop\"").unwrap(),
            _ => golden.stream.trim_end().rfind("data:").unwrap(),
        };
        let stream = &golden.stream.as_bytes()[..cut];
        assert_eq!(fold(golden.dialect, &[stream]), Err(FoldError::Cut), "{}", golden.dialect);
        assert_eq!(fold(golden.dialect, &[]), Err(FoldError::Cut));
    }
    assert_eq!(FoldError::Cut.to_string(), "the upstream's answer ended without saying that it is whole");
}

#[test]
fn a_chat_is_whole_without_done_once_every_choice_is_finished() {
    let done = CHAT.stream.find("data: [DONE]").unwrap();
    assert!(fold(CHAT.dialect, &[&CHAT.stream.as_bytes()[..done]]).is_ok());
    let choice = |index: u64, end: Value| json!({"choices": [{"index": index, "delta": {}, "finish_reason": end}]});
    let half = [choice(0, json!("stop")), choice(1, Value::Null)];
    assert_eq!(fold_events(Dialect::ChatCompletions, &half), Err(FoldError::Cut));
}

#[test]
fn a_missing_blank_line_at_the_very_end_is_forgiven() {
    for golden in ALL {
        let whole = fold(golden.dialect, &[golden.stream.as_bytes()]);
        assert_eq!(fold(golden.dialect, &[golden.stream.trim_end().as_bytes()]), whole);
    }
}

#[test]
fn an_event_that_matters_and_cannot_be_read_is_an_error() {
    let broken = b"data: {\"type\":\"response.output_item.done\",\"item\":{\"a\":}}\n\n";
    let error = fold(Dialect::Responses, &[broken]).unwrap_err();
    assert_eq!(error, FoldError::Unreadable("response.output_item.done"));
    let bare = b"data: {\"type\":\"response.completed\"}\n\n";
    assert_eq!(fold(Dialect::Responses, &[bare]), Err(FoldError::Unreadable("response.completed")));
}

#[test]
fn what_is_kept_is_bounded_and_what_is_ignored_costs_nothing() {
    let mut fold = Fold::with_limit(Dialect::Responses, 10_000);
    let ignored = format!(
        "data: {{\"type\":\"response.image_generation_call.partial_image\",\"b\":\"{}\"}}\n\n",
        "a".repeat(5_000)
    );
    let kept = ignored.replace("image_generation_call.partial_image", "output_item.added\",\"item\":{},\"x\":\"");
    for _ in 0..100 {
        fold.feed(ignored.as_bytes());
        assert!(!fold.is_settled());
    }
    fold.feed(kept.as_bytes());
    assert!(!fold.is_settled());
    fold.feed(kept.as_bytes());
    assert!(fold.is_settled());
    assert_eq!(fold.finish(), Err(FoldError::TooLarge(10_000)));

    let mut fold = Fold::with_limit(Dialect::Responses, 10_000);
    fold.feed(format!("data: {}", "a".repeat(20_000)).as_bytes());
    fold.feed(b"\n\n");
    assert_eq!(fold.finish(), Err(FoldError::TooLarge(10_000)));
}

#[test]
fn a_fold_is_settled_by_its_last_event_and_not_before() {
    for golden in [ITEMS, INCOMPLETE, CHAT, MESSAGES] {
        let last = golden.stream.trim_end().rfind("data:").unwrap();
        let mut fold = Fold::new(golden.dialect);
        fold.feed(&golden.stream.as_bytes()[..last]);
        assert!(!fold.is_settled(), "{}", golden.dialect);
        fold.feed(&golden.stream.as_bytes()[last..]);
        assert!(fold.is_settled(), "{}", golden.dialect);
    }
}

#[test]
fn a_stream_split_anywhere_folds_to_the_same() {
    for golden in ALL {
        let stream = golden.stream.as_bytes();
        let whole = fold(golden.dialect, &[stream]);
        // Without optimization it takes seconds.
        for at in (0..=stream.len()).step_by(if cfg!(debug_assertions) { 7 } else { 1 }) {
            assert_eq!(fold(golden.dialect, &[&stream[..at], &stream[at..]]), whole, "{} at {at}", golden.dialect);
        }
        let bytes: Vec<_> = stream.chunks(1).collect();
        assert_eq!(fold(golden.dialect, &bytes), whole);
    }
}

/// A text cut into pieces, so that each can travel in a delta of its own.
fn pieces() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec(any::<String>(), 0..6)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(bitrouter_fuzz::cases(256)))]

    #[test]
    fn a_chats_texts_and_arguments_are_joined(texts in pieces(), arguments in prop::collection::vec(pieces(), 0..3)) {
        let chunk = |delta: Value| json!({"choices": [{"index": 0, "delta": delta, "finish_reason": null}]});
        let mut events = vec![chunk(json!({"role": "assistant", "content": ""}))];
        events.extend(texts.iter().map(|text| chunk(json!({"content": text}))));
        for (index, pieces) in arguments.iter().enumerate() {
            events.push(chunk(json!({"tool_calls": [{"index": index, "id": "c", "function": {"arguments": ""}}]})));
            let of = |piece| chunk(json!({"tool_calls": [{"index": index, "function": {"arguments": piece}}]}));
            events.extend(pieces.iter().map(of));
        }
        events.push(json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}));
        let folded = value(&fold_events(Dialect::ChatCompletions, &events).unwrap());
        let message = &folded["choices"][0]["message"];
        prop_assert_eq!(&message["content"], &json!(texts.concat()));
        for (index, pieces) in arguments.iter().enumerate() {
            let call = json!({"id": "c", "function": {"arguments": pieces.concat()}});
            prop_assert_eq!(&message["tool_calls"][index], &call);
        }
    }

    #[test]
    fn a_messages_texts_and_inputs_are_joined(texts in pieces(), input in any::<String>(), at in any::<prop::sample::Index>()) {
        let input = json!({"key": input});
        let json: Vec<char> = input.to_string().chars().collect();
        let at = at.index(json.len());
        let halves = [json[..at].iter().collect::<String>(), json[at..].iter().collect()];
        let delta = |index: u64, delta: Value| json!({"type": "content_block_delta", "index": index, "delta": delta});
        let mut events = vec![
            json!({"type": "message_start", "message": {"content": []}}),
            json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
            json!({"type": "content_block_start", "index": 1, "content_block": {"type": "tool_use", "input": {}}}),
        ];
        events.extend(texts.iter().map(|text| delta(0, json!({"type": "text_delta", "text": text}))));
        events.extend(halves.iter().map(|half| delta(1, json!({"type": "input_json_delta", "partial_json": half}))));
        events.push(json!({"type": "message_stop"}));
        let folded = value(&fold_events(Dialect::Messages, &events).unwrap());
        prop_assert_eq!(&folded["content"][0]["text"], &json!(texts.concat()));
        prop_assert_eq!(&folded["content"][1]["input"], &input);
    }

    #[test]
    fn a_broken_stream_never_panics_and_never_folds_to_what_is_not_json(
        which in 0..ALL.len(), from: prop::sample::Index, noise: Vec<u8>,
    ) {
        let golden = &ALL[which];
        let mut stream = golden.stream.as_bytes().to_vec();
        let at = from.index(stream.len());
        for (byte, noise) in stream[at..].iter_mut().zip(&noise) {
            *byte = *noise;
        }
        for dialect in Dialect::ALL {
            let mut fold = Fold::new(dialect);
            fold.feed(&stream);
            if let Ok(document) = fold.finish() {
                prop_assert!(serde_json::from_slice::<serde::de::IgnoredAny>(&document).is_ok());
            }
        }
    }
}
