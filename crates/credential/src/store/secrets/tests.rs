//! Secrets in a keyring, with the in-memory store of `keyring-core`.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use keyring_core::api::CredentialStoreApi as _;
use keyring_core::mock;
use serde_json::json;

use super::super::super::keyring::Keyring;
use super::super::super::token_file::{Refreshing, StoredKey, StoredLogin};
use super::super::Store;
use super::*;

/// A keyring that can be locked.
struct Memory {
    store: Arc<mock::Store>,
    locked: AtomicBool,
}

impl Memory {
    fn entry(&self, service: &str, account: &str) -> Result<keyring_core::Entry, KeyringError> {
        if self.locked.load(Ordering::SeqCst) {
            return Err(KeyringError::Refused("it stayed locked".into()));
        }
        Ok(self.store.build(service, account, None).unwrap())
    }

    fn lock(&self, locked: bool) {
        self.locked.store(locked, Ordering::SeqCst);
    }

    /// What it holds, by name.
    fn held(&self) -> Vec<(String, String)> {
        let entries = self.store.search(&[("service", SERVICE)].into()).unwrap();
        let held = |entry: keyring_core::Entry| Some((entry.get_specifiers()?.1, entry.get_password().ok()?));
        entries.into_iter().filter_map(held).collect()
    }
}

impl Keyring for Memory {
    fn get(&self, service: &str, account: &str) -> Result<Option<SecretString>, KeyringError> {
        Ok(self.entry(service, account)?.get_password().ok().map(SecretString::from))
    }

    fn set(&self, service: &str, account: &str, secret: &SecretString) -> Result<(), KeyringError> {
        self.entry(service, account)?.set_password(secret.expose_secret()).unwrap();
        Ok(())
    }

    fn delete(&self, service: &str, account: &str) -> Result<(), KeyringError> {
        let _ = self.entry(service, account)?.delete_credential();
        Ok(())
    }
}

struct Home {
    _folder: tempfile::TempDir,
    path: PathBuf,
    keyring: Arc<Memory>,
}

impl Home {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data/oauth-tokens.json");
        let keyring = Arc::new(Memory { store: mock::Store::new().unwrap(), locked: AtomicBool::new(false) });
        Home { _folder: folder, path, keyring }
    }

    /// A store of its own, as each process has it.
    fn store(&self, secrets_in: Option<SecretsIn>) -> Store {
        self.store_at(&self.path, secrets_in)
    }

    fn store_at(&self, path: &Path, secrets_in: Option<SecretsIn>) -> Store {
        let keyring = Arc::clone(&self.keyring) as Arc<dyn Keyring>;
        Store::always_looking(FileStore::new(path).with_keyring(keyring).keeping(secrets_in))
    }

    fn text(&self) -> String {
        fs::read_to_string(&self.path).unwrap()
    }
}

const KEYRING: Option<SecretsIn> = Some(SecretsIn::Keyring);
const FILE: Option<SecretsIn> = Some(SecretsIn::File);

/// Longer than any keyring takes in one piece, and of letters of several bytes.
fn long(name: &str) -> String {
    format!("canary-{name}-{}", "ä€x".repeat(700))
}

fn login(name: &str) -> Entry {
    let origins = vec![("api".to_owned(), "https://api.example".parse().unwrap())];
    let mut login = StoredLogin::new(long(name).into(), origins);
    login.refresh_token = Some(format!("canary-refresh-{name}").into());
    login.claims = vec![("email".into(), "me@example.com".into())];
    Entry::new("p", "work", Kind::Oauth(Box::new(login)))
}

fn key(label: &str) -> Entry {
    let origins = vec![("api".to_owned(), "https://api.example".parse().unwrap())];
    Entry::new("q", label, Kind::ApiKey(StoredKey::new("canary-key".into(), origins)))
}

/// The access token of the login as a store has it; nothing where it is out of reach.
fn access_token(store: &Store) -> Option<String> {
    let file = store.read().unwrap();
    let entry = file.find("p", "work").unwrap();
    let Kind::Oauth(login) = &entry.kind else { panic!("{entry:?}") };
    entry.out_of_reach().is_none().then(|| login.access_token.expose_secret().to_owned())
}

fn renew(file: &mut TokenFile, name: &str) {
    let login = file.login_mut("p", "work").unwrap();
    login.access_token = long(name).into();
    login.refresh_token = Some(format!("canary-refresh-{name}").into());
}

#[test]
fn the_file_holds_only_the_names_of_what_is_in_the_keyring() {
    let home = Home::new();
    let store = home.store(KEYRING);
    store.check("p", "work").unwrap();
    store.update(|file| file.put(login("1"))).unwrap();
    let text = home.text();
    assert!(!text.contains("canary") && text.contains("me@example.com") && text.contains("https://api.example"));
    let pieces: Vec<_> = home.keyring.held();
    assert!(pieces.len() >= 5, "{}", pieces.len());
    // Windows: two bytes for each unit of UTF-16.
    assert!(pieces.iter().all(|(_, piece)| piece.encode_utf16().count() * 2 <= 2560));
    assert_eq!(access_token(&home.store(None)), Some(long("1")));
    assert!(!format!("{store:?} {:?}", store.read()).contains("canary"));
}

#[test]
fn new_secrets_take_the_place_of_the_old_ones() {
    let home = Home::new();
    let store = home.store(KEYRING);
    store.update(|file| file.put(login("1"))).unwrap();
    let first = home.keyring.held();
    let since = "2026-01-31T09:00:00Z".parse().unwrap();
    store.update(|file| file.login_mut("p", "work").unwrap().refreshing = Some(Refreshing { since })).unwrap();
    assert_eq!(home.keyring.held(), first, "an intent is no secret");
    store.update(|file| renew(file, "2")).unwrap();
    let second = home.keyring.held();
    assert!(second.len() == first.len() && second.iter().all(|piece| !first.contains(piece)), "{second:?}");
    assert_eq!(access_token(&home.store(KEYRING)), Some(long("2")));
    store.remove("p", "work").unwrap();
    assert_eq!(home.keyring.held(), []);
}

#[test]
fn an_account_goes_to_where_the_config_says_when_it_changes_and_nothing_is_lost_on_the_way() {
    let home = Home::new();
    home.store(None).update(|file| file.put(login("1"))).unwrap();
    home.store(None).update(|file| file.put(key("default"))).unwrap();
    assert!(home.keyring.held().is_empty());

    // The setting alone moves nothing, and hides nothing.
    let before = home.text();
    let store = home.store(KEYRING);
    assert_eq!(access_token(&store), Some(long("1")));
    assert_eq!(home.text(), before);
    store.update(|file| renew(file, "2")).unwrap();
    assert!(!home.text().contains("canary-refresh") && home.text().contains("canary-key"), "only what changed");

    // Where nothing is said, it stays in the keyring.
    home.store(None).update(|file| renew(file, "3")).unwrap();
    assert!(!home.text().contains("canary-refresh"));
    assert_eq!(access_token(&home.store(FILE)), Some(long("3")));
    home.store(FILE).update(|file| renew(file, "4")).unwrap();
    assert!(home.text().contains("canary-refresh-4"));
    assert_eq!((access_token(&home.store(KEYRING)), home.keyring.held()), (Some(long("4")), vec![]));
}

#[test]
fn a_locked_keyring_hides_its_own_accounts_and_no_others() {
    let home = Home::new();
    home.store(None).update(|file| file.put(key("default"))).unwrap();
    home.store(KEYRING).update(|file| file.put(login("1"))).unwrap();
    home.keyring.lock(true);
    let store = home.store(KEYRING);
    assert_eq!(access_token(&store), None);
    let file = store.read().unwrap();
    assert_eq!(file.find("p", "work").unwrap().out_of_reach(), Some("cannot be used: it stayed locked"));
    assert!(file.find("q", "default").unwrap().out_of_reach().is_none());
    // What changes beside it, or about it, leaves its names where they are.
    let named = |text: &str| serde_json::from_str::<Value>(text).unwrap()["credentials"][1]["secret"].clone();
    let names = named(&home.text());
    home.store(None).update(|file| file.put(key("second"))).unwrap();
    home.store(FILE).update(|file| file.login_mut("p", "work").unwrap().from = Some("browser".into())).unwrap();
    assert_eq!(named(&home.text()), names);
    home.keyring.lock(false);
    assert_eq!(access_token(&home.store(KEYRING)), Some(long("1")));
}

#[test]
fn what_was_read_before_the_keyring_was_locked_is_used_on() {
    let home = Home::new();
    let store = home.store(KEYRING);
    store.update(|file| file.put(login("1"))).unwrap();
    assert_eq!(access_token(&store), Some(long("1")));
    home.keyring.lock(true);
    home.store(None).update(|file| file.put(key("default"))).unwrap();
    assert_eq!(access_token(&store), Some(long("1")));
}

#[test]
fn without_a_keyring_a_new_login_is_an_error_and_a_known_one_stays_in_the_file() {
    let home = Home::new();
    home.keyring.lock(true);
    let store = home.store(KEYRING);
    let error = store.check("p", "work").unwrap_err().to_string();
    assert!(error.contains("it stayed locked") && error.contains("credentials.store: file"), "{error}");
    assert!(store.update(|file| file.put(login("1"))).is_err());
    assert!(!home.path.exists());
    // The issuer has given these: they are kept where the others are, not lost.
    home.store(None).update(|file| file.put(login("1"))).unwrap();
    store.update(|file| renew(file, "2")).unwrap();
    assert_eq!(access_token(&store), Some(long("2")));
}

#[test]
fn a_file_that_cannot_be_replaced_keeps_the_secrets_that_it_names() {
    let home = Home::new();
    let store = home.store(KEYRING);
    store.update(|file| file.put(login("1"))).unwrap();
    let held = home.keyring.held();
    let reserved = store.backend().reserve().unwrap();
    for file in fs::read_dir(home.path.parent().unwrap()).unwrap() {
        let file = file.unwrap();
        if file.file_name().to_string_lossy().starts_with(".bitrouter-") {
            fs::remove_file(file.path()).unwrap();
        }
    }
    let error = store.update_into(reserved, |file| renew(file, "2")).unwrap_err();
    assert!(matches!(error, StoreError::Write { .. }), "{error}");
    assert_eq!(home.keyring.held(), held);
    assert_eq!(access_token(&home.store(KEYRING)), Some(long("1")));
}

#[test]
fn a_copy_of_a_folder_takes_nothing_from_the_folder_that_it_was_copied_from() {
    let home = Home::new();
    home.store(KEYRING).update(|file| file.put(login("1"))).unwrap();
    let copy = home.path.with_file_name("copy.json");
    fs::copy(&home.path, &copy).unwrap();
    home.store_at(&copy, KEYRING).update(|file| renew(file, "2")).unwrap();
    home.store_at(&copy, KEYRING).remove("p", "work").unwrap();
    assert_eq!(access_token(&home.store(KEYRING)), Some(long("1")));
}

#[test]
fn what_is_not_what_was_put_there_is_not_used() {
    let home = Home::new();
    home.store(KEYRING).update(|file| file.put(login("1"))).unwrap();
    let (name, _) = home.keyring.held().into_iter().next().unwrap();
    home.keyring.set(SERVICE, &name, &"canary".into()).unwrap();
    assert_eq!(access_token(&home.store(KEYRING)), None);
    home.keyring.delete(SERVICE, &name).unwrap();
    let file = home.store(KEYRING).read().unwrap();
    assert_eq!(file.find("p", "work").unwrap().out_of_reach(), Some("does not have them any more"));
}

#[test]
fn names_that_are_none_are_a_fault_with_their_place() {
    let home = Home::new();
    home.store(KEYRING).update(|file| file.put(login("1"))).unwrap();
    let mut file: Value = serde_json::from_str(&home.text()).unwrap();
    file["credentials"][0]["secret"]["pieces"] = json!(["access_token"]);
    fs::write(&home.path, file.to_string()).unwrap();
    let error = home.store(KEYRING).read().unwrap_err().to_string();
    assert!(error.contains("`credentials[0].secret.pieces` is not an object"), "{error}");
}
