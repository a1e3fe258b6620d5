//! Bodies that are packed, that drip, and that want more memory than there is.

use std::io::Write;
use std::thread;
use std::time::Duration;

use bitrouter_tests::{Answer, Gateway, Open, Reply, Upstream, eventually};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

const CHAT: &str = "/v1/chat/completions";

fn chat(filling: usize) -> Value {
    json!({"model": "openai:gpt-4o", "messages": [{"role": "user", "content": "a".repeat(filling)}]})
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(bytes).unwrap();
    gzip.finish().unwrap()
}

#[test]
fn a_body_may_be_packed_in_several_pieces() {
    let upstream = Upstream::start();
    let gateway = Gateway::start().with_openai_at(&upstream).run();
    // The second is unpacked apart from those who serve requests, in several pieces.
    for size in [10, 3 << 20] {
        let body = chat(size).to_string().into_bytes();
        let (one, other) = body.split_at(body.len() / 2);
        let zstd = |bytes: &[u8]| zstd::encode_all(bytes, 1).unwrap();
        for (encoding, packed) in [
            ("gzip", [gzip(one), gzip(other)].concat()),
            ("gzip", [gzip(&[]), gzip(&body), gzip(&[])].concat()),
            ("x-gzip", gzip(&body)),
            ("zstd", [zstd(one), zstd(other)].concat()),
            ("identity", body.clone()),
            ("identity, gzip", gzip(&body)),
        ] {
            let request = gateway.post(CHAT).header("content-encoding", encoding);
            let request = request.body("application/json", packed);
            request.clone().send().status(200);
            let seen = upstream.last().json();
            assert_eq!(seen["messages"], chat(size)["messages"], "{encoding}");
            request.chunked().send().status(200);
        }
    }
    let packed = gzip(&gzip(chat(10).to_string().as_bytes()));
    let twice = gateway.post(CHAT).header("content-encoding", "gzip").header("content-encoding", "gzip");
    twice.body("application/json", packed).send().status(415);
}

/// The head of a call, and then a byte now and then for as long as somebody is there.
fn drip(gateway: &Gateway, framing: &str, byte: &[u8]) -> Answer {
    let mut slow: Open = gateway.connect();
    let head = format!("POST {CHAT} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n{framing}\r\n");
    slow.write(head.as_bytes());
    for _ in 0..20 {
        slow.write(byte);
        thread::sleep(Duration::from_millis(100));
    }
    slow.answer()
}

#[test]
fn a_body_that_drips_is_not_waited_for() {
    let upstream = Upstream::start();
    let setup = Gateway::start().with_openai_at(&upstream).with("/server/body_timeout_ms", json!(1000));
    let gateway = setup.run();
    let (chunk, first) = (b"1\r\n{\r\n".as_slice(), &gzip(b"{")[..1]);
    thread::scope(|threads| {
        for (framing, byte) in [
            ("content-length: 100000\r\n", b" ".as_slice()),
            ("transfer-encoding: chunked\r\n", chunk),
            ("content-length: 100000\r\ncontent-encoding: gzip\r\n", first),
            ("content-length: 100000\r\ncontent-encoding: zstd\r\n", b""),
        ] {
            let gateway = &gateway;
            threads.spawn(move || {
                let answer = drip(gateway, framing, byte);
                // Bytes that are no gzip are told as soon as they are seen.
                assert!([408, 400].contains(&answer.code), "{framing}: {answer:?}");
                let packed = framing.contains("gzip");
                assert!(
                    packed || answer.code == 408 && answer.text().contains("body_timeout"),
                    "{framing}: {answer:?}"
                );
            });
        }
    });
    assert!(upstream.requests().is_empty());
    gateway.chat(&chat(1 << 20)).status(200);
}

/// Forty bodies that say nothing more once so much is sent.
fn that_stop(gateway: &Gateway, headers: &str, sent: &[u8]) -> Vec<Open> {
    let head = format!(
        "POST {CHAT} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n{headers}content-length: {}\r\n\r\n",
        sent.len() + 1000
    );
    let body = |_| {
        let mut open = gateway.connect();
        open.write(head.as_bytes()).write(sent);
        open
    };
    (0..40).map(body).collect()
}

#[test]
fn bodies_hold_no_more_than_all_may_and_small_bodies_still_get_in() {
    let upstream = Upstream::start();
    let setup = Gateway::start().with_openai_at(&upstream).with("/server/body_limit", json!("4MiB"));
    let gateway = setup.with("/server/bodies_limit", json!("16MiB")).run();
    let mut stopped = that_stop(&gateway, "", &vec![b' '; 1 << 20]);
    assert!(eventually(|| gateway.status()["bodies"]["used"].as_u64().unwrap() > 3 << 20), "{}", gateway.status());
    for _ in 0..20 {
        gateway.chat(&chat(100 << 10)).status(200);
    }
    let status = gateway.status();
    assert_eq!(status["bodies"]["limit"], 16 << 20);
    assert!(status["bodies"]["used"].as_u64() <= Some(16 << 20), "{status}");
    // Somebody had to give way, whoever that was, and is told when to come back.
    let refused = stopped.iter_mut().find_map(|body| {
        let (code, headers) = body.wait_at_most(1).head_if_any()?;
        (code == 503).then(|| headers.get("retry-after").map(str::to_owned))
    });
    assert_eq!(refused, Some(Some("5".into())));
    drop(stopped);
    assert!(eventually(|| gateway.status()["bodies"]["used"] == 0), "{}", gateway.status());
}

#[test]
fn a_bomb_that_does_not_end_holds_what_was_sent_of_it_and_no_more() {
    let upstream = Upstream::start();
    let gateway = Gateway::start().with_openai_at(&upstream).run();
    let plain = vec![b' '; 60 << 20];
    let (gzip, zstd) = (gzip(&plain), zstd::encode_all(plain.as_slice(), 1).unwrap());
    for (coding, packed) in [("gzip", gzip), ("zstd", zstd)] {
        let headers = format!("content-encoding: {coding}\r\n");
        let bombs = that_stop(&gateway, &headers, &packed[..packed.len() - 8]);
        for size in [100 << 10, 1 << 20] {
            gateway.chat(&chat(size)).status(200);
        }
        let used = gateway.status()["bodies"]["used"].as_u64().unwrap();
        let sent = 40 * (packed.len().next_multiple_of(128 << 10) as u64);
        assert!(used <= sent, "{coding}: {used} bytes are held of {sent}");
        drop(bombs);
        assert!(eventually(|| gateway.status()["bodies"]["used"] == 0), "{}", gateway.status());
    }
}

#[test]
fn bombs_that_are_whole_hold_no_more_than_all_may_and_others_are_answered() {
    let upstream = Upstream::start();
    let gateway = Gateway::start().with_openai_at(&upstream).run();
    // Beyond the limit of one body.
    let bomb = gzip(&vec![b' '; 70 << 20]);
    thread::scope(|threads| {
        let send = || {
            let request = gateway.post(CHAT).header("content-encoding", "gzip");
            request.body("application/json", bomb.clone()).send().code
        };
        let bombs: Vec<_> = (0..12).map(|_| threads.spawn(send)).collect();
        for size in [10, 100 << 10, 1 << 20] {
            let body = chat(size).to_string();
            let packed = gateway.post(CHAT).header("content-encoding", "gzip");
            packed.body("application/json", gzip(body.as_bytes())).send().status(200);
            let status = gateway.status();
            assert!(status["bodies"]["used"].as_u64() <= status["bodies"]["limit"].as_u64(), "{status}");
        }
        for bomb in bombs {
            // Too large, or not its turn.
            let code = bomb.join().unwrap();
            assert!([413, 503].contains(&code), "{code}");
        }
    });
    assert!(eventually(|| gateway.status()["bodies"]["used"] == 0), "{}", gateway.status());
}

#[test]
fn a_body_is_counted_for_as_long_as_its_request_runs() {
    let upstream = Upstream::start();
    upstream.replies(Reply::silence());
    let gateway = Gateway::start().with_openai_at(&upstream).run();
    let waiting = gateway.post(CHAT).json(&chat(2 << 20)).open();
    assert!(eventually(|| upstream.requests().len() == 1));
    let held = gateway.status()["bodies"]["used"].as_u64().unwrap();
    assert!(held == 0 || held >= 2 << 20, "{held}");
    waiting.leave();
    assert!(eventually(|| gateway.status()["bodies"]["used"] == 0), "{}", gateway.status());
}
