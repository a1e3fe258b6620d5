//! A clock that is two days wrong, in either direction: the issuer's own puts it right, and nobody has to log in again.
#![cfg(unix)]

use std::time::UNIX_EPOCH;

use bitrouter_tests::{Answer, ChatGpt, Gateway, Issuer, Login, Reuse, Setup, Turn, WrongClock, eventually};
use serde_json::{Value, json};

const TWO_DAYS: i64 = 2 * 24 * 3600;

/// A home whose clock is wrong, with an issuer and a backend whose clocks are not.
fn start(ahead: i64) -> (Setup, Issuer, ChatGpt, WrongClock) {
    let (issuer, clock) = (Issuer::start(Reuse::Strict), WrongClock::ahead(ahead));
    let chatgpt = ChatGpt::start().takes_what_has_not_expired().then_always(Turn::says("hello"));
    let setup = Gateway::start().with_issuer(&issuer).0.with_clock(&clock);
    let setup = setup.with("/providers/openai-codex/origins/api", json!(chatgpt.base_url()));
    (setup, issuer, chatgpt, clock)
}

fn ask(gateway: &Gateway) -> Answer {
    let input = json!([{ "role": "user", "content": "hello" }]);
    let body =
        json!({ "model": "openai-codex@work:gpt-5.5", "stream": true, "instructions": "Be brief.", "input": input });
    gateway.post("/v1/responses").json(&body).send()
}

/// When an account expires, in seconds from now by the right clock.
fn expires_in(entry: &Value) -> i64 {
    let text = entry["expires_at"].as_str().unwrap();
    let at = std::process::Command::new("date").args(["-u", "-d", text, "+%s"]).output().unwrap();
    let at: i64 = String::from_utf8_lossy(&at.stdout).trim().parse().unwrap();
    at - i64::try_from(UNIX_EPOCH.elapsed().unwrap().as_secs()).unwrap()
}

#[test]
#[ignore = "needs libfaketime: cargo xtask e2e"]
fn a_token_that_only_seems_to_be_over_is_refreshed_once_and_then_its_expiry_is_known() {
    let (setup, issuer, _chatgpt, _clock) = start(TWO_DAYS);
    let setup = setup.logged_in("openai-codex", "work", &Login::over("acc-1", &issuer.login("acc-1")));
    let gateway = setup.run();
    for _ in 0..5 {
        ask(&gateway).status(200);
    }
    assert_eq!((issuer.refreshes("acc-1"), issuer.reuses()), (1, 0));
    let entry = &gateway.setup().tokens()[0];
    assert!((3000..=3600).contains(&expires_in(entry)), "{entry}");
    assert_eq!(entry.get("log_in_again"), None);
}

#[test]
#[ignore = "needs libfaketime: cargo xtask e2e"]
fn a_token_that_only_seems_to_be_good_is_refreshed_when_the_provider_refuses_it() {
    let (setup, issuer, chatgpt, _clock) = start(-TWO_DAYS);
    // Over for everybody else.
    issuer.lifetime(0);
    let tokens = issuer.login("acc-1");
    issuer.lifetime(3600);
    let mut entry = json!({
        "provider": "openai-codex", "label": "work", "kind": "oauth", "secret": tokens,
        "origins": { "api": chatgpt.base_url(), "auth": issuer.origin() }, "claims": { "account_id": "acc-1" },
    });
    entry["secret"].as_object_mut().unwrap().retain(|name, _| name.ends_with("_token"));
    let gateway = setup.with_entry(entry).run();
    for _ in 0..5 {
        ask(&gateway).status(200);
    }
    assert_eq!((issuer.refreshes("acc-1"), issuer.reuses()), (1, 0));
    assert!((3000..=3600).contains(&expires_in(&gateway.setup().tokens()[0])));
    assert_eq!(chatgpt.turns().len(), 6, "the first was refused, and sent once more");
}

#[test]
#[ignore = "needs libfaketime: cargo xtask e2e"]
fn a_login_is_stored_with_its_expiry_by_the_issuers_clock() {
    for ahead in [TWO_DAYS, -TWO_DAYS] {
        let (setup, issuer, _chatgpt, clock) = start(ahead);
        issuer.account("acc-1");
        setup.command(&["login", "openai-codex", "--device", "--label", "work"]).ok();
        assert!((3000..=3600).contains(&expires_in(&setup.tokens()[0])), "{ahead}");
        let gateway = setup.run();
        ask(&gateway).status(200);
        // Somebody sets it right while the gateway runs.
        clock.set(0);
        ask(&gateway).status(200);
        assert!(issuer.refreshes("acc-1") <= 1, "{ahead}");
        assert_eq!(issuer.reuses(), 0);
    }
}

#[test]
#[ignore = "needs libfaketime: cargo xtask e2e"]
fn the_date_of_answers_goes_back_with_the_clock() {
    let clock = WrongClock::ahead(TWO_DAYS);
    let gateway = Gateway::start().with_clock(&clock).run();
    // By the right clock, in seconds from now.
    let ahead = || {
        let answer = gateway.get("/health").send().status(200);
        let date = answer.header("date").unwrap().to_owned();
        let at = std::process::Command::new("date").args(["-u", "-d", &date, "+%s"]).output().unwrap();
        let at: i64 = String::from_utf8_lossy(&at.stdout).trim().parse().unwrap();
        at - i64::try_from(UNIX_EPOCH.elapsed().unwrap().as_secs()).unwrap()
    };
    assert!(ahead() > TWO_DAYS / 2);
    clock.set(0);
    assert!(eventually(|| ahead() < TWO_DAYS / 2), "{} s ahead", ahead());
}
