//! `bitrouter logout` and `bitrouter accounts`: what is there, and that it goes away where it should.

use std::fs;

use bitrouter_tests::{Issuer, Setup};
use serde_json::{Value, json};

use crate::login::{log_in, start};

fn two_accounts() -> (Issuer, Setup) {
    let (issuer, setup, _) = start();
    log_in(&setup, &issuer, "acc-1", "default");
    log_in(&setup, &issuer, "acc-2", "work");
    (issuer, setup)
}

fn refresh_token(setup: &Setup, label: &str) -> String {
    let entry = setup.tokens().into_iter().find(|entry| entry["label"] == label).unwrap();
    entry["secret"]["refresh_token"].as_str().unwrap().to_owned()
}

fn labels(setup: &Setup) -> Vec<Value> {
    setup.tokens().into_iter().map(|entry| entry["label"].clone()).collect()
}

#[test]
fn a_logout_takes_one_label_and_revokes_it() {
    let (issuer, setup) = two_accounts();
    let (kept, gone) = (refresh_token(&setup, "default"), refresh_token(&setup, "work"));
    setup.command(&["logout", "openai-codex"]).fails().says("default, work").says("--label");
    setup.command(&["logout", "openai-codex", "--label", "none"]).fails().says("There are: default, work");
    assert_eq!(labels(&setup), ["default", "work"]);
    setup
        .command(&["logout", "openai-codex", "--label", "work"])
        .ok()
        .says("openai-codex@work: logged out, and revoked");
    assert_eq!(labels(&setup), ["default"]);
    assert!(issuer.takes(&kept) && !issuer.takes(&gone));
    // With one left there is nothing to ask.
    setup.command(&["logout", "openai-codex"]).ok();
    assert!(setup.tokens().is_empty());
    setup.command(&["logout", "openai-codex"]).fails().says("no account is stored");
}

#[test]
fn a_logout_can_take_all_labels() {
    let (issuer, setup) = two_accounts();
    let tokens = ["default", "work"].map(|label| refresh_token(&setup, label));
    setup.command(&["logout", "openai-codex", "--all"]).ok().says("openai-codex@default").says("openai-codex@work");
    assert!(setup.tokens().is_empty());
    assert!(tokens.iter().all(|token| !issuer.takes(token)));
}

#[test]
fn a_logout_holds_although_the_issuer_is_away() {
    let (issuer, setup, _) = start();
    log_in(&setup, &issuer, "acc-1", "default");
    issuer.instead(bitrouter_tests::Reply::json(&json!({ "error": "server_error" })).status(500));
    setup.command(&["logout", "openai-codex"]).ok().says("could not be revoked").says("500");
    assert!(setup.tokens().is_empty());
}

#[test]
fn an_imported_session_is_forgotten_and_never_revoked() {
    for way in [&["--import"][..], &["--import", "--copy"]] {
        let (issuer, setup, _) = start();
        let tokens = issuer.login("acc-vendor");
        let folder = setup.home().join(".codex");
        fs::create_dir_all(&folder).unwrap();
        let auth = json!({ "tokens": tokens, "last_refresh": "2026-01-31T09:00:00Z" });
        fs::write(folder.join("auth.json"), auth.to_string()).unwrap();
        setup.command(&[&["login", "openai-codex"], way].concat()).ok();
        setup.command(&["logout", "openai-codex"]).ok().says("stays logged in");
        assert!(setup.tokens().is_empty());
        assert!(issuer.takes(tokens["refresh_token"].as_str().unwrap()));
        assert!(folder.join("auth.json").is_file());
    }
}

#[test]
fn accounts_are_listed_with_where_they_came_from() {
    let (_issuer, setup) = two_accounts();
    let setup = setup.with_key("OPENAI_API_KEY", "sk-canary-in-the-environment");
    let ran = setup.command(&["accounts"]).ok();
    let ran = ran.says("openai-codex  default  me@example.com  plus").says("browser").says("env OPENAI_API_KEY");
    assert!(!ran.stdout.contains("canary"), "{ran:?}");
    let listed = setup.command(&["accounts", "openai-codex", "--json"]).ok().json();
    let accounts = listed["accounts"].as_array().unwrap();
    assert_eq!(accounts.len(), 2, "{listed}");
    assert_eq!(
        (&accounts[1]["label"], &accounts[1]["health"], &accounts[1]["from"], &accounts[1]["plan"]),
        (&json!("work"), &json!("ok"), &json!("browser"), &json!("plus"))
    );
    assert!(accounts[1]["expires_at"].as_str().unwrap().ends_with('Z'));
    assert!(!listed.to_string().contains("canary") && !listed.to_string().contains("eyJ"), "{listed}");
    setup.command(&["accounts", "opnai"]).fails().says("did you mean");
}

#[test]
fn an_account_that_is_over_is_listed_with_the_command_that_helps() {
    let (issuer, setup, _) = start();
    log_in(&setup, &issuer, "acc-1", "work");
    let mut file: Value = serde_json::from_slice(&fs::read(setup.token_file()).unwrap()).unwrap();
    file["credentials"][0]["log_in_again"] =
        json!({ "since": "2026-01-31T09:00:00Z", "reason": "refresh_token_expired" });
    fs::write(setup.token_file(), file.to_string()).unwrap();
    setup
        .command(&["accounts"])
        .ok()
        .says("openai-codex@work: log in again: bitrouter login openai-codex --label work");
}

#[test]
fn without_an_account_the_next_step_is_named() {
    let (_issuer, setup, _) = start();
    setup.command(&["accounts", "openai-codex"]).ok().says("bitrouter login openai-codex");
}
