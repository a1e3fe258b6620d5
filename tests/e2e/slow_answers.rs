//! Answers that come drop by drop: slow is not broken, but a total deadline holds for what never gets to its content.

use bitrouter_tests::{Gateway, Reply, Upstream};
use serde_json::json;

use crate::dialects::{DIALECTS, Wire, ask, data};

/// A gateway whose provider `echo` may take this long for all of an answer.
fn echo_within(upstream: &Upstream, total_ms: u64) -> Gateway {
    let setup = Gateway::start().with_plugin("echo").with_origin("echo", upstream);
    setup.with("/providers/echo/timeouts/total_ms", json!(total_ms)).run()
}

/// These bytes one at a time, each after a pause that is longer than anything is gathered for.
fn drop_by_drop(reply: Reply, text: &str) -> Reply {
    text.bytes().fold(reply, |reply, byte| reply.pause(6).send([byte]))
}

fn whole_answer(wire: Wire, streamed: bool) -> (Reply, String) {
    match streamed {
        true => {
            let text = [data(wire.preamble), data(wire.content), data(wire.last)].concat();
            (drop_by_drop(Reply::sse(), &text), text)
        }
        false => {
            let text = json!({"said": "half", "and": "nothing more"}).to_string();
            (drop_by_drop(Reply::body("application/json", ""), &text), text)
        }
    }
}

#[test]
fn an_answer_that_comes_byte_by_byte_arrives_whole_and_moves_nothing() {
    let upstream = Upstream::start();
    let gateway = echo_within(&upstream, 60_000);
    for wire in DIALECTS {
        for streamed in [false, true] {
            let (reply, text) = whole_answer(wire, streamed);
            let before = upstream.requests().len();
            upstream.replies(reply);
            let answer = ask(&gateway, wire, &["echo:first", "echo:second"], streamed).status(200).is(&text);
            assert_eq!(answer.header("x-bitrouter-attempts"), Some("1"));
            assert_eq!(upstream.requests().len() - before, 1, "{}", wire.path);
        }
    }
}

#[test]
fn what_drips_and_never_gets_to_its_content_fails_over_at_the_total_deadline() {
    let upstream = Upstream::start();
    // No pause comes near the deadline between two events.
    let gateway = echo_within(&upstream, 700);
    let mut asked = 0;
    for wire in DIALECTS {
        for streamed in [false, true] {
            asked += 1;
            let (first, second) = (format!("first-{asked}"), format!("second-{asked}"));
            let is_first = first.clone();
            upstream.follows(move |seen| match (seen.json()["model"] == is_first.as_str(), streamed) {
                (true, true) => (0..2000).fold(Reply::sse(), |reply, _| reply.send(data(wire.preamble)).pause(50)),
                (true, false) => {
                    drop_by_drop(Reply::body("application/json", "{\"said\": \"half"), &" ".repeat(10_000))
                }
                (false, _) => wire.second(streamed),
            });
            let models = [format!("echo:{first}"), format!("echo:{second}")];
            let answer = ask(&gateway, wire, &models.each_ref().map(String::as_str), streamed).status(200);
            let text = answer.text();
            assert!(answer.complete && text.contains("second") && !text.contains("half"), "{text}");
            assert_eq!(answer.header("x-bitrouter-attempts"), Some("2"), "{}, {streamed}", wire.path);
        }
    }
    gateway.logs("the answer was not complete after 0.7 s");
}

#[test]
fn an_error_that_drips_fails_over_at_the_total_deadline() {
    let upstream = Upstream::start();
    let gateway = echo_within(&upstream, 700);
    for wire in DIALECTS {
        for streamed in [false, true] {
            upstream.follows(move |seen| match seen.json()["model"].as_str() {
                Some("second") => wire.second(streamed),
                _ => drop_by_drop(Reply::body("application/json", "{").status(503), &" ".repeat(10_000)),
            });
            let first = format!("echo:first-{streamed}-of{}", wire.path.replace('/', "-"));
            let answer = ask(&gateway, wire, &[&first, "echo:second"], streamed).status(200).says("second");
            assert_eq!(answer.header("x-bitrouter-attempts"), Some("2"));
        }
    }
}
