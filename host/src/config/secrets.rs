//! Kinds of keys that hold secrets: what they hold is in no error, no log and no `Debug`.

use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::Fault;
use super::kinds::{Kind, Takes, text};
use super::read::{Entry, ReadResult, Reader};
use super::tree::Value;

/// A secret of the config. Two can be compared, for a reload that has to know whether one has changed.
#[derive(Clone, Debug)]
pub struct Secret(SecretString);

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.0.expose_secret() == other.0.expose_secret()
    }
}

impl std::ops::Deref for Secret {
    type Target = SecretString;

    fn deref(&self) -> &SecretString {
        &self.0
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Secret(text.into())
    }
}

/// The API key of a provider.
pub(super) struct ApiKey;

impl Kind for ApiKey {
    type Value = Secret;

    fn read(&self, entry: &Entry<'_>, reader: &mut Reader<'_>) -> ReadResult<Secret> {
        let text = reader.text(entry, "text: put the key in quotes")?;
        // It becomes part of a header: RFC 9110, section 5.5, without the spaces nobody has in a key.
        if !text.text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(entry.problem(|key| Fault::SecretCharacter { key }));
        }
        reader.literal_secret |= !text.expanded;
        Ok(Secret(text.text.into()))
    }

    fn takes(&self) -> Takes {
        Takes::text("text")
    }
}

/// A program with its arguments.
pub(super) struct Argv;

impl Kind for Argv {
    type Value = Vec<String>;

    fn read(&self, entry: &Entry<'_>, reader: &mut Reader<'_>) -> ReadResult<Self::Value> {
        const TAKES: &str = "a list: the program, then each of its arguments. It is run without a shell";
        // One text would be split by nobody.
        if !matches!(entry.node.value, Value::List(_)) {
            return Err(entry.wrong(TAKES));
        }
        let argv =
            entry.items().map(|item| Ok(reader.text(&item, TAKES)?.text)).collect::<ReadResult<Vec<String>>>()?;
        if argv.first().is_none_or(String::is_empty) { Err(entry.wrong(TAKES)) } else { Ok(argv) }
    }

    fn takes(&self) -> Takes {
        Takes::new("a list of texts", json!({ "type": "array", "items": text(), "minItems": 1 }))
    }
}

/// The keys that clients have to send.
pub(super) struct ClientKeys;

impl ClientKeys {
    /// The shortest. 16 random letters and digits are 95 bits, out of reach of guessing over HTTP.
    const SHORTEST_KEY: usize = 16;
}

impl Kind for ClientKeys {
    type Value = Vec<Secret>;

    fn read(&self, entry: &Entry<'_>, reader: &mut Reader<'_>) -> ReadResult<Self::Value> {
        if !matches!(entry.node.value, Value::List(_)) {
            return Err(entry.wrong("a list of keys, each on a line of its own after `- `"));
        }
        let keys = entry.items().map(|item| {
            let key = ApiKey.read(&item, reader)?;
            match key.expose_secret().len() < Self::SHORTEST_KEY {
                true => Err(item.problem(|key| Fault::ShortKey { key, min: Self::SHORTEST_KEY })),
                false => Ok(key),
            }
        });
        keys.collect()
    }

    fn shown(&self, _: &Self::Value) -> String {
        "[]".to_owned()
    }

    fn takes(&self) -> Takes {
        Takes::new("a list of texts", json!({ "type": "array", "items": text() }))
    }
}
