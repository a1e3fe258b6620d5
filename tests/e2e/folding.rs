//! A backend that only streams, and clients that asked for no stream: each gets one document, or an error with a status.

use bitrouter_tests::{Answer, Gateway, Reply, Upstream};
use serde_json::{Value, json};

const RESPONSES: &str = include_str!("../../crates/dialect/tests/streams/responses-text.sse");
const ITEMS: &str = include_str!("../../crates/dialect/tests/folds/responses-items.sse");
const ITEMS_WHOLE: &str = include_str!("../../crates/dialect/tests/folds/responses-items.json");
const CHAT: &str = include_str!("../../crates/dialect/tests/folds/chat-tools.sse");
const CHAT_WHOLE: &str = include_str!("../../crates/dialect/tests/folds/chat-tools.json");
const MESSAGES: &str = include_str!("../../crates/dialect/tests/folds/messages-tools.sse");
const MESSAGES_WHOLE: &str = include_str!("../../crates/dialect/tests/folds/messages-tools.json");

fn folding_at(upstream: &Upstream) -> Gateway {
    Gateway::start().with_plugin("folding").with_origin("folding", upstream).run()
}

fn hello() -> Value {
    json!({"model": "folding:folding-1", "input": "hi", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 9})
}

fn ask(gateway: &Gateway, path: &str) -> Answer {
    gateway.post(path).json(&hello()).send()
}

/// Asks for another model each time: one that failed is left alone for a moment.
fn ask_for(gateway: &Gateway, path: &str, model: u32) -> Answer {
    let mut body = hello();
    body["model"] = json!(format!("folding:folding-{model}"));
    gateway.post(path).json(&body).send()
}

#[test]
fn a_stream_becomes_the_document_of_each_dialect() {
    let upstream = Upstream::start();
    let gateway = folding_at(&upstream);
    upstream.streams(&[ITEMS]);
    let answer = ask(&gateway, "/v1/responses").status(200).is(ITEMS_WHOLE);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("content-length"), Some(ITEMS_WHOLE.len().to_string().as_str()));
    let read = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    upstream.streams(&[CHAT]);
    assert_eq!(ask(&gateway, "/v1/chat/completions").status(200).json(), read(CHAT_WHOLE));
    upstream.streams(&[MESSAGES]);
    assert_eq!(ask(&gateway, "/v1/messages").status(200).json(), read(MESSAGES_WHOLE));
}

#[test]
fn the_pieces_in_which_a_stream_comes_do_not_matter() {
    let upstream = Upstream::start();
    let gateway = folding_at(&upstream);
    let (first, rest) = ITEMS.split_at(ITEMS.len() / 3);
    let (second, third) = rest.split_at(rest.len() / 2);
    upstream.replies(Reply::sse().send(first).pause(20).send(second).pause(20).send(third));
    ask(&gateway, "/v1/responses").status(200).is(ITEMS_WHOLE);
}

#[test]
fn the_answers_headers_reach_the_client_and_its_usage_the_record() {
    let upstream = Upstream::start();
    let gateway = folding_at(&upstream);
    upstream.replies(Reply::sse().header("x-codex-turn-state", "t1").header("x-request-id", "r1").send(RESPONSES));
    let answer = ask(&gateway, "/v1/responses").status(200);
    assert_eq!(answer.header("x-codex-turn-state"), Some("t1"));
    assert_eq!(answer.header("x-request-id"), Some("r1"));
    assert_eq!(answer.header("x-bitrouter-provider"), Some("folding"));
    gateway.logs("input_tokens=120 output_tokens=30 cached_tokens=64").logs("outcome=\"complete\"");
}

#[test]
fn a_client_that_streams_gets_the_stream() {
    let upstream = Upstream::start();
    let gateway = folding_at(&upstream);
    upstream.streams(&[ITEMS]);
    let mut body = hello();
    body["stream"] = json!(true);
    gateway.post("/v1/responses").json(&body).send().status(200).is(ITEMS);
}

#[test]
fn a_whole_answer_where_a_stream_was_asked_for_comes_back_as_it_is() {
    let upstream = Upstream::start();
    let gateway = folding_at(&upstream);
    upstream.replies(Reply::body("application/json", "{ \"id\":\"r\" }"));
    ask(&gateway, "/v1/responses").status(200).is("{ \"id\":\"r\" }");
}

#[test]
fn a_usage_limit_inside_the_stream_is_the_backends_own_429() {
    let upstream = Upstream::start();
    let gateway = folding_at(&upstream);
    let error = r#"{"type":"usage_limit_reached","message":"The usage limit has been reached","plan_type":"plus","resets_at":1,"resets_in_seconds":3600}"#;
    let event = format!("data: {{\"type\":\"error\",\"status\":429,\"error\":{error},\"headers\":{{}}}}\n\n");
    upstream.replies(Reply::sse().header("x-codex-plan-type", "plus").send(event).wait_until_gone());
    let answer = ask(&gateway, "/v1/responses").status(429).is(format!("{{\"error\":{error}}}"));
    assert_eq!(answer.header("retry-after"), Some("3600"));
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("x-codex-plan-type"), Some("plus"));
    gateway.logs("usage-limit of account: The usage limit has been reached").logs("status=429");
}

#[test]
fn an_error_inside_the_stream_has_the_status_of_its_dialect() {
    let upstream = Upstream::start();
    let gateway = folding_at(&upstream);
    let failed = r#"{"type":"response.failed","response":{"id":"r","error":{"code":"usage_limit_reached","message":"No more","resets_at":4102444800}}}"#;
    // The limit comes last: after it the provider is asked no more.
    upstream.streams(&[include_str!("../../crates/dialect/tests/streams/chat-error.sse")]);
    assert_eq!(ask_for(&gateway, "/v1/chat/completions", 1).status(503).message(), "The model is overloaded.");
    upstream.streams(&[include_str!("../../crates/dialect/tests/streams/messages-error.sse")]);
    let answer = ask_for(&gateway, "/v1/messages", 2).status(529);
    assert_eq!(answer.json()["error"]["type"], "overloaded_error");
    assert_eq!(answer.json()["type"], "error");
    upstream.streams(&[&format!("data: {failed}\n\n")]);
    let answer = ask_for(&gateway, "/v1/responses", 3).status(429);
    assert_eq!(answer.json()["error"]["type"], "usage_limit_reached");
    assert_eq!(answer.json()["error"]["resets_at"], 4_102_444_800_u64);
    assert!(answer.header("retry-after").is_some());
}

#[test]
fn a_stream_that_is_cut_is_an_error_and_never_half_an_answer() {
    let upstream = Upstream::start();
    let gateway = folding_at(&upstream);
    let half = &ITEMS[..ITEMS.len() - 200];
    upstream.streams(&[half]);
    ask_for(&gateway, "/v1/responses", 1).status(502).says("ended without saying that it is whole");
    upstream.replies(Reply::sse().send(half).cut());
    ask_for(&gateway, "/v1/responses", 2).status(502).says("broke off");
    upstream.replies(Reply::body("text/html", "<html>welcome</html>"));
    ask_for(&gateway, "/v1/responses", 3).status(502).says("a web page");
}

#[test]
fn a_stream_that_falls_silent_is_given_up() {
    let upstream = Upstream::start();
    let setup = Gateway::start().with_plugin("folding").with_origin("folding", &upstream);
    let gateway = setup.with("/providers/folding/timeouts/idle_ms", json!(300)).run();
    upstream.replies(Reply::sse().send(&ITEMS[..300]).wait_until_gone());
    ask(&gateway, "/v1/responses").status(502).says("sent nothing");
}

#[test]
fn a_stream_that_stays_open_behind_its_last_event_keeps_no_client_waiting() {
    let upstream = Upstream::start();
    let gateway = folding_at(&upstream);
    upstream.replies(Reply::sse().send(ITEMS).wait_until_gone());
    ask(&gateway, "/v1/responses").status(200).is(ITEMS_WHOLE);
    gateway.logs("outcome=\"complete\"");
}

#[test]
fn a_folded_answers_connection_is_used_again() {
    let upstream = Upstream::start();
    let gateway = folding_at(&upstream);
    upstream.streams(&[ITEMS]);
    for _ in 0..3 {
        ask(&gateway, "/v1/responses").status(200);
    }
    assert_eq!(upstream.connections(), 1);
}

#[test]
fn a_client_that_leaves_ends_the_upstreams_stream() {
    let upstream = Upstream::start();
    let gateway = folding_at(&upstream);
    upstream.replies(Reply::sse().send(&ITEMS[..300]).wait_until_gone());
    let client = gateway.post("/v1/responses").json(&hello()).open();
    assert!(bitrouter_tests::eventually(|| upstream.requests().len() == 1));
    client.leave();
    assert!(bitrouter_tests::eventually(|| upstream.hung_up() == 1));
    gateway.logs("client gone");
}

#[test]
fn only_conversations_can_be_folded() {
    let upstream = Upstream::start();
    let gateway = folding_at(&upstream);
    let body = json!({"model": "folding:folding-1", "input": "hi"});
    gateway
        .post("/v1/embeddings")
        .json(&body)
        .send()
        .status(502)
        .says("folding a stream of `embeddings` is not there yet");
    assert!(upstream.requests().is_empty());
}

#[test]
fn what_an_error_event_of_a_passed_stream_means_is_in_the_record() {
    let upstream = Upstream::start();
    let gateway = folding_at(&upstream);
    let stream = include_str!("../../crates/dialect/tests/streams/responses-failed.sse");
    upstream.streams(&[stream]);
    let mut body = hello();
    body["stream"] = json!(true);
    gateway.post("/v1/responses").json(&body).send().status(200).is(stream);
    gateway.logs("no-credit of account: You exceeded your current quota.");
}
