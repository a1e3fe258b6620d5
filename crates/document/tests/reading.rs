//! What is read agrees with serde_json, on any JSON and on bytes that are none.

mod support;

use std::borrow::Cow;

use bitrouter_document::{Document, Edit, Error, Find, Kind};
use proptest::prelude::*;
use serde_json::Value;
use support::{noise, object, pointers, spelled};

fn kind(value: &Value) -> Kind {
    match value {
        Value::Null => Kind::Null,
        Value::Bool(_) => Kind::Boolean,
        Value::Number(_) => Kind::Number,
        Value::String(_) => Kind::String,
        Value::Array(_) => Kind::Array,
        Value::Object(_) => Kind::Object,
    }
}

proptest! {
    #[test]
    fn every_value_is_read_as_serde_json_reads_it(value in object(), noise in noise()) {
        let text = spelled(&value, &noise);
        let mut document = Document::parse(text.clone()).unwrap();
        for (pointer, value) in pointers(&value) {
            prop_assert_eq!(document.kind(&pointer).unwrap(), Some(kind(&value)), "{}", pointer);
            let size = document.size(&pointer).unwrap().unwrap();
            let read = document.get(&pointer, size).unwrap().unwrap().into_owned();
            prop_assert_eq!(read.len(), size as usize);
            prop_assert_eq!(read.trim(), &read);
            prop_assert_eq!(serde_json::from_str::<Value>(&read).unwrap(), value.clone());
            prop_assert_eq!(document.get(&pointer, size - 1), Err(Error::TooBig { size }));
            let keys: Vec<_> = value.as_object().into_iter().flat_map(|members| members.keys()).map(Cow::from).collect();
            prop_assert_eq!(document.keys(&pointer).unwrap(), keys);
            prop_assert_eq!(document.kind(&format!("{pointer}/zz")).unwrap(), None);
        }
        prop_assert_eq!(document.output().into_bytes(), text);
    }

    #[test]
    fn a_text_is_what_serde_json_reads(value in object(), noise in noise()) {
        let mut document = Document::parse(spelled(&value, &noise)).unwrap();
        for (pointer, value) in pointers(&value) {
            let size = document.size(&pointer).unwrap().unwrap();
            let text = document.text(&pointer, size).unwrap().map(Cow::into_owned);
            prop_assert_eq!(text.as_deref(), value.as_str());
            let shorter = document.text(&pointer, size - 1).map(|text| text.map(Cow::into_owned));
            prop_assert_eq!(shorter, if value.is_string() { Err(Error::TooBig { size }) } else { Ok(None) });
        }
    }

    #[test]
    fn top_level_strings_are_decoded(name: String, value: String, noise in noise()) {
        let text = spelled(&serde_json::json!({ &name: &value }), &noise);
        let document = Document::parse(text).unwrap();
        let read = document.string(&name).unwrap();
        prop_assert_eq!(read.as_deref(), Some(value.as_str()));
    }

    #[test]
    fn no_bytes_make_it_panic_and_valid_objects_are_accepted(
        pieces in prop::collection::vec(prop::sample::select(PIECES.to_vec()), 0..24),
        junk in prop::collection::vec(any::<u8>(), 0..3),
    ) {
        for text in [[b"{".to_vec(), pieces.concat(), b"}".to_vec()].concat(), [pieces.concat(), junk].concat()] {
            let accepted = serde_json::from_slice::<Value>(&text).is_ok_and(|value| value.is_object());
            match Document::parse(text.clone()) {
                Ok(mut document) => {
                    let single = Edit::Add { path: "/a/a/-", value: "1" };
                    let moved = Edit::Move { source: "/a/0", target: "/b" };
                    let reads = (
                        document.get("/a/0/a", 99).is_ok(),
                        document.find(&Find { fields: &["/a", ""], max_bytes: 9, ..Find::all("/a/*") }).is_ok(),
                        document.keys("/a/a").is_ok(),
                        document.patch(&[single, moved]).is_ok(),
                        document.string("a").is_ok(),
                    );
                    prop_assert!(reads.3 || document.output().into_bytes() == text);
                }
                Err(Error::DuplicateKey { .. }) => {}
                Err(error) => prop_assert!(!accepted, "{error}: {}", String::from_utf8_lossy(&text)),
            }
        }
    }
}

const PIECES: &[&[u8]] = &[
    b"{",
    b"}",
    b"[",
    b"]",
    b":",
    b",",
    b"\"a\":",
    b"\"b\":[",
    b"\"a\":{",
    b"\"",
    b"\\",
    b" ",
    b"1",
    b"true",
    b"\"x\"",
    b"\xff",
    b"\\\"",
    b"\n",
    b"null,",
    b"{\"a\":1}",
];

#[test]
fn pointers_follow_rfc_6901() {
    let text = r#"{"foo":["bar","baz"],"":0,"a/b":1,"m~n":8,"\u0063d":2,"~1":3}"#;
    let mut document = Document::parse(text).unwrap();
    for (pointer, value) in [("/foo/0", Some("\"bar\"")), ("/", Some("0")), ("/a~1b", Some("1")), ("/m~0n", Some("8"))]
    {
        assert_eq!(document.get(pointer, 9).unwrap().as_deref(), value, "{pointer}");
    }
    for (pointer, value) in
        [("/cd", Some("2")), ("/~01", Some("3")), ("/foo/00", None), ("/foo/-", None), ("/foo/2", None)]
    {
        assert_eq!(document.get(pointer, 9).unwrap().as_deref(), value, "{pointer}");
    }
    for pointer in ["foo", "/a~2", "/a~", &"/a".repeat(65)] {
        assert!(matches!(document.kind(pointer), Err(Error::Pointer { .. })), "{pointer}");
    }
}

#[test]
fn a_top_level_member_of_another_kind_is_named() {
    let document = Document::parse(r#"{"model":5,"stream":"yes"}"#).unwrap();
    let message = document.string("model").unwrap_err().to_string();
    assert_eq!(message, r#"the value at "/model" is of kind number; string is needed"#);
    let message = document.boolean("stream").unwrap_err().to_string();
    assert_eq!(message, r#"the value at "/stream" is of kind string; boolean is needed"#);
    assert_eq!((document.boolean("store"), document.string("store")), (Ok(None), Ok(None)));
}
