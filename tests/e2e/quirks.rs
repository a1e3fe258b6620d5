//! What a provider takes differently is said by words, in its description and in the config: bodies are edited accordingly,
//! and clients hear of what was left out.

use bitrouter_tests::{Gateway, Setup, Upstream};
use serde_json::{Value, json};

fn acme(more: Value) -> Value {
    let mut whole = json!({
        "id": "acme", "name": "Acme AI", "version": "1",
        "origins": { "api": "https://api.acme.example/v1" },
        "auth": [{ "method": "api-key", "env": ["ACME_API_KEY"], "attach": [{ "header": "x-acme-key" }] }],
        "serves": { "generate": ["chat-completions"], "embeddings": ["openai"] },
        "models": [{ "id": "acme-1" }],
    });
    whole.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
    whole
}

fn with(upstream: &Upstream, more: Value) -> Setup {
    let file = acme(more).to_string();
    let setup = Gateway::start().with_plugin_file("acme.json", file.as_bytes()).with_origin("acme", upstream);
    let setup = setup.with_key("ACME_API_KEY", "canary-of-acme");
    setup.command(&["plugin", "trust", "acme", "--yes"]).ok();
    setup
}

#[test]
fn bodies_are_edited_by_words_of_the_description_and_of_the_config_and_clients_hear_what_is_left_out() {
    let upstream = Upstream::start();
    let more = json!({
        "quirks": ["system-role", "no-message-names", "of-next-year"],
        "body": { "chat-completions": { "set": { "/safe": true } }, "openai": { "rename": { "/input": "texts" } } },
    });
    let setup = with(&upstream, more).with("/providers/acme/quirks", json!(["max-tokens"]));
    let gateway = setup.run();
    gateway.logs("of-next-year");
    let body = json!({
        "model": "acme-1", "max_completion_tokens": 9,
        "messages": [{ "role": "developer", "content": "a" }, { "role": "user", "content": "b", "name": "n" }],
    });
    let answer = gateway.chat(&body).status(200);
    assert_eq!(answer.header("x-bitrouter-dropped"), Some("/messages/1/name"));
    let expected = json!({
        "model": "acme-1", "max_tokens": 9, "safe": true,
        "messages": [{ "role": "system", "content": "a" }, { "role": "user", "content": "b" }],
    });
    assert_eq!(upstream.last().json(), expected);
    gateway.post("/v1/embeddings").json(&json!({ "model": "acme:e", "input": "x" })).send().status(200);
    assert_eq!(upstream.last().json(), json!({ "model": "e", "texts": "x" }));
}

#[test]
fn they_hold_for_a_body_that_was_translated_and_name_what_the_client_said() {
    let upstream = Upstream::start();
    let gateway = with(&upstream, json!({ "quirks": ["no-parallel-tool-calls", "max-tokens"] })).run();
    upstream.answers(json!({
        "id": "c", "object": "chat.completion", "model": "m",
        "choices": [{ "index": 0, "message": { "role": "assistant", "content": "ok" }, "finish_reason": "stop" }],
    }));
    let body = json!({
        "model": "acme-1", "max_tokens": 9, "messages": [{ "role": "user", "content": "hi" }],
        "tools": [{ "name": "look", "input_schema": { "type": "object" } }],
        "tool_choice": { "type": "auto", "disable_parallel_tool_use": true },
    });
    let answer = gateway.post("/v1/messages").json(&body).send().status(200);
    let sent = upstream.last().json();
    assert_eq!((&sent["max_tokens"], &sent["parallel_tool_calls"]), (&json!(9), &Value::Null), "{sent}");
    let dropped = answer.header("x-bitrouter-dropped").unwrap_or_default();
    assert!(dropped.contains("/tool_choice"), "{dropped}");
}

#[test]
fn an_unknown_word_of_the_config_is_an_error_with_the_nearest() {
    let upstream = Upstream::start();
    let setup = with(&upstream, json!({})).with("/providers/acme/quirks", json!(["max-token"]));
    setup.command(&["config", "check"]).fails().says("unknown word `max-token`: did you mean `max-tokens`?");
}
