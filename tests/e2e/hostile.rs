//! Components that misbehave: each costs its own request a clear error, and nobody else anything.

use std::thread;

use bitrouter_tests::{Answer, Gateway, Reply, Setup, Upstream, component};
use serde_json::{Value, json};

fn ask(gateway: &Gateway, behaviour: &str) -> Answer {
    gateway.chat(&json!({"model": format!("hostile:{behaviour}"), "messages": [{"role": "user", "content": "hi"}]}))
}

fn hostile_at(upstream: &Upstream) -> Setup {
    Gateway::start().with_plugin("hostile").with_origin("hostile", upstream)
}

/// One request fails with these words, the next is served.
#[track_caller]
fn fails_alone(gateway: &Gateway, behaviour: &str, status: u16, words: &str) {
    let answer = ask(gateway, behaviour);
    assert_eq!(answer.code, status, "{behaviour}: {}", answer.text());
    let message = answer.message();
    assert!(message.contains("hostile") && message.contains(words), "{behaviour}: {message}");
    assert!(message.len() < 2_000, "{behaviour}: {} bytes", message.len());
    let next = ask(gateway, "ok");
    assert_eq!(next.code, 200, "after {behaviour}: {}", next.text());
}

#[test]
fn a_crash_a_loop_or_a_bomb_ends_one_request() {
    let upstream = Upstream::start();
    let gateway = hostile_at(&upstream).run();
    for (behaviour, words) in [
        ("trap-prepare", "crashed"),
        ("loop", "used up its 20 ms of CPU time"),
        ("recurse", ""),
        ("grow", ""),
        ("huge-list", ""),
        ("huge-string", ""),
        ("huge-memo", ""),
        ("find-bomb", ""),
    ] {
        fails_alone(&gateway, behaviour, 502, words);
    }
    assert!(upstream.requests().iter().all(|request| request.json()["model"] == "ok"));
    // What a panic says reaches the log, with its place.
    gateway.logs("as asked").logs("src/lib.rs:");
}

#[test]
fn a_request_that_a_component_may_not_make_is_refused_and_not_sent() {
    let upstream = Upstream::start();
    let gateway = hostile_at(&upstream).run();
    for (behaviour, words) in [
        ("set-authorization", "authorization"),
        ("set-host", "host"),
        ("set-length", "content-length"),
        ("upper-case", ""),
        ("crlf", "x-a"),
        ("crlf-name", ""),
        ("bad-method", "CONNECT"),
        ("get-with-body", "a GET has no body"),
        ("json-that-is-none", "is not JSON"),
        ("json-and-more", "is not JSON"),
        ("bad-origin", "elsewhere.example"),
        ("bad-path", "/../x"),
        ("bad-path-encoded", "/%2e%2e/x"),
        ("bad-path-host", "@elsewhere.example/x"),
        ("bad-path-query", "/x?a=b#c"),
        ("bad-framing", "smoke-signals"),
        ("bad-delivery", "smoke-signals"),
    ] {
        fails_alone(&gateway, behaviour, 502, words);
    }
    let sent: Vec<Value> = upstream.requests().iter().map(|request| request.json()["model"].clone()).collect();
    assert!(sent.iter().all(|model| model == "ok"), "{sent:?}");
}

#[test]
fn a_rewriter_that_is_asked_for_and_not_there_ends_one_request() {
    let upstream = Upstream::start();
    upstream.streams(&["data: {}\n\n", "data: [DONE]\n\n"]);
    let gateway = hostile_at(&upstream).run();
    let body = json!({"model": "hostile:no-rewriter", "messages": [], "stream": true});
    gateway.chat(&body).says("hostile");
    upstream.answers(json!({}));
    ask(&gateway, "ok").status(200);
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
fn an_edit_that_is_not_json_or_not_possible_changes_nothing() {
    let upstream = Upstream::start();
    let gateway = hostile_at(&upstream).run();
    for behaviour in ["patch-bad", "patch-json"] {
        let answer = ask(&gateway, behaviour);
        assert!((400..=502).contains(&answer.code), "{behaviour}: {}", answer.text());
        answer.says("hostile");
    }
    assert!(upstream.requests().is_empty());
}

#[test]
fn a_flood_of_log_lines_is_cut_off_and_cannot_forge_lines() {
    let upstream = Upstream::start();
    let gateway = hostile_at(&upstream).run();
    // Whether it is served or runs out of CPU time is its own affair.
    ask(&gateway, "log-flood");
    ask(&gateway, "log-huge");
    ask(&gateway, "ok").status(200);
    gateway.logs("request finished");
    let log = gateway.log();
    assert!(log.len() < 1 << 20, "the log has {} bytes", log.len());
    assert!(!log.contains("\nlines") && !log.contains("\u{1b}[31m"), "{log}");
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

#[test]
fn a_file_that_is_no_provider_is_named_with_the_reason_and_the_rest_serve() {
    let wat = |text: &str| wat::parse_str(text).unwrap();
    let upstream = Upstream::start();
    let other_age = wat(r#"(component (component $c) (instance $p (instantiate $c))
            (export "bitrouter:provider/provider@9.9.9" (instance $p)))"#);
    let imports_sockets =
        wat(r#"(component (import "evil:net/sockets@0.1.0" (instance (export "connect" (func)))) (instance $p)
            (export "bitrouter:provider/provider@0.1.0" (instance $p)))"#);
    let cut = component("echo");
    let gateway = Gateway::start()
        .with_openai_at(&upstream)
        .with_plugin("echo")
        .with_origin("echo", &upstream)
        .with_plugin_file("not-wasm.wasm", b"#!/bin/sh\necho hello\n")
        .with_plugin_file("empty.wasm", b"")
        .with_plugin_file("core-module.wasm", &wat("(module)"))
        .with_plugin_file("other-age.wasm", &other_age)
        .with_plugin_file("imports-sockets.wasm", &imports_sockets)
        .with_plugin_file("no-provider.wasm", &wat("(component)"))
        .with_plugin_file("cut-off.wasm", &cut[..cut.len() / 2])
        .with_plugin_file("compiled.cwasm", b"\x7fELF")
        .with_plugin_file("readme.txt", b"not a component, and no reason to say so")
        .run();
    gateway.chat(&json!({"model": "openai:gpt-4o", "messages": []})).status(200);
    gateway.chat(&json!({"model": "echo:echo-1", "messages": []})).status(200);
    let list = gateway.command(&["plugin", "list"]).ok();
    for (file, reason) in [
        ("not-wasm.wasm", "not a WebAssembly component"),
        ("empty.wasm", "not a WebAssembly component"),
        ("core-module.wasm", "core WebAssembly module"),
        ("other-age.wasm", "version 9.9.9"),
        ("imports-sockets.wasm", "evil:net/sockets"),
        ("no-provider.wasm", "exports no bitrouter:provider/provider"),
        ("cut-off.wasm", ""),
        ("compiled.cwasm", "compiled code is not accepted"),
    ] {
        list.clone().says(file).says(reason);
        gateway.logs(file).logs(reason);
    }
    assert!(!list.stdout.contains("readme.txt"));
}
