//! The JSON Schema of `bitrouter.yaml`, for editors, made from the table of keys.
//!
//! It is committed as docs/bitrouter.schema.json; a test holds the two together.

use serde_json::{Map, Value, json};

use super::keys::{self, Child, Key, Kind, SECTIONS, State};
use crate::route::asked::MOST;

/// The schema as text, with a line feed at its end.
pub fn json() -> String {
    let mut schema = section("");
    let head = [
        ("$schema", json!("http://json-schema.org/draft-07/schema#")),
        ("title", json!("bitrouter.yaml")),
        ("description", json!("The config of BitRouter. Every key is optional.")),
    ];
    schema.extend(head.map(|(name, value)| (name.to_owned(), value)));
    format!("{:#}\n", Value::Object(schema))
}

fn section(pattern: &str) -> Map<String, Value> {
    let mut schema = Map::new();
    schema.insert("type".to_owned(), json!(["object", "null"]));
    if let Some((_, doc)) = SECTIONS.iter().find(|(name, _)| *name == pattern) {
        schema.insert("description".to_owned(), json!(doc));
    }
    if let Some(any) = keys::wildcard(pattern) {
        schema.insert("propertyNames".to_owned(), json!({ "pattern": "^[a-z][a-z0-9-]{0,31}$" }));
        schema.insert("additionalProperties".to_owned(), Value::Object(section(&keys::join(pattern, any))));
        return schema;
    }
    let properties = keys::names(pattern).into_iter().filter_map(|name| {
        let value = match keys::child(pattern, name)? {
            Child::Section => section(&keys::join(pattern, name)),
            Child::Key(key) => of_key(key),
        };
        Some((name.to_owned(), Value::Object(value)))
    });
    schema.insert("properties".to_owned(), Value::Object(properties.collect()));
    schema.insert("additionalProperties".to_owned(), json!(false));
    schema
}

fn of_key(key: &Key) -> Map<String, Value> {
    if let State::NotYet(what) = key.state {
        // `not: {}` allows no value, so that an editor marks the key.
        let doc = format!("Not there yet: {what}.");
        return Map::from_iter([("description".to_owned(), json!(doc)), ("not".to_owned(), json!({}))]);
    }
    let mut schema = of_kind(&key.kind);
    schema.insert("description".to_owned(), json!(key.doc));
    schema
}

fn of_kind(kind: &Kind) -> Map<String, Value> {
    let text = json!({ "type": "string", "minLength": 1 });
    let variable = json!({ "type": "string", "pattern": r"\$\{" });
    let schema = match kind {
        Kind::Bool => json!({ "anyOf": [{ "type": "boolean" }, variable] }),
        Kind::Integer { min, max, .. } => {
            json!({ "anyOf": [{ "type": "integer", "minimum": min, "maximum": max }, variable] })
        }
        Kind::Size { min, max, .. } => json!({ "anyOf": [
            { "type": "integer", "minimum": min, "maximum": max },
            { "type": "string", "pattern": "^[0-9]+ *(B|[kK]B|MB|GB|KiB|MiB|GiB)?$" },
            variable,
        ] }),
        Kind::Secret | Kind::Url | Kind::Folder => text,
        Kind::Secrets => json!({ "type": "array", "items": text }),
        Kind::Texts(_) => json!({ "anyOf": [text, { "type": "array", "items": text }] }),
        Kind::Lists => json!({ "type": "object", "additionalProperties": {
            "anyOf": [text, { "type": "array", "items": text, "minItems": 1, "maxItems": MOST }],
        } }),
        Kind::Urls => json!({ "type": "object", "additionalProperties": text }),
        Kind::Choice(words) => json!({ "enum": words }),
        Kind::Open => json!({ "type": "object" }),
    };
    match schema {
        Value::Object(schema) => schema,
        _ => Map::new(),
    }
}
