//! The public keys of those whose signatures mean something to the user, by names of the user's own.

use std::collections::BTreeMap;

use bitrouter_plugin::trust::signature;
use serde_json::json;

use super::kinds::{Kind, Takes, text};
use super::read::{Entry, ReadResult, Reader, join};
use super::tree::Value;

/// Keys by name.
pub(super) struct SignerKeys;

const EXAMPLE: &str =
    "public keys of minisign by name, such as `acme: RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3`";

impl Kind for SignerKeys {
    type Value = BTreeMap<String, String>;

    fn read(&self, entry: &Entry<'_>, reader: &mut Reader<'_>) -> ReadResult<Self::Value> {
        let Value::Map(keys) = &entry.node.value else { return Err(entry.wrong(EXAMPLE)) };
        let key = |(name, node): &(super::tree::Name, _)| {
            let below = join(entry.key, &name.text);
            let below = Entry { key: &below, position: name.position, node };
            let text = reader.text(&below, EXAMPLE)?.text;
            match signature::public_key(&text) {
                Ok(_) => Ok((name.text.clone(), text.trim().to_owned())),
                Err(_) => Err(below.wrong("a public key of minisign, which begins with RW")),
            }
        };
        keys.iter().map(key).collect()
    }

    fn shown(&self, value: &Self::Value) -> String {
        let keys: Vec<String> = value.iter().map(|(name, key)| format!("{name}: \"{key}\"")).collect();
        format!("{{{}}}", keys.join(", "))
    }

    fn takes(&self) -> Takes {
        Takes::new("keys by name", json!({ "type": "object", "additionalProperties": text() }))
    }
}
