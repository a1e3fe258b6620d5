//! Stopping: what is under way may finish, what is new is turned away, and then the process ends by itself.
#![cfg(unix)]

use std::net::TcpStream;

use bitrouter_tests::{Gateway, Reply, Upstream, eventually};
use serde_json::json;

use crate::dialects::{DIALECTS, data};

#[test]
fn a_gateway_that_is_told_to_stop_lets_a_stream_finish() {
    let upstream = Upstream::start();
    let event =
        |text: &str| format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{text}\"}}}}]}}\n\n");
    upstream.replies(Reply::sse().send(event("first")).pause(500).send(event("last")));
    let mut gateway = Gateway::start().with_openai_at(&upstream).run();
    let body = json!({"model": "openai:gpt-4o", "messages": [], "stream": true});
    let mut stream = gateway.post("/v1/chat/completions").json(&body).open();
    assert_eq!(stream.head().0, 200);
    stream.read_until("first");
    gateway.stop();
    assert!(eventually(|| TcpStream::connect(gateway.address()).is_err()), "it still takes connections");
    stream.read_until("last");
    assert!(gateway.ends_well(), "{}", gateway.log());
}

#[test]
fn an_idle_gateway_ends_at_once_even_with_open_connections() {
    let mut gateway = Gateway::start().run();
    let mut idle = gateway.connect();
    idle.send(&gateway.get("/health")).answer().status(200);
    gateway.stop();
    assert!(gateway.ends_well(), "{}", gateway.log());
    assert!(idle.is_closed());
}

#[test]
fn a_stream_that_goes_on_for_longer_than_is_allowed_is_cut() {
    let upstream = Upstream::start();
    upstream.replies(Reply::sse().send("data: {}\n\n").wait_until_gone());
    let setup = Gateway::start().with_openai_at(&upstream).with("/server/drain_ms", json!(200));
    let mut gateway = setup.run();
    let body = json!({"model": "openai:gpt-4o", "messages": [], "stream": true});
    let mut stream = gateway.post("/v1/chat/completions").json(&body).open();
    assert_eq!(stream.head().0, 200);
    gateway.stop();
    assert!(gateway.ends_well(), "{}", gateway.log());
    gateway.logs("still open after 0.2 s");
    assert!(stream.is_closed());
}

#[test]
fn a_stream_that_is_cut_by_the_end_of_the_gateway_tells_its_client_in_its_dialect() {
    for wire in DIALECTS {
        let upstream = Upstream::start();
        upstream.replies(Reply::sse().send(data(wire.content)).wait_until_gone());
        let setup = Gateway::start().with_plugin("echo").with_origin("echo", &upstream);
        let mut gateway = setup.with("/server/drain_ms", json!(200)).run();
        let body = json!({"model": "echo:a", "messages": [], "input": "x", "stream": true});
        let mut stream = gateway.post(wire.path).json(&body).open();
        assert_eq!(stream.head().0, 200);
        stream.read_until("half");
        gateway.stop();
        let told = stream.read_until("the gateway is stopping");
        assert!(told.contains("error"), "{told}");
        assert!(gateway.ends_well(), "{}", gateway.log());
    }
}

#[test]
fn a_second_signal_ends_a_gateway_at_once() {
    let upstream = Upstream::start();
    upstream.replies(Reply::sse().send("data: {}\n\n").wait_until_gone());
    let mut gateway = Gateway::start().with_openai_at(&upstream).run();
    let body = json!({"model": "openai:gpt-4o", "messages": [], "stream": true});
    let mut stream = gateway.post("/v1/chat/completions").json(&body).open();
    assert_eq!(stream.head().0, 200);
    gateway.stop();
    gateway.logs("stopping");
    assert_eq!(gateway.status()["state"], "stopping");
    gateway.stop();
    assert!(!gateway.ends_well(), "it ends with an error");
    assert!(stream.is_closed());
}
