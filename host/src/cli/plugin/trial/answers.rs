//! What the echo answers: a short text in the dialect that the path belongs to, whole or streamed as it was asked for.

use serde_json::{Value, json};

const JSON: &str = "application/json";
const SSE: &str = "text/event-stream";
const SAID: &str = "This is the echo of bitrouter plugin try.";

/// The media type and the text of an answer to this path and body.
pub(super) fn to(path: &str, body: &Value) -> (&'static str, String) {
    let streams = body["stream"] == true;
    let model = body["model"].as_str().unwrap_or("echo");
    match path {
        path if path.ends_with("/chat/completions") && streams => (SSE, chat_stream(model)),
        path if path.ends_with("/chat/completions") => (JSON, chat(model).to_string()),
        path if path.ends_with("/responses") && streams => (SSE, responses_stream(model)),
        path if path.ends_with("/responses") => (JSON, response(model, "completed", true).to_string()),
        path if path.ends_with("/messages") && streams => (SSE, messages_stream(model)),
        path if path.ends_with("/messages") => (JSON, message(model, true).to_string()),
        path if path.ends_with(":streamGenerateContent") => (SSE, events([(None, content())])),
        path if path.ends_with(":generateContent") => (JSON, content().to_string()),
        path if path.ends_with("/embeddings") => (JSON, embeddings(model).to_string()),
        path if path.ends_with("/models") => {
            (JSON, json!({ "object": "list", "data": [{ "id": "echo-model", "object": "model" }] }).to_string())
        }
        // An API that is like nobody else's: what it would say only its author knows, and says with --answer.
        _ => (JSON, json!({ "echo": SAID, "path": path, "body": body }).to_string()),
    }
}

/// Events as they stand on the wire, those with a name under it.
fn events(events: impl IntoIterator<Item = (Option<&'static str>, Value)>) -> String {
    let one = |(name, data): (Option<&str>, Value)| {
        name.map_or(String::new(), |name| format!("event: {name}\n")) + &format!("data: {data}\n\n")
    };
    events.into_iter().map(one).collect()
}

fn chat(model: &str) -> Value {
    json!({
        "id": "chatcmpl-echo", "object": "chat.completion", "created": 0, "model": model,
        "choices": [{ "index": 0, "message": { "role": "assistant", "content": SAID }, "finish_reason": "stop" }],
        "usage": { "prompt_tokens": 1, "completion_tokens": 9, "total_tokens": 10 },
    })
}

fn chat_stream(model: &str) -> String {
    let chunk = |delta: Value, end: Value| {
        json!({
            "id": "chatcmpl-echo", "object": "chat.completion.chunk", "created": 0, "model": model,
            "choices": [{ "index": 0, "delta": delta, "finish_reason": end }],
        })
    };
    let first = chunk(json!({ "role": "assistant", "content": SAID }), Value::Null);
    let mut last = chunk(json!({}), json!("stop"));
    last["usage"] = json!({ "prompt_tokens": 1, "completion_tokens": 9, "total_tokens": 10 });
    events([(None, first), (None, last)]) + "data: [DONE]\n\n"
}

fn response(model: &str, status: &str, done: bool) -> Value {
    let output = if done { json!([item("completed", true)]) } else { json!([]) };
    let usage = json!({ "input_tokens": 1, "output_tokens": 9, "total_tokens": 10 });
    json!({
        "id": "resp_echo", "object": "response", "created_at": 0, "status": status, "model": model,
        "output": output, "usage": if done { usage } else { Value::Null },
    })
}

fn item(status: &str, done: bool) -> Value {
    let content = if done { json!([part(SAID)]) } else { json!([]) };
    json!({ "id": "msg_echo", "type": "message", "role": "assistant", "status": status, "content": content })
}

fn part(text: &str) -> Value {
    json!({ "type": "output_text", "text": text, "annotations": [] })
}

fn responses_stream(model: &str) -> String {
    let place = |kind: &str, more: Value| {
        let mut event = json!({ "type": kind, "item_id": "msg_echo", "output_index": 0, "content_index": 0 });
        if let (Value::Object(event), Value::Object(more)) = (&mut event, more) {
            event.extend(more);
        }
        event
    };
    let all = [
        ("response.created", json!({ "response": response(model, "in_progress", false) })),
        ("response.output_item.added", json!({ "item": item("in_progress", false) })),
        ("response.content_part.added", json!({ "part": part("") })),
        ("response.output_text.delta", json!({ "delta": SAID })),
        ("response.output_text.done", json!({ "text": SAID })),
        ("response.content_part.done", json!({ "part": part(SAID) })),
        ("response.output_item.done", json!({ "item": item("completed", true) })),
        ("response.completed", json!({ "response": response(model, "completed", true) })),
    ];
    events(all.into_iter().enumerate().map(|(at, (kind, more))| {
        let mut event = place(kind, more);
        event["sequence_number"] = at.into();
        (Some(kind), event)
    }))
}

fn message(model: &str, done: bool) -> Value {
    let content = if done { json!([{ "type": "text", "text": SAID }]) } else { json!([]) };
    json!({
        "id": "msg_echo", "type": "message", "role": "assistant", "model": model, "content": content,
        "stop_reason": if done { json!("end_turn") } else { Value::Null }, "stop_sequence": null,
        "usage": { "input_tokens": 1, "output_tokens": 9 },
    })
}

fn messages_stream(model: &str) -> String {
    let text = |text: &str| json!({ "type": "text", "text": text });
    events([
        ("message_start", json!({ "message": message(model, false) })),
        ("content_block_start", json!({ "index": 0, "content_block": text("") })),
        ("content_block_delta", json!({ "index": 0, "delta": { "type": "text_delta", "text": SAID } })),
        ("content_block_stop", json!({ "index": 0 })),
        ("message_delta", json!({ "delta": { "stop_reason": "end_turn", "stop_sequence": null }, "usage": { "output_tokens": 9 } })),
        ("message_stop", json!({})),
    ].map(|(kind, mut event)| {
        event["type"] = kind.into();
        (Some(kind), event)
    }))
}

fn content() -> Value {
    json!({
        "candidates": [{
            "content": { "role": "model", "parts": [{ "text": SAID }] }, "index": 0,
            "finishReason": "STOP",
        }],
        "usageMetadata": { "promptTokenCount": 1, "candidatesTokenCount": 9, "totalTokenCount": 10 },
        "modelVersion": "echo",
    })
}

fn embeddings(model: &str) -> Value {
    json!({
        "object": "list", "model": model,
        "data": [{ "object": "embedding", "index": 0, "embedding": [0.25, -0.5, 0.75] }],
        "usage": { "prompt_tokens": 1, "total_tokens": 1 },
    })
}
