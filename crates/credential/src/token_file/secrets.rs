//! Several stored secrets that are one credential, or a key file.

use bitrouter_contract::Origin;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};

use super::fields::Fields;
use super::{Fault, put_binding};

/// The kinds of entries that hold several secrets: the methods of a description, as it names them.
pub(super) const METHODS: [&str; 5] = ["keys", "basic", "aws-sigv4", "google-service-account", "exchange"];

/// Stored secrets of one credential.
///
/// ```json
/// { "provider": "bedrock", "label": "default", "kind": "aws-sigv4",
///   "origins": { "api": "https://bedrock-runtime.us-east-1.amazonaws.com" },
///   "secret": { "access_key_id": "AKIA…", "secret_access_key": "…" } }
/// ```
#[derive(Clone, Debug)]
pub struct StoredSecrets {
    /// What they are for, as the description names it.
    pub method: String,
    /// By name.
    pub secrets: Vec<(String, SecretString)>,
    /// The origins that were accepted when they were stored, by name. At least one.
    pub origins: Vec<(String, Origin)>,
    /// What is known of the account, none of it secret.
    pub claims: Vec<(String, String)>,
}

impl StoredSecrets {
    /// Secrets for this method, bound to these origins.
    pub fn new(method: &str, secrets: Vec<(String, SecretString)>, origins: Vec<(String, Origin)>) -> Self {
        StoredSecrets { method: method.to_owned(), secrets, origins, claims: Vec::new() }
    }

    /// The recorded origin of this name.
    pub fn origin(&self, name: &str) -> Option<&Origin> {
        self.origins.iter().find(|(known, _)| known == name).map(|(_, origin)| origin)
    }

    pub(super) fn parse(method: &str, entry: &mut Fields) -> Result<Self, Fault> {
        let secrets = entry.object("secret")?.texts()?;
        let secrets = secrets.into_iter().map(|(name, text)| (name, SecretString::from(text))).collect();
        let (origins, claims) = (entry.origins()?, entry.claims()?);
        Ok(StoredSecrets { method: method.to_owned(), secrets, origins, claims })
    }

    pub(super) fn put(&self, entry: &mut Map<String, Value>) {
        let secrets = self.secrets.iter().map(|(name, secret)| (name.clone(), json!(secret.expose_secret())));
        let secret = secrets.collect();
        put_binding(entry, &self.origins, &self.claims);
        entry.insert("secret".into(), Value::Object(secret));
    }
}
