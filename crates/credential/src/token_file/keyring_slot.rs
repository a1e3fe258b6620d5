//! Where the secrets of an entry are: in the file, or in the keyring under a name that the file has.
//!
//! ```json
//! "secret": { "in": "keyring", "name": "3fa9…/openai-codex@work", "revision": 1769850000000,
//!             "pieces": { "access_token": 2, "refresh_token": 1, "id_token": 2 } }
//! ```
//!
//! A revision is written once, before a file names it, and erased after no file does: so whatever a file names is whole,
//! and two equal [`KeyringSlot`] stand for equal secrets.

use serde_json::{Map, Value, json};

use super::fields::Fields;
use super::{Fault, object};

/// The secrets of one entry, as they are kept in the keyring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyringSlot {
    /// Of which entry of which folder.
    pub name: String,
    /// Counts up with each change. It begins with the time, so that it does not come again after a logout.
    pub revision: u64,
    /// The names of the secrets, and in how many pieces each is.
    pub pieces: Vec<(String, u64)>,
}

/// Where an entry's secrets are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum SecretLocation {
    /// In the file.
    #[default]
    File,
    /// In the keyring.
    Keyring {
        /// Under these names.
        slot: KeyringSlot,
        /// Why they could not be read: then the entry has none.
        out_of_reach: Option<String>,
    },
}

impl KeyringSlot {
    /// The names in the keyring, by secret and in order.
    pub fn accounts(&self) -> impl Iterator<Item = (&str, impl Iterator<Item = String>)> {
        self.pieces.iter().map(|(secret, pieces)| (secret.as_str(), (0..*pieces).map(|at| self.account(secret, at))))
    }

    /// The name of one piece.
    pub fn account(&self, secret: &str, at: u64) -> String {
        format!("{}#{}/{secret}.{at}", self.name, self.revision)
    }

    pub(super) fn to_json(&self) -> Value {
        let pieces: Map<String, Value> =
            self.pieces.iter().map(|(name, pieces)| (name.clone(), json!(pieces))).collect();
        json!({ "in": "keyring", "name": self.name, "revision": self.revision, "pieces": pieces })
    }

    /// What an entry's `secret` says, if it says that they are in the keyring.
    pub(super) fn of(entry: &mut Fields) -> Result<Option<Self>, Fault> {
        if !entry.is_object_with("secret", "in", "keyring") {
            return Ok(None);
        }
        let mut secret = entry.object("secret")?;
        let number = |value: &Value| value.as_u64();
        let (name, revision) = (secret.text("name")?, secret.take("revision", "is not a whole number", number)?);
        let pieces = secret.take("pieces", "is not an object of whole numbers", |pieces| {
            pieces.as_object()?.iter().map(|(name, pieces)| Some((name.clone(), pieces.as_u64()?))).collect()
        })?;
        Ok(Some(KeyringSlot { name, revision, pieces }))
    }
}

/// What an entry of this kind has in the place of secrets that are out of reach: nothing that could be sent.
pub(super) fn none(kind: &str) -> Map<String, Value> {
    match kind {
        "api-key" => object(json!({ "key": "" })),
        "oauth" => object(json!({ "access_token": "" })),
        _ => Map::new(),
    }
}
