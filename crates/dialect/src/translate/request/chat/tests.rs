//! What cases do not show of requests of Chat Completions: strange bodies, limits, what one target takes and another not.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::dialect::Dialect;
use crate::translate::{Client, Facts, Lost, NoStates, Owner, Target, request};

fn facts() -> Facts {
    Facts::of(Dialect::ChatCompletions, "gpt-5.5")
}

fn translated(from: Dialect, to: Dialect, body: &Value, facts: Facts) -> (Value, Lost) {
    let client = Client { dialect: from, stream: false, session: Some("s") };
    let owner = Owner { provider: "p", account: "a", model: "m" };
    let target = Target { dialect: to, model: "m", owner, facts, states: &NoStates };
    let translated = request(&client, body.to_string().as_bytes(), &target).unwrap();
    (serde_json::from_slice(&translated.body).unwrap(), translated.lost)
}

/// What a target of Chat Completions gets of a Messages request.
fn of_messages(body: &Value, facts: Facts) -> (Value, Lost) {
    translated(Dialect::Messages, Dialect::ChatCompletions, body, facts)
}

#[test]
fn the_media_of_parallel_results_follow_the_last_of_them_each_with_its_call() {
    let image = json!({"type": "image", "source": {"type": "url", "url": "https://a.example/i.png"}});
    let call = |id| json!({"type": "tool_use", "id": id, "name": "f", "input": {}});
    let result = |id, content: Value| json!({"type": "tool_result", "tool_use_id": id, "content": content});
    let body = json!({"max_tokens": 9, "messages": [
        {"role": "user", "content": "go"},
        {"role": "assistant", "content": [call("a"), call("b"), call("c")]},
        {"role": "user", "content": [result("a", json!([image])), result("b", json!("b")), result("c", json!([image]))]},
        {"role": "assistant", "content": [call("d")]},
        {"role": "user", "content": [result("d", json!([image]))]},
    ]});
    let (out, lost) = of_messages(&body, facts());
    let roles: Vec<_> = out["messages"].as_array().unwrap().iter().map(|it| it["role"].as_str().unwrap()).collect();
    assert_eq!(roles, ["user", "assistant", "tool", "tool", "tool", "user", "assistant", "tool", "user"]);
    let parts = out["messages"][5]["content"].as_array().unwrap();
    assert_eq!(parts.len(), 4);
    assert_eq!(parts[0]["text"], "[attached to the result of a]");
    assert_eq!(parts[2]["text"], "[attached to the result of c]");
    assert!(lost.is_empty());
}

#[test]
fn a_limit_is_no_more_than_the_model_writes() {
    let body = json!({"max_tokens": 128_000, "messages": [{"role": "user", "content": "go"}]});
    let (out, lost) = of_messages(&body, Facts { max_output: Some(8192), ..facts() });
    assert_eq!(out["max_completion_tokens"], 8192);
    assert_eq!(lost.approximated, ["/max_tokens"]);
    let (out, _) = of_messages(&body, Facts { max_completion_tokens: false, ..facts() });
    assert_eq!((&out["max_tokens"], &out["prompt_cache_key"]), (&json!(128_000), &Value::Null));
}

#[test]
fn a_choice_among_no_tools_is_not_sent() {
    let search = json!({"type": "web_search_20250305", "name": "web_search"});
    let body = json!({"max_tokens": 9, "messages": [{"role": "user", "content": "go"}], "tools": [search],
        "tool_choice": {"type": "any"}});
    let (out, lost) = of_messages(&body, facts());
    assert!(out.get("tools").is_none() && out.get("tool_choice").is_none());
    assert_eq!(lost.dropped, ["/tools/0", "/tool_choice"]);
    let (out, lost) = of_messages(&body, Facts { web_search: true, ..facts() });
    assert_eq!(out["web_search_options"], json!({}));
    assert_eq!(lost.dropped, ["/tool_choice"]);
}

#[test]
fn a_model_that_does_not_think_is_not_told_how_much() {
    let body = json!({"max_tokens": 9, "messages": [{"role": "user", "content": "go"}],
        "thinking": {"type": "adaptive"}, "output_config": {"effort": "high"}});
    let (out, lost) = of_messages(&body, Facts { thinking: crate::translate::Thinking::Never, ..facts() });
    assert!(out.get("reasoning_effort").is_none());
    assert_eq!(lost.dropped, ["/output_config/effort"]);
}

#[test]
fn a_key_of_a_prompt_cache_that_is_too_long_is_shortened() {
    let long = "x".repeat(70);
    let body = json!({"input": "go", "prompt_cache_key": long});
    let (out, _) = translated(Dialect::Responses, Dialect::ChatCompletions, &body, facts());
    assert_eq!(out["prompt_cache_key"].as_str().unwrap().len(), 64);
}

/// JSON with the members and words of Chat Completions in it, at places where they do not belong too.
fn any_json() -> impl Strategy<Value = Value> {
    let one_of = |words: &'static str| proptest::sample::select(words.split_whitespace().collect::<Vec<_>>());
    let words = one_of(
        "system developer user assistant tool function text image_url input_audio file custom auto none required any low high \
         data:image/png;base64,aa data:x https://a.example/x.pdf json_schema json_object a\"\\ \u{1F600} grammar lark wav",
    );
    let keys = one_of(
        "role content type text refusal reasoning_content reasoning reasoning_details tool_calls function_call function name \
         arguments id tool_call_id custom input image_url url detail input_audio data format file file_data filename schema \
         json_schema parameters strict allowed_tools tools mode grammar syntax definition signature index extra_content google \
         thought_signature effort max_tokens cache_control thinking",
    );
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        words.prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 48, 6, move |inner| {
        let member = (keys.clone().prop_map(str::to_owned), inner.clone());
        prop_oneof![
            proptest::collection::vec(inner, 0..5).prop_map(Value::from),
            proptest::collection::vec(member, 0..6).prop_map(|members| members.into_iter().collect()),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(bitrouter_fuzz::cases(64)) })]

    #[test]
    fn a_strange_body_is_translated_all_the_same(
        messages in proptest::collection::vec(any_json(), 0..6),
        tools in proptest::collection::vec(any_json(), 0..4),
        name in proptest::sample::select(vec!["tool_choice", "response_format", "reasoning", "stop", "max_tokens", "user", "n"]),
        setting in any_json(),
    ) {
        let told = |message: &Value| json!({"role": "assistant", "content": [message], "tool_calls": [message],
            "reasoning_details": [message], "function_call": message});
        let results = messages.iter().map(|message| json!({"role": "tool", "tool_call_id": "a", "content": [message]}));
        let all: Vec<Value> = messages.iter().cloned().chain(messages.iter().map(told)).chain(results).collect();
        let mut body = json!({"messages": all, "tools": tools});
        body[name] = setting;
        for to in Dialect::ALL {
            translated(Dialect::ChatCompletions, to, &body, Facts::of(to, "m"));
        }
        let body = json!({"max_tokens": 9, "messages": messages.iter().map(|it| json!({"role": "user", "content": [it]})).collect::<Vec<_>>()});
        of_messages(&body, facts());
    }
}
