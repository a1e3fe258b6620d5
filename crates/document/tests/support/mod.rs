//! Random JSON for the tests of this folder: values, and the many ways in which one value can be spelled.

use proptest::{collection::vec, prelude::*};
use serde_json::{Map, Value};

/// Any JSON object. Numbers are integers: how a float reads back is serde_json's business.
pub(crate) fn object() -> impl Strategy<Value = Value> {
    vec((key(), value()), 0..6).prop_map(|members| Value::Object(Map::from_iter(members)))
}

/// Any JSON value.
pub(crate) fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        r#"[\\"{}\[\],: a-c]{0,90}"#.prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 60, 7, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..7).prop_map(Value::from),
            vec((key(), inner), 0..7).prop_map(|members| Value::Object(Map::from_iter(members))),
        ]
    })
}

/// Keys that often meet each other, and now and then need escapes.
fn key() -> impl Strategy<Value = String> {
    prop_oneof![4 => "[a-d]", 1 => "[0-3]", 1 => any::<String>(), 1 => r#"[~/\\"a]{0,3}"#]
}

/// Choices of how to spell a value.
pub(crate) fn noise() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 1..64)
}

/// Spells a value with white space and escapes that the noise picks.
pub(crate) fn spelled(value: &Value, noise: &[u8]) -> String {
    let mut writer = Writer { out: String::new(), noise: noise.iter().copied().cycle() };
    writer.padded(value);
    writer.out
}

struct Writer<N> {
    out: String,
    noise: N,
}

impl<N: Iterator<Item = u8>> Writer<N> {
    fn roll(&mut self) -> u8 {
        self.noise.next().unwrap_or(0)
    }

    fn space(&mut self) {
        let space = ["", "", "", " ", "\n", "\t", "\r\n", "  "][usize::from(self.roll() % 8)];
        self.out.push_str(space);
    }

    fn padded(&mut self, value: &Value) {
        self.space();
        match value {
            Value::Array(items) => {
                self.out.push('[');
                for (index, item) in items.iter().enumerate() {
                    self.comma(index);
                    self.padded(item);
                }
                self.close(']', items.is_empty());
            }
            Value::Object(members) => {
                self.out.push('{');
                for (index, (key, member)) in members.iter().enumerate() {
                    self.comma(index);
                    self.space();
                    self.string(key);
                    self.space();
                    self.out.push(':');
                    self.padded(member);
                }
                self.close('}', members.is_empty());
            }
            Value::String(text) => self.string(text),
            scalar => self.out.push_str(&scalar.to_string()),
        }
        self.space();
    }

    fn comma(&mut self, index: usize) {
        if index > 0 {
            self.out.push(',');
        }
    }

    fn close(&mut self, bracket: char, empty: bool) {
        if empty {
            self.space();
        }
        self.out.push(bracket);
    }

    fn string(&mut self, text: &str) {
        self.out.push('"');
        for character in text.chars() {
            if self.roll().is_multiple_of(8) {
                let mut units = [0; 2];
                for unit in character.encode_utf16(&mut units) {
                    self.out.push_str(&format!("\\u{unit:04X}"));
                }
            } else {
                let quoted = Value::from(character.to_string()).to_string();
                self.out.push_str(&quoted[1..quoted.len() - 1]);
            }
        }
        self.out.push('"');
    }
}

/// Every value inside a value, with its pointer.
pub(crate) fn pointers(value: &Value) -> Vec<(String, Value)> {
    let mut found = vec![(String::new(), value.clone())];
    let mut next = 0;
    while let Some((pointer, value)) = found.get(next).cloned() {
        match value {
            Value::Array(items) => {
                found.extend(items.into_iter().enumerate().map(|(index, item)| (format!("{pointer}/{index}"), item)));
            }
            Value::Object(members) => found.extend(
                members
                    .into_iter()
                    .map(|(key, member)| (format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1")), member)),
            ),
            _ => {}
        }
        next += 1;
    }
    found
}
