//! Components are replaced while the gateway answers: no call fails, and what cannot take the place leaves the build before.
#![cfg(unix)]

use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use bitrouter_tests::{Answer, Gateway, Open, Reply, Request, Upstream, component, eventually};
use serde_json::{Value, json};

use super::rebuilt::{asking_for_more, rebuilt};

/// How many streams, and how many calls, are under way at every moment.
const STREAMS: usize = 20;
const CALLS: usize = 20;
/// How often the component's file is replaced.
const REPLACED: u8 = 30;

fn chat(streaming: bool) -> Value {
    json!({ "model": "probe:probe-1", "messages": [], "stream": streaming })
}

fn event(text: &str) -> String {
    format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{text}\"}}}}]}}\n\n")
}

/// Asks again and again, and says which answers were not whole.
fn load(to: SocketAddr, streaming: bool, stop: &AtomicBool, done: &AtomicUsize, failures: &Mutex<Vec<String>>) {
    let request = Request::new(to, "POST", "/v1/chat/completions").json(&chat(streaming));
    let mut connection = Open::to(to);
    let end = if streaming { "[DONE]" } else { "whole" };
    while !stop.load(Ordering::SeqCst) {
        let answer: Answer = connection.send(&request).answer();
        if answer.code != 200 || !answer.complete || !answer.text().contains(end) {
            failures.lock().unwrap().push(format!("{}: {}", answer.code, answer.text()));
            connection = Open::to(to);
        }
        done.fetch_add(1, Ordering::SeqCst);
    }
}

fn sha256(bytes: &[u8]) -> String {
    use sha2::{Digest, Sha256};
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The build that serves, as the gateway says.
fn serving(gateway: &Gateway) -> String {
    let status = gateway.status();
    let of_probe = status["components"].as_array().unwrap().iter().find(|component| component["id"] == "probe");
    of_probe.unwrap_or_else(|| panic!("{status}"))["sha256"].as_str().unwrap().to_owned()
}

fn start(upstream: &Upstream) -> Gateway {
    let streamed = Reply::sse().send(event("one")).pause(60).send(event("two")).pause(60).send("data: [DONE]\n\n");
    upstream.follows(move |seen| {
        let body: Value = serde_json::from_slice(&seen.body).unwrap_or_default();
        let whole = Reply::stream("application/json").pause(60).send(json!({ "ok": "whole" }).to_string());
        if body["stream"] == true { streamed.clone() } else { whole }
    });
    let setup = Gateway::start().with_plugin("probe").with_origin("probe", upstream).trusting("probe");
    let gateway = setup.with_key("PROBE_API_KEY", "sk-probe-0123456789").run();
    assert!(eventually(|| gateway.chat(&chat(false)).code == 200), "{}", gateway.log());
    gateway
}

#[test]
fn no_call_fails_while_a_component_is_replaced_thirty_times_by_whatever() {
    let upstream = Upstream::start();
    let gateway = start(&upstream);
    let (file, probe) = (gateway.setup().plugin("probe.wasm"), component("probe"));
    let (stop, done, failures) = (AtomicBool::new(false), AtomicUsize::new(0), Mutex::new(Vec::new()));
    let mut serves = sha256(&probe);
    std::thread::scope(|scope| {
        for number in 0..STREAMS + CALLS {
            let (stop, done, failures, to) = (&stop, &done, &failures, gateway.address());
            scope.spawn(move || load(to, number < STREAMS, stop, done, failures));
        }
        let goes_on = |why: &str, serves: &str| {
            gateway.command(&["reload"]).ok().says(why).says("goes on until the gateway ends");
            assert_eq!(serving(&gateway), serves, "{why}");
        };
        // What is wrong in here ends the load, too.
        let replaced = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            for round in 0..REPLACED {
                let next = rebuilt(&probe, round);
                match round % 5 {
                    0 | 2 => {
                        gateway.put_plugin("probe.wasm", &next);
                        gateway.command(&["reload"]).ok();
                        serves = sha256(&next);
                        assert_eq!(serving(&gateway), serves, "{}", gateway.log());
                    }
                    1 => {
                        gateway.put_plugin("probe.wasm", b"\0asm and nothing that follows it");
                        goes_on("damaged WebAssembly component", &serves);
                    }
                    3 => {
                        // As a program leaves it that writes in place.
                        std::fs::write(&file, &next[..next.len() / 2]).unwrap();
                        goes_on("damaged WebAssembly component", &serves);
                    }
                    _ => {
                        gateway.put_plugin("probe.wasm", &asking_for_more());
                        goes_on("it asks for more", &serves);
                    }
                }
            }
            let listed = gateway.command(&["plugin", "list"]).ok();
            listed.says("it asks for more").says("the running gateway serves other builds").says(&serves);
            gateway.command(&["status"]).ok().says("components not loaded").says("goes on until the gateway ends");
        }));
        stop.store(true, Ordering::SeqCst);
        if let Err(panic) = replaced {
            std::panic::resume_unwind(panic);
        }
    });
    let failures = failures.into_inner().unwrap();
    let count = done.load(Ordering::SeqCst);
    assert!(failures.is_empty(), "{} of {count}: {:?}\n{}", failures.len(), failures.first(), gateway.log());
    assert!(count > STREAMS + CALLS, "{count} calls");
    println!("{count} calls while the component was replaced {REPLACED} times");
}

#[test]
fn a_stream_ends_on_the_build_that_it_began_with_however_often_that_is_replaced() {
    let upstream = Upstream::start();
    let gateway = start(&upstream);
    upstream.replies(Reply::sse().send(event("first")).pause(3000).send(event("last")).send("data: [DONE]\n\n"));
    let mut stream = gateway.post("/v1/chat/completions").json(&chat(true)).open();
    assert_eq!(stream.head().0, 200);
    stream.read_until("first");
    for number in 0..2 {
        gateway.put_plugin("probe.wasm", &rebuilt(&component("probe"), number));
        gateway.command(&["reload"]).ok().says("probe: another build");
    }
    std::fs::remove_file(gateway.setup().plugin("probe.wasm")).unwrap();
    gateway.command(&["reload"]).ok().says("probe: its component is gone");
    let rest = stream.read_until("[DONE]");
    assert!(rest.contains("last"), "{rest}");
}

#[test]
fn what_is_taken_back_serves_no_longer_and_neither_does_a_build_that_went_on_under_it() {
    let upstream = Upstream::start();
    let gateway = start(&upstream);
    gateway.put_plugin("probe.wasm", &rebuilt(&component("probe"), 1));
    gateway.command(&["reload"]).ok();
    gateway.put_plugin("probe.wasm", b"broken");
    gateway.command(&["reload"]).ok().says("goes on until the gateway ends");
    gateway.chat(&chat(false)).status(200);
    gateway.command(&["plugin", "untrust", "probe"]).ok();
    gateway.command(&["reload"]).ok();
    assert_ne!(gateway.chat(&chat(false)).code, 200);
}
