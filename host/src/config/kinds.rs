//! What keys take: how a value is read, how it is written, and what it says of itself in the schema and the reference.
//!
//! `keys.rs` names a kind for each key. A kind knows nothing of where its value goes; what is refused comes back with its
//! place, and the reader goes on.

use std::fmt;
use std::time::Duration;

use bitrouter_route::nearest::nearest;
use serde_json::{Map, Value as Json, json};

use super::Fault;
use super::read::{Entry, ReadResult, Reader};
use super::tree::Value;

/// How the value of a key is read and described.
pub(super) trait Kind {
    type Value;
    fn read(&self, entry: &Entry<'_>, reader: &mut Reader<'_>) -> ReadResult<Self::Value>;
    fn takes(&self) -> Takes;
    /// As it would be written; empty where that is nothing, and for secrets.
    fn shown(&self, _: &Self::Value) -> String {
        String::new()
    }
}

/// What a key takes.
pub(super) struct Takes {
    /// In a few words, for the reference.
    pub words: String,
    /// As JSON Schema.
    pub schema: Map<String, Json>,
    /// What could be written, where what holds without the key is nothing.
    pub example: &'static str,
}

impl Takes {
    pub(crate) fn new(words: impl Into<String>, schema: Json) -> Self {
        let schema = if let Json::Object(schema) = schema { schema } else { Map::new() };
        Takes { words: words.into(), schema, example: "" }
    }

    pub(crate) fn text(words: &str) -> Self {
        Takes::new(words, text())
    }

    /// A list of what an item takes, or one of them.
    pub(crate) fn list(item: &Takes) -> Self {
        let schema = &item.schema;
        let words = format!("{}, or a list", item.words);
        Takes::new(words, json!({ "anyOf": [schema, { "type": "array", "items": schema }] }))
    }
}

/// A list of texts as it would be written.
pub(super) fn list(items: impl Iterator<Item = String>) -> String {
    let items: Vec<String> = items.map(|item| format!("\"{item}\"")).collect();
    format!("[{}]", items.join(", "))
}

pub(super) fn text() -> Json {
    json!({ "type": "string", "minLength": 1 })
}

fn variable() -> Json {
    json!({ "type": "string", "pattern": r"\$\{" })
}

/// `true` or `false`, or a variable that says so.
pub(super) struct Flag;

impl Kind for Flag {
    type Value = bool;

    fn read(&self, entry: &Entry<'_>, reader: &mut Reader<'_>) -> ReadResult<bool> {
        let takes = self.takes().words;
        if let Value::Bool(value) = entry.node.value {
            return Ok(value);
        }
        let text = reader.text(entry, &takes)?;
        let value = text.expanded.then(|| text.text.parse().ok()).flatten();
        value.ok_or_else(|| entry.wrong(&takes))
    }

    fn shown(&self, value: &bool) -> String {
        value.to_string()
    }

    fn takes(&self) -> Takes {
        Takes::new("`true` or `false`", json!({ "anyOf": [{ "type": "boolean" }, variable()] }))
    }
}

/// The bounds of a number, and where they come from.
struct Bounds {
    min: u64,
    max: u64,
    why: &'static str,
}

impl Bounds {
    fn check(&self, entry: &Entry<'_>, number: Option<u64>) -> ReadResult<u64> {
        let &Bounds { min, max, why } = self;
        let within = number.filter(|number| (min..=max).contains(number));
        within.ok_or_else(|| entry.problem(|key| Fault::OutOfBounds { key, min, max, why }))
    }

    fn schema(&self) -> Json {
        json!({ "type": "integer", "minimum": self.min, "maximum": self.max })
    }
}

/// A whole number that stands for a `T`, or a variable that holds one.
pub(super) struct Whole<T> {
    bounds: Bounds,
    of: fn(u64) -> T,
    number: fn(&T) -> u64,
}

/// A number that is what it says.
pub(super) fn whole(min: u64, max: u64, why: &'static str) -> Whole<u64> {
    Whole { bounds: Bounds { min, max, why }, of: |number| number, number: |value| *value }
}

/// A number of MiB, for a value in bytes.
pub(super) fn mebibytes(min: u64, max: u64, why: &'static str) -> Whole<u64> {
    Whole { bounds: Bounds { min, max, why }, of: |number| number << 20, number: |value| value >> 20 }
}

/// A number of milliseconds.
pub(super) fn millis(min: u64, max: u64, why: &'static str) -> Whole<Duration> {
    let number = |value: &Duration| u64::try_from(value.as_millis()).unwrap_or(u64::MAX);
    Whole { bounds: Bounds { min, max, why }, of: Duration::from_millis, number }
}

impl<T> Kind for Whole<T> {
    type Value = T;

    fn read(&self, entry: &Entry<'_>, reader: &mut Reader<'_>) -> ReadResult<T> {
        const TAKES: &str = "a whole number";
        let number = match entry.node.value {
            Value::Integer(number) => u64::try_from(number).ok(),
            _ => {
                let text = reader.text(entry, TAKES)?;
                let number = text.expanded.then(|| text.text.parse().ok()).flatten();
                Some(number.ok_or_else(|| entry.wrong(TAKES))?)
            }
        };
        self.bounds.check(entry, number).map(self.of)
    }

    fn shown(&self, value: &T) -> String {
        (self.number)(value).to_string()
    }

    fn takes(&self) -> Takes {
        let words = format!("{} to {}", self.bounds.min, self.bounds.max);
        Takes::new(words, json!({ "anyOf": [self.bounds.schema(), variable()] }))
    }
}

/// The units of a size. Decimal and binary ones are told apart as the SI and the IEC have them.
const UNITS: &[(&str, u64)] = &[
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("KB", 1000),
    ("kB", 1000),
    ("B", 1),
    ("", 1),
];

/// Bytes: a number, or one with a unit.
pub(super) struct Size(Bounds);

pub(super) fn size(min: u64, max: u64, why: &'static str) -> Size {
    Size(Bounds { min, max, why })
}

impl Kind for Size {
    type Value = u64;

    fn read(&self, entry: &Entry<'_>, reader: &mut Reader<'_>) -> ReadResult<u64> {
        let wrong = || entry.problem(|key| Fault::Size { key });
        let bytes = match entry.node.value {
            Value::Integer(number) => u64::try_from(number).ok(),
            Value::Float(_) => return Err(wrong()),
            _ => {
                let text = reader.text(entry, "a size such as `64MiB`")?;
                Some(bytes(&text.text).ok_or_else(wrong)?)
            }
        };
        self.0.check(entry, bytes)
    }

    fn shown(&self, value: &u64) -> String {
        let unit = UNITS.iter().find(|(_, bytes)| value.is_multiple_of(*bytes));
        unit.map_or_else(String::new, |(unit, bytes)| format!("{}{unit}", value / bytes))
    }

    fn takes(&self) -> Takes {
        let unit = json!({ "type": "string", "pattern": "^[0-9]+ *(B|[kK]B|MB|GB|KiB|MiB|GiB)?$" });
        Takes::new("a size", json!({ "anyOf": [self.0.schema(), unit, variable()] }))
    }
}

/// `64MiB` and the like.
fn bytes(text: &str) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let (_, unit) = UNITS.iter().find(|(name, _)| *name == unit.trim_start())?;
    number.parse::<u64>().ok()?.checked_mul(*unit)
}

/// One of some words.
pub(super) struct Choice<T: 'static> {
    pub words: &'static [&'static str],
    pub of: fn(&str) -> Option<T>,
}

impl<T: PartialEq> Kind for Choice<T> {
    type Value = T;

    fn read(&self, entry: &Entry<'_>, reader: &mut Reader<'_>) -> ReadResult<T> {
        let takes = format!("`{}`", self.words.join("` or `"));
        let text = reader.text(entry, &takes)?.text;
        (self.of)(&text).ok_or_else(|| entry.wrong(&takes))
    }

    fn shown(&self, value: &T) -> String {
        let word = self.words.iter().find(|word| (self.of)(word).as_ref() == Some(value));
        word.map_or_else(String::new, |word| (*word).to_owned())
    }

    fn takes(&self) -> Takes {
        Takes::new(format!("`{}`", self.words.join("`, `")), json!({ "enum": self.words }))
    }
}

/// One of more words than a sentence can hold.
pub(super) struct Word<T: 'static> {
    /// What it is, for the reference.
    pub what: &'static str,
    pub words: &'static [&'static str],
    pub of: fn(&str) -> Option<T>,
    pub to: fn(T) -> &'static str,
}

impl<T: Copy> Kind for Word<T> {
    type Value = T;

    fn read(&self, entry: &Entry<'_>, reader: &mut Reader<'_>) -> ReadResult<T> {
        let word = reader.text(entry, self.what)?.text;
        (self.of)(&word).ok_or_else(|| {
            let near = nearest(&word, self.words.iter().copied(), 1).first().map(|near| (*near).to_owned());
            entry.problem(|key| Fault::UnknownWord { key, word, near, takes: self.words })
        })
    }

    fn shown(&self, value: &T) -> String {
        (self.to)(*value).to_owned()
    }

    fn takes(&self) -> Takes {
        Takes::new(self.what, json!({ "enum": self.words }))
    }
}

/// A text that is parsed.
pub(super) struct Parsed<T> {
    /// What the key takes, for who wrote no text at all.
    pub takes: &'static str,
    /// The same in a few words.
    pub words: &'static str,
    /// What the text of a key is, or what is wrong with it.
    pub of: fn(String, String) -> Result<T, Fault>,
}

impl<T: fmt::Display> Kind for Parsed<T> {
    type Value = T;

    fn read(&self, entry: &Entry<'_>, reader: &mut Reader<'_>) -> ReadResult<T> {
        let text = reader.text(entry, self.takes)?.text;
        (self.of)(entry.key.to_owned(), text).map_err(|fault| entry.problem(|_| fault))
    }

    fn shown(&self, value: &T) -> String {
        value.to_string()
    }

    fn takes(&self) -> Takes {
        Takes::text(self.words)
    }
}

/// A value that need not be there, and what it could be.
pub(super) struct Maybe<K>(pub K, pub &'static str);

impl<K: Kind> Kind for Maybe<K> {
    type Value = Option<K::Value>;

    fn read(&self, entry: &Entry<'_>, reader: &mut Reader<'_>) -> ReadResult<Self::Value> {
        self.0.read(entry, reader).map(Some)
    }

    fn shown(&self, value: &Self::Value) -> String {
        value.as_ref().map_or_else(String::new, |value| self.0.shown(value))
    }

    fn takes(&self) -> Takes {
        Takes { example: self.1, ..self.0.takes() }
    }
}

/// A list of values, or one of them.
pub(super) struct List<K>(pub K);

impl<K: Kind> Kind for List<K> {
    type Value = Vec<K::Value>;

    fn read(&self, entry: &Entry<'_>, reader: &mut Reader<'_>) -> ReadResult<Self::Value> {
        entry.items().map(|item| self.0.read(&item, reader)).collect()
    }

    fn shown(&self, value: &Self::Value) -> String {
        list(value.iter().map(|item| self.0.shown(item)))
    }

    fn takes(&self) -> Takes {
        Takes::list(&self.0.takes())
    }
}

/// Keys and values that somebody else understands.
pub(super) struct Open(pub &'static str);

impl Kind for Open {
    type Value = Map<String, Json>;

    fn read(&self, entry: &Entry<'_>, reader: &mut Reader<'_>) -> ReadResult<Self::Value> {
        match reader.json(entry)? {
            Json::Object(object) => Ok(object),
            _ => Err(entry.wrong(self.0)),
        }
    }

    fn shown(&self, value: &Self::Value) -> String {
        json!(value).to_string()
    }

    fn takes(&self) -> Takes {
        Takes::new("keys", json!({ "type": "object" }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_si_and_iec_units() {
        for (text, expected) in [
            ("1", Some(1)),
            ("64MiB", Some(64 * 1024 * 1024)),
            ("10MB", Some(10_000_000)),
            ("10 MB", Some(10_000_000)),
            ("512KiB", Some(524_288)),
            ("1GB", Some(1_000_000_000)),
            ("7B", Some(7)),
            ("64mb", None),
            ("64M", None),
            ("1.5MiB", None),
            ("MiB", None),
            ("-1", None),
            ("99999999999GiB", None),
        ] {
            assert_eq!(bytes(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_shown_of_a_size_says_the_size() {
        for size in [1, 1000, 1024, 1500, 10_000_000, 64 << 20, 3 << 30] {
            let shown = Size(Bounds { min: 0, max: 0, why: "" }).shown(&size);
            assert_eq!(bytes(&shown), Some(size), "{shown}");
        }
    }
}
