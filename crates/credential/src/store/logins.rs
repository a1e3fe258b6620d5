//! Storing a login and taking it back, for the commands `login` and `logout`.

use std::sync::Arc;

use bitrouter_files::Timestamp;

use super::super::claims::same_account;
use super::super::token_file::{Entry, Kind, StoredLogin};
use super::{Store, StoreError};

/// What a login under a label did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Saved {
    /// The label was free.
    New,
    /// The label's own account is logged in again.
    Renewed,
    /// Another account had the label, or one that nothing is known of.
    Replaced,
    /// Nothing was stored: another account has the label, or a key. Ask the user, then save with `replace`.
    Taken {
        /// What is known of it.
        claims: Vec<(String, String)>,
    },
}

impl Store {
    /// Stores a login. `identity` is the description's: the claims that say which account it is. A label that another
    /// account has is only taken with `replace`. Blocks.
    pub fn save_login(
        &self,
        provider: &str,
        label: &str,
        login: StoredLogin,
        identity: &[String],
        replace: bool,
    ) -> Result<Saved, StoreError> {
        self.update(|file| {
            let saved = match file.find(provider, label).map(|entry| &entry.kind) {
                None => Saved::New,
                Some(Kind::Oauth(known)) if same_account(identity, &known.claims, &login.claims) == Some(true) => {
                    Saved::Renewed
                }
                Some(_) if replace => Saved::Replaced,
                Some(Kind::Oauth(known)) => return Saved::Taken { claims: known.claims.clone() },
                Some(Kind::ApiKey(_) | Kind::Secrets(_) | Kind::Other(_)) => {
                    return Saved::Taken { claims: Vec::new() };
                }
            };
            let mut entry = Entry::new(provider, label, Kind::Oauth(Box::new(login)));
            // An account that is logged in again keeps its place among the others.
            let before = file.find(provider, label).and_then(|entry| entry.created_at.clone());
            let before = before.filter(|_| saved == Saved::Renewed);
            entry.created_at = before.or_else(|| Some(Timestamp::now().to_string()));
            file.put(entry);
            saved
        })
    }

    /// Whether a login of this account could be stored now. To be asked before somebody logs in, so that no login is made that
    /// cannot be kept. Blocks, for as long as a keyring asks for its password.
    pub fn check(&self, provider: &str, label: &str) -> Result<(), StoreError> {
        self.backend().check(provider, label)
    }

    /// The labels under which this very account is logged in already.
    pub fn labels_of(
        &self,
        provider: &str,
        claims: &[(String, String)],
        identity: &[String],
    ) -> Result<Vec<String>, Arc<StoreError>> {
        let file = self.read()?;
        let of = |entry: &&Entry| matches!(&entry.kind, Kind::Oauth(login) if same_account(identity, &login.claims, claims) == Some(true));
        let entries = file.entries.iter().filter(|entry| entry.provider == provider).filter(of);
        Ok(entries.map(|entry| entry.label.clone()).collect())
    }

    /// Takes the credential with this label out, and only that; returns it so that its tokens can be revoked. Nothing
    /// where there is none. Blocks.
    pub fn remove(&self, provider: &str, label: &str) -> Result<Option<Entry>, StoreError> {
        self.update(|file| file.remove(provider, label))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn login(account: &str) -> StoredLogin {
        let mut login = StoredLogin::new("canary".into(), vec![("api".into(), "https://api.example".parse().unwrap())]);
        login.claims = vec![("account_id".into(), account.into())];
        login
    }

    #[test]
    fn a_label_that_another_account_has_is_only_taken_when_asked() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path().join("oauth-tokens.json"));
        let identity = ["account_id".to_owned()];
        let save = |label: &str, account: &str, replace| {
            store.save_login("p", label, login(account), &identity, replace).unwrap()
        };
        assert_eq!(save("default", "a", false), Saved::New);
        assert_eq!(save("default", "a", false), Saved::Renewed);
        assert_eq!(save("default", "b", false), Saved::Taken { claims: vec![("account_id".into(), "a".into())] });
        assert_eq!(save("work", "b", false), Saved::New);
        assert_eq!(store.labels_of("p", &login("b").claims, &identity).unwrap(), ["work"]);
        assert_eq!(save("default", "b", true), Saved::Replaced);
        assert!(store.remove("p", "default").unwrap().is_some());
        assert!(store.remove("p", "default").unwrap().is_none());
        assert_eq!(store.labels_of("p", &login("b").claims, &identity).unwrap(), ["work"]);
    }
}
