//! What answers say of limits: shown to the component that observes it, and to no other.

use bitrouter_tests::{Gateway, Reply, Upstream};
use serde_json::{Value, json};

const STREAM: &str = include_str!("../../crates/dialect/tests/streams/responses-text.sse");
/// How the guest's line stands in the log, where quotes are escaped.
const EVENT_SHOWN: &str = r#"quota was shown {\"type\":\"codex.rate_limits\""#;

fn hello(streaming: bool) -> Value {
    json!({"model": "folding:folding-1", "input": "hi", "stream": streaming})
}

fn folding_at(upstream: &Upstream) -> Gateway {
    let setup = Gateway::start().with_plugin("folding").with_origin("folding", upstream);
    setup.with_key("RUST_LOG", "bitrouter=debug").run()
}

#[test]
fn observed_headers_and_events_are_read_and_kept() {
    for streaming in [true, false] {
        let upstream = Upstream::start();
        let gateway = folding_at(&upstream);
        let reply = Reply::sse().header("x-ratelimit-remaining-requests", "7").header("x-other-limit", "8");
        upstream.replies(reply.send(STREAM));
        gateway.post("/v1/responses").json(&hello(streaming)).send().status(200);
        gateway.logs("quota was shown x-ratelimit-remaining-requests: 7").logs("name: \"requests\"");
        gateway.logs(EVENT_SHOWN).logs("name: \"primary\"");
        assert!(!gateway.log().contains("x-other-limit"));
    }
}

#[test]
fn limits_of_an_answer_that_failed_are_read_too() {
    let upstream = Upstream::start();
    let gateway = folding_at(&upstream);
    let error = json!({"error": {"message": "slow down", "type": "rate_limit_error"}});
    upstream.replies(Reply::json(&error).status(429).header("x-ratelimit-remaining-requests", "0"));
    gateway.post("/v1/responses").json(&hello(true)).send().status(429);
    gateway.logs("quota was shown x-ratelimit-remaining-requests: 0");
}

#[test]
fn events_of_a_client_that_left_are_read_too() {
    let upstream = Upstream::start();
    let gateway = folding_at(&upstream);
    let (limits, _) = STREAM.split_at(STREAM.find("event: response.output_item.added").unwrap());
    upstream.replies(Reply::sse().send(limits).wait_until_gone());
    let mut client = gateway.post("/v1/responses").json(&hello(true)).open();
    assert_eq!(client.head().0, 200);
    client.leave();
    gateway.logs(EVENT_SHOWN);
}

#[test]
fn the_last_of_many_answers_is_read_though_not_each_one_is() {
    let upstream = Upstream::start();
    let gateway = folding_at(&upstream);
    for remaining in (0..50).rev() {
        let remaining = remaining.to_string();
        upstream.replies(Reply::json(&json!({})).header("x-ratelimit-remaining-requests", &remaining));
        gateway.post("/v1/responses").json(&hello(false)).send().status(200);
    }
    gateway.logs("quota was shown x-ratelimit-remaining-requests: 0");
}

#[test]
fn a_provider_that_observes_nothing_is_asked_nothing() {
    let upstream = Upstream::start();
    let gateway = Gateway::start().with_openai_at(&upstream).with_key("RUST_LOG", "bitrouter=debug").run();
    upstream.replies(Reply::sse().header("x-codex-primary-used-percent", "7").send(STREAM));
    let body = json!({"model": "openai:gpt-5", "input": "hi", "stream": true});
    gateway.post("/v1/responses").json(&body).send().status(200);
    gateway.logs("request finished");
    assert!(!gateway.log().contains("limits heard"));
}
