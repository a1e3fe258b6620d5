//! What cases do not show: bodies of any kind, and what a request of Responses has in it that only this dialect has.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::dialect::Dialect;
use crate::translate::{Client, Facts, NoStates, Owner, Target, Translated, Untranslatable, request};

fn translate(from: Dialect, to: Dialect, body: &str) -> Result<Translated, Untranslatable> {
    let owner = Owner { provider: "p", account: "a", model: "m" };
    let facts = Facts::of(to, "m");
    let target = Target { dialect: to, model: "m", owner, facts, states: &NoStates };
    request(&Client { dialect: from, stream: false, session: None }, body.as_bytes(), &target)
}

fn sent(from: Dialect, to: Dialect, body: &Value) -> Value {
    serde_json::from_slice(&translate(from, to, &body.to_string()).unwrap().body).unwrap()
}

#[test]
fn what_would_be_another_answer_is_refused_by_name() {
    for (member, value) in [
        ("background", json!(true)),
        ("conversation", json!("conv_1")),
        ("prompt", json!({"id": "p"})),
        ("previous_response_id", json!("resp_1")),
    ] {
        let mut body = json!({"model": "m", "input": "go"});
        body[member] = value;
        let refused = translate(Dialect::Responses, Dialect::Messages, &body.to_string()).unwrap_err();
        assert_eq!(refused.param.as_deref(), Some(member));
        assert!(refused.message.contains(member) || refused.message.contains("resp_1"), "{refused}");
        body[member] = Value::Null;
        assert!(translate(Dialect::Responses, Dialect::Messages, &body.to_string()).is_ok());
    }
}

#[test]
fn a_function_gets_what_its_schema_lacks() {
    let tool = |schema: Value| {
        let function = json!({"name": "f", "parameters": schema});
        let body = json!({"model": "m", "messages": [], "tools": [{"type": "function", "function": function}]});
        sent(Dialect::ChatCompletions, Dialect::Responses, &body)["tools"][0].clone()
    };
    let empty = json!({"type": "object", "properties": {}});
    assert_eq!(tool(json!({}))["parameters"], empty);
    assert_eq!(tool(json!({"type": "object"}))["parameters"], empty);
    assert_eq!(tool(json!({"type": "object"}))["strict"], json!(false));
    let refers = json!({"$ref": "#/$defs/a", "$defs": {"a": {"type": "object"}}});
    assert_eq!(tool(refers.clone())["parameters"], refers);
}

#[test]
fn more_tokens_than_the_model_writes_become_the_most() {
    let owner = Owner { provider: "p", account: "a", model: "m" };
    let facts = Facts { max_output: Some(1000), ..Facts::of(Dialect::Responses, "m") };
    let target = Target { dialect: Dialect::Responses, model: "m", owner, facts, states: &NoStates };
    let client = Client { dialect: Dialect::ChatCompletions, stream: false, session: None };
    let translated = request(&client, br#"{"model":"m","messages":[],"max_tokens":128000}"#, &target).unwrap();
    let sent: Value = serde_json::from_slice(&translated.body).unwrap();
    assert_eq!(sent["max_output_tokens"], 1000);
    assert_eq!(translated.lost.approximated, ["/max_tokens"]);
}

#[test]
fn few_tokens_become_the_least_that_is_taken() {
    let body = json!({"model": "m", "max_tokens": 1, "messages": [{"role": "user", "content": "quota"}]});
    let translated = translate(Dialect::Messages, Dialect::Responses, &body.to_string()).unwrap();
    let sent: Value = serde_json::from_slice(&translated.body).unwrap();
    assert_eq!(sent["max_output_tokens"], 16);
    assert_eq!(translated.lost.approximated, ["/max_tokens"]);
}

#[test]
fn a_model_that_does_not_think_is_not_asked_for_its_thoughts() {
    let owner = Owner { provider: "p", account: "a", model: "m" };
    let facts = Facts { thinking: crate::translate::Thinking::Never, ..Facts::of(Dialect::Responses, "m") };
    let target = Target { dialect: Dialect::Responses, model: "m", owner, facts, states: &NoStates };
    let client = Client { dialect: Dialect::ChatCompletions, stream: false, session: None };
    let body = br#"{"model":"m","messages":[],"reasoning_effort":"high"}"#;
    let translated = request(&client, body, &target).unwrap();
    let sent: Value = serde_json::from_slice(&translated.body).unwrap();
    assert_eq!((sent.get("include"), sent.get("reasoning")), (None, None));
    assert_eq!(translated.lost.dropped, ["/reasoning_effort"]);
}

const NAMES: &[&str] = &[
    "input",
    "instructions",
    "tools",
    "tool_choice",
    "type",
    "role",
    "content",
    "text",
    "name",
    "namespace",
    "call_id",
    "arguments",
    "output",
    "summary",
    "encrypted_content",
    "image_url",
    "file_data",
    "parameters",
    "format",
    "reasoning",
    "effort",
    "max_output_tokens",
    "phase",
];

const TEXTS: &[&str] = &[
    "message",
    "reasoning",
    "function_call",
    "function_call_output",
    "custom_tool_call",
    "custom_tool_call_output",
    "tool_search_call",
    "tool_search_output",
    "additional_tools",
    "namespace",
    "function",
    "custom",
    "allowed_tools",
    "input_text",
    "input_image",
    "input_file",
    "assistant",
    "developer",
    "json_schema",
    "data:image/png;base64,iVBO",
    "a\"\\",
    "{}",
    "",
];

/// JSON in the dialect's words, in places where they may make no sense.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        prop::sample::select(TEXTS).prop_map(Value::from),
        prop::sample::select(TEXTS).prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 48, 6, |inner| {
        let names = prop::sample::select(NAMES).prop_map(str::to_owned);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::hash_map(names, inner, 0..6).prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(bitrouter_fuzz::cases(256)))]

    #[test]
    fn no_body_panics(
        members in prop::collection::hash_map(prop::sample::select(NAMES), any_json(), 0..5),
        items in prop::collection::vec(any_json(), 0..6),
    ) {
        let mut body: serde_json::Map<String, Value> =
            members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        body.entry("input").or_insert(Value::from(items));
        let body = Value::Object(body).to_string();
        for to in Dialect::ALL {
            if let Ok(translated) = translate(Dialect::Responses, to, &body) {
                let valid = serde_json::from_slice::<Value>(&translated.body);
                prop_assert!(valid.is_ok(), "{to}: {}", String::from_utf8_lossy(&translated.body));
            }
        }
    }
}
