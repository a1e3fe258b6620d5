//! Which credential is found, in which order, bound to what, and what is said when there is none.

use std::fs;
use std::path::PathBuf;

use bitrouter_contract::description::{ApiKey, Attach, AttachTo, Places};
use secrecy::SecretString;
use serde_json::{Value, json};

use super::super::{FileStore, binding};
use super::*;

const ADDRESS: &str = "https://api.openai.com/v1";

struct TestAccounts {
    _folder: tempfile::TempDir,
    path: PathBuf,
    store: Arc<Store>,
    auth: Vec<Auth>,
    config: Option<SecretString>,
    env: BTreeMap<String, String>,
    address: &'static str,
}

impl TestAccounts {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("oauth-tokens.json");
        let bearer = Attach {
            place: AttachTo::Header("authorization".into()),
            format: "Bearer {}".into(),
            claim: None,
            secret: None,
        };
        let key = ApiKey {
            env: vec!["OPENAI_API_KEY".into(), "OPENAI_KEY".into()],
            attach: vec![bearer],
            optional: false,
            places: Places { create_url: None, origins: vec!["api".into(), "not-there".into()] },
        };
        TestAccounts {
            store: Arc::new(Store::always_looking(FileStore::new(&path))),
            _folder: folder,
            path,
            auth: vec![Auth::ApiKey(key)],
            config: None,
            env: BTreeMap::new(),
            address: ADDRESS,
        }
    }

    fn config(mut self, key: &str) -> Self {
        self.config = Some(key.into());
        self
    }

    fn env(mut self, variable: &str, value: &str) -> Self {
        self.env.insert(variable.into(), value.into());
        self
    }

    /// The provider takes logins too.
    fn with_login(mut self) -> Self {
        let oauth = json!({
            "method": "oauth", "client_id": "app", "login": [], "token": { "path": "/token" },
            "refresh": { "path": "/token" },
            "attach": [
                { "header": "authorization", "format": "Bearer {}" }, { "header": "account-id", "claim": "account_id" }
            ],
        });
        self.auth.push(serde_json::from_value(oauth).unwrap());
        self
    }

    /// The provider takes nothing but logins.
    fn only_login(mut self) -> Self {
        self.auth.clear();
        self.with_login()
    }

    fn stored(self, entries: &[Value]) -> Self {
        let new = self.path.with_extension("new");
        fs::write(&new, json!({ "version": 1, "credentials": entries }).to_string()).unwrap();
        fs::rename(&new, &self.path).unwrap();
        self
    }

    fn accounts(&self) -> Accounts {
        let accepted =
            ["api", "auth"].map(|name| (name.to_owned(), format!("{}/{name}", self.address).parse().unwrap()));
        let env = |variable: &str| self.env.get(variable).cloned();
        let accepted = accepted.into_iter().collect();
        let given = Given { key: self.config.as_ref(), command: None, env: &env, setting: &|_| None };
        Accounts::for_provider("openai", &self.auth, &accepted, &given, self.store.clone())
    }
}

fn entry(label: &str, created_at: &str) -> Value {
    json!({
        "provider": "openai", "label": label, "kind": "api-key", "created_at": created_at,
        "origins": { "api": "https://stored.example" }, "secret": { "key": format!("sk-canary-{label}") },
    })
}

/// A login under this label, changed in these members.
fn login(label: &str, changes: Value) -> Value {
    let mut login = json!({
        "provider": "openai", "label": label, "kind": "oauth",
        "origins": { "api": "https://api.stored.example", "auth": "https://auth.stored.example" },
        "claims": { "account_id": "acct-1" },
        "secret": { "access_token": "canary-access", "refresh_token": "canary-refresh", "id_token": "canary-id" },
    });
    login.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    login
}

fn labels(accounts: &Accounts) -> Vec<String> {
    accounts.list().accounts().map(|credential| credential.label.to_string()).collect()
}

fn sent(credential: &Credential) -> String {
    let mut headers = http::HeaderMap::new();
    credential.attach.apply(&mut headers, &mut Vec::new());
    headers["authorization"].to_str().unwrap().to_owned()
}

fn error(accounts: &Accounts, label: Option<&str>) -> String {
    accounts.select(label).expect_err("no credential").to_string()
}

#[test]
fn config_comes_before_environment_before_store() {
    let setup = TestAccounts::new().config("sk-config-1").env("OPENAI_API_KEY", "sk-env-1").stored(&[
        entry("new", "2026-03-01T00:00:00Z"),
        entry("old", "2026-01-01T00:00:00Z"),
        entry("default", "2026-09-01T00:00:00Z"),
    ]);
    let accounts = setup.accounts();
    assert_eq!(labels(&accounts), ["config", "env", "default", "old", "new"]);
    assert_eq!(sent(&accounts.select(None).unwrap()), "Bearer sk-config-1");
    assert_eq!(sent(&accounts.select(Some("env")).unwrap()), "Bearer sk-env-1");
    assert_eq!(sent(&accounts.select(Some("old")).unwrap()), "Bearer sk-canary-old");
}

#[test]
fn the_first_variable_that_is_set_wins_and_an_empty_one_is_not_set() {
    let setup = TestAccounts::new().env("OPENAI_API_KEY", "").env("OPENAI_KEY", "sk-second-1");
    let credential = setup.accounts().select(None).unwrap();
    assert_eq!(sent(&credential), "Bearer sk-second-1");
    assert_eq!(credential.source, CredentialSource::Env("OPENAI_KEY".into()));
    let both = TestAccounts::new().env("OPENAI_API_KEY", "sk-first-1").env("OPENAI_KEY", "sk-second-1").accounts();
    assert_eq!(labels(&both), ["env"]);
    assert_eq!(sent(&both.select(None).unwrap()), "Bearer sk-first-1");
}

#[test]
fn keys_of_config_and_environment_are_bound_to_the_accepted_origins_that_auth_names() {
    let accounts = TestAccounts::new().config("sk-config-1").env("OPENAI_API_KEY", "sk-env-1").accounts();
    for label in ["config", "env"] {
        let credential = accounts.select(Some(label)).unwrap();
        assert_eq!(credential.bound_to, [format!("{ADDRESS}/api").parse().unwrap()]);
    }
}

#[test]
fn a_stored_key_stays_bound_to_what_was_recorded_whatever_is_accepted_now() {
    let mut setup = TestAccounts::new().stored(&[entry("default", "2026-01-01T00:00:00Z")]);
    setup.address = "https://evil.example";
    let credential = setup.accounts().select(None).unwrap();
    assert!(binding::check(&credential, &"https://stored.example/v1".parse().unwrap()).is_ok());
    assert!(binding::check(&credential, &"https://evil.example/api".parse().unwrap()).is_err());
}

#[test]
fn a_login_is_found_and_a_logout_holds_at_once() {
    let setup = TestAccounts::new();
    let accounts = setup.accounts();
    assert!(accounts.select(None).is_err());
    let setup = setup.stored(&[entry("work", "2026-01-01T00:00:00Z")]);
    assert_eq!(&*accounts.select(None).unwrap().label, "work");
    let _setup = setup.stored(&[]);
    assert!(accounts.select(Some("work")).is_err());
}

#[test]
fn a_credential_is_made_anew_only_when_its_own_source_changes() {
    let setup = TestAccounts::new().env("OPENAI_API_KEY", "sk-env-1").stored(&[entry("a", "1"), entry("b", "2")]);
    let accounts = setup.accounts();
    let before = ["env", "a", "b"].map(|label| accounts.select(Some(label)).unwrap());
    let mut changed = entry("b", "2");
    changed["secret"]["key"] = json!("sk-other-key");
    let _setup = setup.stored(&[entry("a", "1"), changed, entry("c", "3")]);
    let after = ["env", "a", "b"].map(|label| accounts.select(Some(label)).unwrap());
    let kept: Vec<bool> = before.iter().zip(&after).map(|(before, after)| Arc::ptr_eq(before, after)).collect();
    assert_eq!(kept, [true, true, false]);
    assert_eq!(sent(&after[2]), "Bearer sk-other-key");
}

#[test]
fn no_credential_is_said_with_what_to_set() {
    let accounts = TestAccounts::new().accounts();
    let text = "openai: no credential. Set OPENAI_API_KEY or OPENAI_KEY, or providers.openai.api_key in bitrouter.yaml";
    assert_eq!(error(&accounts, None), text);
    assert_eq!(error(&accounts, Some("work")), text);
    let one = AccountError::NoCredential { provider: "openai".into(), env: vec!["OPENAI_API_KEY".into()] };
    assert_eq!(
        one.to_string(),
        "openai: no credential. Set OPENAI_API_KEY, or providers.openai.api_key in bitrouter.yaml"
    );
    let none = AccountError::NoCredential { provider: "p".into(), env: vec![] };
    assert_eq!(none.to_string(), "p: no credential. Set providers.p.api_key in bitrouter.yaml");
}

#[test]
fn an_unknown_label_is_said_with_those_that_exist() {
    let setup = TestAccounts::new().env("OPENAI_API_KEY", "sk-env-1");
    assert_eq!(error(&setup.accounts(), Some("work")), "openai: no account has the label `work`. There is only `env`");
    let setup = setup.stored(&[entry("default", "1"), entry("home", "2")]);
    assert_eq!(
        error(&setup.accounts(), Some("work")),
        "openai: no account has the label `work`. There are: env, default, home"
    );
}

#[test]
fn a_key_that_cannot_be_used_is_said_and_not_passed_over() {
    let setup = TestAccounts::new().config("sk-canary\n").env("OPENAI_API_KEY", "sk-env-1");
    let accounts = setup.accounts();
    assert_eq!(
        error(&accounts, None),
        "openai@config: `providers.openai.api_key` in bitrouter.yaml begins or ends with white space (a line break?): \
         take that out"
    );
    assert_eq!(labels(&accounts), ["env"]);
    assert_eq!(accounts.list().faults().count(), 1);
    assert!(accounts.select(Some("env")).is_ok());
    let empty = error(&TestAccounts::new().config("").accounts(), None);
    assert!(empty.contains("is empty"), "{empty}");
    let env = error(&TestAccounts::new().env("OPENAI_KEY", "a\u{7}b").accounts(), None);
    assert!(env.contains("the environment variable OPENAI_KEY holds a line break"), "{env}");
}

#[test]
fn a_stored_credential_of_an_unknown_kind_is_skipped_with_its_label_known() {
    let passkey =
        json!({ "provider": "openai", "label": "default", "kind": "passkey", "secret": { "key": "sk-canary" } });
    let setup = TestAccounts::new().stored(&[passkey, entry("work", "2026-01-01T00:00:00Z")]);
    let accounts = setup.accounts();
    assert_eq!(&*accounts.select(None).unwrap().label, "work");
    let error = error(&accounts, Some("default"));
    assert!(error.contains("openai@default") && error.contains("`passkey`"), "{error}");
}

#[test]
fn a_login_is_used_only_where_the_provider_takes_logins() {
    let setup = TestAccounts::new().stored(&[login("default", json!({}))]);
    let error = error(&setup.accounts(), None);
    assert_eq!(
        error,
        "openai@default: the provider does not take a stored credential of the kind `oauth`. Choose another account"
    );
    let both = setup.with_login();
    assert_eq!(labels(&both.accounts()), ["default"]);
}

#[test]
fn a_login_attaches_its_access_token_and_claims_and_goes_to_the_origins_of_the_api_alone() {
    let credential =
        TestAccounts::new().only_login().stored(&[login("default", json!({}))]).accounts().select(None).unwrap();
    assert_eq!(sent(&credential), "Bearer canary-access");
    let mut headers = http::HeaderMap::new();
    credential.attach.apply(&mut headers, &mut Vec::new());
    assert_eq!(headers["account-id"], "acct-1");
    assert_eq!(credential.claims, [("account_id".to_owned(), "acct-1".to_owned())]);
    assert!(binding::check(&credential, &"https://api.stored.example/v1".parse().unwrap()).is_ok());
    assert!(binding::check(&credential, &"https://auth.stored.example".parse().unwrap()).is_err());
}

#[test]
fn all_tokens_of_a_login_are_scrubbed() {
    let credential =
        TestAccounts::new().only_login().stored(&[login("default", json!({}))]).accounts().select(None).unwrap();
    let echo = "canary-access canary-refresh canary-id";
    assert_eq!(credential.scrubber.scrub_text(echo), "[secret] [secret] [secret]");
}

#[test]
fn a_login_that_is_over_says_to_log_in_again() {
    let dead = json!({ "log_in_again": { "since": "2026-01-01T00:00:00Z", "reason": "refresh_token_reused" } });
    let mut expired = login("default", json!({ "expires_at": "2020-01-01T00:00:00Z" }));
    expired["secret"].as_object_mut().unwrap().remove("refresh_token");
    let refreshable = login("home", json!({ "expires_at": "2020-01-01T00:00:00Z" }));
    let setup = TestAccounts::new().only_login().stored(&[login("work", dead), expired, refreshable]);
    let accounts = setup.accounts();
    assert_eq!(error(&accounts, Some("work")), "openai@work: log in again: bitrouter login openai --label work");
    assert_eq!(error(&accounts, None), "openai@default: log in again: bitrouter login openai");
    assert!(accounts.select(Some("home")).is_ok());
}

#[test]
fn a_provider_with_logins_says_how_to_log_in() {
    let setup = TestAccounts::new().only_login();
    assert_eq!(error(&setup.accounts(), None), "openai: no account is logged in. Run: bitrouter login openai");
    assert_eq!(
        error(&TestAccounts::new().with_login().accounts(), None),
        "openai: no account is logged in. Run: bitrouter login openai, or set OPENAI_API_KEY or OPENAI_KEY"
    );
}

#[test]
fn a_broken_store_is_an_error_only_where_it_is_needed() {
    let setup = TestAccounts::new().env("OPENAI_API_KEY", "sk-env-1");
    fs::write(&setup.path, "{").unwrap();
    let accounts = setup.accounts();
    assert_eq!(&*accounts.select(None).unwrap().label, "env");
    assert!(error(&accounts, Some("work")).contains("oauth-tokens.json"));
}

#[test]
fn other_providers_credentials_are_not_seen() {
    let mut other = entry("default", "1");
    other["provider"] = json!("openai-codex");
    let setup = TestAccounts::new().stored(&[other, entry("work", "2")]);
    assert_eq!(labels(&setup.accounts()), ["work"]);
}

#[test]
fn a_provider_without_auth_has_no_accounts() {
    let mut setup = TestAccounts::new().env("OPENAI_API_KEY", "sk-env-1").stored(&[entry("default", "1")]);
    setup.auth.clear();
    let accounts = setup.accounts();
    assert!(!accounts.needs_credential());
    assert!(labels(&accounts).is_empty());
}

#[test]
fn each_credential_scrubs_its_own_secret() {
    let credential = TestAccounts::new().config("sk-canary-config").accounts().select(None).unwrap();
    assert_eq!(credential.scrubber.scrub_text("no key sk-canary-config!"), "no key [secret]!");
}

#[test]
fn debug_shows_no_secret() {
    let setup = TestAccounts::new().config("sk-canary-config").env("OPENAI_API_KEY", "sk-canary-env\n");
    let setup = setup.stored(&[entry("default", "1")]);
    let accounts = setup.accounts();
    let debug = format!("{:?} {:?} {:?}", accounts.list(), accounts.select(None), accounts);
    assert!(debug.contains("default") && !debug.contains("canary"), "{debug}");
}
