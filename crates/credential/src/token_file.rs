//! The format of `oauth-tokens.json`, in which logins and stored keys are kept.
//!
//! The store reads it through here, and what writes it later does too. What this version does not know is kept as it
//! stands; no error and no `Debug` shows a value that may be secret.
//!
//! ```json
//! { "version": 1,
//!   "credentials": [
//!     { "provider": "openai", "label": "default", "kind": "api-key",
//!       "created_at": "2026-01-31T09:00:00Z",
//!       "origins": { "api": "https://api.openai.com/v1" },
//!       "claims": { "plan": "team" },
//!       "secret": { "key": "sk-…" } } ] }
//! ```
//!
//! A login, which is of the kind `oauth`, has more members: see [`StoredLogin`]; several secrets: [`StoredSecrets`]. Where the secrets are in the keyring,
//! `secret` has their names instead: see [`KeyringSlot`].
//!
//! `provider` and `label` together name an entry and occur once. `origins` holds the origins that were accepted when
//! the credential was stored: it goes nowhere else. `created_at` is RFC 3339 in UTC with whole seconds, so that its
//! text sorts as the time does; it and `claims` may be missing. An entry of another `kind` is kept and not used.

mod fields;
mod key;
mod keyring_slot;
mod login;
mod secrets;

use std::collections::HashSet;

use bitrouter_contract::Origin;
use secrecy::SecretString;
use serde_json::{Map, Value, json};
use thiserror::Error;

use super::wipe::Wiped;
use fields::{Fields, Rest};
pub use key::StoredKey;
pub use keyring_slot::{KeyringSlot, SecretLocation};
pub use login::{Follows, LogInAgain, Refreshing, StoredLogin};
use secrets::METHODS;
pub use secrets::StoredSecrets;

/// What has the secrets that are in the keyring, by name; or why it has them not.
pub type Fetch<'f> = dyn Fn(&KeyringSlot) -> Result<Map<String, Value>, String> + 'f;

/// The version of the format that this code reads.
pub const VERSION: u64 = 1;

/// All that a file holds.
#[derive(Clone, Debug, Default)]
pub struct TokenFile {
    /// The credentials, in the file's order.
    pub entries: Vec<Entry>,
    /// Members of the file itself that this version does not know.
    rest: Rest,
}

/// One stored credential.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The provider's id.
    pub provider: String,
    /// The account's label: `[A-Za-z0-9._@+-]{1,64}`.
    pub label: String,
    /// When it was stored: RFC 3339, UTC, whole seconds.
    pub created_at: Option<String>,
    /// What it is.
    pub kind: Kind,
    /// Where its secrets are.
    pub location: SecretLocation,
    /// Members that this version does not know.
    rest: Rest,
}

/// What a stored credential is.
#[derive(Clone, Debug)]
pub enum Kind {
    /// A key that the user has from the provider.
    ApiKey(StoredKey),
    /// An account that the user logged in to.
    Oauth(Box<StoredLogin>),
    /// Several secrets that are one credential.
    Secrets(StoredSecrets),
    /// A kind that this version does not use, by its name; all that it holds is kept in the entry.
    Other(String),
}

/// What is wrong with a file, and where in it. No value of the file is in it, except an address.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Fault {
    /// It is not JSON.
    #[error("line {line}, column {column}: not JSON")]
    Syntax {
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
    },
    /// There is nothing in it, as after a crash or on a full disk.
    #[error("it is empty, and not even the beginning of a list of credentials is there")]
    Empty,
    /// It is JSON, and something else than a list of credentials.
    #[error(
        "it holds {0} where an object with `version` and `credentials` was written: it is damaged, or another program's"
    )]
    Another(&'static str),
    /// It is of a later version.
    #[error("it is of version {0}, which a newer BitRouter wrote; this one reads version {VERSION}: update BitRouter")]
    Version(u64),
    /// A member is missing or not what it should be.
    #[error("`{place}` {what}")]
    Shape {
        /// The member, such as `credentials[2].label`.
        place: String,
        /// What it should be.
        what: String,
    },
}

impl TokenFile {
    /// Reads a file's text, and asks no keyring.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        Self::read(text, &|_| Err("was not asked".to_owned()))
    }

    /// Reads a file's text. `fetch` gives the secrets that are in the keyring, or says why it does not: such an entry is
    /// there without them.
    pub fn read(text: &str, fetch: &Fetch<'_>) -> Result<Self, Fault> {
        if text.trim().is_empty() {
            return Err(Fault::Empty);
        }
        let value: Value =
            serde_json::from_str(text).map_err(|error| Fault::Syntax { line: error.line(), column: error.column() })?;
        let mut fields = Fields::of_file(value)?;
        let version = fields.take("version", "is missing or not a whole number", |value| value.as_u64())?;
        if version != VERSION {
            return Err(Fault::Version(version));
        }
        let listed = fields.take("credentials", "is missing or not a list", |value| value.as_array().cloned())?;
        let entry = |(at, value)| Entry::parse(Fields::of(&format!("credentials[{at}]"), value)?, fetch);
        let entries = listed.into_iter().enumerate().map(entry).collect::<Result<Vec<_>, _>>()?;
        let mut seen = HashSet::new();
        for (at, entry) in entries.iter().enumerate() {
            if !seen.insert((&entry.provider, &entry.label)) {
                let what = format!("is a second entry for {}@{}: take one out", entry.provider, entry.label);
                return Err(Fault::Shape { place: format!("credentials[{at}]"), what });
            }
        }
        Ok(TokenFile { entries, rest: fields.rest() })
    }

    /// The file's text, with all that was not understood in its place.
    pub fn to_json(&self) -> SecretString {
        let entries: Vec<Value> = self.entries.iter().map(Entry::to_json).collect();
        let mut file = object(json!({ "version": VERSION, "credentials": entries }));
        file.extend(self.rest.0.clone());
        let file = Wiped(Value::Object(file));
        format!("{:#}\n", file.0).into()
    }
}

impl TokenFile {
    /// The entry of this name.
    pub fn find(&self, provider: &str, label: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.is(provider, label))
    }

    /// The login of this name.
    pub fn login(&self, provider: &str, label: &str) -> Option<&StoredLogin> {
        match &self.find(provider, label)?.kind {
            Kind::Oauth(login) => Some(login),
            Kind::ApiKey(_) | Kind::Secrets(_) | Kind::Other(_) => None,
        }
    }

    /// The login of this name, to be changed.
    pub fn login_mut(&mut self, provider: &str, label: &str) -> Option<&mut StoredLogin> {
        match &mut self.entries.iter_mut().find(|entry| entry.is(provider, label))?.kind {
            Kind::Oauth(login) => Some(login),
            Kind::ApiKey(_) | Kind::Secrets(_) | Kind::Other(_) => None,
        }
    }

    /// Adds an entry, in the place of the one of the same name.
    pub fn put(&mut self, entry: Entry) {
        match self.entries.iter_mut().find(|known| known.is(&entry.provider, &entry.label)) {
            Some(known) => *known = entry,
            None => self.entries.push(entry),
        }
    }

    /// Takes an entry out.
    pub fn remove(&mut self, provider: &str, label: &str) -> Option<Entry> {
        let at = self.entries.iter().position(|entry| entry.is(provider, label))?;
        Some(self.entries.remove(at))
    }
}

impl Entry {
    /// An entry that was stored at no known time.
    pub fn new(provider: &str, label: &str, kind: Kind) -> Self {
        let (provider, label) = (provider.to_owned(), label.to_owned());
        Entry { provider, label, created_at: None, kind, location: SecretLocation::File, rest: Rest::default() }
    }

    fn is(&self, provider: &str, label: &str) -> bool {
        self.provider == provider && self.label == label
    }

    fn parse(mut fields: Fields, fetch: &Fetch<'_>) -> Result<Self, Fault> {
        let provider = fields.text("provider")?;
        let label = fields.text("label")?;
        if !is_label(&label) {
            return Err(fields.fault("label", "is not 1 to 64 of the characters A-Z a-z 0-9 . _ @ + -"));
        }
        let created_at = fields.maybe("created_at", Fields::text)?;
        let kind = fields.text("kind")?;
        let is_several = METHODS.contains(&kind.as_str());
        let slot = if is_several || matches!(kind.as_str(), "api-key" | "oauth") {
            KeyringSlot::of(&mut fields)?
        } else {
            None
        };
        let location = slot.map_or(SecretLocation::File, |slot| {
            let (secret, out_of_reach) = match fetch(&slot) {
                Ok(secret) => (secret, None),
                Err(why) => (keyring_slot::none(&kind), Some(why)),
            };
            fields.set("secret", Value::Object(secret));
            SecretLocation::Keyring { slot, out_of_reach }
        });
        let kind = match kind.as_str() {
            "api-key" => Kind::ApiKey(StoredKey::parse(&mut fields)?),
            "oauth" => Kind::Oauth(Box::new(StoredLogin::parse(&mut fields)?)),
            method if is_several => Kind::Secrets(StoredSecrets::parse(method, &mut fields)?),
            other => Kind::Other(other.to_owned()),
        };
        Ok(Entry { provider, label, created_at, kind, location, rest: fields.rest() })
    }

    /// Why its secrets cannot be read. An entry of which this is said has none.
    pub fn out_of_reach(&self) -> Option<&str> {
        match &self.location {
            SecretLocation::Keyring { out_of_reach, .. } => out_of_reach.as_deref(),
            SecretLocation::File => None,
        }
    }

    /// The secrets by name, wherever they are.
    pub(super) fn secrets(&self) -> Map<String, Value> {
        self.whole().remove("secret").map(object).unwrap_or_default()
    }

    /// As the file has it.
    fn to_json(&self) -> Value {
        let mut entry = self.whole();
        if let SecretLocation::Keyring { slot, .. } = &self.location {
            entry.insert("secret".into(), slot.to_json());
        }
        Value::Object(entry)
    }

    /// All of it, with its secrets.
    pub(super) fn whole(&self) -> Map<String, Value> {
        let mut entry = object(json!({ "provider": self.provider, "label": self.label, "kind": self.kind.name() }));
        if let Some(created_at) = &self.created_at {
            entry.insert("created_at".into(), json!(created_at));
        }
        match &self.kind {
            Kind::ApiKey(key) => key.put(&mut entry),
            Kind::Oauth(login) => login.put(&mut entry),
            Kind::Secrets(secrets) => secrets.put(&mut entry),
            Kind::Other(_) => {}
        }
        entry.extend(self.rest.0.clone());
        entry
    }
}

impl Kind {
    /// As the file has it.
    pub fn name(&self) -> &str {
        match self {
            Kind::ApiKey(_) => "api-key",
            Kind::Oauth(_) => "oauth",
            Kind::Secrets(secrets) => &secrets.method,
            Kind::Other(name) => name,
        }
    }
}

/// Where a credential may go, and what is known of it.
fn put_binding(entry: &mut Map<String, Value>, origins: &[(String, Origin)], claims: &[(String, String)]) {
    let origins = origins.iter().map(|(name, origin)| (name.clone(), json!(origin.to_string())));
    entry.insert("origins".into(), Value::Object(origins.collect()));
    if !claims.is_empty() {
        let claims = claims.iter().map(|(name, value)| (name.clone(), json!(value)));
        entry.insert("claims".into(), Value::Object(claims.collect()));
    }
}

/// Whether a text can be an account's label.
pub fn is_label(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._@+-".contains(&byte))
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests;
