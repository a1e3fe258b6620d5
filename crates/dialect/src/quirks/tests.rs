use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::*;

/// A body of Chat Completions with all that words speak of.
const CHAT: &str = "chat-completions";
const LONG: &str = "call_0123456789012345678901234567890123456789012345678901234567890123456789";

/// What one word makes of a body of this dialect, and what it says is left out. A stream is asked for, but where the word
/// speaks of whole answers.
fn suited(word: &str, dialect: &str, body: &Value) -> (Value, Vec<String>) {
    let streaming = word != "thinking-streams";
    let mut document = Document::parse(body.to_string()).unwrap();
    let quirks = Quirks::new([Quirk::of_word(word).unwrap()], BTreeMap::new());
    let told = quirks.apply(Edited { dialect, generates: true, streaming }, &mut document).unwrap();
    (serde_json::from_slice(&document.output().into_bytes()).unwrap(), told)
}

#[test]
fn every_word_edits_what_it_says_tells_what_is_lost_and_leaves_other_bodies_alone() {
    let call =
        |id: &str| json!({ "role": "assistant", "content": null, "tool_calls": [{ "id": id, "type": "function" }] });
    let result = |id: &str| json!({ "role": "tool", "tool_call_id": id, "content": "x" });
    let (nine, short) = (ids::of_nine("call_1").unwrap(), ids::up_to_64(LONG).unwrap());
    let cases: Vec<(&str, &str, Value, Value, &[&str])> = vec![
        (
            "known-members",
            CHAT,
            json!({ "model": "m", "x": 1, "messages": [{ "role": "user", "ts": 1 }, { "ts": 2, "*": 3 }] }),
            json!({ "model": "m", "messages": [{ "role": "user" }, { "*": 3 }] }),
            &["/x", "/messages/0/ts", "/messages/1/ts"],
        ),
        (
            "no-null-members",
            CHAT,
            json!({ "stop": null, "messages": [{ "content": null, "name": "a" }], "tools": [{ "x": null, "function": { "strict": null } }] }),
            json!({ "messages": [{ "name": "a" }], "tools": [{ "function": {} }] }),
            &[],
        ),
        (
            "system-role",
            CHAT,
            json!({ "messages": [{ "role": "developer" }, { "role": "user" }, { "role": "\u{64}eveloper" }] }),
            json!({ "messages": [{ "role": "system" }, { "role": "user" }, { "role": "system" }] }),
            &[],
        ),
        (
            "system-role",
            "responses",
            json!({ "input": [{ "role": "developer" }] }),
            json!({ "input": [{ "role": "system" }] }),
            &[],
        ),
        ("max-tokens", CHAT, json!({ "max_completion_tokens": 7 }), json!({ "max_tokens": 7 }), &[]),
        ("max-tokens", CHAT, json!({ "max_completion_tokens": 7, "max_tokens": 8 }), json!({ "max_tokens": 8 }), &[]),
        ("max-completion-tokens", CHAT, json!({ "max_tokens": 7 }), json!({ "max_completion_tokens": 7 }), &[]),
        ("no-stream-options", CHAT, json!({ "stream_options": {} }), json!({}), &["/stream_options"]),
        ("stream-usage", CHAT, json!({}), json!({ "stream_options": { "include_usage": true } }), &[]),
        (
            "stream-usage",
            CHAT,
            json!({ "stream_options": { "x": 1, "include_usage": false } }),
            json!({ "stream_options": { "x": 1, "include_usage": true } }),
            &[],
        ),
        (
            "no-message-names",
            CHAT,
            json!({ "messages": [{ "name": "a" }, {}] }),
            json!({ "messages": [{}, {}] }),
            &["/messages/0/name"],
        ),
        ("random-seed", CHAT, json!({ "seed": 1 }), json!({ "random_seed": 1 }), &[]),
        ("tool-choice-any", CHAT, json!({ "tool_choice": "required" }), json!({ "tool_choice": "any" }), &[]),
        (
            "no-required-tool-choice",
            CHAT,
            json!({ "tool_choice": "required" }),
            json!({ "tool_choice": "auto" }),
            &["/tool_choice"],
        ),
        ("no-parallel-tool-calls", CHAT, json!({ "parallel_tool_calls": false }), json!({}), &["/parallel_tool_calls"]),
        (
            "no-strict-tools",
            CHAT,
            json!({ "tools": [{ "function": { "strict": true } }, { "function": {} }] }),
            json!({ "tools": [{ "function": {} }, { "function": {} }] }),
            &["/tools/0/function/strict"],
        ),
        (
            "no-strict-tools",
            "responses",
            json!({ "tools": [{ "strict": true }] }),
            json!({ "tools": [{}] }),
            &["/tools/0/strict"],
        ),
        (
            "plain-schemas",
            CHAT,
            json!({ "tools": [{ "function": { "parameters": { "$schema": "s", "$id": "i", "type": "object" } } }] }),
            json!({ "tools": [{ "function": { "parameters": { "type": "object" } } }] }),
            &[],
        ),
        (
            "plain-schemas",
            "responses",
            json!({ "text": { "format": { "schema": { "$id": 1 } } } }),
            json!({ "text": { "format": { "schema": {} } } }),
            &[],
        ),
        (
            "text-as-string",
            CHAT,
            json!({ "messages": [{ "content": [{ "type": "text", "text": "a\"\n" }, { "type": "text", "text": "b" }] },
                { "content": [{ "type": "image_url" }] }, { "content": [] }, { "content": "c" }] }),
            json!({ "messages": [{ "content": "a\"\n\nb" }, { "content": [{ "type": "image_url" }] }, { "content": "" }, { "content": "c" }] }),
            &[],
        ),
        (
            "thinking-streams",
            CHAT,
            json!({ "model": "qwen3-32b", "enable_thinking": true }),
            json!({ "model": "qwen3-32b", "enable_thinking": false }),
            &["/enable_thinking"],
        ),
        (
            "thinking-streams",
            CHAT,
            json!({ "model": "Qwen/Qwen3-8B" }),
            json!({ "model": "Qwen/Qwen3-8B", "enable_thinking": false }),
            &[],
        ),
        ("thinking-streams", CHAT, json!({ "model": "qwen3-a-thinking" }), json!({ "model": "qwen3-a-thinking" }), &[]),
        ("thinking-streams", CHAT, json!({ "model": "qwen-plus" }), json!({ "model": "qwen-plus" }), &[]),
        (
            "no-reasoning-content",
            CHAT,
            json!({ "messages": [{ "reasoning_content": "r" }] }),
            json!({ "messages": [{}] }),
            &["/messages/0/reasoning_content"],
        ),
        (
            "reasoning-member",
            CHAT,
            json!({ "messages": [{ "reasoning_content": "r" }, { "reasoning_content": "r", "reasoning": "s" }] }),
            json!({ "messages": [{ "reasoning": "r" }, { "reasoning": "s" }] }),
            &[],
        ),
        (
            "reasoning-with-tools",
            CHAT,
            json!({ "messages": [{ "role": "assistant", "tool_calls": [1] }, { "role": "assistant", "tool_calls": [1], "reasoning_content": "r" },
                { "role": "assistant" }] }),
            json!({ "messages": [{ "role": "assistant", "tool_calls": [1], "reasoning_content": " " },
                { "role": "assistant", "tool_calls": [1], "reasoning_content": "r" }, { "role": "assistant" }] }),
            &[],
        ),
        (
            "tool-call-ids-of-9",
            CHAT,
            json!({ "messages": [call("call_1"), result("call_1"), call("abcdefgh9")] }),
            json!({ "messages": [call(&nine), result(&nine), call("abcdefgh9")] }),
            &[],
        ),
        (
            "tool-call-ids-up-to-64",
            CHAT,
            json!({ "messages": [call(LONG), result(LONG), call("call_1")] }),
            json!({ "messages": [call(&short), result(&short), call("call_1")] }),
            &[],
        ),
        (
            "tool-call-ids-up-to-64",
            "responses",
            json!({ "input": [{ "call_id": LONG }, { "call_id": "c" }] }),
            json!({ "input": [{ "call_id": short }, { "call_id": "c" }] }),
            &[],
        ),
    ];
    for (word, dialect, before, after, told) in &cases {
        let (suited_body, left_out) = suited(word, dialect, before);
        assert_eq!(&suited_body, after, "{word} in {dialect}");
        assert_eq!(left_out, *told, "{word} in {dialect}");
        assert_eq!(suited(word, "generate-content", before), (before.clone(), Vec::new()), "{word}");
        // Made twice it is made once.
        assert_eq!(&suited(word, dialect, after).0, after, "{word} in {dialect}");
    }
    let tested: BTreeSet<&str> = cases.iter().map(|(word, ..)| *word).collect();
    assert_eq!(tested, Quirk::WORDS.iter().copied().collect());
    assert!(short.len() <= 64 && nine.len() == 9);
}

#[test]
fn words_are_made_in_one_order_however_they_are_listed_and_not_where_nothing_is_generated() {
    let words = [Quirk::NoReasoningContent, Quirk::MaxTokens, Quirk::MaxTokens];
    let quirks = Quirks::new(words, BTreeMap::new());
    let body = json!({ "max_completion_tokens": 1, "messages": [{ "reasoning_content": "r" }] }).to_string();
    let mut document = Document::parse(body.clone()).unwrap();
    let request = Edited { dialect: CHAT, generates: true, streaming: false };
    assert_eq!(quirks.apply(request, &mut document).unwrap(), ["/messages/0/reasoning_content"]);
    assert_eq!(document.output().into_bytes(), r#"{"messages":[{}],"max_tokens":1}"#);
    let mut document = Document::parse(body.clone()).unwrap();
    assert!(quirks.apply(Edited { generates: false, ..request }, &mut document).unwrap().is_empty());
    assert_eq!(document.output().into_bytes(), body);
    assert!(Quirks::default().is_empty() && !quirks.is_empty());
}

#[test]
fn a_model_that_thinks_does_so_in_a_stream() {
    let quirks = Quirks::new([Quirk::ThinkingStreams], BTreeMap::new());
    let body = r#"{"model":"qwen3-32b","enable_thinking":true}"#;
    let mut document = Document::parse(body).unwrap();
    let request = Edited { dialect: CHAT, generates: true, streaming: true };
    assert!(quirks.apply(request, &mut document).unwrap().is_empty());
    assert_eq!(document.output().into_bytes(), body);
}

#[test]
fn edits_of_a_description_keep_remove_rename_and_set_in_their_dialect() {
    let edits: BodyEdits = serde_json::from_value(json!({
        "keep": ["model", "messages", "store", "seed", "a/b"],
        "remove": ["/messages/*/name", "/not/there"],
        "rename": { "/seed": "random~seed", "/messages/*/x": "y" },
        "set": { "/store": false, "/messages/*/z": { "a": 1 }, "/none/here": 1, "/messages/0": 7 },
    }))
    .unwrap();
    let quirks = Quirks::new([], BTreeMap::from([(CHAT.to_owned(), edits)]));
    let body =
        json!({ "model": "m", "seed": 1, "a/b": 2, "extra": 3, "messages": [{ "name": "n", "x": 1 }, { "z": 0 }] });
    let edit = |dialect| {
        let mut document = Document::parse(body.to_string()).unwrap();
        let told = quirks.apply(Edited { dialect, generates: false, streaming: false }, &mut document).unwrap();
        (serde_json::from_slice::<Value>(&document.output().into_bytes()).unwrap(), told)
    };
    let expected = json!({
        "model": "m", "random~seed": 1, "a/b": 2, "store": false,
        "messages": [{ "y": 1, "z": { "a": 1 } }, { "z": { "a": 1 } }],
    });
    assert_eq!(edit(CHAT), (expected, vec!["/extra".to_owned(), "/messages/0/name".to_owned()]));
    assert_eq!(edit("responses"), (body.clone(), Vec::new()));
}

#[test]
fn an_id_is_replaced_by_the_same_one_in_every_request_of_every_gateway() {
    assert_eq!(ids::of_nine("call_1"), ids::of_nine("call_1"));
    assert_ne!(ids::of_nine("call_1"), ids::of_nine("call_2"));
    let ids: BTreeSet<_> = (0..50_000).map(|number| ids::of_nine(&format!("call_{number}")).unwrap()).collect();
    assert_eq!(ids.len(), 50_000);
    assert_eq!(ids::of_nine("D681PevKs"), None);
}
