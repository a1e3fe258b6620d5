//! The whole crate over a store that is neither a file nor a keyring: a few lines of memory, shared as a database is.

use std::collections::HashSet;

use super::super::super::store::{CredentialStore, Loaded, Revision};
use super::super::super::token_file::TokenFile;
use super::*;

/// What all processes share.
#[derive(Debug, Default)]
struct Memory {
    /// How often it was changed, and what it holds.
    stored: Mutex<(u64, TokenFile)>,
    locked: Mutex<HashSet<String>>,
    notes: Mutex<HashMap<String, String>>,
}

#[derive(Clone, Debug, Default)]
struct Shared(Arc<Memory>);

struct Lock(Shared, String);

impl CredentialStore for Shared {
    fn revision(&self) -> Option<Revision> {
        Some(Revision(self.0.stored.lock().unwrap().0))
    }

    fn load(&self, _known: Option<&TokenFile>) -> Loaded {
        let (changes, stored) = self.0.stored.lock().unwrap().clone();
        Loaded { revision: Some(Revision(changes)), stored: Ok(stored), warning: None }
    }

    fn update(&self, _reserved: Option<Reserved>, change: &mut dyn FnMut(&mut TokenFile)) -> Result<(), StoreError> {
        let mut stored = self.0.stored.lock().unwrap();
        change(&mut stored.1);
        stored.0 += 1;
        Ok(())
    }

    fn reserve(&self) -> Result<Option<Reserved>, StoreError> {
        Ok(None)
    }

    fn check(&self, _provider: &str, _label: &str) -> Result<(), StoreError> {
        Ok(())
    }

    fn lock_account(&self, provider: &str, label: &str) -> Result<Box<dyn AccountLock>, StoreError> {
        let account = format!("{provider}@{label}");
        match self.0.locked.lock().unwrap().insert(account.clone()) {
            true => Ok(Box::new(Lock(self.clone(), account))),
            false => Err(StoreError::Held { path: account.into() }),
        }
    }
}

impl AccountLock for Lock {
    fn note(&self) -> String {
        self.0.0.notes.lock().unwrap().get(&self.1).cloned().unwrap_or_default()
    }

    fn leave(&self, note: &str) {
        self.0.0.notes.lock().unwrap().insert(self.1.clone(), note.to_owned());
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        self.0.0.locked.lock().unwrap().remove(&self.1);
    }
}

#[tokio::test]
async fn a_store_in_memory_serves_logins_refreshes_of_several_processes_and_logouts() {
    let setup = TestRefreshes::new(Reuse::Strict);
    let memory = Shared::default();
    let store = || Store::over(memory.clone(), setup.folder.path().join("copies"));
    let (tokens, entry) = setup.entry("default", -5);
    let Kind::Oauth(login) = entry.kind else { panic!("a login") };
    let identity = ["account_id".to_owned()];
    store().check("p", "default").unwrap();
    store().save_login("p", "default", *login, &identity, false).unwrap();

    let processes: Vec<Accounts> = (0..3).map(|_| setup.process_with(store())).collect();
    let ready = futures_util::future::join_all(processes.iter().map(|accounts| accounts.ready(None))).await;
    assert_eq!(setup.issuer.requests().len(), 1, "one refresh for all of them");
    let fresh = store().read().unwrap().login("p", "default").unwrap().access_token.expose_secret().to_owned();
    assert_ne!(fresh, text(&tokens["access_token"]));
    assert!(ready.iter().all(|credential| sent(credential.as_ref().unwrap()) == fresh));
    assert!(memory.0.locked.lock().unwrap().is_empty());

    // An issuer that is down is left alone by all processes: the first leaves a note in the account's lock.
    setup.issuer.instead(Reply::json(&json!({ "error": "temporarily_unavailable" })).status(503));
    let credential = ready[0].as_ref().unwrap();
    for said in ["503", "it is tried again in"] {
        let refused = setup.process_with(store()).refresh_after_unauthorized(credential).await;
        let why = refused.unwrap_err().to_string();
        assert!(why.contains(said), "{why}");
    }
    assert_eq!(setup.issuer.requests().len(), 2);

    store().remove("p", "default").unwrap().unwrap();
    while !processes[2].list().is_empty() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
