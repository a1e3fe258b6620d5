//! Opaque state of tool calls for clients that have no place for it: it survives a restart in a file for this user alone, or
//! stays in memory where the config says so.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use bitrouter_tests::{Gateway, Setup, Upstream, eventually};
use serde_json::{Value, json};

use crate::translated::two;

const FILE: &str = "call-states.jsonl";

/// Answers that think, and call.
fn upstream() -> Upstream {
    let upstream = Upstream::start();
    upstream.answers(json!({"id": "msg_up", "type": "message", "role": "assistant", "model": "m", "content": [
        {"type": "thinking", "thinking": "I think so.", "signature": "SIGNED"},
        {"type": "tool_use", "id": "toolu_1", "name": "read", "input": {"path": "a"}},
    ], "stop_reason": "tool_use", "stop_sequence": null, "usage": {"input_tokens": 9, "output_tokens": 5}}));
    upstream
}

fn setup(upstream: &Upstream) -> Setup {
    two(("one", "messages"), ("two", "messages"), upstream)
}

/// A turn of a client of Chat Completions, which drops what it does not know.
fn turn(gateway: &Gateway, messages: &mut Vec<Value>) {
    let tool =
        json!({"type": "function", "function": {"name": "read", "parameters": {"type": "object", "properties": {}}}});
    let body = json!({"model": "one:m", "messages": messages, "tools": [tool], "reasoning_effort": "medium"});
    let message = gateway.chat(&body).status(200).json()["choices"][0]["message"].clone();
    let call = &message["tool_calls"][0];
    messages.push(json!({"role": "assistant", "content": message["content"], "tool_calls": [
        {"id": call["id"], "type": "function", "function": call["function"]},
    ]}));
    messages.push(json!({"role": "tool", "tool_call_id": call["id"], "content": "ok"}));
}

fn has_state(upstream: &Upstream) -> bool {
    upstream.last().text().contains("\"signature\":\"SIGNED\"")
}

fn messages() -> Vec<Value> {
    vec![json!({"role": "user", "content": "Look."})]
}

#[cfg(unix)]
fn mode(path: &Path) -> u32 {
    std::os::unix::fs::PermissionsExt::mode(&fs::metadata(path).unwrap().permissions()) & 0o777
}

#[test]
fn a_state_comes_back_after_a_restart() {
    let upstream = upstream();
    let setup = Arc::new(setup(&upstream));
    let mut gateway = Gateway::in_home(&setup);
    let mut messages = messages();
    turn(&gateway, &mut messages);
    gateway.stop();
    assert!(gateway.ends_well());
    #[cfg(unix)]
    assert_eq!(mode(&setup.home().join(FILE)), 0o600);
    let gateway = Gateway::in_home(&setup);
    // It is read beside the first requests.
    assert!(eventually(|| {
        turn(&gateway, &mut messages.clone());
        has_state(&upstream)
    }));
}

#[test]
fn a_state_is_written_while_the_gateway_runs_and_survives_its_being_killed() {
    let upstream = upstream();
    let setup = Arc::new(setup(&upstream));
    let gateway = Gateway::in_home(&setup);
    let mut messages = messages();
    turn(&gateway, &mut messages);
    let file = setup.home().join(FILE);
    assert!(eventually(|| file.exists()));
    gateway.signal("KILL");
    drop(gateway);
    let gateway = Gateway::in_home(&setup);
    assert!(eventually(|| {
        turn(&gateway, &mut messages.clone());
        has_state(&upstream)
    }));
}

#[test]
fn states_that_stay_in_memory_are_in_no_file() {
    let upstream = upstream();
    let setup = Arc::new(setup(&upstream).with("/state", json!({"calls": "memory"})));
    let mut gateway = Gateway::in_home(&setup);
    let mut messages = messages();
    turn(&gateway, &mut messages);
    turn(&gateway, &mut messages.clone());
    assert!(has_state(&upstream));
    gateway.stop();
    assert!(gateway.ends_well());
    assert!(!setup.home().join(FILE).exists());
}

#[test]
fn a_damaged_file_is_moved_aside_and_stops_no_start() {
    let upstream = upstream();
    let setup = Arc::new(setup(&upstream));
    fs::write(setup.home().join(FILE), "\u{0}garbage").unwrap();
    let gateway = Gateway::in_home(&setup);
    let aside = setup.home().join(format!("{FILE}.damaged"));
    assert!(eventually(|| aside.exists()));
    assert_eq!(fs::read_to_string(aside).unwrap(), "\u{0}garbage");
    gateway.logs("was moved to");
    let mut messages = messages();
    turn(&gateway, &mut messages);
    turn(&gateway, &mut messages);
    assert!(has_state(&upstream));
}

#[test]
fn a_file_that_cannot_be_written_is_said_once_and_hurts_no_request() {
    let upstream = upstream();
    let setup = Arc::new(setup(&upstream));
    fs::create_dir(setup.home().join(FILE)).unwrap();
    let gateway = Gateway::in_home(&setup);
    let mut messages = messages();
    turn(&gateway, &mut messages);
    turn(&gateway, &mut messages);
    assert!(has_state(&upstream));
    gateway.logs("cannot be kept there");
}
