//! The backend of the tests itself: that it refuses what the real one refuses. A gateway that pleases a lenient backend
//! has shown nothing.

use bitrouter_tests::{Answer, ChatGpt, Login, Request, Turn};
use serde_json::{Value, json};

const RESPONSES: &str = "/backend-api/codex/responses";

fn body() -> Value {
    json!({
        "model": "gpt-5.5", "store": false, "stream": true, "instructions": "Be brief.", "prompt_cache_key": "c",
        "include": ["reasoning.encrypted_content"], "input": [{"role": "user", "content": "hello"}],
    })
}

/// A request with a good login.
fn request(chatgpt: &ChatGpt, method: &str, path: &str) -> Request {
    let address = chatgpt.origin().trim_start_matches("http://").parse().unwrap();
    let request = Request::new(address, method, path).header("chatgpt-account-id", &chatgpt.login().account_id);
    request.header("authorization", &format!("Bearer {}", chatgpt.login().access_token))
}

fn post(chatgpt: &ChatGpt, body: &Value) -> Answer {
    request(chatgpt, "POST", RESPONSES).json(body).send()
}

#[test]
fn what_the_real_backend_refuses_is_refused_in_its_words() {
    let chatgpt = ChatGpt::start().then_always(Turn::says("hello"));
    let reasoning = json!([{"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "x"}]);
    for (name, value, detail) in [
        ("store", json!(true), "Store must be set to false"),
        ("store", Value::Null, "Store must be set to false"),
        ("stream", json!(false), "Stream must be set to true"),
        ("input", json!("hello"), "Input must be a list"),
        ("input", json!([{"role": "system", "content": "x"}]), "System messages are not allowed"),
        ("input", json!([{"type": "item_reference", "id": "rs_1"}]), "Items are not persisted"),
        ("input", reasoning, "Item with id 'rs_1' not found"),
        ("instructions", json!(""), "Instructions are required"),
        ("model", json!("gpt-2"), "The 'gpt-2' model is not supported when using Codex with a ChatGPT account."),
        ("service_tier", json!("auto"), "service_tier"),
        ("temperature", json!(1), "Unsupported parameter: temperature"),
        ("max_output_tokens", json!(1), "Unsupported parameter: max_output_tokens"),
        ("previous_response_id", json!("resp_1"), "Unsupported parameter: previous_response_id"),
        ("stream_options", json!({"include_usage": true}), "Unsupported parameter: stream_options"),
    ] {
        let mut body = body();
        body[name] = value;
        let answer = post(&chatgpt, &body).status(400);
        assert!(answer.json()["detail"].as_str().unwrap().contains(detail), "{name}: {}", answer.text());
    }
    post(&chatgpt, &body()).status(200);
    let mut developer = body();
    developer["instructions"] = Value::Null;
    developer["service_tier"] = json!("priority");
    developer["input"] = json!([{"role": "developer", "content": "Be brief."}]);
    post(&chatgpt, &developer).status(200);
}

#[test]
fn only_a_known_token_with_its_own_account_is_let_in() {
    let other = Login::of("acc-other");
    let chatgpt = ChatGpt::start().also_knows(&other).then_always(Turn::says("hello"));
    let address = chatgpt.origin().trim_start_matches("http://").parse().unwrap();
    let unknown = Login::of("acc-e2e").access_token;
    let (good, account) = (chatgpt.login().access_token.as_str(), chatgpt.login().account_id.as_str());
    for (token, account, status) in [
        (None, Some(account), 401),
        (Some(unknown.as_str()), Some(account), 401),
        (Some(good), None, 403),
        (Some(good), Some("acc-other"), 403),
        (Some(good), Some(account), 200),
    ] {
        for (method, path) in [("POST", RESPONSES), ("GET", "/backend-api/codex/models?client_version=1")] {
            let mut request = Request::new(address, method, path);
            if let Some(token) = token {
                request = request.header("authorization", &format!("Bearer {token}"));
            }
            if let Some(account) = account {
                request = request.header("chatgpt-account-id", account);
            }
            let request = if method == "POST" { request.json(&body()) } else { request };
            request.send().status(status);
        }
    }
}

#[test]
fn a_body_may_be_compressed_and_must_be_json() {
    let chatgpt = ChatGpt::start().then_always(Turn::says("hello"));
    let compressed = zstd::encode_all(body().to_string().as_bytes(), 3).unwrap();
    let send = |encoding: &str, kind: &str, bytes: &[u8]| {
        request(&chatgpt, "POST", RESPONSES).header("content-encoding", encoding).body(kind, bytes).send().code
    };
    assert_eq!(send("zstd", "application/json", &compressed), 200);
    assert_eq!(chatgpt.last().json(), body());
    assert_eq!(send("identity", "application/json; charset=utf-8", body().to_string().as_bytes()), 200);
    assert_eq!(send("gzip", "application/json", &compressed), 415);
    assert_eq!(send("zstd", "application/json", b"no"), 400);
    assert_eq!(send("zstd", "text/plain", &compressed), 415);
}

#[test]
fn reasoning_must_come_back_as_it_was_given() {
    let script = || ChatGpt::start().then_always(Turn::reasons("blob").then(Turn::says("hello")));
    let chatgpt = script();
    post(&chatgpt, &body()).status(200);
    let given = json!({
        "type": "reasoning", "id": "rs_1_0", "encrypted_content": "blob",
        "summary": [{"type": "summary_text", "text": "**Thinking** about it"}],
    });
    let going_on = |change: fn(&mut Value)| {
        let mut body = body();
        let mut item = given.clone();
        change(&mut item);
        body["input"].as_array_mut().unwrap().push(item);
        body
    };
    post(&chatgpt, &body()).status(400).says("did not come back");
    post(&chatgpt, &going_on(|item| item["encrypted_content"] = json!("blob "))).status(400);
    post(&chatgpt, &going_on(|item| item["summary"] = json!([]))).status(400);
    post(&chatgpt, &going_on(|_| {})).status(200);
    let lenient = script().does_without_reasoning();
    post(&lenient, &body()).status(200);
    post(&lenient, &body()).status(200);
}

#[test]
fn what_was_not_asked_for_is_not_there() {
    let chatgpt = ChatGpt::start().then_always(Turn::reasons("blob"));
    let mut body = body();
    post(&chatgpt, &body).says("\"encrypted_content\":\"blob\"").says("\"output\":[]");
    body["include"] = json!([]);
    body["prompt_cache_key"] = json!("another");
    post(&chatgpt, &body).never_says("blob");
    let chatgpt = ChatGpt::start().repeats_the_output().then_always(Turn::says("hello"));
    let stream = post(&chatgpt, &body).text();
    let last = stream.lines().filter_map(|line| line.strip_prefix("data: ")).next_back().unwrap();
    let last: Value = serde_json::from_str(last).unwrap();
    assert_eq!(last["response"]["output"][0]["content"][0]["text"], "hello");
}

#[test]
fn a_refresh_token_is_taken_once() {
    let renewed = Login::of("acc-e2e");
    let chatgpt = ChatGpt::start().wants_a_refresh(&renewed).then_always(Turn::says("hello"));
    post(&chatgpt, &body()).status(401);
    let body = json!({
        "client_id": "app", "grant_type": "refresh_token", "refresh_token": chatgpt.login().refresh_token,
    });
    let refresh = || request(&chatgpt, "POST", "/oauth/token").json(&body).send();
    assert_eq!(refresh().status(200).json()["access_token"], renewed.access_token);
    refresh().status(401).says("refresh_token_invalidated");
}

#[test]
fn the_catalogue_wants_to_know_the_clients_version() {
    let chatgpt = ChatGpt::start();
    let models = |path: &str| request(&chatgpt, "GET", path).send();
    models("/backend-api/codex/models").status(400);
    let answer = models("/backend-api/codex/models?client_version=0.169.0").status(200);
    assert!(answer.header("etag").is_some());
    assert_eq!(answer.json()["models"][1]["slug"], "gpt-5.5");
    let usage = request(&chatgpt, "GET", "/backend-api/wham/usage").send().status(200).json();
    assert_eq!(usage["rate_limit"]["primary_window"]["limit_window_seconds"], 18_000);
}
