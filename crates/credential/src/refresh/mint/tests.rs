//! Minting against a token server on loopback: who mints, when anew, and where a token may go.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use bitrouter_contract::description::Auth;
use bitrouter_tests::{Reply, Upstream};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::store::Store;
use crate::token_file::{Entry, Kind, StoredSecrets};
use crate::{AccountError, Accounts, Given, binding};

const SECRET: &str = "canary-client-secret";

fn exchange(early: u64) -> Value {
    json!({
        "method": "exchange", "path": "/token", "early": early, "secrets": [{ "name": "id" }, { "name": "secret" }],
        "parameters": { "id": "{id}", "secret": "{secret}" },
    })
}

/// A token server whose tokens have a number.
fn server(seconds: u64) -> (Upstream, Arc<AtomicUsize>) {
    let (server, count) = (Upstream::start(), Arc::new(AtomicUsize::new(0)));
    let counted = Arc::clone(&count);
    server.follows(move |_| {
        let number = counted.fetch_add(1, Ordering::SeqCst);
        Reply::json(&json!({ "access_token": format!("canary-token-{number}"), "expires_in": seconds }))
    });
    (server, count)
}

/// Accounts with one that is stored and bound to these origins, whatever is accepted now.
fn accounts(auth: Value, origins: &[(&str, String)]) -> (tempfile::TempDir, Accounts) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::new(folder.path().join("oauth-tokens.json"));
    let secrets = ["id", "secret"].map(|name| (name.to_owned(), SECRET.into())).to_vec();
    let origins = origins.iter().map(|(name, url)| ((*name).to_owned(), url.parse().unwrap())).collect();
    let stored = StoredSecrets::new("exchange", secrets, origins);
    store.update(|file| file.put(Entry::new("p", "default", Kind::Secrets(stored)))).unwrap();
    let auth: Vec<Auth> = vec![serde_json::from_value(auth).unwrap()];
    let elsewhere = ["api", "auth"].map(|name| (name.to_owned(), "https://elsewhere.example".parse().unwrap()));
    let given = Given { key: None, command: None, env: &|_| None, setting: &|_| None };
    let accepted: BTreeMap<String, Origin> = elsewhere.into();
    (folder, Accounts::for_provider("p", &auth, &accepted, &given, Arc::new(store)))
}

fn token(credential: &Credential) -> &str {
    credential.secret().expose_secret()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_who_need_a_token_wait_for_the_one_that_is_minted() {
    let (server, count) = server(3600);
    let (_folder, accounts) =
        accounts(exchange(300), &[("api", "https://api.example".into()), ("auth", server.origin())]);
    let root = accounts.select(None).unwrap();
    assert!(root.needs_token() && root.token_expires_at().is_none());
    let all: Vec<_> = (0..20).map(|_| accounts.ready(None)).collect();
    for ready in futures_util::future::join_all(all).await {
        assert_eq!(token(&ready.unwrap()), "canary-token-0");
    }
    assert_eq!(count.load(Ordering::SeqCst), 1);
    assert!(root.token_expires_at().is_some());
    let minted = accounts.ready(None).await.unwrap();
    assert!(!minted.needs_token() && minted.may_be_renewed());
    let echo = format!("{SECRET} canary-token-0");
    assert_eq!(minted.scrubber.scrub_bytes(echo.into()), "[secret] [secret]", "what it is made of is secret, too");
    assert!(!format!("{minted:?} {root:?} {accounts:?}").contains("canary"));
}

#[tokio::test]
async fn a_token_that_was_used_is_minted_anew_before_its_end_and_one_that_was_not_is_not() {
    // Half of its life is over at once where it lasts for no longer than what is over anyway.
    let (server, count) = server(11);
    let (_folder, accounts) =
        accounts(exchange(11), &[("api", "https://api.example".into()), ("auth", server.origin())]);
    accounts.refresh_due().await;
    assert_eq!(count.load(Ordering::SeqCst), 0, "nobody wanted one");
    accounts.ready(None).await.unwrap();
    let root = accounts.select(None).unwrap();
    let mint = root.mint().unwrap();
    let later = mint.clock.now().plus(Duration::from_secs(3600));
    mint.clock.set(later);
    accounts.refresh_due().await;
    assert_eq!(count.load(Ordering::SeqCst), 2);
    mint.clock.set(later.plus(Duration::from_secs(3600)));
    accounts.refresh_due().await;
    assert_eq!(count.load(Ordering::SeqCst), 2, "the second was used by nobody");
}

#[tokio::test]
async fn after_a_401_one_new_token_is_made_and_a_second_401_stands() {
    let (server, count) = server(3600);
    let (_folder, accounts) =
        accounts(exchange(300), &[("api", "https://api.example".into()), ("auth", server.origin())]);
    let first = accounts.ready(None).await.unwrap();
    let second = accounts.refresh_after_unauthorized(&first).await.unwrap();
    assert_eq!(token(&second), "canary-token-1");
    let late = accounts.refresh_after_unauthorized(&first).await.unwrap();
    assert_eq!(token(&late), "canary-token-1", "who comes late takes what there is");
    let error = accounts.refresh_after_unauthorized(&second).await.unwrap_err();
    assert!(matches!(error, AccountError::NotMinted { .. }), "{error}");
    assert_eq!(count.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn an_answer_without_a_token_is_a_sentence_and_the_server_is_left_alone() {
    let server = Upstream::start();
    server.follows(|seen| Reply::json(&json!({ "echo": seen.text() })));
    let (_folder, accounts) =
        accounts(exchange(300), &[("api", "https://api.example".into()), ("auth", server.origin())]);
    let error = accounts.ready(None).await.unwrap_err().to_string();
    assert!(error.contains("without a text at `/access_token`") && !error.contains("canary"), "{error}");
    let again = accounts.ready(None).await.unwrap_err().to_string();
    assert!(again.contains("it is tried again in"), "{again}");
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn what_an_answer_says_of_its_end_counts_however_it_is_said() {
    let now = Timestamp::now();
    for (answer, lasts) in [
        (json!({ "token": "canary-token", "expires_at": now.unix() + 1500 }), 1500),
        (json!({ "token": "canary-token", "expires_in": "1800" }), 1800),
        (json!({ "token": "canary-token" }), 600),
    ] {
        let server = Upstream::start();
        server.follows(move |_| Reply::json(&answer));
        let mut way = exchange(300);
        (way["token"], way["lasts"], way["verb"]) = ("/token".into(), 600.into(), "GET".into());
        way["headers"] = json!({ "authorization": "token {secret}" });
        let (_folder, accounts) = accounts(way, &[("api", "https://api.example".into()), ("auth", server.origin())]);
        let minted = accounts.ready(None).await.unwrap();
        let left = minted.expires_at.unwrap().unix() - now.unix();
        assert!((lasts - 5..=lasts + 30).contains(&left), "{left} {lasts}");
        let seen = server.last();
        assert_eq!((seen.method.as_str(), seen.header("authorization")), ("GET", Some(&*format!("token {SECRET}"))));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn a_token_goes_to_no_origin_that_was_not_accepted_for_it(
        hosts in proptest::collection::vec("[a-c]{1,2}", 1..4),
        wanted in "[a-c]{1,2}",
        with_issuer in any::<bool>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (server, count) = server(3600);
            let names = ["api", "files", "other"];
            let url = |host: &String| format!("https://{host}.example/v1");
            let mut origins: Vec<(&str, String)> = names.into_iter().zip(hosts.iter().map(url)).collect();
            if with_issuer {
                origins.push(("auth", server.origin()));
            }
            let mut way = exchange(300);
            way["origins"] = json!(["api", "files"]);
            let (_folder, accounts) = accounts(way, &origins);
            let Ok(minted) = accounts.ready(None).await else {
                assert!(!with_issuer);
                assert_eq!(count.load(Ordering::SeqCst), 0);
                return;
            };
            assert!(with_issuer);
            let goes = |url: &str| binding::check(&minted, &url.parse().unwrap()).is_ok();
            let accepted = origins.iter().any(|(name, host)| ["api", "files"].contains(name) && *host == url(&wanted));
            assert_eq!(goes(&url(&wanted)), accepted, "{origins:?} {wanted}");
            assert!(!goes(&server.origin()) && !goes("https://elsewhere.example"));
        });
    }
}
