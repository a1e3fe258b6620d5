//! More clients than there is room for: those that say nothing go first, and how the gateway is can always be asked.

use std::io::Read;

use bitrouter_tests::{Gateway, Open, Reply, Upstream, eventually};
use serde_json::json;

const CHAT: &str = "/v1/chat/completions";

fn hello() -> serde_json::Value {
    json!({"model": "openai:gpt-4o", "messages": []})
}

#[test]
fn silent_connections_leave_room_for_whoever_asks() {
    let upstream = Upstream::start();
    let gateway = Gateway::start().with_openai_at(&upstream).with_open_files(256).run();
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    let mut kept = gateway.connect();
    let request = gateway.get("/health");
    kept.send(&request).answer().status(200);
    let silent: Vec<Open> = (0..600)
        .map(|number| {
            let mut open = gateway.connect();
            match number % 5 {
                0 => open.write(b"G"),
                1 => open.write(&preface[..10]),
                2 => open.write(preface),
                3 => open.write(b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\n"),
                _ => &mut open,
            };
            open
        })
        .collect();
    for _ in 0..20 {
        gateway.get("/health").send().status(200);
        gateway.chat(&hello()).status(200);
    }
    let status = gateway.status();
    let (used, limit) = (&status["connections"]["used"], &status["connections"]["limit"]);
    assert!(used.as_u64() <= limit.as_u64() && *limit == 96, "{status}");
    gateway.command(&["status"]).ok().says("silent ones go first");
    // One that was used before goes after all that never were.
    kept.send(&request).answer().status(200);
    drop(silent);
}

#[test]
fn where_all_are_busy_the_gateway_still_says_how_it_is() {
    let upstream = Upstream::start();
    upstream.replies(Reply::silence());
    let gateway = Gateway::start().with_openai_at(&upstream).with("/server/connections", json!(8)).run();
    let mut busy: Vec<Open> = Vec::new();
    for places in 1..=8 {
        busy.push(gateway.post(CHAT).json(&hello()).open());
        // Whoever asked whether the gateway is there may have held a place for a moment longer: then it was refused.
        if !eventually(|| upstream.requests().len() == places) {
            busy.push(gateway.post(CHAT).json(&hello()).open());
            assert!(eventually(|| upstream.requests().len() == places));
        }
    }
    let refused = gateway.chat(&hello()).status(503).says("server.connections");
    assert_eq!((refused.header("retry-after"), refused.header("connection")), (Some("5"), Some("close")));
    assert_eq!(refused.json()["error"]["code"], "gateway_busy");
    let refused = gateway.post("/v1/messages").json(&hello()).send().status(503);
    assert_eq!(refused.json()["type"], "error");
    gateway.get("/health").send().status(200);
    assert_eq!(gateway.status()["requests"].as_array().unwrap().len(), 8);
    drop(busy);
    upstream.answers(json!({}));
    assert!(eventually(|| gateway.chat(&hello()).code == 200));
}

#[test]
fn a_log_that_nobody_reads_stops_nothing_and_says_what_it_lacks() {
    let upstream = Upstream::start();
    let setup = Gateway::start().with_openai_at(&upstream).with_an_unread_log();
    let mut gateway = setup.run();
    let dropped = || gateway.status()["log_lines_dropped"].as_u64().unwrap();
    let unknown = json!({"model": "m".repeat(500), "messages": []});
    for _ in 0..100 {
        for _ in 0..50 {
            gateway.chat(&unknown).status(400);
            gateway.get("/health").send().status(200);
        }
        if dropped() > 0 {
            break;
        }
    }
    assert!(dropped() > 0, "the log takes all that is written");
    gateway.command(&["status"]).ok().says("nobody reads it");
    // It is read again from now on, to the gateway's end.
    let mut log = gateway.take_log();
    let reading = std::thread::spawn(move || {
        let mut text = Vec::new();
        log.read_to_end(&mut text).unwrap();
        String::from_utf8_lossy(&text).into_owned()
    });
    gateway.chat(&hello()).status(200);
    gateway.stop();
    assert!(gateway.ends_well());
    let log = reading.join().unwrap();
    assert!(log.contains("lines are missing here"), "{} bytes", log.len());
    assert!(log.contains("stopping"), "the last lines are there");
}
