use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

/// Keeps the conversation of `resp_1` with the items `msg_1` and `msg_2`.
struct One;

const FIRST: &[u8] = br#"{"id":"msg_1","n":1.0}"#;
const SECOND: &[u8] = br#"{"id":"msg_2"}"#;

impl Kept for One {
    fn conversation(&self, response: &str, each: &mut dyn FnMut(&[u8])) -> bool {
        if response == "resp_1" {
            [FIRST, SECOND].into_iter().for_each(each);
        }
        response == "resp_1"
    }

    fn item(&self, id: &str, each: &mut dyn FnMut(&[u8])) -> bool {
        let found = [FIRST, SECOND].into_iter().find(|item| item_id(item).as_deref() == Some(id));
        found.into_iter().for_each(each);
        found.is_some()
    }
}

fn resolved(body: &str) -> (Option<String>, Resolved) {
    let resolved = resolve(body.as_bytes(), &One);
    (resolved.body.clone().map(|body| String::from_utf8(body).unwrap()), resolved)
}

#[test]
fn a_conversation_stands_before_what_is_new() {
    let (body, resolved) = resolved(r#"{"model":"m", "previous_response_id":"resp_1","input":[ {"a": 1} ],"x":1.0}"#);
    assert_eq!(body.unwrap(), r#"{"model":"m","input":[{"n":1.0},{},{"a": 1}],"x":1.0}"#);
    assert_eq!((resolved.previous, resolved.unknown), (Some(("resp_1".to_owned(), 2)), vec![]));
}

#[test]
fn a_string_is_the_message_that_it_stands_for_and_nothing_is_nothing() {
    let (body, _) = resolved(r#"{"previous_response_id":"resp_1","input":"a\u00e9"}"#);
    let message = r#"{"type":"message","role":"user","content":"a\u00e9"}"#;
    assert_eq!(body.unwrap(), format!(r#"{{"input":[{{"n":1.0}},{{}},{message}]}}"#));
    let (body, _) = resolved(r#"{"previous_response_id":"resp_1"}"#);
    assert_eq!(body.unwrap(), r#"{"input":[{"n":1.0},{}]}"#);
}

#[test]
fn an_item_stands_where_it_was_named_with_its_type_or_without() {
    let (body, resolved) = resolved(
        r#"{"input":[{"role":"user"},{"type":"item_reference","id":"msg_2"},{"id":"msg_1"},{"id":"x","role":"user"}]}"#,
    );
    assert_eq!(body.unwrap(), r#"{"input":[{"role":"user"},{},{"n":1.0},{"id":"x","role":"user"}]}"#);
    assert_eq!((resolved.previous, resolved.unknown), (None, vec![]));
}

#[test]
fn what_is_not_kept_stays_and_is_named() {
    let (body, resolved) =
        resolved(r#"{"previous_response_id":"resp_2","input":[{"type":"item_reference","id":"rs_9"}]}"#);
    assert_eq!(body, None);
    assert_eq!(resolved.unknown, [Name::Response("resp_2".into()), Name::Item("rs_9".into())]);
    let (body, resolved) =
        super::tests::resolved(r#"{"previous_response_id":"resp_2","input":[{"type":"item_reference","id":"msg_2"}]}"#);
    assert_eq!(body.unwrap(), r#"{"previous_response_id":"resp_2","input":[{}]}"#);
    assert_eq!(resolved.unknown, [Name::Response("resp_2".into())]);
}

#[test]
fn what_names_nothing_stays_as_it_is() {
    for body in [
        r#"{"input":"x"}"#,
        r#"{"input":[{"role":"user","content":"item_reference"}],"previous_response_id":null}"#,
        r#"{"previous_response_id":""}"#,
        r#"{"previous_response_id":7,"input":8}"#,
        "[]",
        "",
        "{",
    ] {
        assert_eq!(resolve(body.as_bytes(), &One), Resolved::default(), "{body}");
    }
}

#[test]
fn a_response_is_taken_apart_and_is_the_same_again() {
    let text = br#"{"id":"resp_1","status":"completed","output":[{"id":"a"}, {"id":"b"}],"usage":null}"#;
    let response = Response::read(text).unwrap();
    assert_eq!((&*response.id, response.output.len()), ("resp_1", 2));
    let again = [response.before, &response.output.join(&b", "[..]), response.after].concat();
    assert_eq!(again, text);
    assert!(Response::read(b"{}").is_none());
}

#[test]
fn only_what_may_be_kept_is() {
    assert!(wants_kept(br#"{"store":true}"#) && wants_kept(b"{}") && wants_kept(br#"{"store":null}"#));
    assert!(!wants_kept(br#"{"store":false}"#));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(bitrouter_fuzz::cases(256)))]

    #[test]
    fn arbitrary_bytes_never_panic(bytes: Vec<u8>, id in "(resp|msg)_[12]") {
        resolve(&bytes, &One);
        let _ = Response::read(&bytes);
        let named = format!(r#"{{"previous_response_id":"{id}","input":"#);
        resolve(&[named.as_bytes(), &bytes].concat(), &One);
    }

    /// What is named is what would have been said, wherever the history is cut.
    #[test]
    fn a_body_that_names_its_beginning_is_the_whole_one(texts in prop::collection::vec(any::<String>(), 1..8), cut: prop::sample::Index) {
        struct Before(Vec<Vec<u8>>);
        impl Kept for Before {
            fn conversation(&self, _: &str, each: &mut dyn FnMut(&[u8])) -> bool {
                self.0.iter().for_each(|item| each(item));
                true
            }
            fn item(&self, id: &str, each: &mut dyn FnMut(&[u8])) -> bool {
                id.parse::<usize>().ok().and_then(|at| self.0.get(at)).map(|item| each(item)).is_some()
            }
        }
        let items: Vec<Value> = texts.iter().map(|text| json!({"role": "user", "content": text})).collect();
        let (before, after) = items.split_at(cut.index(items.len() + 1));
        let kept = Before(before.iter().map(|item| item.to_string().into_bytes()).collect());
        let whole = json!({"input": items, "model": "m"}).to_string();
        let named = json!({"input": after, "model": "m", "previous_response_id": "r"}).to_string();
        prop_assert_eq!(resolve(named.as_bytes(), &kept).body.unwrap(), whole.as_bytes());
        let names: Vec<Value> = (0..before.len()).map(|at| json!({"type": "item_reference", "id": at.to_string()})).collect();
        let input = [&names[..], after].concat();
        let named = json!({"input": input, "model": "m"}).to_string();
        let resolved = resolve(named.as_bytes(), &kept).body.unwrap_or(named.into_bytes());
        prop_assert_eq!(resolved, whole.as_bytes());
    }
}

#[test]
fn a_message_asks_with_all_of_a_body_or_with_what_is_new() {
    let text = |message: Vec<u8>| String::from_utf8(message).unwrap();
    let body = br#"{"model":"m","input":[{"a":1},{"b":2},{"c":3}],"store":false}"#;
    assert_eq!(
        text(create(body, None)),
        r#"{"type":"response.create","model":"m","input":[{"a":1},{"b":2},{"c":3}],"store":false}"#
    );
    assert_eq!(
        text(create(body, Some(("resp_1", 2)))),
        r#"{"type":"response.create","model":"m","previous_response_id":"resp_1","input":[{"c":3}],"store":false}"#
    );
}
