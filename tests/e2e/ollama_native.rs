//! Ollama by its own API: lines of JSON, and the size of the context in every request.

use bitrouter_tests::{Gateway, Reply, Seen, Upstream};
use serde_json::{Value, json};

fn gateway_at(upstream: &Upstream) -> Gateway {
    let setup = Gateway::start().with("/providers/ollama-native/origins", json!({ "api": upstream.origin() }));
    setup.with("/providers/ollama-native/settings/num_ctx", json!(65_536)).run()
}

fn hello(streaming: bool) -> Value {
    json!({ "model": "ollama-native:qwen3:8b", "stream": streaming, "max_tokens": 50,
            "messages": [{ "role": "user", "content": "Weather in Paris?" }] })
}

fn line(message: &Value, done: bool) -> String {
    let mut line =
        json!({ "model": "qwen3:8b", "created_at": "2026-11-30T15:00:00Z", "message": message, "done": done });
    if done {
        line["done_reason"] = json!("stop");
        line["prompt_eval_count"] = json!(26);
        line["eval_count"] = json!(9);
    }
    format!("{line}\n")
}

/// Answers calls with this; what looks whether a server is there gets what it looks for.
fn says(upstream: &Upstream, reply: Reply) {
    upstream.follows(move |seen| match seen.path.as_str() {
        "/api/chat" => reply.clone(),
        _ => Reply::json(&json!({ "version": "0.20.0" })),
    });
}

/// The calls that came.
fn calls(upstream: &Upstream) -> Vec<Seen> {
    upstream.requests().into_iter().filter(|seen| seen.path == "/api/chat").collect()
}

fn text(text: &str) -> Value {
    json!({ "role": "assistant", "content": text })
}

#[test]
fn lines_become_a_stream_of_each_dialect() {
    let upstream = Upstream::start();
    let gateway = gateway_at(&upstream);
    let stream = [line(&text("It is "), false), line(&text("sunny."), false), line(&text(""), true)].concat();
    let reply = || {
        stream
            .as_bytes()
            .chunks(70)
            .fold(Reply::stream("application/x-ndjson"), |reply, piece| reply.send(piece).pause(5))
    };
    says(&upstream, reply());
    let answer = gateway.chat(&hello(true)).status(200).says(r#""content":"sunny.""#).says(r#""prompt_tokens":26"#);
    assert!(answer.complete && answer.text().ends_with("data: [DONE]\n\n"));
    let sent: Value = serde_json::from_slice(&calls(&upstream)[0].body).unwrap();
    assert_eq!(sent["options"], json!({ "num_predict": 50, "num_ctx": 65_536 }));
    assert_eq!(sent["stream"], true);
    gateway.logs("input_tokens=26 output_tokens=9");
    says(&upstream, reply());
    gateway.post("/v1/messages").json(&hello(true)).send().status(200).says("sunny.").says("message_stop");
}

#[test]
fn a_whole_answer_is_one_document() {
    let upstream = Upstream::start();
    let gateway = gateway_at(&upstream);
    let call = json!({ "function": { "name": "weather", "arguments": { "city": "Paris" } } });
    let message = json!({ "role": "assistant", "content": "", "thinking": "Hm.", "tool_calls": [call] });
    says(&upstream, Reply::body("application/json", line(&message, true)));
    let document = gateway.chat(&hello(false)).status(200).json();
    let choice = &document["choices"][0];
    assert_eq!(
        (&choice["finish_reason"], &choice["message"]["reasoning_content"]),
        (&json!("tool_calls"), &json!("Hm."))
    );
    assert_eq!(choice["message"]["tool_calls"][0]["function"]["arguments"], "{\"city\":\"Paris\"}");
    assert_eq!(document["usage"]["total_tokens"], 35);
}

#[test]
fn an_error_is_one_before_and_within_a_stream() {
    let upstream = Upstream::start();
    let gateway = gateway_at(&upstream);
    let error = "{\"error\":\"model runner has unexpectedly stopped\"}\n";
    let begun = Reply::stream("application/x-ndjson").send(line(&text("It is "), false));
    says(&upstream, begun.pause(50).send(error));
    let answer =
        gateway.chat(&hello(true)).status(200).says("It is ").says("unexpectedly stopped").never_says("[DONE]");
    assert!(!answer.complete);
    says(&upstream, Reply::json(&json!({ "error": "model 'qwen3:8b' not found" })).status(404));
    gateway.chat(&hello(false)).status(404).says("not found");
}

#[test]
fn it_answers_to_its_own_name_alone() {
    let upstream = Upstream::start();
    let gateway = gateway_at(&upstream);
    let mut body = hello(false);
    body["model"] = json!("qwen3:8b");
    assert_ne!(gateway.chat(&body).code, 200);
    assert_eq!(calls(&upstream).len(), 0);
}
