//! What a request's conversation is found by, and that its turns are one conversation.

use serde_json::{Value, json};

use super::*;

fn key(headers: &[(&'static str, &str)], body: Value) -> Option<Conversation> {
    let headers = headers.iter().map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap()));
    let mut document = Document::parse(body.to_string()).unwrap();
    Conversation::of(&headers.collect(), Some(&mut document))
}

fn hello() -> Value {
    json!({ "messages": [{ "role": "user", "content": "hello" }] })
}

#[test]
fn what_the_client_says_wins_over_the_texts_in_this_order() {
    let mut body = hello();
    body["conversation"] = json!("conv");
    assert_eq!(key(&[], body.clone()), Some(Conversation::of_id("conv")));
    let mut headers = Vec::new();
    for name in HEADERS.iter().rev().map(HeaderName::as_str) {
        headers.push((name, name));
        assert_eq!(key(&headers, body.clone()), Some(Conversation::of_id(name)));
    }
    body["prompt_cache_key"] = json!("cache \u{e9}");
    assert_eq!(key(&headers, body), Some(Conversation::of_id("cache é")));
    assert_eq!(Conversation::of(&HeaderMap::new(), None), None);
}

#[test]
fn the_conversation_of_the_responses_api_may_be_an_object() {
    assert_eq!(key(&[], json!({ "conversation": { "id": "conv" } })), Some(Conversation::of_id("conv")));
}

#[test]
fn what_is_empty_too_long_or_no_text_names_nothing() {
    let by_texts = key(&[], hello());
    for id in [json!(""), json!(7), json!(null), json!("x".repeat(2000))] {
        let mut body = hello();
        body["prompt_cache_key"] = id.clone();
        assert_eq!(key(&[("session-id", "")], body), by_texts, "{id}");
    }
}

#[test]
fn the_turns_of_a_conversation_are_one_in_every_dialect() {
    let marked = json!({ "type": "text", "text": "hi", "cache_control": { "type": "ephemeral" } });
    let turns: [(&str, Value, Value); 5] = [
        (
            "chat completions",
            json!({ "messages": [{ "role": "system", "content": "Be brief." }, { "role": "user", "content": "hi" }] }),
            json!({ "messages": [
                { "role": "system", "content": "Be brief." }, { "role": "user", "content": "hi" },
                { "role": "assistant", "content": "Yes?" }, { "role": "user", "content": "What is new?" },
            ] }),
        ),
        (
            "responses",
            json!({ "instructions": "Be brief.", "input": "hi" }),
            json!({ "instructions": "Be brief.", "input": [
                { "role": "user", "content": [{ "type": "input_text", "text": "hi" }] },
                { "type": "message", "role": "assistant", "content": [{ "type": "output_text", "text": "Yes?" }] },
            ], "store": false }),
        ),
        (
            "messages, whose cache marks move",
            json!({ "system": "Be brief.", "messages": [{ "role": "user", "content": [marked] }] }),
            json!({ "system": [{ "type": "text", "text": "Be brief." }], "messages": [
                { "role": "user", "content": "hi" }, { "role": "assistant", "content": [marked] },
            ] }),
        ),
        (
            "generateContent",
            json!({ "systemInstruction": { "parts": [{ "text": "Be brief." }] }, "contents": [{ "parts": [{ "text": "hi" }] }] }),
            json!({ "system_instruction": { "parts": [{ "text": "Be brief." }] }, "contents": [
                { "role": "user", "parts": [{ "text": "hi" }] }, { "role": "model", "parts": [{ "text": "Yes?" }] },
            ] }),
        ),
        (
            "completions have no turns",
            json!({ "input": "hi", "temperature": 0 }),
            json!({ "input": "hi", "temperature": 1 }),
        ),
    ];
    for (dialect, first, second) in turns {
        let found = key(&[], first.clone());
        assert!(found.is_some(), "{dialect}");
        assert_eq!(found, key(&[], second), "{dialect}");
        let other = serde_json::from_str(&first.to_string().replace("\"hi\"", "\"ho\"")).unwrap();
        assert_ne!(found, key(&[], other), "{dialect}: another first message is another conversation");
        if first.to_string().contains("brief") {
            let other = serde_json::from_str(&first.to_string().replace("brief", "verbose")).unwrap();
            assert_ne!(found, key(&[], other), "{dialect}: other instructions are another conversation");
        }
    }
}

#[test]
fn texts_are_not_taken_for_others_that_read_the_same_in_a_row() {
    let parts = |texts: [&str; 2]| {
        let parts = texts.map(|text| json!({ "type": "text", "text": text }));
        key(&[], json!({ "messages": [{ "role": "user", "content": parts }] }))
    };
    assert_ne!(parts(["ab", "c"]), parts(["a", "bc"]));
}

#[test]
fn instructions_alone_are_no_conversation() {
    assert_eq!(key(&[], json!({ "instructions": "Be brief.", "input": [] })), None);
    assert_eq!(key(&[], json!({ "model": "tts-1" })), None);
}

#[test]
fn a_body_that_is_broken_inside_has_a_key_or_none_and_no_panic() {
    for body in [
        r#"{"messages": [{"role": "user", "role": "user", "content": "hi"}]}"#,
        r#"{"messages": [{"role": "user", "content": "\x"}]}"#,
        r#"{"messages": {"0": {"content": "hi"}}}"#,
        r#"{"messages": [1, null], "system": {"parts": 3}}"#,
    ] {
        let mut document = Document::parse(body).unwrap();
        let _ = Conversation::of(&HeaderMap::new(), Some(&mut document));
    }
}

#[test]
fn only_the_beginning_of_a_long_text_is_hashed() {
    let of = |end: char| {
        let text = format!("{}{end}", "x".repeat(2 * OF_TEXT));
        key(&[], json!({ "messages": [{ "role": "user", "content": text }] }))
    };
    assert!(of('a').is_some());
    assert_eq!(of('a'), of('b'));
}
