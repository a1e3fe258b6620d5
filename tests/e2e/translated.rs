//! A client of one dialect and a provider that serves another: the request is translated, and so is the answer.

use bitrouter_tests::{ChatGpt, Gateway, Reply, Setup, Turn, Upstream};
use serde_json::{Value, json};

const RESPONSES_TEXT: &str = include_str!("../../crates/dialect/tests/streams/responses-text.sse");

/// The events of a stream, as their JSON.
fn events(stream: &str) -> Vec<Value> {
    let data = stream.lines().filter_map(|line| line.strip_prefix("data: "));
    data.filter(|data| *data != "[DONE]").map(|data| serde_json::from_str(data).unwrap()).collect()
}

/// The content of a message out of its stream, as a client of Messages puts it together.
fn content(stream: &str) -> Vec<Value> {
    let mut blocks: Vec<Value> = Vec::new();
    let mut inputs: Vec<String> = Vec::new();
    for event in events(stream) {
        let at = event["index"].as_u64().unwrap_or_default() as usize;
        let delta = &event["delta"];
        let mut add = |name: &str| {
            let text = blocks[at][name].as_str().unwrap_or_default().to_owned() + delta[name].as_str().unwrap();
            blocks[at][name] = json!(text);
        };
        match (event["type"].as_str().unwrap(), delta["type"].as_str()) {
            ("content_block_start", _) => {
                assert_eq!(at, blocks.len());
                blocks.push(event["content_block"].clone());
                inputs.push(String::new());
            }
            (_, Some("text_delta")) => add("text"),
            (_, Some("thinking_delta")) => add("thinking"),
            (_, Some("signature_delta")) => add("signature"),
            (_, Some("input_json_delta")) => inputs[at] += delta["partial_json"].as_str().unwrap(),
            ("content_block_stop", _) if blocks[at]["type"] == "tool_use" => {
                blocks[at]["input"] = serde_json::from_str(&inputs[at]).unwrap();
            }
            _ => {}
        }
    }
    blocks
}

fn codex(chatgpt: &ChatGpt) -> Gateway {
    let login = chatgpt.login();
    Gateway::start().with_chatgpt(chatgpt).logged_in("openai-codex", "default", login).run()
}

fn tool() -> Value {
    json!({"name": "read", "description": "Reads a file", "input_schema": {"type": "object", "properties": {"path": {"type": "string"}}}})
}

fn of_claude_code(messages: &[Value]) -> Value {
    json!({
        "model": "openai-codex:gpt-5.5", "max_tokens": 32000, "stream": true,
        "system": [
            {"type": "text", "text": "x-anthropic-billing-header: cc_version=2.1.332; cch=1;"},
            {"type": "text", "text": "You are a coding agent.", "cache_control": {"type": "ephemeral"}},
        ],
        "thinking": {"type": "adaptive", "display": "omitted"}, "output_config": {"effort": "high"},
        "metadata": {"user_id": "{\"device_id\":\"d\",\"session_id\":\"s-1\"}"},
        "tools": [tool()], "messages": messages,
    })
}

#[test]
fn a_client_of_messages_talks_ten_turns_with_a_chatgpt_plan_and_loses_no_block() {
    let step = |number: u32| {
        let path = |half: u32| json!({"path": format!("{number}-{half}.rs"), "size": 1});
        Turn::reasons(&format!("sealed-{number}"))
            .then(Turn::says("I look."))
            .then(Turn::calls("read", &path(0)))
            .then(Turn::calls("read", &path(1)))
    };
    // The backend refuses a conversation that goes on without the reasoning that it gave, or with it elsewhere.
    let mut chatgpt = ChatGpt::start();
    for number in 0..9 {
        chatgpt = chatgpt.turn(step(number));
    }
    let chatgpt = chatgpt.turn(Turn::says("Done."));
    let gateway = codex(&chatgpt);
    let mut messages = vec![json!({"role": "user", "content": "Read them all."})];
    for number in 0..9 {
        let answer = gateway.post("/v1/messages?beta=true").header("anthropic-version", "2023-06-01");
        let stream = answer.json(&of_claude_code(&messages)).send().status(200).text();
        let content = content(&stream);
        let kinds: Vec<_> = content.iter().map(|block| block["type"].as_str().unwrap()).collect();
        assert!(matches!(kinds[0], "thinking" | "redacted_thinking"), "{content:#?}");
        assert_eq!(kinds[1..], ["text", "tool_use", "tool_use"]);
        assert_eq!(content[2]["input"], json!({"path": format!("{number}-0.rs"), "size": 1}));
        let all = events(&stream);
        assert_eq!(all[0]["message"]["model"], "openai-codex:gpt-5.5");
        assert!(all.iter().any(|event| event["delta"]["stop_reason"] == "tool_use"), "{stream}");
        assert_eq!(all.last().unwrap()["type"], "message_stop");
        let result =
            |block: &Value| json!({"type": "tool_result", "tool_use_id": block["id"], "content": "fn main() {}"});
        // The second is done first.
        let results = json!([result(&content[3]), result(&content[2])]);
        messages.push(json!({"role": "assistant", "content": content}));
        messages.push(json!({"role": "user", "content": results}));
    }
    let last = gateway.post("/v1/messages?beta=true").json(&of_claude_code(&messages)).send().status(200).text();
    assert_eq!(content(&last)[0]["text"], "Done.");
    let sent = chatgpt.last().json();
    let kinds: Vec<_> =
        sent["input"].as_array().unwrap().iter().map(|item| item["type"].as_str().unwrap_or("message")).collect();
    let count = |kind: &str| kinds.iter().filter(|found| **found == kind).count();
    assert_eq!((count("reasoning"), count("function_call"), count("function_call_output")), (9, 18, 18), "{kinds:?}");
    assert!(!sent.to_string().contains("billing-header") && !sent.to_string().contains("br1."));
    chatgpt.refused_nothing();
    gateway.logs("dialect_in=\"messages\" dialect_out=\"responses\"");
}

#[test]
fn a_history_that_grows_by_a_turn_goes_up_as_the_same_history_and_a_turn() {
    let chatgpt = ChatGpt::start().then_always(Turn::reasons("sealed").then(Turn::says("Hello.")));
    let gateway = codex(&chatgpt);
    let mut messages = vec![json!({"role": "user", "content": "Hi"})];
    let mut before = String::new();
    for _ in 0..3 {
        let stream = gateway.post("/v1/messages").json(&of_claude_code(&messages)).send().status(200).text();
        let input = chatgpt.last().json()["input"].to_string();
        assert!(input.starts_with(before.trim_end_matches(']')), "{before}\n{input}");
        before = input;
        messages.push(json!({"role": "assistant", "content": content(&stream)}));
        messages.push(json!({"role": "user", "content": "And again"}));
    }
    chatgpt.refused_nothing();
}

#[test]
fn a_client_that_asked_for_no_stream_gets_a_document_in_its_dialect() {
    let chatgpt = ChatGpt::start().then_always(Turn::says("Hello."));
    let gateway = codex(&chatgpt);
    let body = json!({"model": "openai-codex:gpt-5.5", "messages": [{"role": "user", "content": "Hi"}]});
    let answer = gateway.chat(&body).status(200);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let answer = answer.json();
    assert_eq!(answer["choices"][0]["message"]["content"], "Hello.");
    assert_eq!(answer["choices"][0]["finish_reason"], "stop");
    assert_eq!((&answer["model"], &answer["object"]), (&json!("openai-codex:gpt-5.5"), &json!("chat.completion")));
    assert!(answer["usage"]["total_tokens"].is_number(), "{answer}");
    let body =
        json!({"model": "openai-codex:gpt-5.5", "max_tokens": 99, "messages": [{"role": "user", "content": "Hi"}]});
    let answer = gateway.post("/v1/messages").json(&body).send().status(200).json();
    assert_eq!((&answer["content"][0]["text"], &answer["stop_reason"]), (&json!("Hello."), &json!("end_turn")));
}

#[test]
fn a_whole_answer_of_the_upstream_is_translated_as_well() {
    let upstream = Upstream::start();
    let gateway = Gateway::start().with_openai_at(&upstream).run();
    upstream.answers(json!({
        "id": "resp_1", "object": "response", "status": "completed", "model": "gpt-5.5",
        "output": [{"type": "message", "id": "msg_1", "role": "assistant", "status": "completed",
            "content": [{"type": "output_text", "text": "Hello.", "annotations": []}]}],
        "usage": {"input_tokens": 30, "input_tokens_details": {"cached_tokens": 10}, "output_tokens": 4,
            "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 34},
    }));
    let body = json!({"model": "openai:gpt-5.5", "max_tokens": 99, "top_k": 3, "messages": [{"role": "user", "content": "Hi"}]});
    let answer = gateway.post("/v1/messages").json(&body).send().status(200);
    assert_eq!(answer.header("x-bitrouter-dropped"), Some("top_k"));
    let answer = answer.json();
    assert_eq!(answer["content"][0]["text"], "Hello.");
    assert_eq!(answer["model"], "openai:gpt-5.5");
    assert_eq!(
        (&answer["usage"]["input_tokens"], &answer["usage"]["cache_read_input_tokens"]),
        (&json!(20), &json!(10))
    );
    assert_eq!(upstream.last().path, "/v1/responses");
    gateway.logs("input_tokens=30 output_tokens=4 cached_tokens=10").logs("outcome=\"complete\"");
}

fn ask(gateway: &Gateway, stream: bool) -> bitrouter_tests::Answer {
    let messages = json!([{"role": "user", "content": "Hi"}]);
    let body = json!({"model": "openai:gpt-5.5", "max_tokens": 99, "stream": stream, "messages": messages});
    gateway.post("/v1/messages").json(&body).send()
}

#[test]
fn a_failure_reads_as_the_clients_tools_act_on_it() {
    let upstream = Upstream::start();
    let gateway = Gateway::start().with_openai_at(&upstream).run();
    let error = json!({"error": {"type": "invalid_request_error", "code": "context_length_exceeded",
        "message": "Your input exceeds the context window of this model."}});
    upstream.replies(Reply::json(&error).status(400));
    for stream in [false, true] {
        let error = ask(&gateway, stream).status(400).json();
        assert_eq!((&error["type"], &error["error"]["type"]), (&json!("error"), &json!("invalid_request_error")));
        assert!(error["error"]["message"].as_str().unwrap().contains("prompt is too long"), "{error}");
    }
}

#[test]
fn a_stream_that_breaks_off_or_fails_is_never_a_whole_one() {
    let upstream = Upstream::start();
    let gateway = Gateway::start().with_openai_at(&upstream).run();
    let half = RESPONSES_TEXT.find("\n\n").unwrap() + 2;
    let half = half
        + RESPONSES_TEXT[half..]
            .find("output_text.delta")
            .and_then(|at| Some(at + RESPONSES_TEXT[half + at..].find("\n\n")? + 2))
            .unwrap();
    upstream.replies(Reply::sse().send(&RESPONSES_TEXT[..half]));
    let stream = ask(&gateway, true).text();
    assert!(stream.contains("event: error") && !stream.contains("message_stop"), "{stream}");
    gateway.logs("outcome=\"failed\"");
    // Another gateway: what broke off is left alone for a moment.
    let gateway = Gateway::start().with_openai_at(&upstream).run();
    let failed = r#"{"type":"response.failed","response":{"id":"resp_1","status":"failed","error":{"code":"server_error","message":"because"}}}"#;
    upstream.replies(
        Reply::sse().send(&RESPONSES_TEXT[..half]).send(format!("event: response.failed\ndata: {failed}\n\n")),
    );
    let stream = ask(&gateway, true).text();
    assert!(
        stream.contains("event: error") && stream.contains("because") && !stream.contains("message_stop"),
        "{stream}"
    );
}

/// Two providers that are descriptions, of one dialect each.
pub(crate) fn two(first: (&str, &str), second: (&str, &str), upstream: &Upstream) -> Setup {
    let described = |id: &str, dialect: &str| {
        json!({
            "id": id, "name": id, "version": "1", "billing": "free", "models": [{"id": "m"}],
            "origins": {"api": "https://api.example"}, "serves": {"generate": [dialect]},
        })
    };
    [first, second].into_iter().fold(Gateway::start(), |setup, (id, dialect)| {
        let setup = setup.with_plugin_file(&format!("{id}.json"), described(id, dialect).to_string().as_bytes());
        setup.command(&["plugin", "trust", id, "--yes"]).ok();
        let origin = format!("{}/{id}", upstream.origin());
        setup.with(&format!("/providers/{id}/origins"), json!({"api": origin}))
    })
}

#[test]
fn failover_goes_on_to_a_target_of_another_dialect_before_any_content() {
    let upstream = Upstream::start();
    let gateway = two(("one", "responses"), ("two", "chat-completions"), &upstream)
        .with("/models", json!({"any": ["one:m", "two:m"]}))
        .run();
    let created = r#"{"type":"response.created","response":{"id":"resp_1","status":"in_progress"}}"#;
    let failed = r#"{"type":"response.failed","response":{"id":"resp_1","status":"failed","error":{"code":"server_is_overloaded","message":"because"}}}"#;
    upstream.follows(move |seen| match seen.path.starts_with("/one/") {
        true => Reply::sse().send(format!("data: {created}\n\n")).send(format!("data: {failed}\n\n")),
        false => {
            let chunk = |delta: &str, finish: &str| {
                format!("data: {{\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"choices\":[{{\"index\":0,\"delta\":{delta},\"finish_reason\":{finish}}}]}}\n\n")
            };
            let text = chunk("{\"role\":\"assistant\",\"content\":\"second\"}", "null");
            Reply::sse().send(text).send(chunk("{}", "\"stop\"")).send("data: [DONE]\n\n")
        }
    });
    let body =
        json!({"model": "any", "max_tokens": 9, "stream": true, "messages": [{"role": "user", "content": "Hi"}]});
    let answer = gateway.post("/v1/messages").json(&body).send().status(200);
    assert_eq!(answer.header("x-bitrouter-provider"), Some("two"));
    assert_eq!(content(&answer.text())[0]["text"], "second");
}

#[test]
fn what_another_vendor_sealed_is_not_sent_on_where_nothing_is_translated() {
    let chatgpt = ChatGpt::start().then_always(Turn::reasons("sealed").then(Turn::says("Hello.")));
    let upstream = Upstream::start();
    let setup = two(("claude", "messages"), ("unused", "responses"), &upstream);
    let gateway = setup.with_chatgpt(&chatgpt).logged_in("openai-codex", "default", chatgpt.login()).run();
    let mut messages = vec![json!({"role": "user", "content": "Hi"})];
    let stream = gateway.post("/v1/messages").json(&of_claude_code(&messages)).send().status(200).text();
    assert!(stream.contains("br1."), "{stream}");
    messages.push(json!({"role": "assistant", "content": content(&stream)}));
    messages.push(json!({"role": "user", "content": "Go on"}));
    let mut body = of_claude_code(&messages);
    body["model"] = json!("claude:m");
    body["stream"] = json!(false);
    gateway.post("/v1/messages").json(&body).send();
    let sent = upstream.last().json();
    assert!(!sent.to_string().contains("br1."), "{sent}");
    assert_eq!(sent["messages"][1]["content"], json!([{"type": "text", "text": "Hello."}]));
    // The other way: back at the plan, the sealed reasoning is there again.
    gateway.post("/v1/messages").json(&of_claude_code(&messages)).send().status(200);
    assert!(chatgpt.last().json().to_string().contains("sealed"));
    chatgpt.refused_nothing();
}

#[test]
fn with_strict_a_request_that_would_lose_something_is_refused_and_names_it() {
    let upstream = Upstream::start();
    let gateway = Gateway::start().with_openai_at(&upstream).with("/strict", json!(true)).run();
    let body = json!({"model": "openai:gpt-5.5", "max_tokens": 99, "top_k": 3, "messages": [{"role": "user", "content": "Hi"}]});
    let error = gateway.post("/v1/messages").json(&body).send().status(400).json();
    let message = error["error"]["message"].as_str().unwrap();
    assert!(message.contains("/top_k") && message.contains("responses"), "{error}");
    assert!(upstream.requests().is_empty());
}
