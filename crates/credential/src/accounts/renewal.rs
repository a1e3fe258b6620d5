//! Whether a stored login lasts: what it lacks to be renewed, said before it is over.
//!
//! `login` says it of a session that it imports, `accounts` of every login.

use super::super::refresh::cannot_be_renewed;
use super::super::token_file::{Follows, StoredLogin};
use super::super::vendor::Writable;
use super::Accounts;

impl Accounts {
    /// Why this login cannot be renewed, when it ends, and the way out; nothing where it can. Looks at the files of a
    /// program that shares it, and waits for its locks.
    pub fn why_not_renewed(&self, label: &str, login: &StoredLogin) -> Option<String> {
        let provider = &self.means.provider;
        let ends = login.expires_at.map_or_else(String::new, |time| format!(" It ends at {time}."));
        // Without one nothing of this provider's is renewed, and nobody expects it.
        self.refresher.as_ref()?;
        let Some(refresh_token) = &login.refresh_token else {
            return Some(format!(
                "{provider}@{label} has no refresh token, so it cannot be renewed.{ends} For one that lasts: bitrouter \
                 login {provider} --label {label}"
            ));
        };
        let Follows { source, file } = login.follows.as_ref()?;
        match Writable::find(source, file, refresh_token, &self.store.copies()) {
            Ok(_) => None,
            Err(error) => Some(format!("{provider}@{label}: {}.{ends}", cannot_be_renewed(provider, source, &error))),
        }
    }
}
