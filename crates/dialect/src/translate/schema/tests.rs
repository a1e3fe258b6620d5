//! What becomes of schemas.

use std::borrow::Cow;

use super::*;

fn google(schema: &str) -> String {
    String::from_utf8(from_google(schema.as_bytes()).into_owned()).unwrap()
}

/// The schema rewritten, and what is reported as reworded.
fn rewritten(schema: &str, rules: &'static Rules) -> (String, Vec<String>) {
    let (new, reworded) = rewrite(schema.as_bytes(), rules);
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    serde_json::from_slice::<serde::de::IgnoredAny>(&new).expect("it is JSON");
    (text(&new), reworded.into_iter().map(text).collect())
}

fn open_api(schema: &str) -> String {
    rewritten(schema, &GOOGLE_OPEN_API).0
}

#[test]
fn what_needs_no_change_passes_byte_for_byte() {
    let schema =
        r#"{ "type" : "object", "properties": {"a\u0062": {"type":"string", "enum":["x"] }}, "required":["a\u0062"]}"#;
    for rules in [&GOOGLE_OPEN_API, &GOOGLE_OUTPUT] {
        let (new, reworded) = rewrite(schema.as_bytes(), rules);
        assert!(matches!(new, Cow::Borrowed(_)), "{rules:?}");
        assert!(reworded.is_empty());
    }
    assert!(matches!(from_google(schema.as_bytes()), Cow::Borrowed(_)));
}

#[test]
fn googles_own_words_become_json_schema() {
    let own = r#"{"type":"OBJECT","properties":{"a":{"type":"STRING","nullable":true,"enum":["x"],"format":"enum"},"b":{"type":"ARRAY","items":{"type":"INTEGER"},"minItems":"1"},"c":{"any_of":[{"type":"STRING"}],"nullable":true}},"propertyOrdering":["a"],"required":["a"]}"#;
    let new = r#"{"type":"object","properties":{"a":{"type":["string","null"],"enum":["x",null]},"b":{"type":"array","items":{"type":"integer"},"minItems":1},"c":{"anyOf":[{"type":"string"},{"type":"null"}]}},"required":["a"]}"#;
    assert_eq!(google(own), new);
    assert_eq!(google(r#"{"type":"TYPE_UNSPECIFIED","nullable":false}"#), "{}");
}

#[test]
fn constants_bounds_and_lists_of_types_have_words_of_their_own() {
    assert_eq!(open_api(r#"{"const":"x"}"#), r#"{"enum":["x"],"type":"string"}"#);
    assert_eq!(
        open_api(r#"{"type":"integer","exclusiveMinimum":0,"maximum":5}"#),
        r#"{"type":"integer","maximum":5,"minimum":1}"#
    );
    assert_eq!(
        open_api(r#"{"type":"number","exclusiveMinimum":0.5}"#),
        r#"{"type":"number","minimum":0.5,"description":"exclusiveMinimum: 0.5"}"#
    );
    assert_eq!(open_api(r#"{"type":["string","null"]}"#), r#"{"type":"string","nullable":true}"#);
    assert_eq!(open_api(r#"{"type":["string","number"]}"#), r#"{"anyOf":[{"type":"string"},{"type":"number"}]}"#);
    assert_eq!(
        open_api(r#"{"anyOf":[{"type":"integer","minimum":1},{"type":"null"}],"description":"n"}"#),
        r#"{"description":"n","type":"integer","minimum":1,"nullable":true}"#
    );
    assert_eq!(
        open_api(r#"{"oneOf":[{"type":"string"},{"type":"boolean"}]}"#),
        r#"{"anyOf":[{"type":"string"},{"type":"boolean"}]}"#
    );
    assert_eq!(
        open_api(r#"{"type":"string","enum":["","a",null]}"#),
        r#"{"type":"string","enum":["a"],"nullable":true}"#
    );
    assert_eq!(open_api(r#"{"type":"array"}"#), r#"{"type":"array","items":{"type":"string"}}"#);
}

#[test]
fn the_rest_is_said_in_the_description_and_named() {
    let schema =
        r#"{"type":"string","description":"A date","pattern":"^a","format":"date","propertyNames":{"pattern":"\"b"}}"#;
    let (new, reworded) = rewritten(schema, &GOOGLE_OPEN_API);
    let said = r#"{"type":"string","description":"A date\nformat: date, propertyNames: {\"pattern\":\"\\\"b\"}","pattern":"^a"}"#;
    assert_eq!(new, said);
    assert_eq!(reworded, [r#""date""#, r#"{"pattern":"\"b"}"#]);
    let (new, reworded) = rewritten(r#"{"type":"integer","multipleOf":5,"$schema":"s"}"#, &GOOGLE_OUTPUT);
    assert_eq!(new, r#"{"type":"integer","description":"multipleOf: 5"}"#);
    assert_eq!(reworded, ["5"]);
    let (new, reworded) = rewritten(
        r#"{"$schema":"s","type":"object","additionalProperties":false,"properties":{"a":{"type":"string"}}}"#,
        &GOOGLE_OPEN_API,
    );
    assert_eq!(new, r#"{"type":"object","properties":{"a":{"type":"string"}}}"#);
    assert!(reworded.is_empty(), "that says nothing to a model");
}

#[test]
fn references_are_put_in_their_places_and_those_that_go_round_are_cut() {
    let schema = r##"{"type":"object","properties":{"a":{"$ref":"#/$defs/x","description":"own"},"b":{"$ref":"#/$defs/tree"},"c":{"$ref":"http://elsewhere"}},"$defs":{"x":{"type":"string","description":"theirs"},"tree":{"type":"object","properties":{"next":{"$ref":"#/$defs/tree"}}}}}"##;
    let new = r##"{"type":"object","properties":{"a":{"description":"own","type":"string"},"b":{"type":"object","properties":{"next":{"description":"$ref: #/$defs/tree"}}},"c":{"description":"$ref: http://elsewhere"}}}"##;
    assert_eq!(open_api(schema), new);
    let (new, _) = rewritten(schema, &GOOGLE_OUTPUT);
    assert_eq!(new, schema, "definitions stay where they are taken");
}

#[test]
fn all_of_is_one_schema() {
    let schema = r#"{"allOf":[{"type":"object","properties":{"a":{"type":"string"}},"required":["a"]},{"properties":{"b":{"type":"string"}},"required":["b","z"]}]}"#;
    let new = r#"{"type":"object","properties":{"a":{"type":"string"},"b":{"type":"string"}},"required":["a","b"]}"#;
    assert_eq!(open_api(schema), new);
}

#[test]
fn neither_depth_nor_references_without_end_are_followed() {
    let deep = format!("{}{{}}{}", r#"{"items":"#.repeat(5000), "}".repeat(5000));
    let _ = rewrite(deep.as_bytes(), &GOOGLE_OPEN_API);
    let _ = from_google(deep.as_bytes());
    let mut wide = r##"{"$ref":"#/$defs/d0","$defs":{"##.to_owned();
    for level in 0..30 {
        let next = format!(r##"{{"$ref":"#/$defs/d{}"}}"##, level + 1);
        wide.push_str(&format!(r#""d{level}":{{"properties":{{"a":{next},"b":{next}}}}},"#));
    }
    wide.push_str(r#""d30":{"type":"string"}}}"#);
    let (new, _) = rewrite(wide.as_bytes(), &GOOGLE_OPEN_API);
    assert!(new.len() < 100_000, "{}", new.len());
    for bad in
        [r##"{"$ref":"#"}"##, r#"{"$ref":5}"#, "true", "[]", "3", r#"{"type":[]}"#, r#"{"allOf":[{"allOf":[]}]}"#]
    {
        let _ = rewritten(bad, &GOOGLE_OPEN_API);
    }
}
