//! Bedrock's Converse: clients of every dialect, streams in AWS's frames and whole answers, paid by a key and by a signature.

use bitrouter_tests::event_stream::{event, exception};
use bitrouter_tests::{Gateway, Reply, Setup, Upstream, check_signature};
use serde_json::{Value, json};

const BEARER: &str = "canary-bedrock-key-0123456789";
const MODEL: &str = "us.anthropic.claude-sonnet-5-v1:0";

fn setup(upstream: &Upstream) -> Setup {
    let origin = upstream.origin();
    let origins = json!({ "api": origin, "mantle": format!("{origin}/mantle"), "lists": format!("{origin}/lists") });
    Gateway::start().with("/providers/bedrock/origins", origins)
}

fn gateway_at(upstream: &Upstream) -> Gateway {
    setup(upstream).with_key("AWS_BEARER_TOKEN_BEDROCK", BEARER).run()
}

fn hello(model: &str, streaming: bool) -> Value {
    let tool = json!({ "type": "function", "function": { "name": "weather", "parameters": { "type": "object" } } });
    json!({ "model": format!("bedrock:{model}"), "max_tokens": 100, "stream": streaming, "tools": [tool],
            "messages": [{ "role": "user", "content": "Weather in Paris?" }] })
}

fn message(model: &str, streaming: bool) -> Value {
    json!({ "model": format!("bedrock:{model}"), "max_tokens": 100, "stream": streaming,
            "messages": [{ "role": "user", "content": "Weather in Paris?" }] })
}

/// An answer that thinks, speaks and calls.
fn streamed() -> Vec<u8> {
    let events = [
        ("messageStart", json!({ "role": "assistant", "p": "abcdefgh" })),
        ("contentBlockDelta", json!({ "contentBlockIndex": 0, "delta": { "text": "I look, " }, "p": "abc" })),
        ("contentBlockDelta", json!({ "contentBlockIndex": 0, "delta": { "text": BEARER } })),
        ("contentBlockStop", json!({ "contentBlockIndex": 0 })),
        (
            "contentBlockStart",
            json!({ "contentBlockIndex": 1, "start": { "toolUse": { "toolUseId": "t1", "name": "weather" } } }),
        ),
        (
            "contentBlockDelta",
            json!({ "contentBlockIndex": 1, "delta": { "toolUse": { "input": "{\"city\":\"Paris\"}" } } }),
        ),
        ("contentBlockStop", json!({ "contentBlockIndex": 1 })),
        ("messageStop", json!({ "stopReason": "tool_use" })),
        (
            "metadata",
            json!({ "usage": { "inputTokens": 20, "outputTokens": 5, "totalTokens": 32, "cacheReadInputTokens": 7 } }),
        ),
    ];
    events.iter().flat_map(|(name, data)| event(name, &data.to_string())).collect()
}

fn frames() -> Reply {
    let stream = streamed();
    let reply = Reply::stream("application/vnd.amazon.eventstream").header("x-amzn-requestid", "r-1");
    stream.chunks(stream.len() / 4).fold(reply, |reply, piece| reply.send(piece).pause(5))
}

fn whole() -> Value {
    let content = json!([{ "text": "I look." }, { "toolUse": { "toolUseId": "t1", "name": "weather", "input": { "city": "Paris" } } }]);
    json!({ "output": { "message": { "role": "assistant", "content": content } }, "stopReason": "tool_use", "metrics": { "latencyMs": 5 },
            "usage": { "inputTokens": 20, "outputTokens": 5, "totalTokens": 25 } })
}

#[test]
fn a_stream_of_frames_is_one_of_messages() {
    let upstream = Upstream::start();
    let gateway = gateway_at(&upstream);
    upstream.replies(frames());
    let answer = gateway.post("/v1/messages").json(&message(MODEL, true)).send().status(200);
    let answer = answer.says("event: message_start").says("\"id\":\"msg_r-1\"").says("I look, ").never_says(BEARER);
    assert!(
        answer.complete && answer.text().trim_end().ends_with(r#"data: {"type":"message_stop"}"#),
        "{}",
        answer.text()
    );
    let seen = upstream.last();
    assert_eq!(seen.path, "/model/us.anthropic.claude-sonnet-5-v1%3A0/converse-stream");
    assert_eq!(seen.header("authorization"), Some(format!("Bearer {BEARER}").as_str()));
    let body: Value = serde_json::from_slice(&seen.body).unwrap();
    assert_eq!(body["messages"], json!([{ "role": "user", "content": [{ "text": "Weather in Paris?" }] }]));
    assert_eq!(body["inferenceConfig"], json!({ "maxTokens": 100 }));
    gateway.logs("input_tokens=27 output_tokens=5 cached_tokens=7").logs("outcome=\"complete\"");
}

#[test]
fn clients_of_another_dialect_get_their_own() {
    let upstream = Upstream::start();
    let gateway = gateway_at(&upstream);
    upstream.replies(frames());
    let stream =
        gateway.chat(&hello(MODEL, true)).status(200).says("I look, ").says("[DONE]").never_says("message_start");
    assert!(stream.text().contains(r#""finish_reason":"tool_calls""#), "{}", stream.text());
    upstream.answers(whole());
    let document = gateway.chat(&hello("meta.llama4-scout-17b-instruct-v1:0", false)).status(200).json();
    let message = &document["choices"][0]["message"];
    assert_eq!(message["content"], "I look.");
    assert_eq!(message["tool_calls"][0]["function"], json!({ "name": "weather", "arguments": "{\"city\":\"Paris\"}" }));
    let seen = upstream.last();
    assert_eq!(seen.path, "/model/meta.llama4-scout-17b-instruct-v1%3A0/converse");
    let body: Value = serde_json::from_slice(&seen.body).unwrap();
    assert_eq!(body["toolConfig"]["tools"][0]["toolSpec"]["name"], "weather");
}

#[test]
fn a_request_is_signed_as_it_is_sent() {
    const SECRET: &str = "canary/secret+access/key/0123456789";
    let upstream = Upstream::start();
    let setup = setup(&upstream).with_key("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE").with_key("AWS_SECRET_ACCESS_KEY", SECRET);
    let gateway = setup.with_key("AWS_REGION", "eu-west-1").run();
    for model in [MODEL, "arn:aws:bedrock:eu-west-1:123456789012:application-inference-profile/a1"] {
        upstream.replies(Reply::json(&whole()));
        gateway.post("/v1/messages").json(&message(model, false)).send().status(200).never_says(SECRET);
        check_signature(&upstream.last(), SECRET, "bedrock", "eu-west-1").unwrap();
    }
}

#[test]
fn what_went_wrong_is_read_in_headers_and_in_frames() {
    let upstream = Upstream::start();
    let gateway = gateway_at(&upstream);
    let refused = |kind: &str, text: &str| Reply::json(&json!({ "message": text })).header("x-amzn-errortype", kind);
    upstream.replies(refused("ValidationException:http://x/", "The provided model identifier is invalid.").status(400));
    let ask = |model: &str| gateway.post("/v1/messages").json(&message(model, true)).send();
    ask("us.amazon.nova-1").status(400).says("The provided model identifier is invalid.");
    let late = exception("throttlingException", r#"{"message":"Too many tokens."}"#);
    upstream.replies(Reply::stream("application/vnd.amazon.eventstream").send(late.clone()));
    assert_eq!(ask("us.amazon.nova-2").status(429).json()["error"]["type"], "rate_limit_error");
}

#[test]
fn an_answer_that_breaks_off_is_never_a_whole_one() {
    let upstream = Upstream::start();
    let gateway = gateway_at(&upstream);
    let stream = streamed();
    let reply = || Reply::stream("application/vnd.amazon.eventstream");
    upstream.replies(reply().send(&stream[..stream.len() / 2]));
    let answer = gateway.post("/v1/messages").json(&message(MODEL, true)).send().status(200);
    assert!(!answer.complete && answer.text().contains("event: error"), "{}", answer.text());
    let broken = exception("modelStreamErrorException", r#"{"message":"The model stopped."}"#);
    upstream.replies(reply().send([&stream[..stream.len() / 2], &stream[stream.len() / 2..], &broken].concat()));
    gateway.post("/v1/messages").json(&message("us.amazon.nova-3", true)).send().status(200).says("message_stop");
}

#[test]
fn a_model_that_has_a_path_of_its_vendors_goes_there_as_it_comes() {
    let upstream = Upstream::start();
    let gateway = gateway_at(&upstream);
    upstream.answers(json!({ "type": "message", "content": [], "usage": {} }));
    gateway.post("/v1/messages").json(&message("anthropic.claude-opus-5", false)).send().status(200);
    assert_eq!(upstream.last().path, "/mantle/anthropic/v1/messages");
    upstream.answers(json!({ "object": "chat.completion", "choices": [] }));
    gateway.chat(&hello("openai.gpt-oss-120b-1:0", false)).status(200);
    assert_eq!(upstream.last().path, "/openai/v1/chat/completions");
}
