//! The session of the real Codex CLI, shared with the gateway: each refreshes it in its turn, at an issuer that takes a
//! refresh token once and revokes the whole login at the second time. Neither is ever signed out.
#![cfg(unix)]

use std::fs;

use bitrouter_tests::{Answer, ChatGpt, CodexCli, Gateway, Issuer, Reuse, Turn, WrongClock};
use serde_json::{Value, json};

/// How often each of the two has its turn.
const TURNS: usize = 12;

/// Tokens that the gateway is given: the CLI renews what expires within five minutes, so that each of its runs does. The
/// gateway itself does not in the first half of their life.
const FOR_THE_CLI_TO_RENEW: u64 = 250;
/// Tokens that the CLI is given: it leaves them alone.
const FOR_THE_GATEWAY_TO_RENEW: u64 = 400;

fn ask(gateway: &Gateway) -> Answer {
    let input = json!([{ "role": "user", "content": "hello" }]);
    let body = json!({ "model": "openai-codex:gpt-5.5", "stream": true, "instructions": "Be brief.", "input": input });
    gateway.post("/v1/responses").json(&body).send()
}

#[test]
#[ignore = "needs the Codex CLI and libfaketime: cargo xtask e2e"]
fn the_cli_and_the_gateway_refresh_one_session_in_turn_and_neither_is_signed_out() {
    let (issuer, clock) = (Issuer::start(Reuse::Strict), WrongClock::ahead(0));
    let chatgpt = ChatGpt::start().takes_what_has_not_expired().then_always(Turn::says("Hello."));
    issuer.lifetime_for("bitrouter/", FOR_THE_CLI_TO_RENEW).lifetime(FOR_THE_GATEWAY_TO_RENEW);
    let tokens = issuer.login("acc-1");
    let codex = CodexCli::at(&chatgpt.base_url(), "gpt-5.5").signed_in(&chatgpt, &issuer, "acc-1", &tokens);
    let home = codex.session().parent().unwrap().to_str().unwrap().to_owned();
    let setup = Gateway::start().with_issuer(&issuer).0.with_clock(&clock).with_key("CODEX_HOME", &home);
    let setup = setup.with("/providers/openai-codex/origins/api", json!(chatgpt.base_url()));
    setup.command(&["login", "openai-codex", "--import"]).ok().says("is shared with codex-cli");
    let gateway = setup.run();

    let held_by_the_cli = || {
        let auth: Value = serde_json::from_slice(&fs::read(codex.session()).unwrap()).unwrap();
        auth["tokens"]["refresh_token"].as_str().unwrap().to_owned()
    };
    let held_by_the_gateway = || gateway.setup().tokens()[0]["secret"]["refresh_token"].as_str().unwrap().to_owned();
    let asked_by = |agent: &str| {
        let of = |seen: &&bitrouter_tests::Seen| seen.header("user-agent").is_some_and(|name| name.starts_with(agent));
        issuer.requests().iter().filter(of).count()
    };
    let mut ahead = 0;
    for turn in 1..=TURNS {
        // For the gateway alone it is later now, and what the two share is over.
        ahead += i64::try_from(FOR_THE_GATEWAY_TO_RENEW).unwrap() + 30;
        clock.set(ahead);
        ask(&gateway).status(200);
        assert_eq!(asked_by("bitrouter/"), turn, "{} {:#?}", gateway.log(), issuer.requests());
        assert_eq!(held_by_the_cli(), held_by_the_gateway(), "turn {turn}");
        let before = asked_by("codex");
        assert_eq!(codex.exec("hello").ok().message(), "Hello.");
        assert!(asked_by("codex") > before, "turn {turn}: {:?}", issuer.requests());
        assert!(issuer.takes(&held_by_the_cli()), "turn {turn}");
    }
    assert_eq!(issuer.reuses(), 0);
    assert!(issuer.refreshes("acc-1") >= 20);

    // A logout forgets it here, and the CLI stays signed in.
    gateway.command(&["logout", "openai-codex"]).ok().says("stays logged in");
    assert!(!issuer.requests().iter().any(|seen| seen.path == "/oauth/revoke"));
    assert_eq!(codex.exec("hello").ok().message(), "Hello.");
}

#[test]
#[ignore = "needs the Codex CLI and libfaketime: cargo xtask e2e"]
fn what_the_cli_renews_is_used_without_asking() {
    let issuer = Issuer::start(Reuse::Strict);
    let chatgpt = ChatGpt::start().takes_what_has_not_expired().then_always(Turn::says("Hello."));
    issuer.lifetime(FOR_THE_CLI_TO_RENEW);
    let tokens = issuer.login("acc-1");
    issuer.lifetime(3600);
    let codex = CodexCli::at(&chatgpt.base_url(), "gpt-5.5").signed_in(&chatgpt, &issuer, "acc-1", &tokens);
    let clock = WrongClock::ahead(0);
    let home = codex.session().parent().unwrap().to_str().unwrap().to_owned();
    let setup = Gateway::start().with_issuer(&issuer).0.with_clock(&clock).with_key("CODEX_HOME", &home);
    let setup = setup.with("/providers/openai-codex/origins/api", json!(chatgpt.base_url()));
    setup.command(&["login", "openai-codex", "--import"]).ok();
    assert_eq!(codex.exec("hello").ok().message(), "Hello.");
    assert_eq!(issuer.refreshes("acc-1"), 1, "the CLI's own");
    clock.set(i64::try_from(FOR_THE_CLI_TO_RENEW).unwrap() + 30);
    let gateway = setup.run();
    ask(&gateway).status(200);
    assert_eq!((issuer.refreshes("acc-1"), issuer.reuses()), (1, 0));
    let auth: Value = serde_json::from_slice(&fs::read(codex.session()).unwrap()).unwrap();
    let stored = gateway.setup().tokens()[0]["secret"]["refresh_token"].clone();
    assert_eq!(auth["tokens"]["refresh_token"], stored);
}
