//! A component that asks the host for as much work as it can costs its own calls an error, and nobody else anything: not
//! the gateway's memory, not the threads that answer others, not the log.

use std::fs;
use std::thread;

use bitrouter_tests::{Answer, Gateway, Upstream};
use serde_json::json;

fn with_floods(upstream: &Upstream) -> Gateway {
    Gateway::start()
        .with_openai_at(upstream)
        .with_plugin("floods")
        .with_origin("floods", upstream)
        .trusting("floods")
        .run()
}

/// A call of this model with a member beside it.
fn ask(gateway: &Gateway, model: &str, member: &str) -> Answer {
    let body = format!("{{\"model\":\"floods:{model}\",{member}}}");
    gateway.post("/v1/chat/completions").body("application/json", body).send()
}

fn rows(count: usize) -> String {
    format!("\"rows\":[{}{{}}]", "{},".repeat(count - 1))
}

/// The most memory that the gateway ever had, in MB.
fn peak(gateway: &Gateway) -> usize {
    let status = fs::read_to_string(format!("/proc/{}/status", gateway.process())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() >> 10
}

#[test]
fn components_that_flood_every_host_call_cost_neither_memory_nor_others_their_answers() {
    let upstream = Upstream::start();
    let gateway = with_floods(&upstream);
    let floods = [
        ("find-wide/1000", rows(100_000), "at most 64"),
        ("find-wide/64", rows(100_000), "at most 524288"),
        ("find-wide/3", rows(400_000), "at most 524288"),
        ("many-members/70000", format!("\"pad\":\"{}\"", "x".repeat(1 << 20)), "at most 65536"),
        ("many-members-loop/50000", rows(1), "CPU time"),
        ("doubling-array/30", rows(1), "the edits add more than"),
        ("each-wide/64", rows(100_000), "at most 262144"),
        ("each-loop", rows(200_000), "CPU time"),
        ("read-loop", rows(150_000), "CPU time"),
        ("fail-loop", rows(200_000), "CPU time"),
        ("long-failure", rows(1), "why why"),
    ];
    thread::scope(|threads| {
        let flooding: Vec<_> = (0..4)
            .map(|_| {
                threads.spawn(|| {
                    for (model, body, why) in &floods {
                        let answer = ask(&gateway, model, body);
                        assert!((400..600).contains(&answer.code), "{model}: {}", answer.code);
                        let message = answer.message();
                        let said = message.contains(why) || message.contains("in quarantine");
                        assert!(said && message.len() < 2_000, "{model}: {message:.300}");
                    }
                })
            })
            .collect();
        while !flooding.iter().all(thread::ScopedJoinHandle::is_finished) {
            gateway.chat(&json!({"model": "openai:gpt-4o", "messages": []})).status(200);
        }
        flooding.into_iter().for_each(|flood| flood.join().unwrap());
    });
    assert!(peak(&gateway) < 400, "{} MB", peak(&gateway));
}

#[test]
fn a_component_that_logs_all_it_can_does_not_fill_the_disk() {
    let upstream = Upstream::start();
    let gateway = with_floods(&upstream);
    for _ in 0..40 {
        ask(&gateway, "log/32", "\"messages\":[]").status(200);
    }
    gateway.logs("the component logs too much: lines are left out");
    let from_the_guest = gateway.log().lines().filter(|line| line.contains("flood flood")).count();
    assert!((32..400).contains(&from_the_guest), "{from_the_guest} lines of 1280");
}

#[test]
fn large_forwarded_headers_are_not_cached() {
    let upstream = Upstream::start();
    let gateway = with_floods(&upstream);
    ask(&gateway, "ok", "\"messages\":[]").status(200);
    let before = peak(&gateway);
    for number in 0..300 {
        let value = format!("{number}{}", "x".repeat(50_000));
        let body = json!({"model": "floods:ok", "messages": []});
        gateway.post("/v1/chat/completions").header("x-large", &value).json(&body).send().status(200);
    }
    assert!(peak(&gateway) < before + 15, "{} MB, before {before}", peak(&gateway));
}
