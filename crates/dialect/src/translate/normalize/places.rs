//! Calls that their client gives no id: some clients of generateContent echo none. Such a call is known by its place, which is
//! all that was said before it, by how many calls stand before it in its turn, and by what it calls with which arguments.
//! `states` finds by it what was kept of a call, and the answer's translation keeps by it.

use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::Value;

use crate::translate::request::{Arguments, Role, Turn};
use crate::translate::writer::unescaped;

/// What was said before each turn, and before a turn behind the last.
pub(super) fn histories(turns: &[Turn<'_>]) -> Vec<u64> {
    // The same in every process of a version; another one finds nothing of what was kept.
    let mut hasher = DefaultHasher::new();
    let mut before = Vec::with_capacity(turns.len() + 1);
    for turn in turns {
        before.push(hasher.finish());
        (turn.role == Role::Assistant).hash(&mut hasher);
        turn.parts.iter().for_each(|part| part.raw.hash(&mut hasher));
    }
    before.push(hasher.finish());
    before
}

/// What stands in the place of an id.
pub(crate) fn key(history: u64, before: u64, name: &[u8], arguments: &[u8]) -> String {
    let mut hasher = DefaultHasher::new();
    before.hash(&mut hasher);
    unescaped(name).unwrap_or_default().hash(&mut hasher);
    match serde_json::from_slice(arguments) {
        Ok(value) => same_however_written(&value, &mut hasher),
        Err(_) => arguments.hash(&mut hasher),
    }
    format!("place:{history:016x}:{:016x}", hasher.finish())
}

/// The arguments of a call as JSON, if they are any.
pub(super) fn json_of(arguments: &Arguments<'_>) -> Vec<u8> {
    match arguments {
        Arguments::Text(text) | Arguments::Free(text) => unescaped(text).unwrap_or_default().into_owned().into_bytes(),
        Arguments::Object(object) => object.to_vec(),
    }
}

/// Clients write numbers anew, and some put members in order.
fn same_however_written(value: &Value, hasher: &mut DefaultHasher) {
    match value {
        Value::Null => 0.hash(hasher),
        Value::Bool(value) => (1, value).hash(hasher),
        Value::Number(number) => (2, number.as_f64().unwrap_or_default().to_bits()).hash(hasher),
        Value::String(text) => (3, text).hash(hasher),
        Value::Array(items) => {
            (4, items.len()).hash(hasher);
            items.iter().for_each(|item| same_however_written(item, hasher));
        }
        Value::Object(members) => {
            (5, members.len()).hash(hasher);
            let mut members: Vec<_> = members.iter().collect();
            members.sort_unstable_by_key(|(name, _)| *name);
            for (name, value) in members {
                name.hash(hasher);
                same_however_written(value, hasher);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_the_same_however_they_are_written() {
        let of = |arguments: &str| key(1, 0, b"read", arguments.as_bytes());
        let one = of(r#"{"path":"\u00e9","n":1.0,"deep":[{"b":1,"a":2}]}"#);
        assert_eq!(one, of(r#"{ "deep": [{"a":2,"b":1}], "n": 1, "path": "é" }"#));
        for other in [r#"{"path":"é","n":2,"deep":[{"b":1,"a":2}]}"#, "{}", "", "no JSON"] {
            assert_ne!(one, of(other), "{other}");
        }
        assert_ne!(of("{}"), key(2, 0, b"read", b"{}"));
        assert_ne!(of("{}"), key(1, 1, b"read", b"{}"));
        assert_ne!(of("{}"), key(1, 0, b"write", b"{}"));
    }
}
