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
//! `provider` and `label` together name an entry and occur once. `origins` holds the origins that were accepted when
//! the credential was stored: it goes nowhere else. `created_at` is RFC 3339 in UTC with whole seconds, so that its
//! text sorts as the time does; it and `claims` may be missing. An entry of another `kind` is kept and not used.

use std::collections::HashSet;
use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};
use thiserror::Error;

use super::Origin;

/// The version of the format that this code reads.
pub const VERSION: u64 = 1;

/// All that a file holds.
#[derive(Debug, Default)]
pub struct TokenFile {
    /// The credentials, in the file's order.
    pub entries: Vec<Entry>,
    /// Members of the file itself that this version does not know.
    rest: Rest,
}

/// One stored credential.
#[derive(Debug)]
pub struct Entry {
    /// The provider's id.
    pub provider: String,
    /// The account's label: `[A-Za-z0-9._@+-]{1,64}`.
    pub label: String,
    /// When it was stored: RFC 3339, UTC, whole seconds.
    pub created_at: Option<String>,
    /// What it is.
    pub kind: Kind,
    /// Members that this version does not know.
    rest: Rest,
}

/// What a stored credential is.
#[derive(Debug)]
pub enum Kind {
    /// A key that the user has from the provider.
    ApiKey(StoredKey),
    /// A kind that this version does not use, by its name; all that it holds is kept in the entry.
    Other(String),
}

/// A stored API key.
#[derive(Debug)]
pub struct StoredKey {
    /// The key.
    pub key: SecretString,
    /// The origins that were accepted when it was stored, by name. At least one.
    pub origins: Vec<(String, Origin)>,
    /// What is known of the account, none of it secret.
    pub claims: Vec<(String, String)>,
    rest: Rest,
}

/// Members that are kept as they are. They may be secret, so `Debug` shows their names alone.
#[derive(Default)]
struct Rest(Map<String, Value>);

impl fmt::Debug for Rest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.keys()).finish()
    }
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
    /// Reads a file's text.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let value: Value =
            serde_json::from_str(text).map_err(|error| Fault::Syntax { line: error.line(), column: error.column() })?;
        let mut fields = Fields::of("", value)?;
        let version = fields.take("version", "is missing or not a whole number", |value| value.as_u64())?;
        if version != VERSION {
            return Err(Fault::Version(version));
        }
        let listed = fields.take("credentials", "is missing or not a list", |value| value.as_array().cloned())?;
        let entry = |(at, value)| Entry::parse(Fields::of(&format!("credentials[{at}]"), value)?);
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
        format!("{:#}\n", Value::Object(file)).into()
    }
}

impl Entry {
    fn parse(mut fields: Fields) -> Result<Self, Fault> {
        let provider = fields.text("provider")?;
        let label = fields.text("label")?;
        if !is_label(&label) {
            return Err(fields.fault("label", "is not 1 to 64 of the characters A-Z a-z 0-9 . _ @ + -"));
        }
        let created_at = match fields.has("created_at") {
            true => Some(fields.text("created_at")?),
            false => None,
        };
        let kind = match fields.text("kind")?.as_str() {
            "api-key" => Kind::ApiKey(StoredKey::parse(&mut fields)?),
            other => Kind::Other(other.to_owned()),
        };
        Ok(Entry { provider, label, created_at, kind, rest: fields.rest() })
    }

    fn to_json(&self) -> Value {
        let mut entry = object(json!({ "provider": self.provider, "label": self.label }));
        let mut put = |name: &str, value: Value| entry.insert(name.to_owned(), value);
        match &self.kind {
            Kind::Other(kind) => {
                put("kind", json!(kind));
            }
            Kind::ApiKey(stored) => {
                let mut secret = object(json!({ "key": stored.key.expose_secret() }));
                secret.extend(stored.rest.0.clone());
                let origins = stored.origins.iter().map(|(name, origin)| (name.clone(), json!(origin.to_string())));
                let claims = stored.claims.iter().map(|(name, value)| (name.clone(), json!(value)));
                put("kind", json!("api-key"));
                put("origins", Value::Object(origins.collect()));
                if !stored.claims.is_empty() {
                    put("claims", Value::Object(claims.collect()));
                }
                put("secret", Value::Object(secret));
            }
        }
        if let Some(created_at) = &self.created_at {
            put("created_at", json!(created_at));
        }
        entry.extend(self.rest.0.clone());
        Value::Object(entry)
    }
}

impl StoredKey {
    fn parse(entry: &mut Fields) -> Result<Self, Fault> {
        let mut secret = entry.object("secret")?;
        let key = secret.text("key")?.into();
        let named = entry.object("origins")?.texts()?;
        if named.is_empty() {
            return Err(entry.fault("origins", "names no address: the credential could go nowhere"));
        }
        let parse = |(name, url): (String, String)| match url.parse::<Origin>() {
            Ok(origin) => Ok((name, origin)),
            Err(error) => Err(entry.fault(&format!("origins.{name}"), &format!("is refused: {error}"))),
        };
        let origins = named.into_iter().map(parse).collect::<Result<_, _>>()?;
        let claims = if entry.has("claims") { entry.object("claims")?.texts()? } else { Vec::new() };
        Ok(StoredKey { key, origins, claims, rest: secret.rest() })
    }
}

/// Whether a text can be an account's label.
pub fn is_label(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._@+-".contains(&byte))
}

/// An object that is being read: members leave it as they are understood, so that what is left can be kept.
struct Fields {
    place: String,
    map: Map<String, Value>,
}

impl Fields {
    fn of(place: &str, value: Value) -> Result<Self, Fault> {
        match value {
            Value::Object(map) => Ok(Fields { place: place.to_owned(), map }),
            _ => {
                let place = if place.is_empty() { "(the whole file)" } else { place };
                Err(Fault::Shape { place: place.to_owned(), what: "is not an object".to_owned() })
            }
        }
    }

    fn has(&self, name: &str) -> bool {
        self.map.contains_key(name)
    }

    fn take<T>(&mut self, name: &str, what: &str, read: impl FnOnce(&Value) -> Option<T>) -> Result<T, Fault> {
        // `shift_remove` keeps the order of the others.
        self.map.shift_remove(name).and_then(|value| read(&value)).ok_or_else(|| self.fault(name, what))
    }

    fn text(&mut self, name: &str) -> Result<String, Fault> {
        self.take(name, "is missing or not a text", |value| value.as_str().map(str::to_owned))
    }

    fn object(&mut self, name: &str) -> Result<Fields, Fault> {
        let map = self.take(name, "is missing or not an object", |value| value.as_object().cloned())?;
        Ok(Fields { place: self.place_of(name), map })
    }

    fn texts(mut self) -> Result<Vec<(String, String)>, Fault> {
        let names: Vec<String> = self.map.keys().cloned().collect();
        names.into_iter().map(|name| self.text(&name).map(|text| (name, text))).collect()
    }

    fn rest(self) -> Rest {
        Rest(self.map)
    }

    fn place_of(&self, name: &str) -> String {
        if self.place.is_empty() { name.to_owned() } else { format!("{}.{name}", self.place) }
    }

    fn fault(&self, name: &str, what: &str) -> Fault {
        Fault::Shape { place: self.place_of(name), what: what.to_owned() }
    }
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

#[cfg(test)]
mod tests;
