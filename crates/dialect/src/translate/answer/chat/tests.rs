//! What cases do not show of answers of Chat Completions: strange chunks, and what a stream is like while it comes.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::dialect::Dialect;
use crate::tap::End;
use crate::translate::{Answer, AnswerTranslation, Facts, Names, NoStates, Owner, Target};

fn translation(from: Dialect, client: Dialect, usage: bool) -> AnswerTranslation {
    let owner = Owner { provider: "p", account: "a", model: "m" };
    let target = Target { dialect: from, model: "m", owner, facts: Facts::of(from, "m"), states: &NoStates };
    let (id, model, names) = ("1".to_owned(), "asked".to_owned(), Names::default());
    AnswerTranslation::new(&target, Answer { client, id, model, created: 0, usage, names })
}

fn chunk(delta: &Value) -> String {
    format!("data: {}\n\n", json!({"choices": [{"index": 0, "delta": delta}]}))
}

#[test]
fn each_delta_goes_down_with_the_chunk_that_brought_it() {
    let mut stream = translation(Dialect::ChatCompletions, Dialect::Messages, true);
    let said = |bytes: bytes::Bytes| String::from_utf8(bytes.to_vec()).unwrap();
    assert!(said(stream.feed(chunk(&json!({"role": "assistant"})).as_bytes())).contains("message_start"));
    assert!(said(stream.feed(chunk(&json!({"reasoning": "r"})).as_bytes())).contains("thinking_delta"));
    assert!(said(stream.feed(chunk(&json!({"content": "t"})).as_bytes())).contains("text_delta"));
    let call = json!({"tool_calls": [{"index": 0, "id": "c", "function": {"name": "f", "arguments": "{"}}]});
    assert!(said(stream.feed(chunk(&call).as_bytes())).contains("input_json_delta"));
    let last = json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]});
    assert_eq!(said(stream.feed(format!("data: {last}\n\n").as_bytes())), "", "usage may follow");
    let usage = json!({"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 2}});
    assert!(said(stream.feed(format!("data: {usage}\n\n").as_bytes())).contains("message_stop"));
    assert_eq!(stream.end(), End::Complete);
    assert_eq!(said(stream.feed(b"data: [DONE]\n\n")), "");
}

#[test]
fn usage_is_a_chunk_of_its_own_only_where_it_was_asked_for() {
    let upstream = b"event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":3,\"output_tokens\":1}}}\n\n\
        event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":5}}\n\n\
        event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";
    for usage in [true, false] {
        let mut stream = translation(Dialect::Messages, Dialect::ChatCompletions, usage);
        let out = String::from_utf8(stream.feed(upstream).to_vec()).unwrap();
        assert_eq!(
            out.contains("\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":5,\"total_tokens\":8"),
            usage
        );
        assert!(out.ends_with("\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n") || usage, "{out}");
    }
}

#[test]
fn two_hundred_parallel_calls_are_two_hundred_calls() {
    let mut stream = translation(Dialect::ChatCompletions, Dialect::Responses, true);
    let mut out = Vec::new();
    for part in ["{\"n\":", "1}"] {
        for index in 0..200 {
            let mut call = json!({"index": index, "function": {"arguments": part}});
            if part.starts_with('{') {
                call["id"] = json!(format!("call_{index}"));
                call["function"]["name"] = json!("f");
            }
            out.extend_from_slice(&stream.feed(chunk(&json!({"tool_calls": [call]})).as_bytes()));
        }
    }
    out.extend_from_slice(&stream.feed(
        b"data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"tool_calls\"}]}\n\ndata: [DONE]\n\n",
    ));
    let out = String::from_utf8(out).unwrap();
    let done = out.lines().filter(|line| line.starts_with("data: {\"type\":\"response.output_item.done\""));
    assert_eq!(done.filter(|line| line.contains(r#""arguments":"{\"n\":1}""#)).count(), 200);
}

/// Something like a delta or a choice.
fn any_json() -> impl Strategy<Value = Value> {
    let one_of = |words: &'static str| proptest::sample::select(words.split_whitespace().collect::<Vec<_>>());
    let words = one_of(
        "assistant stop length tool_calls content_filter a\" {} { \\ custom function anthropic-claude-v1 https://a",
    );
    let keys = one_of(
        "content reasoning_content reasoning reasoning_details tool_calls function_call refusal annotations index id type \
         function custom name arguments input text signature data format finish_reason logprobs usage url_citation url \
         start_index end_index prompt_tokens thinking stop_reason delta message extra_content google thought_signature",
    );
    let leaf = prop_oneof![
        Just(Value::Null),
        (0_i64..4).prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        words.prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 5, move |inner| {
        let member = (keys.clone().prop_map(str::to_owned), inner.clone());
        prop_oneof![
            proptest::collection::vec(inner, 0..4).prop_map(Value::from),
            proptest::collection::vec(member, 0..6).prop_map(|members| members.into_iter().collect()),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(bitrouter_fuzz::cases(96)) })]

    #[test]
    fn strange_chunks_become_events_all_the_same(deltas in proptest::collection::vec(any_json(), 0..10), done: bool) {
        for client in Dialect::ALL {
            let mut stream = translation(Dialect::ChatCompletions, client, true);
            let mut out = Vec::new();
            for (at, delta) in deltas.iter().enumerate() {
                out.extend_from_slice(&stream.feed(chunk(delta).as_bytes()));
                let choices = json!({"choices": [delta, {"index": at % 2, "delta": {"tool_calls": [delta], "reasoning_details": [delta],
                    "annotations": [delta], "content": [delta]}}], "usage": delta});
                out.extend_from_slice(&stream.feed(format!("data: {choices}\n\n").as_bytes()));
                let whole = json!({"choices": [{"message": delta, "finish_reason": delta}], "usage": delta}).to_string();
                let _ = translation(Dialect::ChatCompletions, client, true).document(whole.as_bytes());
            }
            if done {
                out.extend_from_slice(&stream.feed(b"data: [DONE]\n\n"));
            }
            out.extend_from_slice(&stream.finish());
            let out = String::from_utf8(out).unwrap();
            for data in out.lines().filter_map(|line| line.strip_prefix("data: ")).filter(|data| *data != "[DONE]") {
                prop_assert!(serde_json::from_str::<&serde_json::value::RawValue>(data).is_ok(), "{}: {}", client, data);
            }
            if done && !deltas.is_empty() {
                prop_assert_eq!(stream.end(), End::Complete, "{}", client);
            }
        }
    }
}
