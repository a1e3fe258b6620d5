//! Mutated bodies: a body that is not edited leaves as it came, and an edit of valid JSON is valid JSON.

use bitrouter_document::{Condition, Document, Edit, Find, Kind, PatchEach, Test};
use bitrouter_fuzz::Fuzz;
use bytes::Bytes;

const WORDS: &[&str] = &[
    "\"model\"",
    "\"input\"",
    "\"role\":",
    "\\u",
    "\\ud83d",
    "\\\"",
    "\\\\",
    "\"",
    "{",
    "}",
    "[",
    "]",
    "[[[[",
    ",",
    ":",
    "null",
    "true",
    "false",
    "-0",
    "1e999",
    "\u{feff}",
    "\"a/b\"",
    "~1",
    "{\"a\":1,\"a\":2}",
    "                ",
];

const POINTERS: [&str; 9] =
    ["", "/model", "/input", "/input/0", "/input/1/content/0/text", "/metadata/a~1b", "/messages/-", "/0/0/0/a", "/~"];

const EDITS: [&[Edit<'_>]; 5] = [
    &[Edit::Add { path: "/store", value: "false" }],
    &[Edit::Remove { path: "/stream" }, Edit::Add { path: "/stream", value: "true" }],
    &[Edit::Replace { path: "/input/0/role", value: r#""developer""# }, Edit::Remove { path: "/input/1" }],
    &[Edit::Move { source: "/model", target: "/metadata/model" }],
    &[Edit::Add { path: "/messages/-", value: r#"{"role":"user","content":"\n"}"# }],
];

const PATTERNS: [&str; 7] = ["", "/*", "/input/*", "/messages/*/content/*", "/*/*", "/input/*/content/0", "/tools/*/~"];

fn conditions() -> [Condition<'static>; 5] {
    [
        Test::Present,
        Test::OneOf(vec![r#""user""#, "null", "1"]),
        Test::BeginsWith(vec!["a", "\n", "\u{1f600}"]),
        Test::OfKind(vec![Kind::Object, Kind::String]),
        Test::LongerThan(9),
    ]
    .map(|test| Condition { at: "/role", negated: matches!(test, Test::OfKind(_)), test })
}

fn fuzz() -> Fuzz {
    Fuzz::new(env!("CARGO_MANIFEST_DIR"), &["fuzz/bodies"], WORDS)
}

fn is_json(bytes: &[u8]) -> bool {
    serde_json::from_slice::<serde::de::IgnoredAny>(bytes).is_ok()
}

#[test]
fn a_fuzzed_body_that_is_only_read_leaves_as_it_came() {
    fuzz().run(|bytes| {
        let Ok(mut document) = Document::parse(Bytes::copy_from_slice(bytes)) else { return };
        let _ = (document.string("model"), document.boolean("stream"));
        for pointer in POINTERS {
            let _ = (document.kind(pointer), document.size(pointer), document.count(pointer));
            let _ = document.get(pointer, 1 << 20);
            let _ = document.keys(pointer);
            let _ = document.text(pointer, 1 << 20);
        }
        for pattern in PATTERNS {
            for only in conditions() {
                let fields = ["/role", "/content", "/content/0/text", ""];
                let find = Find { only: &[only], fields: &fields, max_bytes: 1 << 20, ..Find::all(pattern) };
                let _ = document.find(&find);
            }
        }
        assert_eq!(document.output().into_bytes(), bytes);
    });
}

#[test]
fn a_fuzzed_body_of_json_is_json_after_an_edit() {
    fuzz().run(|bytes| {
        let Ok(document) = Document::parse(Bytes::copy_from_slice(bytes)) else { return };
        let was_json = is_json(bytes);
        for edits in EDITS {
            let mut document = document.clone();
            if document.patch(edits).is_err() {
                assert_eq!(document.output().into_bytes(), bytes, "an edit that fails changes nothing");
                continue;
            }
            for pattern in PATTERNS {
                let edits = [Edit::Add { path: "/x", value: "1" }, Edit::Move { source: "/x", target: "/y" }];
                let _ = document.patch_each(&PatchEach::all(pattern, &edits));
                let _ = document.patch_each(&PatchEach::all(&format!("{pattern}/y"), &[Edit::Remove { path: "" }]));
            }
            let output = document.output();
            let (len, chunks) = (output.len(), document.output().into_chunks());
            let edited = output.into_bytes();
            assert_eq!(edited.len(), len);
            assert_eq!(chunks.concat(), edited);
            assert!(!was_json || is_json(&edited), "{}", String::from_utf8_lossy(&edited));
        }
    });
}
