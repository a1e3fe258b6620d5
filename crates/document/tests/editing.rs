//! Edits do what RFC 6902 says, and leave every other byte alone.

mod support;

use bitrouter_document::{Document, Edit, Error};
use proptest::{prelude::*, sample::Index};
use serde_json::{Value, json};
use support::{noise, object, pointers, spelled, value};

/// One edit before its places are known.
type Plan = (u8, Index, Index, u8, Value);

fn plans() -> impl Strategy<Value = Vec<Plan>> {
    prop::collection::vec((0..5_u8, any::<Index>(), any::<Index>(), 0..8_u8, value()), 1..6)
}

/// An edit as the JSON that the oracle reads.
fn planned((operation, from, to, tail, value): &Plan, now: &Value) -> Value {
    let places = pointers(now);
    let tail = ["", "", "/a", "/b", "/-", "/0", "/1", "/new~0 \"\\ key"][usize::from(*tail)];
    let path = format!("{}{tail}", to.get(&places).0);
    let from = &from.get(&places).0;
    match operation {
        0 => json!({ "op": "add", "path": path, "value": value }),
        1 => json!({ "op": "remove", "path": path }),
        2 => json!({ "op": "replace", "path": path, "value": value }),
        3 => json!({ "op": "move", "from": from, "path": path }),
        _ => json!({ "op": "copy", "from": from, "path": path }),
    }
}

fn edit<'a>(operation: &'a Value, value: &'a str) -> Edit<'a> {
    let text = |name: &str| operation[name].as_str().expect("the plan has it");
    match text("op") {
        "add" => Edit::Add { path: text("path"), value },
        "remove" => Edit::Remove { path: text("path") },
        "replace" => Edit::Replace { path: text("path"), value },
        "move" => Edit::Move { source: text("from"), target: text("path") },
        _ => Edit::Copy { source: text("from"), target: text("path") },
    }
}

fn output(document: &Document) -> String {
    String::from_utf8(document.output().into_bytes().to_vec()).expect("the body is UTF-8")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn patches_agree_with_another_implementation(
        start in object(), noise in noise(), patches in prop::collection::vec(plans(), 1..4),
    ) {
        let mut oracle = start;
        let mut document = Document::parse(spelled(&oracle, &noise)).unwrap();
        for plans in patches {
            let before = output(&document);
            let operations: Vec<_> = plans.iter().map(|plan| planned(plan, &oracle)).collect();
            let values: Vec<_> = operations.iter().map(|edit| spelled(&edit["value"], &noise)).collect();
            let edits: Vec<_> = operations.iter().zip(&values).map(|(operation, value)| edit(operation, value)).collect();
            let expected = applied(&oracle, &operations);
            match document.patch(&edits) {
                Ok(()) => {
                    prop_assert!(expected.is_some(), "accepted: {operations:?}");
                    oracle = expected.unwrap_or_default();
                }
                Err(error) => {
                    prop_assert!(expected.is_none(), "{error}: {operations:?}");
                    prop_assert_eq!(output(&document), before);
                }
            }
            let text = output(&document);
            prop_assert_eq!(document.output().len(), text.len());
            prop_assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), oracle.clone());
            for (pointer, value) in pointers(&oracle) {
                let size = document.size(&pointer).unwrap().unwrap();
                let read = document.get(&pointer, size).unwrap().unwrap();
                prop_assert_eq!(read.len(), size as usize);
                prop_assert_eq!(serde_json::from_str::<Value>(&read).unwrap(), value);
            }
        }
    }

    #[test]
    fn replacing_every_scalar_by_itself_changes_no_byte(value in object(), noise in noise()) {
        let text = spelled(&value, &noise);
        let mut document = Document::parse(text.clone()).unwrap();
        for (pointer, value) in pointers(&value) {
            if !value.is_object() && !value.is_array() {
                let own = document.get(&pointer, u32::MAX).unwrap().unwrap().into_owned();
                document.patch(&[Edit::Replace { path: &pointer, value: &own }]).unwrap();
            }
        }
        prop_assert_eq!(output(&document), text);
    }

    #[test]
    fn one_replaced_value_changes_no_byte_around_it(value in object(), noise in noise(), place: Index) {
        let text = spelled(&value, &noise);
        let mut document = Document::parse(text.clone()).unwrap();
        let places = pointers(&value);
        let Some(inner) = places.get(1..).filter(|inner| !inner.is_empty()) else { return Ok(()) };
        let path = &place.get(inner).0;
        let old = document.size(path).unwrap().unwrap() as usize;
        document.patch(&[Edit::Replace { path, value: "1234" }]).unwrap();
        let edited = output(&document);
        prop_assert_eq!(edited.len(), text.len() - old + 4);
        let around = (0..=text.len() - old).any(|cut| {
            text.as_bytes()[..cut] == edited.as_bytes()[..cut]
                && text.as_bytes()[cut + old..] == edited.as_bytes()[cut + 4..]
        });
        prop_assert!(around, "{} became {}", text, edited);
    }

    #[test]
    fn removed_members_take_one_comma_and_nothing_else(count in 1..40_usize, removed in prop::collection::btree_set(0..40_usize, 0..20)) {
        let member = |index: usize| format!(" \"k{index}\" :\t[ {index} ]\n");
        let list = |kept: &dyn Fn(usize) -> bool| {
            let members: Vec<_> = (0..count).filter(|&index| kept(index)).map(member).collect();
            format!("{{{}}}", members.join(","))
        };
        let mut document = Document::parse(list(&|_| true)).unwrap();
        let paths: Vec<_> = removed.iter().filter(|&&index| index < count).map(|index| format!("/k{index}")).collect();
        let edits: Vec<_> = paths.iter().map(|path| Edit::Remove { path }).collect();
        document.patch(&edits).unwrap();
        prop_assert_eq!(output(&document), list(&|index| !removed.contains(&index)));
    }
}

/// What the oracle makes of a patch; none where it or the document's own rules refuse one of the edits.
fn applied(value: &Value, operations: &[Value]) -> Option<Value> {
    let mut value = value.clone();
    for operation in operations {
        let (path, from) = (operation["path"].as_str()?, operation["from"].as_str());
        let moved_inside = from.is_some_and(|from| path.strip_prefix(from).is_some_and(|rest| rest.starts_with('/')));
        if operation["op"] == "remove" && path.is_empty() || operation["op"] == "move" && moved_inside {
            return None;
        }
        if operation["op"] == "move" && from == Some("") && path.is_empty() {
            continue;
        }
        let patch: json_patch::PatchOperation = serde_json::from_value(operation.clone()).ok()?;
        json_patch::patch(&mut value, &[patch]).ok()?;
        if !value.is_object() {
            return None;
        }
    }
    Some(value)
}

#[test]
fn long_stretches_leave_as_slices_of_the_body() {
    let long = "x".repeat(100_000);
    let body = bytes::Bytes::from(format!("{{\"a\":\"{long}\",\"b\":1,\"c\":\"{long}\"}}"));
    let mut document = Document::parse(body.clone()).unwrap();
    assert_eq!(document.output().into_bytes().as_ptr(), body.as_ptr());
    document.patch(&[Edit::Replace { path: "/b", value: "22" }]).unwrap();
    let chunks = document.output().into_chunks();
    assert_eq!(chunks.len(), 3);
    assert_eq!(chunks[0].as_ptr(), body.as_ptr());
    assert_eq!(chunks.concat(), format!("{{\"a\":\"{long}\",\"b\":22,\"c\":\"{long}\"}}").as_bytes());
}

#[test]
fn a_body_can_be_wrapped_and_lifted_without_being_copied_out() {
    let mut document = Document::parse(r#"{ "model":"m", "contents":[ 1 ] }"#).unwrap();
    let wrap =
        [Edit::Add { path: "/request", value: "{}" }, Edit::Move { source: "/contents", target: "/request/contents" }];
    document.patch(&wrap).unwrap();
    assert_eq!(output(&document), r#"{ "model":"m","request":{"contents":[ 1 ]}}"#);
    document.patch(&[Edit::Move { source: "/request", target: "" }]).unwrap();
    assert_eq!(output(&document), r#"{"contents":[ 1 ]}"#);
}

#[test]
fn a_failed_patch_names_its_edit_and_changes_nothing() {
    let text = r#"{"a": { }, "b" : [1, 2]}"#;
    let mut document = Document::parse(text).unwrap();
    let edits = [
        Edit::Add { path: "/a/x", value: "1" },
        Edit::Remove { path: "/b/0" },
        Edit::Copy { source: "/a", target: "/c" },
        Edit::Replace { path: "/b/1", value: "3" },
    ];
    let error = document.patch(&edits).unwrap_err();
    assert_eq!(error.to_string(), r#"edit 3 (replace): pointer "/b/1": there is no such value"#);
    assert_eq!(output(&document), text);
    let broken = document.patch(&[Edit::Add { path: "/a", value: "{" }]).unwrap_err();
    assert!(matches!(&broken, Error::Edit { cause, .. } if matches!(**cause, Error::NewValue { .. })), "{broken}");
    let root = document.patch(&[Edit::Replace { path: "", value: "[]" }]).unwrap_err();
    assert!(root.to_string().ends_with("it is of kind array; the body must stay an object"), "{root}");
}

#[test]
fn a_string_is_set_whether_the_member_is_there_or_not() {
    let mut document = Document::parse(r#"{"model" : "a"}"#).unwrap();
    document.set_string("model", "b\"c").unwrap();
    document.set_string("a/b~", "x").unwrap();
    assert_eq!(output(&document), r#"{"model" : "b\"c","a/b~":"x"}"#);
    assert_eq!(document.string("a/b~").unwrap().as_deref(), Some("x"));
}

#[test]
fn a_clone_is_edited_on_its_own() {
    let first = Document::parse(r#"{"a":[1]}"#).unwrap();
    let mut second = first.clone();
    second.patch(&[Edit::Remove { path: "/a/0" }]).unwrap();
    assert_eq!((output(&first).as_str(), output(&second).as_str()), (r#"{"a":[1]}"#, r#"{"a":[]}"#));
}
