//! What misbehaviour leads to that one call cannot show; the behaviours themselves are in `hostile_corpus`.

use std::thread;

use bitrouter_tests::{Answer, Gateway, Reply, Setup, Upstream};
use serde_json::json;

fn ask(gateway: &Gateway, behaviour: &str) -> Answer {
    gateway.chat(&json!({"model": format!("hostile:{behaviour}"), "messages": [{"role": "user", "content": "hi"}]}))
}

fn hostile_at(upstream: &Upstream) -> Setup {
    let setup = Gateway::start().with_plugin("hostile").with_origin("hostile", upstream);
    // Compiled once the list is there, so that no call is early.
    setup.command(&["plugin", "list"]).ok();
    setup
}

#[test]
fn what_a_panic_says_reaches_the_log_with_its_place() {
    let upstream = Upstream::start();
    let gateway = hostile_at(&upstream).run();
    ask(&gateway, "trap-prepare").status(502).says("crashed");
    gateway.logs("as asked").logs("src/lib.rs:");
}

#[test]
fn a_query_cannot_break_out_of_its_place() {
    let upstream = Upstream::start();
    let gateway = hostile_at(&upstream).run();
    let answer = ask(&gateway, "crlf-query");
    // Encoded or refused: both keep the line whole.
    if answer.code == 200 {
        assert_eq!(upstream.last().path.split('&').count(), 1, "{}", upstream.last().path);
        assert!(upstream.last().path.contains("%0D%0A"), "{}", upstream.last().path);
    } else {
        answer.status(502).says("hostile");
    }
}

#[test]
fn a_component_that_asks_forever_is_stopped() {
    let upstream = Upstream::start();
    upstream.answers(json!({}));
    let gateway = hostile_at(&upstream).run();
    ask(&gateway, "ask-forever").status(502).says("hostile");
    let asked = upstream.requests().iter().filter(|request| request.path == "/v1/ask").count();
    assert!(asked <= 3, "{asked} exchanges");
    ask(&gateway, "ask-once").status(200);
    assert_eq!(upstream.last().header("x-answer"), Some("{}"));
}

#[test]
fn a_failure_that_cannot_be_explained_keeps_its_status() {
    let upstream = Upstream::start();
    upstream.replies(Reply::json(&json!({"error": {"message": "because"}})).status(400));
    let gateway = hostile_at(&upstream).run();
    for behaviour in ["trap-explain", "loop-explain", "bad-kind", "retry-forever"] {
        let answer = ask(&gateway, behaviour);
        assert_eq!(answer.code, 400, "{behaviour}: {}", answer.text());
        assert!(answer.text().contains("because"), "{behaviour}: {}", answer.text());
        assert!(!answer.headers.0.iter().any(|(_, value)| value.len() > 1_000), "{behaviour}");
    }
    upstream.answers(json!({}));
    ask(&gateway, "ok").status(200);
}

#[test]
fn quota_that_makes_no_sense_does_no_harm() {
    let upstream = Upstream::start();
    let gateway = hostile_at(&upstream).run();
    for value in ["trap-quota", "not-a-number", "anything"] {
        upstream.replies(Reply::json(&json!({})).header("x-hostile-limit", value));
        ask(&gateway, "ok").status(200);
    }
    upstream.streams(&["event: hostile\ndata: {\"type\":\"hostile\"}\n\n", "data: [DONE]\n\n"]);
    gateway.chat(&json!({"model": "hostile:ok", "messages": [], "stream": true})).status(200).says("[DONE]");
    upstream.answers(json!({}));
    ask(&gateway, "ok").status(200);
}

#[test]
fn a_loop_does_not_stop_what_others_ask() {
    let upstream = Upstream::start();
    let gateway = hostile_at(&upstream).with_openai_at(&upstream).run();
    thread::scope(|threads| {
        let looping: Vec<_> = (0..4).map(|_| threads.spawn(|| ask(&gateway, "loop"))).collect();
        for _ in 0..20 {
            gateway.chat(&json!({"model": "openai:gpt-4o", "messages": []})).status(200);
        }
        for looped in looping {
            looped.join().unwrap().status(502).says("CPU time");
        }
    });
}

#[test]
fn a_component_over_its_budget_five_times_is_quarantined_and_says_so() {
    let upstream = Upstream::start();
    let gateway = hostile_at(&upstream).with_openai_at(&upstream).run();
    for _ in 0..5 {
        ask(&gateway, "loop").status(502).says("used up its 20 ms of CPU time");
    }
    let answer = ask(&gateway, "ok").status(503).says("in quarantine").says("5 times in a row");
    assert!(answer.header("retry-after").is_some());
    assert!(upstream.requests().is_empty());
    gateway.chat(&json!({"model": "openai:gpt-4o", "messages": []})).status(200);
}
