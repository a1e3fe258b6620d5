//! A stored API key.

use bitrouter_contract::Origin;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};

use super::fields::{Fields, Rest};
use super::{Fault, object, put_binding};

/// A stored API key.
#[derive(Clone, Debug)]
pub struct StoredKey {
    /// The key.
    pub key: SecretString,
    /// The origins that were accepted when it was stored, by name. At least one.
    pub origins: Vec<(String, Origin)>,
    /// What is known of the account, none of it secret.
    pub claims: Vec<(String, String)>,
    rest: Rest,
}

impl StoredKey {
    /// A key, bound to these origins.
    pub fn new(key: SecretString, origins: Vec<(String, Origin)>) -> Self {
        StoredKey { key, origins, claims: Vec::new(), rest: Rest::default() }
    }

    pub(super) fn parse(entry: &mut Fields) -> Result<Self, Fault> {
        let mut secret = entry.object("secret")?;
        let key = secret.secret("key")?;
        Ok(StoredKey { key, origins: entry.origins()?, claims: entry.claims()?, rest: secret.rest() })
    }

    pub(super) fn put(&self, entry: &mut Map<String, Value>) {
        let mut secret = object(json!({ "key": self.key.expose_secret() }));
        secret.extend(self.rest.0.clone());
        put_binding(entry, &self.origins, &self.claims);
        entry.insert("secret".into(), Value::Object(secret));
    }
}
