//! JSON Schemas as Messages takes them: any for the input of a tool, fewer keywords for the form of an answer. What is
//! refused there goes into the description, where a model may still heed it, and is reported. Definitions stay.

use super::super::Schema;
use crate::json;
use crate::translate::lost::Losses;
use crate::translate::writer::{Writer, escaped};

/// What structured outputs refuse.
const REFUSED: [&[u8]; 24] = [
    b"minimum",
    b"maximum",
    b"exclusiveMinimum",
    b"exclusiveMaximum",
    b"multipleOf",
    b"minLength",
    b"maxLength",
    b"pattern",
    b"minItems",
    b"maxItems",
    b"uniqueItems",
    b"contains",
    b"minContains",
    b"maxContains",
    b"minProperties",
    b"maxProperties",
    b"propertyNames",
    b"patternProperties",
    b"dependentRequired",
    b"dependentSchemas",
    b"not",
    b"if",
    b"then",
    b"else",
];

/// The formats of strings that they take.
const FORMATS: [&[u8]; 10] = [
    b"\"date-time\"",
    b"\"time\"",
    b"\"date\"",
    b"\"duration\"",
    b"\"email\"",
    b"\"hostname\"",
    b"\"uri\"",
    b"\"ipv4\"",
    b"\"ipv6\"",
    b"\"uuid\"",
];

/// Schemas nested deeper are sent as they are.
const DEPTH: usize = 64;

/// Writes the schema of a tool's input, whose root has to be an object.
pub(super) fn write_input(schema: Option<&Schema<'_>>, out: &mut Writer) {
    let schema = schema.map(|schema| &**schema).filter(|schema| schema.starts_with(b"{"));
    let Some(schema) = schema else { return out.raw(br#"{"type":"object","properties":{}}"#) };
    let (mut is_object, mut has_properties) = (false, false);
    for (key, value) in json::members(schema) {
        is_object |= key == b"type" && value == b"\"object\"";
        has_properties |= key == b"properties" && value != b"null";
    }
    if is_object && has_properties {
        return out.raw(schema);
    }
    out.open(b'{');
    out.member("type", b"\"object\"");
    for (key, value) in json::members(schema) {
        if key != b"type" && !(key == b"properties" && value == b"null") {
            write_key(key, out);
            out.raw(value);
        }
    }
    if !has_properties {
        out.member("properties", b"{}");
    }
    out.close(b'}');
}

/// Writes the schema of an answer.
pub(super) fn write_format<'a>(schema: &Schema<'a>, out: &mut Writer, losses: &mut Losses<'a>) {
    match schema {
        Schema::Borrowed(schema) => write(schema, DEPTH, out, &mut |value| losses.approximated(value)),
        Schema::Owned(schema) => write(schema, DEPTH, out, &mut |_| {}),
    }
}

fn write<'s>(schema: &'s [u8], depth: usize, out: &mut Writer, report: &mut dyn FnMut(&'s [u8])) {
    if depth == 0 || !schema.starts_with(b"{") {
        return out.raw(schema);
    }
    let mut described = None;
    let mut is_object = false;
    let mut said = Vec::new();
    out.open(b'{');
    for (key, value) in json::members(schema) {
        match key {
            b"description" => described = json::inside(value),
            b"additionalProperties" => {
                is_object = true;
                if value != b"false" {
                    report(value);
                }
            }
            _ if is_refused(key, value) => {
                report(value);
                said.push((key, value));
            }
            b"properties" | b"$defs" | b"definitions" => {
                is_object |= key == b"properties";
                write_key(key, out);
                out.open(b'{');
                for (name, schema) in json::members(value) {
                    write_key(name, out);
                    write(schema, depth - 1, out, report);
                }
                out.close(b'}');
            }
            b"anyOf" | b"oneOf" | b"allOf" | b"prefixItems" => {
                if key == b"oneOf" {
                    report(value);
                }
                write_key(if key == b"oneOf" { b"anyOf" } else { key }, out);
                out.open(b'[');
                json::items(value).for_each(|schema| write(schema, depth - 1, out, report));
                out.close(b']');
            }
            b"items" => {
                out.key("items");
                write(value, depth - 1, out, report);
            }
            _ => {
                is_object |= key == b"type" && value == b"\"object\"";
                write_key(key, out);
                out.raw(value);
            }
        }
    }
    if is_object {
        out.member("additionalProperties", b"false");
    }
    write_description(described, &said, out);
    out.close(b'}');
}

/// `minItems` of 0 and 1 is the one number that is taken.
fn is_refused(key: &[u8], value: &[u8]) -> bool {
    match key {
        b"minItems" => !matches!(value, b"0" | b"1"),
        b"format" => !FORMATS.contains(&value),
        _ => REFUSED.contains(&key),
    }
}

/// The description, with what could not be said otherwise behind it: `{minimum: 1, maximum: 10}`, as Anthropic's own SDK
/// writes it.
fn write_description(described: Option<&[u8]>, said: &[(&[u8], &[u8])], out: &mut Writer) {
    if said.is_empty() {
        if let Some(described) = described {
            out.inside_member("description", described);
        }
        return;
    }
    let mut text = described.unwrap_or_default().to_vec();
    if !text.is_empty() {
        text.extend_from_slice(br"\n\n");
    }
    for (at, (key, value)) in said.iter().enumerate() {
        text.extend_from_slice(if at == 0 { b"{" } else { b", " });
        text.extend_from_slice(key);
        text.extend_from_slice(b": ");
        text.extend_from_slice(&escaped(&String::from_utf8_lossy(value)));
    }
    text.push(b'}');
    out.inside_member("description", &text);
}

/// A key as it stands between its quotes in another schema.
fn write_key(key: &[u8], out: &mut Writer) {
    out.inside(key);
    out.frame(b":");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input(schema: Option<&str>) -> String {
        let mut out = Writer::default();
        write_input(schema.map(|schema| Schema::Borrowed(schema.as_bytes())).as_ref(), &mut out);
        String::from_utf8(out.into_bytes()).unwrap()
    }

    #[test]
    fn the_root_of_a_tools_input_is_an_object() {
        let whole = r#"{"properties":{"n":{"minimum":1.0}},"type":"object","$ref":"x"}"#;
        assert_eq!(input(Some(whole)), whole, "untouched");
        assert_eq!(input(None), r#"{"type":"object","properties":{}}"#);
        assert_eq!(input(Some("{}")), r#"{"type":"object","properties":{}}"#);
        assert_eq!(
            input(Some(r#"{"type":["object","null"],"properties":{"a":{}}}"#)),
            r#"{"type":"object","properties":{"a":{}}}"#
        );
    }

    #[test]
    fn what_an_answers_schema_may_not_say_is_said_in_words() {
        let schema = br##"{"$defs":{"minimum":{"type":"integer","minimum":1,"maximum":9.0,"description":"n"}},
            "type":"object","properties":{"pattern":{"$ref":"#/$defs/minimum"},"s":{"type":"string","format":"regex",
            "pattern":"^\"\\d$"},"l":{"oneOf":[{"type":"array","items":{"minLength":2},"minItems":1}]}},
            "additionalProperties":{"type":"string"},"required":["s"]}"##;
        let mut out = Writer::default();
        let mut losses = Losses::default();
        write_format(&Schema::Borrowed(schema), &mut out, &mut losses);
        let text = String::from_utf8(out.into_bytes()).unwrap();
        serde_json::from_str::<serde_json::Value>(&text).unwrap();
        assert_eq!(
            text,
            r##"{"$defs":{"minimum":{"type":"integer","description":"n\n\n{minimum: 1, maximum: 9.0}"}},"type":"object","properties":{"pattern":{"$ref":"#/$defs/minimum"},"s":{"type":"string","description":"{format: \"regex\", pattern: \"^\\\"\\\\d$\"}"},"l":{"anyOf":[{"type":"array","items":{"description":"{minLength: 2}"},"minItems":1}]}},"required":["s"],"additionalProperties":false}"##
        );
        assert_eq!(losses.into_lost(schema).approximated.len(), 6);
    }
}
