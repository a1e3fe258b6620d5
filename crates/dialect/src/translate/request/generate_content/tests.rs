//! What cases do not show: requests of any kind.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::Dialect;
use crate::translate::{Client, Facts, NoStates, Owner, Target, request};

const NAMES: [&str; 48] = [
    "contents",
    "role",
    "parts",
    "text",
    "thought",
    "thoughtSignature",
    "functionCall",
    "functionResponse",
    "id",
    "name",
    "args",
    "response",
    "output",
    "error",
    "result",
    "inlineData",
    "fileData",
    "mimeType",
    "data",
    "fileUri",
    "parts",
    "systemInstruction",
    "tools",
    "functionDeclarations",
    "parametersJsonSchema",
    "parameters",
    "type",
    "properties",
    "items",
    "anyOf",
    "$ref",
    "allOf",
    "enum",
    "const",
    "googleSearch",
    "toolConfig",
    "functionCallingConfig",
    "mode",
    "allowedFunctionNames",
    "generationConfig",
    "thinkingConfig",
    "thinkingBudget",
    "thinkingLevel",
    "stopSequences",
    "responseSchema",
    "responseMimeType",
    "nullable",
    "required",
];

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f32>().prop_map(|it| json!(it)),
        "[a-z\"\\\\\u{0}-\u{1f}é😀]{0,6}".prop_map(Value::from),
        prop::sample::select(vec![
            "model",
            "user",
            "YnIxLnsifQ==",
            "YnIxL",
            "image/png",
            "ANY",
            "object",
            "null",
            "#/a"
        ])
        .prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 64, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((prop::sample::select(NAMES.to_vec()), inner), 0..6)
                .prop_map(|members| members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()),
        ]
    })
}

fn target(dialect: Dialect, model: &'static str) -> Target<'static> {
    let owner = Owner { provider: "p", account: "a", model };
    Target { dialect, model, owner, facts: Facts::of(dialect, model), states: &NoStates }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(bitrouter_fuzz::cases(256)))]

    #[test]
    fn a_request_of_any_kind_becomes_json(contents: Contents, rest in value(), system in value(), tools in value(), config in value()) {
        let body = json!({
            "contents": contents.0, "rest": rest, "systemInstruction": system, "tools": tools, "toolConfig": rest,
            "generationConfig": config,
        });
        let body = body.to_string();
        for to in [Dialect::ChatCompletions, Dialect::Responses, Dialect::Messages] {
            let client = Client { dialect: Dialect::GenerateContent, stream: false, session: None };
            if let Ok(translated) = request(&client, body.as_bytes(), &target(to, "m")) {
                let out: Result<Value, _> = serde_json::from_slice(&translated.body);
                prop_assert!(out.is_ok(), "{to}: {}", String::from_utf8_lossy(&translated.body));
            }
        }
    }

    #[test]
    fn a_schema_of_any_kind_becomes_a_schema(schema in value()) {
        let tool = json!({"type": "function", "name": "f", "parameters": schema});
        let format = json!({"format": {"type": "json_schema", "name": "r", "schema": schema}});
        let body = json!({"model": "m", "input": "go", "tools": [tool], "text": format}).to_string();
        for model in ["gemini-2.0-flash", "gemini-2.5-pro", "gemini-3.5-pro"] {
            let client = Client { dialect: Dialect::Responses, stream: false, session: None };
            let translated = request(&client, body.as_bytes(), &target(Dialect::GenerateContent, model)).unwrap();
            let out: Result<Value, _> = serde_json::from_slice(&translated.body);
            prop_assert!(out.is_ok(), "{}", String::from_utf8_lossy(&translated.body));
        }
    }
}

/// Contents whose outer shape is right.
#[derive(Debug)]
struct Contents(Value);

impl Arbitrary for Contents {
    type Parameters = ();
    type Strategy = BoxedStrategy<Self>;

    fn arbitrary_with((): ()) -> Self::Strategy {
        let content = (any::<bool>(), prop::collection::vec(value(), 0..4))
            .prop_map(|(model, parts)| json!({"role": if model { "model" } else { "user" }, "parts": parts}));
        prop::collection::vec(prop_oneof![3 => content, 1 => value()], 0..6).prop_map(|it| Self(it.into())).boxed()
    }
}
