//! YAML as a tree in which every key and value knows its line and column.
//!
//! The reader walks it into the sections. Sizes and alias bombs are bounded here; a secret in the text never
//! reaches an error, and the tree has no `Debug`.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{Error, Spanned};

use super::{Fault, Problem};

/// A line and a column of the config file, both counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Position {
    /// The line.
    pub line: u32,
    /// The column, in characters.
    pub column: u32,
}

/// A value and where it stands.
pub(super) struct Node {
    pub position: Position,
    pub value: Value,
}

impl Node {
    /// A key with its value, where this is a mapping that has it.
    pub(crate) fn entry(&self, key: &str) -> Option<&(Name, Node)> {
        match &self.value {
            Value::Map(entries) => entries.iter().find(|(name, _)| name.text == key),
            _ => None,
        }
    }

    /// The value of a key of a section.
    pub(crate) fn value_of(&self, section: &str, key: &str) -> Option<&Node> {
        let (_, section) = self.entry(section)?;
        section.entry(key).map(|(_, node)| node)
    }
}

/// A key of a mapping and where it stands.
pub(super) struct Name {
    pub position: Position,
    pub text: String,
}

/// What YAML can say.
pub(super) enum Value {
    Null,
    Bool(bool),
    Integer(i64),
    Float(f64),
    Text(String),
    List(Vec<Node>),
    Map(Vec<(Name, Node)>),
}

/// Parses one document. Duplicate keys, several documents and unbounded aliases are problems.
pub(super) fn parse(text: &str) -> Result<Node, Problem> {
    let options = serde_saphyr::options! {
        // A snippet would show the lines around, and with them a key.
        with_snippet: false,
        strict_booleans: true,
        // A config is some 10 levels deep and has some 1,000 values.
        budget: serde_saphyr::budget! {
            max_depth: 32,
            max_nodes: 50_000,
            max_aliases: 1_000,
            max_anchors: 1_000,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: 50_000,
            max_replay_stack_depth: 8,
        },
    };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| Problem {
        position: error.location().map(position).unwrap_or_default(),
        fault: fault(error.without_snippet()),
    })
}

fn fault(error: &Error) -> Fault {
    match error {
        Error::AliasError { error, .. } => fault(error.without_snippet()),
        Error::DuplicateMappingKey { key, .. } => Fault::DuplicateKey(key.clone().unwrap_or_default()),
        Error::MultipleDocuments { .. } => Fault::SeveralDocuments,
        Error::Budget { .. }
        | Error::AliasReplayLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. } => Fault::TooComplex,
        other => Fault::Yaml(without_position(&other.to_string())),
    }
}

/// The parser ends its sentences with the place, which a problem shows in front.
fn without_position(message: &str) -> String {
    message.split(" at line ").next().unwrap_or(message).to_owned()
}

fn position(location: serde_saphyr::Location) -> Position {
    let [line, column] = [location.line(), location.column()].map(|at| u32::try_from(at).unwrap_or(u32::MAX));
    Position { line, column }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Spanned { value, referenced, .. } = Spanned::<Value>::deserialize(deserializer)?;
        Ok(Node { position: position(referenced), value })
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Spanned { value, referenced, .. } = Spanned::<String>::deserialize(deserializer)?;
        Ok(Name { position: position(referenced), text: value })
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue)
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Integer(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        // No number in a config comes near; the bounds of its key refuse it either way.
        Ok(Value::Integer(i64::try_from(value).unwrap_or(i64::MAX)))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::Float(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            map.push(entry);
        }
        Ok(Value::Map(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        match parse(text) {
            Ok(_) => panic!("{text:?} was parsed"),
            Err(Problem { position, fault }) => format!("{}:{}: {fault}", position.line, position.column),
        }
    }

    #[test]
    fn keys_and_values_know_their_positions() {
        let Value::Map(top) = parse("server:\n  listen: here\n").ok().unwrap().value else { panic!() };
        let (server, block) = &top[0];
        assert_eq!((server.text.as_str(), server.position), ("server", Position { line: 1, column: 1 }));
        let Value::Map(inner) = &block.value else { panic!() };
        assert_eq!(inner[0].0.position, Position { line: 2, column: 3 });
        assert_eq!(inner[0].1.position, Position { line: 2, column: 11 });
    }

    #[test]
    fn what_is_not_yaml_is_refused_at_its_place() {
        assert_eq!(refused("a: [1\n"), "1:4: this is not YAML: unclosed bracket '['");
        assert_eq!(refused("a: 1\nb: 2\na: 3\n"), "3:1: the key `a` is here for the second time: keep one of them");
        assert_eq!(refused("a: 1\n---\nb: 2\n"), "3:1: a second document begins here: a config is one document");
    }

    #[test]
    fn an_alias_bomb_is_refused() {
        let mut bomb = String::from("a: &a [x, x, x, x, x, x, x, x]\n");
        for (name, of) in ('b'..='k').zip('a'..) {
            let aliases = vec![format!("*{of}"); 8].join(", ");
            bomb += &format!("{name}: &{name} [{aliases}]\n");
        }
        assert!(refused(&bomb).contains("too deep or too large"), "{}", refused(&bomb));
    }

    #[test]
    fn deep_nesting_is_refused() {
        let deep = format!("a: {}{}\n", "[".repeat(5_000), "]".repeat(5_000));
        assert!(refused(&deep).starts_with("1:"));
    }

    #[test]
    fn a_broken_line_with_a_key_in_it_is_not_shown() {
        for text in
            ["api_key: \"sk-secret\\q\"\n", "api_key: 'sk-secret\n", "api_key: !!int sk-secret\n", "a: {sk-secret: [}"]
        {
            assert!(!refused(text).contains("secret"), "{}", refused(text));
        }
    }
}
