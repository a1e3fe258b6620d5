//! Refreshes against an issuer on loopback whose refresh tokens are good for one use.

mod another_store;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use bitrouter_contract::Origin;
use bitrouter_contract::description::{Auth, Encoding, Endpoint};
use bitrouter_tests::{Issuer as LoopbackIssuer, Reply, Reuse, jwt};
use serde_json::{Value, json};

use super::super::token_file::{Entry, Follows, Kind};
use super::super::{Accounts, Credential, Given};
use super::*;

struct TestRefreshes {
    issuer: LoopbackIssuer,
    folder: tempfile::TempDir,
}

impl TestRefreshes {
    fn new(reuse: Reuse) -> Self {
        TestRefreshes { issuer: LoopbackIssuer::start(reuse), folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("oauth-tokens.json")
    }

    /// The accounts as one more process has them.
    fn process(&self) -> Accounts {
        self.process_with(Store::new(self.path()))
    }

    fn process_with(&self, store: Store) -> Accounts {
        let account =
            |claim: &str| json!([{ "token": "access", "pointer": format!("/https:~1~1api.openai.com~1auth/{claim}") }]);
        let oauth = json!({
            "method": "oauth", "client_id": "app", "login": [], "token": { "path": "/oauth/token" },
            "refresh": {
                "path": "/oauth/token", "encoding": "json", "early": 900,
                "on_expiry": { "refresh_reason": "proactive_expiry" },
                "on_unauthorized": { "refresh_reason": "unauthorized_recovery" },
                "permanent": ["refresh_token_expired", "refresh_token_reused", "refresh_token_invalidated"],
            },
            "claims": { "account_id": account("chatgpt_account_id"), "plan": account("chatgpt_plan_type") },
            "identity": ["account_id"],
            "attach": [{ "header": "authorization", "format": "Bearer {}" }],
        });
        let auth: Vec<Auth> = vec![serde_json::from_value(oauth).unwrap()];
        // What is accepted now does not matter to what is stored.
        let accepted: BTreeMap<String, Origin> = [("auth".to_owned(), "http://127.0.0.1:9".parse().unwrap())].into();
        let given = Given { key: None, command: None, env: &|_| None, setting: &|_| None };
        Accounts::for_provider("p", &auth, &accepted, &given, Arc::new(store))
    }

    /// Logs an account in that expires in so many seconds.
    fn login(&self, label: &str, expires_in: i64) -> Value {
        let (tokens, entry) = self.entry(label, expires_in);
        Store::new(self.path()).update(|file| file.put(entry)).unwrap();
        tokens
    }

    fn entry(&self, label: &str, expires_in: i64) -> (Value, Entry) {
        let tokens = self.issuer.login("acct-1");
        let origins = vec![
            ("api".to_owned(), "http://127.0.0.1:9/api".parse().unwrap()),
            ("auth".to_owned(), self.issuer.origin().parse().unwrap()),
        ];
        let mut login = StoredLogin::new(secret(&tokens["access_token"]), origins);
        login.refresh_token = Some(secret(&tokens["refresh_token"]));
        login.id_token = Some(secret(&tokens["id_token"]));
        login.claims = vec![("account_id".into(), "acct-1".into())];
        login.expires_at = Some(Timestamp::now().shifted(expires_in));
        (tokens, Entry::new("p", label, Kind::Oauth(Box::new(login))))
    }

    fn change(&self, change: impl FnOnce(&mut StoredLogin)) {
        Store::new(self.path()).update(|file| change(file.login_mut("p", "default").unwrap())).unwrap();
    }

    fn stored(&self) -> StoredLogin {
        Store::new(self.path()).read_anew().unwrap().login("p", "default").unwrap().clone()
    }

    fn stored_refresh_token(&self) -> String {
        self.stored().refresh_token.unwrap().expose_secret().to_owned()
    }

    /// Writes the file of a program that shares the session.
    fn share(&self, tokens: &Value) -> PathBuf {
        let file = self.folder.path().join("auth.json");
        let auth = json!({ "auth_mode": "chatgpt", "tokens": tokens, "last_refresh": "2026-01-31T09:00:00Z" });
        fs::write(&file, auth.to_string()).unwrap();
        let follows = Follows { source: "codex-cli".into(), file: file.clone() };
        self.change(|login| login.follows = Some(follows));
        file
    }
}

fn secret(value: &Value) -> SecretString {
    value.as_str().unwrap().into()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn sent(credential: &Credential) -> String {
    credential.secret().expose_secret().to_owned()
}

#[tokio::test]
async fn a_login_that_is_due_is_refreshed_and_the_new_pair_is_stored() {
    let setup = TestRefreshes::new(Reuse::Strict);
    let tokens = setup.login("default", 300);
    let accounts = setup.process();
    let before = accounts.ready(None).await.unwrap();
    assert_eq!(sent(&before), text(&tokens["access_token"]), "a request does not wait for what is good still");
    accounts.refresh_due().await;
    let asked = setup.issuer.requests();
    assert_eq!(asked.len(), 1);
    let body = json!({
        "client_id": "app", "grant_type": "refresh_token", "refresh_token": tokens["refresh_token"],
        "refresh_reason": "proactive_expiry",
    });
    assert_eq!((asked[0].path.as_str(), asked[0].json()), ("/oauth/token", body));
    let after = accounts.ready(None).await.unwrap();
    assert_ne!(sent(&after), sent(&before));
    assert!(setup.issuer.takes(&setup.stored_refresh_token()));
    let stored = setup.stored();
    assert!(stored.refreshing.is_none() && stored.refreshed_at.is_some());
    assert!(stored.expires_at.unwrap() > Timestamp::now().plus(Duration::from_secs(3000)));
    assert!(stored.claims.contains(&("plan".into(), "plus".into())), "{:?}", stored.claims);
    accounts.refresh_due().await;
    assert_eq!(setup.issuer.requests().len(), 1, "what is fresh is left alone");
}

#[tokio::test]
async fn many_requests_of_many_processes_with_an_expired_token_make_one_refresh() {
    let setup = TestRefreshes::new(Reuse::Strict);
    setup.login("default", -5);
    let processes: Vec<Accounts> = (0..4).map(|_| setup.process()).collect();
    let requests = processes.iter().flat_map(|accounts| (0..5).map(|_| accounts.ready(None)));
    let found = futures_util::future::join_all(requests).await;
    let found: Vec<String> = found.into_iter().map(|credential| sent(&credential.unwrap())).collect();
    assert!(found.iter().all(|token| *token == found[0]), "all use the same token");
    assert_eq!(setup.issuer.requests().len(), 1);
    assert!(setup.issuer.takes(&setup.stored_refresh_token()));
}

#[tokio::test]
async fn after_a_401_it_is_refreshed_once_and_not_again_within_a_minute() {
    let setup = TestRefreshes::new(Reuse::Strict);
    setup.login("default", 3000);
    let accounts = setup.process();
    let first = accounts.ready(None).await.unwrap();
    let second = accounts.refresh_after_unauthorized(&first).await.unwrap();
    assert_ne!(sent(&first), sent(&second));
    assert_eq!(setup.issuer.requests()[0].json()["refresh_reason"], "unauthorized_recovery");
    // A request that was under way with the old token gets the new one without asking.
    assert_eq!(sent(&accounts.refresh_after_unauthorized(&first).await.unwrap()), sent(&second));
    let error = accounts.refresh_after_unauthorized(&second).await.unwrap_err().to_string();
    assert!(error.contains("p@default") && error.contains("just issued"), "{error}");
    assert_eq!(setup.issuer.requests().len(), 1);
}

#[tokio::test]
async fn a_refusal_for_good_is_recorded_and_the_issuer_is_left_alone() {
    for code in ["refresh_token_expired", "refresh_token_invalidated", "invalid_grant"] {
        let setup = TestRefreshes::new(Reuse::Strict);
        setup.login("default", -5);
        setup.issuer.instead(Reply::json(&json!({ "error": code })).status(400));
        let accounts = setup.process();
        for _ in 0..2 {
            let error = accounts.ready(None).await.unwrap_err().to_string();
            assert_eq!(error, "p@default: log in again: bitrouter login p");
        }
        assert_eq!(setup.stored().log_in_again.unwrap().reason, code);
        assert!(setup.process().select(None).is_err());
        assert_eq!(setup.issuer.requests().len(), 1);
    }
}

#[tokio::test]
async fn a_failure_that_may_pass_is_tried_again_but_not_within_a_minute() {
    let setup = TestRefreshes::new(Reuse::Strict);
    setup.login("default", -5);
    setup.issuer.instead(Reply::json(&json!({ "error": "temporarily_unavailable" })).status(503));
    let accounts = setup.process();
    let error = accounts.ready(None).await.unwrap_err().to_string();
    assert_eq!(
        error,
        "p@default: the account could not be refreshed: 127.0.0.1 answered 503 (temporarily_unavailable)"
    );
    let error = accounts.ready(None).await.unwrap_err().to_string();
    assert!(error.contains("tried again in"), "{error}");
    accounts.refresh_due().await;
    assert_eq!(setup.issuer.requests().len(), 1);
    let stored = setup.stored();
    assert!(stored.log_in_again.is_none() && stored.refreshing.is_none());
    // Nor by another process.
    let error = setup.process().ready(None).await.unwrap_err().to_string();
    assert!(error.contains("temporarily_unavailable") && error.contains("tried again in"), "{error}");
    assert_eq!(setup.issuer.requests().len(), 1);
}

#[tokio::test]
async fn what_the_issuer_does_not_give_stays() {
    let setup = TestRefreshes::new(Reuse::Strict);
    let tokens = setup.login("default", -5);
    setup.issuer.instead(Reply::json(&json!({ "access_token": "canary-opaque", "token_type": "bearer" })));
    assert_eq!(sent(&setup.process().ready(None).await.unwrap()), "canary-opaque");
    assert_eq!(setup.stored_refresh_token(), text(&tokens["refresh_token"]));
    let stored = setup.stored();
    assert_eq!(stored.id_token.unwrap().expose_secret(), text(&tokens["id_token"]));
    assert_eq!(stored.expires_at, None, "an opaque token without `expires_in` has no known expiry");
}

#[tokio::test]
async fn a_refresh_that_was_cut_off_is_repeated_where_the_issuer_allows_it() {
    for (reuse, lives) in [(Reuse::Grace, true), (Reuse::Strict, false)] {
        let setup = TestRefreshes::new(reuse);
        setup.login("default", 3000);
        // The issuer gave new tokens; the process ended before they were stored.
        let token = setup.stored_refresh_token();
        let members = [("grant_type", "refresh_token"), ("refresh_token", token.as_str())];
        let endpoint = Endpoint { path: "/oauth/token".into(), encoding: Encoding::Json };
        let origin = setup.issuer.origin().parse().unwrap();
        Issuer::default().post(&origin, &endpoint, &members).await.unwrap();
        setup.change(|login| login.refreshing = Some(Refreshing { since: Timestamp::now() }));
        let accounts = setup.process();
        accounts.refresh_due().await;
        assert_eq!(setup.issuer.requests().len(), 2);
        assert_eq!(accounts.ready(None).await.is_ok(), lives);
        assert_eq!(setup.stored().log_in_again.is_none(), lives);
        assert!(setup.stored().refreshing.is_none());
    }
}

#[tokio::test]
async fn a_refresh_runs_to_its_end_when_its_request_is_gone() {
    let setup = TestRefreshes::new(Reuse::Strict);
    let tokens = setup.login("default", -5);
    let (reached, has_reached) = std::sync::mpsc::channel();
    setup.issuer.meanwhile(move || {
        reached.send(()).unwrap();
        std::thread::sleep(Duration::from_millis(100));
    });
    let accounts = Arc::new(setup.process());
    let request = tokio::spawn({
        let accounts = Arc::clone(&accounts);
        async move { accounts.ready(None).await }
    });
    tokio::task::spawn_blocking(move || has_reached.recv().unwrap()).await.unwrap();
    request.abort();
    accounts.finish_refreshes().await;
    assert_ne!(setup.stored_refresh_token(), text(&tokens["refresh_token"]));
    assert!(setup.issuer.takes(&setup.stored_refresh_token()));
}

#[tokio::test]
async fn an_account_that_is_logged_out_meanwhile_stays_logged_out() {
    let setup = TestRefreshes::new(Reuse::Strict);
    setup.login("default", -5);
    let path = setup.path();
    setup.issuer.meanwhile(move || drop(Store::new(path).remove("p", "default").unwrap()));
    let error = setup.process().ready(None).await.unwrap_err().to_string();
    assert_eq!(error, "p: no account is logged in. Run: bitrouter login p");
}

#[tokio::test]
async fn a_login_meanwhile_is_not_overwritten() {
    let setup = TestRefreshes::new(Reuse::Strict);
    setup.login("default", -5);
    let path = setup.path();
    setup.issuer.meanwhile(move || {
        let change = |login: &mut StoredLogin| {
            (login.access_token, login.refresh_token) = ("canary-new".into(), Some("canary-new-refresh".into()));
            login.expires_at = None;
        };
        Store::new(path).update(|file| change(file.login_mut("p", "default").unwrap())).unwrap();
    });
    assert_eq!(sent(&setup.process().ready(None).await.unwrap()), "canary-new");
    assert_eq!(setup.stored_refresh_token(), "canary-new-refresh");
}

#[tokio::test]
async fn expiry_goes_by_the_issuers_clock() {
    let setup = TestRefreshes::new(Reuse::Strict);
    setup.login("default", -5);
    let tokens = json!({ "access_token": "canary-opaque", "expires_in": 3600 });
    setup.issuer.instead(Reply::json(&tokens).header("date", "Fri, 01 Jan 2100 00:00:00 GMT"));
    let accounts = setup.process();
    accounts.ready(None).await.unwrap();
    assert_eq!(setup.stored().expires_at.unwrap().to_string(), "2100-01-01T01:00:00Z");
    accounts.refresh_due().await;
    accounts.ready(None).await.unwrap();
    assert_eq!(setup.issuer.requests().len(), 1, "it is fresh by the clock that issued it");
}

#[tokio::test]
async fn a_shared_session_that_its_program_has_refreshed_is_taken_over_without_asking() {
    let setup = TestRefreshes::new(Reuse::Strict);
    let ours = setup.login("default", -5);
    let theirs = setup.issuer.login("acct-1");
    setup.share(&theirs);
    assert_eq!(sent(&setup.process().ready(None).await.unwrap()), text(&theirs["access_token"]));
    assert_eq!(setup.stored_refresh_token(), text(&theirs["refresh_token"]));
    assert!(setup.issuer.requests().is_empty() && setup.issuer.takes(text(&ours["refresh_token"])));
}

#[tokio::test]
async fn a_shared_session_gets_the_pair_that_we_are_given() {
    let setup = TestRefreshes::new(Reuse::Strict);
    let tokens = setup.login("default", 300);
    let file = setup.share(&tokens);
    setup.process().refresh_due().await;
    let auth: Value = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
    assert_eq!(text(&auth["tokens"]["refresh_token"]), setup.stored_refresh_token());
    assert_eq!(auth["auth_mode"], "chatgpt");
    assert!(setup.issuer.takes(text(&auth["tokens"]["refresh_token"])));
}

#[tokio::test]
async fn a_shared_session_whose_file_cannot_be_written_is_not_renewed() {
    let setup = TestRefreshes::new(Reuse::Strict);
    let tokens = setup.login("default", 300);
    let file = setup.share(&tokens);
    // A folder where a lock should be: even root cannot take it.
    fs::create_dir(file.with_file_name("auth.json.lock")).unwrap();
    let accounts = setup.process();
    accounts.refresh_due().await;
    accounts.refresh_due().await;
    assert!(setup.issuer.requests().is_empty(), "the token is not used up");
    assert!(setup.stored().refreshing.is_none());
    assert_eq!(sent(&accounts.ready(None).await.unwrap()), text(&tokens["access_token"]), "it is used to its end");
    let why = accounts.why_not_renewed("default", &setup.stored()).unwrap();
    assert!(why.contains("auth.json") && why.contains("log in separately: bitrouter login p"), "{why}");
    setup.change(|login| login.expires_at = Some(Timestamp::now().shifted(-5)));
    let error = setup.process().ready(None).await.unwrap_err().to_string();
    assert!(error.contains("auth.json") && error.contains("mount the folder"), "{error}");
    assert!(setup.issuer.requests().is_empty());
    fs::remove_dir(file.with_file_name("auth.json.lock")).unwrap();
    assert_eq!(setup.process().why_not_renewed("default", &setup.stored()), None);
}

#[tokio::test]
async fn a_login_without_a_refresh_token_says_when_it_ends() {
    let setup = TestRefreshes::new(Reuse::Strict);
    setup.login("default", 300);
    assert_eq!(setup.process().why_not_renewed("default", &setup.stored()), None);
    setup.change(|login| login.refresh_token = None);
    let why = setup.process().why_not_renewed("default", &setup.stored()).unwrap();
    let ends = setup.stored().expires_at.unwrap().to_string();
    assert!(why.contains("no refresh token") && why.contains(&ends), "{why}");
}

#[tokio::test]
async fn the_session_of_another_account_is_not_taken_over() {
    let setup = TestRefreshes::new(Reuse::Strict);
    let ours = setup.login("default", -5);
    setup.issuer.lifetime(7200);
    let theirs = setup.issuer.login("acct-2");
    let file = setup.share(&theirs);
    let credential = setup.process().ready(None).await.unwrap();
    assert_eq!(setup.issuer.requests()[0].json()["refresh_token"], ours["refresh_token"]);
    assert_ne!(sent(&credential), text(&theirs["access_token"]));
    let auth: Value = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
    assert_eq!(auth["tokens"], theirs, "and what is theirs stays");
}

#[tokio::test]
async fn a_pair_that_its_program_was_first_to_use_up_is_found_in_its_file() {
    let setup = TestRefreshes::new(Reuse::Grace);
    let ours = setup.login("default", 300);
    let file = setup.share(&ours);
    setup.issuer.lifetime(7200);
    let theirs = setup.issuer.login("acct-1");
    let newer = json!({ "tokens": theirs, "last_refresh": "2026-01-31T09:10:00Z" }).to_string();
    setup.issuer.meanwhile(move || fs::write(file, newer).unwrap());
    setup.issuer.instead(Reply::json(&json!({ "error": { "code": "refresh_token_reused" } })).status(401));
    let accounts = setup.process();
    accounts.refresh_due().await;
    assert_eq!(sent(&accounts.ready(None).await.unwrap()), text(&theirs["access_token"]));
    assert!(setup.stored().log_in_again.is_none());
}

#[tokio::test]
async fn the_record_of_a_refresh_that_was_cut_off_outlives_a_retry_that_failed() {
    let setup = TestRefreshes::new(Reuse::Grace);
    setup.login("default", 3000);
    setup.change(|login| login.refreshing = Some(Refreshing { since: Timestamp::now() }));
    setup.issuer.instead(Reply::json(&json!({ "error": "temporarily_unavailable" })).status(503));
    setup.process().refresh_due().await;
    assert!(setup.stored().refreshing.is_some(), "else it would not be tried again before it is over");
}

#[tokio::test]
async fn a_shared_file_that_missed_the_new_pair_gets_it_at_the_next_look() {
    let setup = TestRefreshes::new(Reuse::Strict);
    let old = setup.login("default", 300);
    let file = setup.share(&old);
    // Stored, and killed before it was given back.
    setup.issuer.lifetime(7200);
    let new = setup.issuer.login("acct-1");
    setup.change(|login| {
        (login.access_token, login.expires_at) = (secret(&new["access_token"]), None);
        login.refresh_token = Some(secret(&new["refresh_token"]));
    });
    setup.process().refresh_due().await;
    let auth: Value = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
    assert_eq!(auth["tokens"]["refresh_token"], new["refresh_token"]);
    assert!(setup.issuer.requests().is_empty());
}

#[tokio::test]
async fn a_shared_file_with_another_account_is_not_touched() {
    let setup = TestRefreshes::new(Reuse::Strict);
    let theirs = setup.issuer.login("acct-2");
    setup.issuer.lifetime(7200);
    let ours = setup.login("default", 7200);
    let file = setup.share(&theirs);
    setup.process().refresh_due().await;
    let auth: Value = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
    assert_eq!(auth["tokens"], theirs);
    assert_eq!(setup.stored_refresh_token(), text(&ours["refresh_token"]));
}

#[tokio::test]
async fn a_shared_session_that_is_over_comes_back_when_its_program_logs_in_again() {
    let setup = TestRefreshes::new(Reuse::Strict);
    let ours = setup.login("default", 300);
    let since = Timestamp::now();
    setup.change(|login| login.log_in_again = Some(LogInAgain { since, reason: "refresh_token_reused".into() }));
    setup.share(&ours);
    let accounts = setup.process();
    accounts.refresh_due().await;
    assert!(accounts.select(None).is_err());
    setup.issuer.lifetime(7200);
    let theirs = setup.issuer.login("acct-1");
    setup.share(&theirs);
    accounts.refresh_due().await;
    assert_eq!(sent(&accounts.select(None).unwrap()), text(&theirs["access_token"]));
    assert!(setup.issuer.requests().is_empty());
}

#[tokio::test]
async fn no_error_shows_a_token() {
    let setup = TestRefreshes::new(Reuse::Strict);
    setup.login("default", -5);
    let echo =
        json!({ "error": format!("canary {}", jwt(&json!({}))), "error_description": setup.stored_refresh_token() });
    setup.issuer.instead(Reply::json(&echo).status(400));
    let accounts = setup.process();
    let error = accounts.ready(None).await.unwrap_err();
    let text = format!("{error} {error:?} {accounts:?}");
    assert!(!text.contains("canary"), "{text}");
}
