//! The official Python client of OpenAI's, against the gateway. `cargo xtask e2e` gets the package and runs this.

use std::process::Command;

use bitrouter_tests::{Gateway, KEY, Reply, Seen, Upstream};
use serde_json::{Value, json};

#[test]
#[ignore = "needs the Python package: cargo xtask e2e"]
fn the_official_openai_package_works_as_it_does_with_openai() {
    let python = std::env::var_os("BITROUTER_E2E_PYTHON").expect("which Python is not said. Run: cargo xtask e2e");
    let upstream = Upstream::start();
    upstream.follows(openai);
    let gateway = Gateway::start().with_openai_at(&upstream).run();
    let mut client = Command::new(python);
    client.arg(Gateway::script("python/openai_sdk.py")).arg(format!("http://{}", gateway.address()));
    let ran = client.output().unwrap();
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(ran.status.success(), "{}{}\n{}", said(&ran.stdout), said(&ran.stderr), gateway.log());
    assert_eq!(said(&ran.stdout).lines().count(), 11, "{}", said(&ran.stdout));
    for request in upstream.requests() {
        assert_eq!(request.headers.all("authorization").collect::<Vec<_>>(), [format!("Bearer {KEY}")]);
    }
}

/// What OpenAI would answer, as far as the client reads it.
fn openai(request: &Seen) -> Reply {
    if request.path == "/v1/audio/transcriptions" {
        assert!(request.text().contains("\r\n\r\nwhisper-1\r\n"), "the model of the form");
        return Reply::json(&json!({"text": "hello there"}));
    }
    let body = request.json();
    let streaming = body["stream"] == true;
    match request.path.as_str() {
        "/v1/chat/completions" if body["model"] == "limited" => {
            let error =
                json!({"error": {"message": "slow down", "type": "rate_limit_error", "param": null, "code": null}});
            Reply::json(&error).status(429)
        }
        "/v1/chat/completions" if streaming => events(&chat_chunks(body["tools"].is_array()), "data: [DONE]\n\n"),
        "/v1/chat/completions" => Reply::json(&chat(body["tools"].is_array())),
        "/v1/embeddings" => {
            let data = [json!([0.5, -0.25]), json!([1.0, 0.0])];
            let data = data.iter().enumerate();
            let data: Vec<Value> = data
                .map(|(index, vector)| json!({"object": "embedding", "index": index, "embedding": vector}))
                .collect();
            let usage = json!({"prompt_tokens": 2, "total_tokens": 2});
            Reply::json(&json!({"object": "list", "data": data, "model": body["model"], "usage": usage}))
        }
        "/v1/images/generations" => Reply::json(&json!({"created": 1, "data": [{"b64_json": "aW1hZ2U="}]})),
        "/v1/audio/speech" => Reply::body("audio/mpeg", (0..=255).cycle().take(4096).collect::<Vec<u8>>()),
        "/v1/responses" => events(&response_events(), ""),
        other => Reply::json(&json!({"error": {"message": format!("no such path: {other}")}})).status(404),
    }
}

fn usage() -> Value {
    json!({"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7})
}

fn tool_call() -> Value {
    let function = json!({"name": "weather", "arguments": "{\"city\":\"Paris\"}"});
    json!({"index": 0, "id": "call_1", "type": "function", "function": function})
}

fn chat(tools: bool) -> Value {
    let (message, reason) = match tools {
        true => (json!({"role": "assistant", "content": null, "tool_calls": [tool_call()]}), "tool_calls"),
        false => (json!({"role": "assistant", "content": "Sunny."}), "stop"),
    };
    json!({
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "gpt-4o", "usage": usage(),
        "choices": [{"index": 0, "message": message, "finish_reason": reason}],
    })
}

fn chat_chunks(tools: bool) -> Vec<Value> {
    let chunk = |choices: Value, usage: Value| {
        json!({
            "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4o",
            "choices": choices, "usage": usage,
        })
    };
    let delta = |delta: Value, reason: Value| {
        chunk(json!([{"index": 0, "delta": delta, "finish_reason": reason}]), Value::Null)
    };
    let mut chunks = vec![delta(json!({"role": "assistant", "content": ""}), Value::Null)];
    if tools {
        let mut begin = tool_call();
        begin["function"]["arguments"] = json!("");
        chunks.push(delta(json!({ "tool_calls": [begin] }), Value::Null));
        for part in ["{\"city\"", ":\"Paris\"}"] {
            chunks.push(delta(json!({"tool_calls": [{"index": 0, "function": {"arguments": part}}]}), Value::Null));
        }
        chunks.push(delta(json!({}), json!("tool_calls")));
    } else {
        chunks.extend(["Sun", "ny."].map(|part| delta(json!({"content": part}), Value::Null)));
        chunks.push(delta(json!({}), json!("stop")));
        chunks.push(chunk(json!([]), usage()));
    }
    chunks
}

fn response_events() -> Vec<Value> {
    let response = |status: &str, output: Value, usage: Value| {
        json!({
            "id": "resp_1", "object": "response", "created_at": 1, "model": "gpt-4o", "status": status,
            "output": output, "parallel_tool_calls": true, "tool_choice": "auto", "tools": [], "usage": usage,
        })
    };
    let delta = |sequence: u32, text: &str| {
        json!({
            "type": "response.output_text.delta", "sequence_number": sequence, "item_id": "msg_1", "output_index": 0,
            "content_index": 0, "delta": text, "logprobs": [],
        })
    };
    let content = json!([{"type": "output_text", "text": "Sunny.", "annotations": []}]);
    let message =
        json!([{"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": content}]);
    let usage = json!({
        "input_tokens": 5, "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": 2, "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 7,
    });
    let begun = response("in_progress", json!([]), Value::Null);
    vec![
        json!({"type": "response.created", "sequence_number": 0, "response": begun}),
        delta(1, "Sun"),
        delta(2, "ny."),
        json!({"type": "response.completed", "sequence_number": 3, "response": response("completed", message, usage)}),
    ]
}

/// Events as OpenAI frames them: those with a type name it twice.
fn events(events: &[Value], end: &str) -> Reply {
    let stream = events.iter().fold(Reply::sse(), |reply, event| {
        let name = event["type"].as_str().map_or(String::new(), |name| format!("event: {name}\n"));
        reply.send(format!("{name}data: {event}\n\n"))
    });
    if end.is_empty() { stream } else { stream.send(end) }
}
