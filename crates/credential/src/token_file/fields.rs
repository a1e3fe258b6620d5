//! Reading an object of the token file, member by member, and keeping what was not read.

use std::fmt;

use bitrouter_contract::Origin;
use bitrouter_files::{NotATime, Timestamp};
use secrecy::SecretString;
use serde_json::{Map, Value};

use super::super::wipe::Wiped;
use super::Fault;

/// Members that are kept as they are. They may be secret, so `Debug` shows their names alone.
#[derive(Clone, Default)]
pub(super) struct Rest(pub(super) Map<String, Value>);

impl fmt::Debug for Rest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.keys()).finish()
    }
}

/// An object that is being read: members leave it as they are understood, so that what is left can be kept.
pub(super) struct Fields {
    place: String,
    map: Map<String, Value>,
}

impl Fields {
    /// Of all that a file holds.
    pub(super) fn of_file(value: Value) -> Result<Self, Fault> {
        match value {
            Value::Object(map) => Ok(Fields { place: String::new(), map }),
            Value::Array(_) => Err(Fault::Another("a list")),
            Value::String(_) => Err(Fault::Another("a text")),
            Value::Number(_) => Err(Fault::Another("a number")),
            Value::Bool(_) => Err(Fault::Another("true or false")),
            Value::Null => Err(Fault::Another("null")),
        }
    }

    pub(super) fn of(place: &str, value: Value) -> Result<Self, Fault> {
        match value {
            Value::Object(map) => Ok(Fields { place: place.to_owned(), map }),
            _ => Err(Fault::Shape { place: place.to_owned(), what: "is not an object".to_owned() }),
        }
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.map.contains_key(name)
    }

    /// Whether a member is an object that says so.
    pub(super) fn is_object_with(&self, name: &str, member: &str, text: &str) -> bool {
        self.map.get(name).and_then(|value| value.get(member)?.as_str()) == Some(text)
    }

    /// Puts another value in a member's place.
    pub(super) fn set(&mut self, name: &str, value: Value) {
        self.map.insert(name.to_owned(), value);
    }

    pub(super) fn take<T>(
        &mut self,
        name: &str,
        what: &str,
        read: impl FnOnce(&Value) -> Option<T>,
    ) -> Result<T, Fault> {
        // `shift_remove` keeps the order of the others.
        let value = self.map.shift_remove(name).map(Wiped);
        value.and_then(|value| read(&value.0)).ok_or_else(|| self.fault(name, what))
    }

    pub(super) fn text(&mut self, name: &str) -> Result<String, Fault> {
        self.take(name, "is missing or not a text", |value| value.as_str().map(str::to_owned))
    }

    pub(super) fn secret(&mut self, name: &str) -> Result<SecretString, Fault> {
        self.text(name).map(SecretString::from)
    }

    pub(super) fn time(&mut self, name: &str) -> Result<Timestamp, Fault> {
        let text = self.text(name)?;
        text.parse().map_err(|error: NotATime| self.fault(name, &error.to_string()))
    }

    /// A member that may be missing.
    pub(super) fn maybe<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(&mut Self, &str) -> Result<T, Fault>,
    ) -> Result<Option<T>, Fault> {
        if self.has(name) { read(self, name).map(Some) } else { Ok(None) }
    }

    /// The origins that a credential is bound to, by name; at least one.
    pub(super) fn origins(&mut self) -> Result<Vec<(String, Origin)>, Fault> {
        let named = self.object("origins")?.texts()?;
        if named.is_empty() {
            return Err(self.fault("origins", "names no address: the credential could go nowhere"));
        }
        let parse = |(name, url): (String, String)| match url.parse::<Origin>() {
            Ok(origin) => Ok((name, origin)),
            Err(error) => Err(self.fault(&format!("origins.{name}"), &format!("is refused: {error}"))),
        };
        named.into_iter().map(parse).collect()
    }

    /// What is known of the account; nothing where nothing is said.
    pub(super) fn claims(&mut self) -> Result<Vec<(String, String)>, Fault> {
        Ok(self.maybe("claims", Fields::object)?.map(Fields::texts).transpose()?.unwrap_or_default())
    }

    pub(super) fn object(&mut self, name: &str) -> Result<Fields, Fault> {
        let map = self.take(name, "is missing or not an object", |value| value.as_object().cloned())?;
        Ok(Fields { place: self.place_of(name), map })
    }

    pub(super) fn texts(mut self) -> Result<Vec<(String, String)>, Fault> {
        let names: Vec<String> = self.map.keys().cloned().collect();
        names.into_iter().map(|name| self.text(&name).map(|text| (name, text))).collect()
    }

    pub(super) fn rest(self) -> Rest {
        Rest(self.map)
    }

    fn place_of(&self, name: &str) -> String {
        if self.place.is_empty() { name.to_owned() } else { format!("{}.{name}", self.place) }
    }

    pub(super) fn fault(&self, name: &str, what: &str) -> Fault {
        Fault::Shape { place: self.place_of(name), what: what.to_owned() }
    }
}
