//! Accounts as a running gateway has them: a login is found, a logout holds, and a dead account is named with the command
//! that helps, all without a restart.

use std::sync::Arc;

use bitrouter_tests::{Answer, ChatGpt, Gateway, Issuer, Login, Reply, Reuse, Setup, Turn, Upstream};
use serde_json::json;

fn start() -> (Issuer, ChatGpt, Setup) {
    let issuer = Issuer::start(Reuse::Strict);
    let chatgpt = ChatGpt::start().takes_what_has_not_expired().then_always(Turn::says("hello"));
    let setup = Gateway::start().with_issuer(&issuer).0;
    let setup = setup.with("/providers/openai-codex/origins/api", json!(chatgpt.base_url()));
    (issuer, chatgpt, setup)
}

fn ask(gateway: &Gateway, model: &str) -> Answer {
    let input = json!([{ "role": "user", "content": "hello" }]);
    let body = json!({ "model": model, "stream": true, "instructions": "Be brief.", "input": input });
    gateway.post("/v1/responses").json(&body).send()
}

fn log_in(gateway: &Gateway, label: &str) {
    gateway.command(&["login", "openai-codex", "--device", "--label", label]).ok();
}

#[test]
fn a_login_is_found_and_a_logout_holds_from_the_moment_in_which_the_command_ends() {
    let (issuer, chatgpt, setup) = start();
    let gateway = setup.run();
    let sent = || chatgpt.turns().len();
    for round in 0..4 {
        ask(&gateway, "openai-codex:gpt-5.5").status(401).says("bitrouter login openai-codex");
        let label = format!("any-{round}");
        issuer.account(&format!("acc-{round}"));
        log_in(&gateway, &label);
        // It has just looked at the store, and does not look again within a quarter of a second.
        ask(&gateway, &format!("openai-codex@{label}:gpt-5.5")).status(200);
        ask(&gateway, "gpt-5.5").status(200);
        let before = sent();
        gateway.command(&["logout", "openai-codex"]).ok();
        ask(&gateway, &format!("openai-codex@{label}:gpt-5.5")).status(401);
        ask(&gateway, "openai-codex:gpt-5.5").status(401);
        assert_eq!(sent(), before);
    }
}

#[test]
fn two_workspaces_of_one_login_stay_two_accounts_through_every_refresh() {
    let (issuer, chatgpt, setup) = start();
    issuer.user("user-1");
    let gateway = setup.run();
    for (label, account) in [("default", "acc-home"), ("work", "acc-work")] {
        issuer.account(account);
        log_in(&gateway, label);
    }
    // Without a label of its own the second one is not stored over the first.
    gateway.command(&["login", "openai-codex", "--device"]).fails().says("openai-codex@default is another account");
    // Now both are over whenever they are asked for.
    issuer.lifetime(5);
    for (label, account) in [("default", "acc-home"), ("work", "acc-work")] {
        let mut login = Login::over(account, &issuer.login(account));
        login.user_id = "user-1".into();
        gateway.setup().log_in("openai-codex", label, &login);
    }
    // For as long as a command waits that has changed the file: by then the gateway has seen it.
    std::thread::sleep(std::time::Duration::from_millis(250));
    for _ in 0..3 {
        for (label, account) in [("default", "acc-home"), ("work", "acc-work")] {
            let answer = ask(&gateway, &format!("openai-codex@{label}:gpt-5.5")).status(200);
            assert_eq!(answer.header("x-bitrouter-account"), Some(label));
            assert_eq!(chatgpt.last().header("chatgpt-account-id"), Some(account));
        }
    }
    let tokens = gateway.setup().tokens();
    let claims: Vec<_> =
        tokens.iter().map(|entry| (&entry["claims"]["account_id"], &entry["claims"]["user_id"])).collect();
    assert_eq!(claims, [(&json!("acc-home"), &json!("user-1")), (&json!("acc-work"), &json!("user-1"))]);
    assert!(issuer.refreshes("acc-home") >= 3 && issuer.refreshes("acc-work") >= 3);
    assert_eq!(issuer.reuses(), 0);
}

#[test]
fn a_dead_account_is_named_everywhere_with_the_command_that_helps() {
    for (label, command) in [("default", ""), ("work", " --label work")] {
        let (issuer, _chatgpt, setup) = start();
        let login = Login::over("acc-1", &issuer.login("acc-1"));
        let gateway = setup.logged_in("openai-codex", label, &login);
        issuer.instead(Reply::json(&json!({ "error": { "code": "refresh_token_expired" } })).status(401));
        let gateway = gateway.run();
        let model = format!("openai-codex@{label}:gpt-5.5");
        let said = format!("openai-codex@{label}: log in again: bitrouter login openai-codex{command}");
        let answer = ask(&gateway, &model).status(401).says(&said);
        assert!(answer.text().contains(&format!("{said}\"")), "and nothing after it: {}", answer.text());
        gateway.logs(&said);
        gateway.command(&["accounts"]).ok().says(&format!("{said}\n"));
        gateway.command(&["route", &model]).fails().says(&format!("{said}\n"));
        // And it comes back as the command says.
        issuer.account("acc-1");
        let mut again = vec!["login", "openai-codex", "--device"];
        again.extend(command.split_whitespace());
        gateway.command(&again).ok();
        ask(&gateway, &model).status(200);
    }
}

#[test]
fn an_issuer_that_is_out_of_order_is_asked_once_a_minute_by_all_gateways_together() {
    let (issuer, _chatgpt, setup) = start();
    for _ in 0..9 {
        issuer.instead(Reply::json(&json!({ "error": "temporarily_unavailable" })).status(503));
    }
    let setup = setup.logged_in("openai-codex", "work", &Login::over("acc-1", &issuer.login("acc-1")));
    let setup = Arc::new(setup);
    let gateways = [0, 1].map(|_| Gateway::in_home(&setup));
    for gateway in &gateways {
        let answer = ask(gateway, "openai-codex@work:gpt-5.5");
        answer.says("openai-codex@work: the account could not be refreshed").says("temporarily_unavailable");
        ask(gateway, "openai-codex@work:gpt-5.5").says("it is tried again in");
    }
    drop(gateways);
    // Nor by one that was started anew.
    ask(&Gateway::in_home(&setup), "openai-codex@work:gpt-5.5").says("it is tried again in");
    let asked = issuer.requests().into_iter().filter(|seen| seen.path == "/oauth/token").count();
    assert_eq!(asked, 1);
}

#[test]
fn a_refresh_goes_through_the_proxy_that_is_configured() {
    let (issuer, _chatgpt, setup) = start();
    let proxy = Upstream::start();
    proxy.replies(Reply::body("text/plain", "not today").status(502));
    let login = Login::over("acc-1", &issuer.login("acc-1"));
    let setup = setup.with("/providers/openai-codex/origins/auth", json!("https://auth.e2e.example"));
    let setup = setup.logged_in("openai-codex", "work", &login).with_key("HTTPS_PROXY", &proxy.origin());
    let gateway = setup.run();
    ask(&gateway, "openai-codex@work:gpt-5.5").says("openai-codex@work: the account could not be refreshed");
    let asked = proxy.last();
    assert_eq!((asked.method.as_str(), asked.path.as_str()), ("CONNECT", "auth.e2e.example:443"));
}
