//! What moves on to the next account and the next target, row by row, in every dialect, streamed and not.

use std::thread;

use bitrouter_tests::{Answer, Gateway, Reply, Upstream};
use serde_json::{Value, json};

use crate::dialects::{DIALECTS, Wire, ask, data, echo_at};

/// What the first target does, and whether the second is asked after it.
type Row = (&'static str, fn(Wire) -> Option<Reply>, fn(Wire) -> Option<Reply>, bool);

fn refused(status: u16, class: &str, code: &str, message: &str) -> Reply {
    Reply::json(&json!({"error": {"type": class, "code": code, "message": message}})).status(status)
}

/// Whole, streamed, and whether it moves on. `None` where the row has no such answer.
const ROWS: &[Row] = &[
    ("429", |_| Some(refused(429, "rate_limit_error", "rate_limit_exceeded", "because")), |_| None, true),
    ("usage limit", |_| Some(refused(429, "usage_limit_reached", "usage_limit_reached", "because")), |_| None, true),
    ("500", |_| Some(refused(500, "server_error", "", "because")), |_| None, true),
    ("502 page", |_| Some(Reply::body("text/html", "<h1>because</h1>").status(502)), |_| None, true),
    ("503", |_| Some(refused(503, "server_error", "server_is_overloaded", "because")), |_| None, true),
    ("529", |_| Some(refused(529, "overloaded_error", "", "because")), |_| None, true),
    ("401", |_| Some(refused(401, "authentication_error", "", "because")), |_| None, true),
    ("403", |_| Some(refused(403, "permission_error", "", "because")), |_| None, true),
    ("404", |_| Some(refused(404, "not_found_error", "model_not_found", "no model because")), |_| None, true),
    ("404 without a body", |_| Some(Reply::body("application/json", "").status(404)), |_| None, true),
    ("404 as text", |_| Some(Reply::body("text/plain", "because").status(404)), |_| None, true),
    ("404 of a path", |_| Some(refused(404, "invalid_request_error", "", "Invalid URL, because")), |_| None, true),
    ("405", |_| Some(refused(405, "invalid_request_error", "", "because")), |_| None, true),
    ("406", |_| Some(Reply::body("text/plain", "because").status(406)), |_| None, true),
    ("407", |_| Some(Reply::body("text/plain", "because").status(407)), |_| None, true),
    ("410", |_| Some(refused(410, "invalid_request_error", "", "because")), |_| None, true),
    ("421", |_| Some(Reply::body("text/plain", "because").status(421)), |_| None, true),
    ("424", |_| Some(refused(424, "server_error", "", "because")), |_| None, true),
    ("425", |_| Some(Reply::body("application/json", "").status(425)), |_| None, true),
    ("451", |_| Some(refused(451, "t", "", "because")), |_| None, true),
    ("511", |_| Some(Reply::body("text/plain", "because").status(511)), |_| None, true),
    ("520", |_| Some(Reply::body("text/plain", "error code: 520, because").status(520)), |_| None, true),
    (
        "404 of what the call holds",
        |_| {
            let error =
                json!({"type": "invalid_request_error", "param": "input", "message": "Item 'rs_1' not found, because"});
            Some(Reply::json(&json!({"error": error})).status(404))
        },
        |_| None,
        false,
    ),
    ("context", |_| Some(refused(400, "invalid_request_error", "context_length_exceeded", "because")), |_| None, true),
    ("filter", |_| Some(refused(400, "invalid_request_error", "content_filter", "because")), |_| None, true),
    ("400", |_| Some(refused(400, "invalid_request_error", "bad", "because")), |_| None, false),
    ("422", |_| Some(refused(422, "invalid_request_error", "bad", "because")), |_| None, false),
    ("reset", |_| Some(Reply::raw("").cut()), |_| None, true),
    ("cut head", |_| Some(Reply::raw("HTTP/1.1 200 O").cut()), |_| None, true),
    ("silence", |_| Some(Reply::silence()), |_| None, true),
    ("a web page", |_| Some(Reply::body("text/html", "<h1>welcome</h1>")), |_| None, true),
    ("nothing", |_| Some(Reply::body("application/json", "")), |_| Some(Reply::sse()), true),
    ("half a document", |_| Some(Reply::body("application/json", "{\"said\": \"ha")), |_| None, true),
    (
        "wrong length",
        |_| {
            Some(
                Reply::raw("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{\"a\":1")
                    .cut(),
            )
        },
        |_| None,
        true,
    ),
    (
        "error in a document",
        |_| Some(Reply::json(&json!({"error": {"message": "because", "code": "slow_down"}}))),
        |_| None,
        true,
    ),
    ("error first", |_| None, |wire| Some(Reply::sse().send(data(wire.error))), true),
    ("preamble, error", |_| None, |wire| Some(Reply::sse().send(data(wire.preamble)).send(data(wire.error))), true),
    ("preamble, cut", |_| None, |wire| Some(Reply::sse().send(data(wire.preamble)).cut()), true),
    ("preamble, end", |_| None, |wire| Some(Reply::sse().send(data(wire.preamble))), true),
    (
        "content, error",
        |_| None,
        |wire| Some(Reply::sse().send(data(wire.content)).pause(30).send(data(wire.error))),
        false,
    ),
    ("content, cut", |_| None, |wire| Some(Reply::sse().send(data(wire.content)).pause(30).cut()), false),
];

#[test]
fn every_row_moves_on_as_the_table_says_in_every_dialect() {
    let upstream = Upstream::start();
    let mut asked = 0;
    for (at, (name, whole, stream, moves)) in ROWS.iter().enumerate() {
        // Both targets are of one account here, so a limit of the one is the other's; accounts have their own test.
        let limited = matches!(*name, "429" | "usage limit" | "401");
        let mut gateway = echo_at(&upstream);
        for wire in DIALECTS {
            for streamed in [false, true] {
                let reply = move || match streamed {
                    true => stream(wire).or_else(|| whole(wire)),
                    false => whole(wire),
                };
                if reply().is_none() {
                    continue;
                }
                // A limit or a refusal is the account's, which is the whole provider where there are no accounts.
                if limited {
                    gateway = echo_at(&upstream);
                }
                asked += 1;
                let (first, second) = (format!("first-{at}-{asked}"), format!("second-{asked}"));
                let is_first = first.clone();
                upstream.follows(move |seen| match seen.json()["model"] == is_first.as_str() {
                    true => reply().expect("there is one"),
                    false => wire.second(streamed),
                });
                let before = upstream.requests().len();
                let models = [format!("echo:{first}"), format!("echo:{second}")];
                let answer = ask(&gateway, wire, &models.each_ref().map(String::as_str), streamed);
                let context = format!("{name}, {}, streamed: {streamed}: {}", wire.path, answer.text());
                let sent = upstream.requests().len() - before;
                if *moves && !limited {
                    assert_eq!(answer.code, 200, "{context}");
                    assert!(answer.text().contains("second") && !answer.text().contains("because"), "{context}");
                    assert_eq!(answer.header("x-bitrouter-attempts"), Some("2"), "{context}");
                    assert_eq!(answer.header("x-bitrouter-model"), Some(second.as_str()), "{context}");
                    // A reused connection that dies before any byte came is replaced by a fresh one, once.
                    let again = usize::from(matches!(*name, "reset"));
                    assert!((2..=2 + again).contains(&sent), "{sent}, {context}");
                } else {
                    assert_eq!(answer.header("x-bitrouter-attempts"), Some("1"), "{context}");
                    assert!(!answer.text().contains("second"), "{context}");
                    assert_eq!(sent, 1, "{context}");
                }
            }
        }
    }
}

/// `openai` with two accounts: `config`, whose key ends in `first`, and `env`.
fn two_accounts(upstream: &Upstream) -> Gateway {
    let setup = Gateway::start().with_openai_at(upstream);
    setup.with("/providers/openai/api_key", json!("sk-canary-of-the-first-account")).run()
}

fn is_first(authorization: Option<&str>) -> bool {
    authorization.is_some_and(|value| value.ends_with("first-account"))
}

#[test]
fn what_concerns_an_account_moves_to_the_next_and_what_concerns_the_provider_does_not() {
    let table = [
        (429, true),
        (401, true),
        (403, true),
        (404, true),
        (405, true),
        (410, true),
        (421, true),
        (425, true),
        (500, false),
        (503, false),
        (407, false),
        (400, false),
    ];
    for (status, moves) in table {
        for wire in [DIALECTS[0], DIALECTS[1]] {
            let upstream = Upstream::start();
            let gateway = two_accounts(&upstream);
            upstream.follows(move |seen| match is_first(seen.header("authorization")) {
                true => refused(status, "t", "c", "because"),
                false => wire.second(false),
            });
            let answer = ask(&gateway, wire, &["openai:gpt-4o"], false);
            let expected = if moves { (200, Some("env"), Some("2")) } else { (status, Some("config"), Some("1")) };
            let seen = (answer.code, answer.header("x-bitrouter-account"), answer.header("x-bitrouter-attempts"));
            assert_eq!(seen, expected, "{status} {}: {}", wire.path, answer.text());
        }
    }
}

#[test]
fn an_account_that_reached_its_limit_is_left_alone_until_it_ends_or_is_lifted() {
    let upstream = Upstream::start();
    let gateway = two_accounts(&upstream);
    upstream.follows(|seen| match is_first(seen.header("authorization")) {
        true => refused(429, "usage_limit_reached", "usage_limit_reached", "because").header("retry-after", "600"),
        false => Reply::json(&json!({"said": "second"})),
    });
    let of_the_first = || upstream.requests().iter().filter(|seen| is_first(seen.header("authorization"))).count();
    for _ in 0..5 {
        ask(&gateway, DIALECTS[0], &["openai:gpt-4o"], false).status(200);
    }
    assert_eq!(of_the_first(), 1);
    let cooling = gateway.status()["cooldowns"].clone();
    assert_eq!(cooling[0]["address"], "openai@config", "{cooling}");
    // Kept beside the gateway, so that a command that asks nobody knows it, too.
    let route = || gateway.command(&["route", "openai:gpt-4o"]).stdout;
    assert!(
        bitrouter_tests::eventually(|| route().contains("cooling down: openai:gpt-4o: usage limit")),
        "{}",
        route()
    );
    gateway.command(&["status", "--clear", "openai@config"]).ok();
    ask(&gateway, DIALECTS[0], &["openai:gpt-4o"], false).status(200);
    assert_eq!(of_the_first(), 2);
}

#[test]
fn when_all_are_spent_the_limit_that_ends_first_is_told_and_then_answered_from_memory() {
    let upstream = Upstream::start();
    let gateway = two_accounts(&upstream);
    upstream.follows(|seen| {
        let after = if is_first(seen.header("authorization")) { "900" } else { "300" };
        refused(429, "usage_limit_reached", "usage_limit_reached", "because").header("retry-after", after)
    });
    let wait = |answer: &Answer| answer.header("retry-after").unwrap().parse::<u64>().unwrap();
    let answer = ask(&gateway, DIALECTS[1], &["openai:gpt-4o"], false).status(429).says("because");
    assert_eq!((wait(&answer), answer.header("x-bitrouter-account")), (300, Some("env")));
    // One request may look whether it is over; all others are answered from memory.
    ask(&gateway, DIALECTS[1], &["openai:gpt-4o"], false).status(429);
    let sent = upstream.requests().len();
    for streamed in [false, true] {
        let answer = ask(&gateway, DIALECTS[1], &["openai:gpt-4o"], streamed).status(429);
        assert!((200..=300).contains(&wait(&answer)), "{}", answer.text());
        assert_eq!(answer.json()["error"]["type"], "usage_limit_reached");
        assert!(answer.json()["error"]["resets_at"].as_u64().is_some());
    }
    assert_eq!(upstream.requests().len(), sent);
}

#[test]
fn fresh_headers_that_show_room_lift_a_limit() {
    let upstream = Upstream::start();
    let gateway = two_accounts(&upstream);
    upstream.follows(|seen| {
        let limits = |reply: Reply, left: &str| {
            reply.header("x-ratelimit-limit-requests", "100").header("x-ratelimit-remaining-requests", left)
        };
        match (is_first(seen.header("authorization")), seen.json()["model"].as_str()) {
            (true, Some("gpt-4o")) => limits(refused(429, "t", "rate_limit_exceeded", "because"), "0"),
            _ => limits(Reply::json(&json!({"said": "second"})), "99"),
        }
    });
    ask(&gateway, DIALECTS[0], &["openai:gpt-4o"], false).status(200);
    assert_eq!(gateway.status()["cooldowns"][0]["address"], "openai@config");
    // The account is tried as a last resort where it is the only one that is named, and says that there is room.
    ask(&gateway, DIALECTS[0], &["openai@config:gpt-4o-mini"], false).status(200);
    let lifted = || gateway.status()["cooldowns"].as_array().unwrap().is_empty();
    assert!(bitrouter_tests::eventually(lifted), "{}", gateway.status());
}

#[test]
fn a_plan_that_nobody_logged_in_to_is_a_loud_error_and_moves_nothing_to_what_costs_money() {
    let upstream = Upstream::start();
    let gateway = Gateway::start().with_openai_at(&upstream).run();
    let answer = ask(&gateway, DIALECTS[1], &["openai-codex:gpt-5.5", "openai:gpt-5.5"], false);
    answer.status(401).says("bitrouter login openai-codex");
    assert!(upstream.requests().is_empty());
}

#[test]
fn a_long_wait_is_bridged_by_heartbeats_and_still_fails_over() {
    let upstream = Upstream::start();
    let gateway = echo_at(&upstream);
    upstream.follows(|seen| {
        let wire = *DIALECTS.iter().find(|wire| seen.path == wire.path).unwrap();
        match seen.json()["model"].as_str() {
            Some("slow") => {
                let waits = Reply::sse().send(data(wire.preamble)).pause(16_500);
                waits.send(data(wire.error))
            }
            _ => wire.second(true),
        }
    });
    thread::scope(|scope| {
        for wire in DIALECTS {
            let gateway = &gateway;
            scope.spawn(move || {
                let answer = ask(gateway, wire, &["echo:slow", "echo:second"], true);
                let text = answer.text();
                assert_eq!(answer.code, 200);
                assert!(text.starts_with(wire.heartbeat), "{text}");
                assert!(text.contains("second") && !text.contains("because"), "{text}");
                // Every target fails: an error event of the dialect, behind the heartbeat.
                let alone = ask(gateway, wire, &["echo:slow"], true).text();
                let memory = alone.contains("because") || alone.contains("is not asked");
                assert!(memory, "{alone}");
            });
        }
    });
}

#[test]
fn each_request_is_logged_with_its_attempts() {
    let upstream = Upstream::start();
    let gateway = echo_at(&upstream);
    upstream.follows(|seen| match seen.json()["model"] == "first" {
        true => refused(503, "server_error", "server_is_overloaded", "because"),
        false => Reply::json(&json!({"said": "second"})),
    });
    ask(&gateway, DIALECTS[0], &["echo:first", "echo:second"], false).status(200);
    gateway.logs("attempt failed").logs("attempts=2").logs("outcome=\"complete\"");
    let _: Value = gateway.status();
}

#[test]
fn a_404_that_speaks_of_no_model_is_surfaced_once_all_are_spent_and_that_account_is_asked_last() {
    let upstream = Upstream::start();
    let gateway = two_accounts(&upstream);
    upstream.replies(Reply::body("application/json", "").status(404));
    let answer = ask(&gateway, DIALECTS[0], &["openai:gpt-4o", "openai:gpt-5"], false);
    assert_eq!((answer.code, answer.header("x-bitrouter-attempts")), (404, Some("4")), "{}", answer.text());
    gateway.command(&["status", "--clear"]).ok();
    upstream.follows(|seen| match is_first(seen.header("authorization")) {
        true => Reply::body("application/json", "").status(404),
        false => Reply::json(&json!({"said": "second"})),
    });
    for (attempts, account) in [("2", "env"), ("1", "env")] {
        let answer = ask(&gateway, DIALECTS[0], &["openai:gpt-4o"], false).status(200);
        let seen = (answer.header("x-bitrouter-attempts"), answer.header("x-bitrouter-account"));
        assert_eq!(seen, (Some(attempts), Some(account)));
    }
    let cooldowns = gateway.status()["cooldowns"].clone();
    assert_eq!(cooldowns[0]["address"], "openai@config:gpt-4o", "{cooldowns}");
    assert!(cooldowns[0]["reason"].as_str().is_some_and(|why| why.contains("nothing was found")), "{cooldowns}");
}

#[test]
fn when_to_come_back_is_read_in_every_form_and_told_in_seconds() {
    let upstream = Upstream::start();
    let gateway = Gateway::start().with_openai_at(&upstream).run();
    // Another second may begin on the way, and the machine may be busy.
    let about = |seconds: u64| (seconds.saturating_sub(60).max(1)..=seconds, Some(seconds));
    let none = (0..=0, None);
    let now = std::time::SystemTime::now;
    let date = |after: u64| httpdate::fmt_http_date(now() + std::time::Duration::from_secs(after));
    let epoch = now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let table = [
        ("retry-after", "600".to_owned(), about(600)),
        ("retry-after", "599.5".to_owned(), about(600)),
        ("retry-after", date(600), about(600)),
        ("retry-after-ms", "600000".to_owned(), about(600)),
        ("x-ratelimit-reset", "10m0s".to_owned(), about(600)),
        ("x-ratelimit-reset", (epoch + 600).to_string(), about(600)),
        ("x-ratelimit-reset", ((epoch + 600) * 1000).to_string(), about(600)),
        ("retry-after", "0".to_owned(), none.clone()),
        ("retry-after", "soon".to_owned(), none.clone()),
        ("retry-after", "-5".to_owned(), none.clone()),
        ("retry-after", "99999999999999".to_owned(), none.clone()),
        ("retry-after", "Sun, 06 Nov 1994 08:49:37 GMT".to_owned(), none.clone()),
    ];
    for (at, (name, value, (range, told))) in table.into_iter().enumerate() {
        let header = value.clone();
        upstream
            .follows(move |_| refused(429, "rate_limit_error", "rate_limit_exceeded", "because").header(name, &header));
        let model = format!("openai:gpt-{at}");
        let answer = ask(&gateway, DIALECTS[0], &[&model], false).status(429);
        let seconds = answer.header("retry-after").map(|value| value.parse::<u64>().expect("whole seconds"));
        assert_eq!(seconds.is_some(), told.is_some(), "{name}: {value}: {seconds:?}");
        assert!(seconds.is_none_or(|seconds| range.contains(&seconds)), "{name}: {value}: {seconds:?}");
        let cooldown = gateway.status()["cooldowns"][0].clone();
        let time = |member: &str| bitrouter_wait::date(cooldown[member].as_str().unwrap()).expect("a time");
        // Without an end it is the default, a minute.
        let length = time("until") - time("since");
        let expected = told.unwrap_or(60);
        assert!((expected.saturating_sub(60)..=expected + 1).contains(&length), "{name}: {value}: {length} s");
        assert!(told.is_some() || length <= 61, "{name}: {value}: {length} s");
        gateway.command(&["status", "--clear"]).ok();
    }
}

#[test]
fn one_request_on_which_a_backend_crashes_refuses_nobody_else() {
    let upstream = Upstream::start();
    let gateway = echo_at(&upstream);
    let poisons: [fn() -> Reply; 4] = [
        || refused(500, "server_error", "", "crashed"),
        || refused(503, "server_error", "server_is_overloaded", "crashed"),
        || Reply::raw("").cut(),
        || Reply::raw("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{").cut(),
    ];
    for (at, poison) in poisons.into_iter().enumerate() {
        upstream.follows(move |seen| match seen.text().contains("poison") {
            true => poison(),
            false => Reply::json(&json!({"said": "fine"})),
        });
        let chat = |text: &str| {
            gateway.chat(&json!({"model": format!("echo:m{at}"), "messages": [{"role": "user", "content": text}]}))
        };
        for round in 0..6 {
            // The same again and again, and then others as well.
            let text = if round < 3 { "poison".to_owned() } else { format!("poison {}", "x".repeat(round)) };
            assert!(chat(&text).code >= 500, "{at} {round}");
            chat("hello").status(200).says("fine");
        }
    }
}
