//! What is refused, when, and in which words.

use bitrouter_document::{Document, Edit, Error, Find, limits};

fn message(text: impl Into<Vec<u8>>) -> String {
    Document::parse(text.into()).expect_err("the body is broken").to_string()
}

#[test]
fn broken_bodies_are_refused_with_their_place() {
    for (text, expected) in [
        ("", "invalid JSON at line 1, column 1: expected an object"),
        ("[1]", "the body is of kind array (line 1, column 1); a JSON object is needed"),
        ("{\n \"a\": 1\n", "invalid JSON at line 3, column 1: expected a comma or `}`"),
        ("{\"a\":\"x", "invalid JSON at line 1, column 6: expected a string that ends"),
        ("{\"a\":[1}", "invalid JSON at line 1, column 8: expected `]`"),
        ("{\"a\":{]}", "invalid JSON at line 1, column 7: expected `}`"),
        ("{\"a\":[", "invalid JSON at line 1, column 7: expected an end of every object, array and string"),
        ("{\"a\" 1}", "invalid JSON at line 1, column 6: expected a colon"),
        ("{a:1}", "invalid JSON at line 1, column 2: expected a key in quotes"),
        ("{\"a\":1,}", "invalid JSON at line 1, column 8: expected a key in quotes"),
        ("{\"a\":}", "invalid JSON at line 1, column 6: expected a value"),
        ("{\"a\":1 2}", "invalid JSON at line 1, column 8: expected a comma or `}`"),
        ("{} {}", "invalid JSON at line 1, column 4: expected nothing behind the object"),
        ("\u{feff}{}", "the body starts with a byte order mark; JSON has none"),
    ] {
        assert_eq!(message(text), expected, "{text}");
    }
}

#[test]
fn every_truncation_is_refused() {
    let text = r#"{"model":"a\"b","input":[{"x":[1,{}]}],"n":-1.5e3,"t":true}"#;
    for end in 0..text.len() {
        assert!(Document::parse(&text.as_bytes()[..end]).is_err(), "{}", &text[..end]);
    }
}

#[test]
fn duplicate_keys_are_refused_at_the_top_however_they_are_spelled() {
    for text in [r#"{"model":1,"x":2,"model":3}"#, r#"{"model":1,"mod\u0065l":2}"#, r#"{"mod\u0065l":1,"model":2}"#] {
        assert_eq!(message(text), r#"duplicate key "model" in the object at ""; keep one of them"#);
    }
    let many: Vec<_> = (0..200).map(|key| format!("\"k{key}\":1")).collect();
    assert!(Document::parse(format!("{{{}}}", many.join(","))).is_ok());
    assert!(message(format!("{{{},\"k7\":1}}", many.join(","))).starts_with("duplicate key \"k7\""));
}

#[test]
fn duplicate_keys_inside_matter_only_to_those_who_read_or_edit_there() {
    let text = r#"{"input":[{"a":1},{"id":1,"i\u0064":2}],"b":1}"#;
    let mut document = Document::parse(text).unwrap();
    assert_eq!(document.get("/input/1", 99).unwrap().as_deref(), Some(r#"{"id":1,"i\u0064":2}"#));
    let duplicate = Error::DuplicateKey { key: "id".into(), object: "/input/1".into() };
    assert_eq!(document.kind("/input/1/x"), Err(duplicate.clone()));
    assert_eq!(document.find(&Find { fields: &["/x"], ..Find::all("/input/*") }), Err(duplicate.clone()));
    assert_eq!(document.find(&Find::all("/input/*/x")), Err(duplicate.clone()));
    assert_eq!(document.keys("/input/1"), Err(duplicate.clone()));
    let edit = Edit::Remove { path: "/input/1/id" };
    let cause = Box::new(duplicate);
    assert_eq!(document.patch(&[edit]), Err(Error::Edit { index: 0, operation: "remove", cause }));
    document.patch(&[Edit::Remove { path: "/input/0" }, Edit::Remove { path: "/b" }]).unwrap();
    assert_eq!(document.output().into_bytes(), r#"{"input":[{"id":1,"i\u0064":2}]}"#);
}

#[test]
fn broken_values_pass_until_they_are_read() {
    let text = b"{\"a\":tru,\"b\":\"\xff\",\"c\":[1 2,\"\x01\"],\"d\":\"\\x\",\"e\":1,\"f\":[\"\\ud800\"]}";
    let mut document = Document::parse(text.as_slice()).unwrap();
    let mut refused = |pointer: &str| document.get(pointer, 99).unwrap_err().to_string();
    assert_eq!(refused("/a"), "invalid JSON at line 1, column 8: expected a number, true, false or null");
    assert_eq!(refused("/b"), "invalid UTF-8 at line 1, column 15");
    assert_eq!(refused("/c/0"), "invalid JSON at line 1, column 25: expected a comma or `]`");
    assert!(refused("/d").ends_with("expected a string with valid escapes and no control characters"));
    document.patch(&[Edit::Remove { path: "/e" }]).unwrap();
    let expected = b"{\"a\":tru,\"b\":\"\xff\",\"c\":[1 2,\"\x01\"],\"d\":\"\\x\",\"f\":[\"\\ud800\"]}";
    assert_eq!(document.output().into_bytes(), expected.as_slice());
}

#[test]
fn nesting_stops_at_the_limit() {
    let nested = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
    assert!(Document::parse(nested(limits::NESTING - 1)).is_ok());
    let message = message(nested(limits::NESTING));
    assert_eq!(message, "the body is nested deeper than 512 levels at line 1, column 517");
}

#[test]
fn an_array_of_too_many_items_is_refused_when_it_is_indexed() {
    let text = format!("{{\"a\":[{}0],\"b\":1}}", "0,".repeat(limits::MEMBERS));
    let mut document = Document::parse(text).unwrap();
    assert_eq!(document.kind("/a/0"), Err(Error::TooMany));
    assert_eq!(
        document.string("b").unwrap_err().to_string(),
        r#"the value at "/b" is of kind number; string is needed"#
    );
    let appended = vec![Edit::Add { path: "/list/-", value: "0" }; limits::EDITS];
    document.patch(&[Edit::Add { path: "/list", value: "[]" }]).unwrap();
    let error = (0..=limits::MEMBERS / limits::EDITS).find_map(|_| document.patch(&appended).err());
    assert!(matches!(error, Some(Error::Edit { cause, .. }) if *cause == Error::TooMany));
}

#[test]
fn copies_cannot_make_a_body_of_gigabytes() {
    let mut document = Document::parse(format!("{{\"a\":[\"{}\"]}}", "x".repeat(1 << 20))).unwrap();
    let doubling = vec![Edit::Copy { source: "/a", target: "/a/-" }; 30];
    let error = document.patch(&doubling).unwrap_err();
    assert!(matches!(&error, Error::Edit { index: 2, cause, .. } if **cause == Error::TooMuchAdded), "{error}");
    assert!(document.patch(&doubling[..2]).is_ok());
}
