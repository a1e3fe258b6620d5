//! What holds for the translation of any history.

use bitrouter_dialect::Dialect;
use bitrouter_dialect::translate::{Client, Translated, request};
use proptest::prelude::*;
use serde_json::Value;
use serde_json::value::RawValue;

use super::history::{Step, body, essence, steps, turns};
use super::strict;
use super::target::target;

fn pairs() -> impl Iterator<Item = (Dialect, Dialect)> {
    Dialect::ALL
        .into_iter()
        .flat_map(|from| Dialect::ALL.into_iter().map(move |to| (from, to)))
        .filter(|(from, to)| from != to)
}

fn translated(from: Dialect, to: Dialect, body: &[u8]) -> Translated {
    let client = Client { dialect: from, stream: false, session: None };
    request(&client, body, &target(to)).unwrap()
}

fn translate(from: Dialect, to: Dialect, body: &Value) -> Value {
    serde_json::from_slice(&translated(from, to, body.to_string().as_bytes()).body).unwrap()
}

/// The turns of a body, byte for byte.
pub(crate) fn raw_turns(dialect: Dialect, body: &[u8]) -> Vec<String> {
    let members: std::collections::BTreeMap<String, Box<RawValue>> = serde_json::from_slice(body).unwrap();
    let list: Vec<Box<RawValue>> = serde_json::from_str(members[turns(dialect)].get()).unwrap();
    list.iter().map(|it| it.get().to_owned()).collect()
}

/// What a history is, without the order of what it says at one time.
fn comparable(dialect: Dialect, body: &Value) -> Vec<String> {
    let mut lines = essence(dialect, body);
    // Chat has media of results beside them, with a word on where they are from.
    lines.retain(|line| !line.starts_with("user: [attached to the result of "));
    // generateContent has the chunks of one text as parts of their own: neighbours are one.
    lines.dedup_by(|next, line| {
        let (role, text) = next.split_once(": ").unwrap_or_default();
        let joins = matches!(role, "user" | "assistant") && line.starts_with(&format!("{role}: "));
        if joins {
            line.push_str(text);
        }
        joins
    });
    // Results pair with calls by id: their order, and that of their media, is free.
    let mut at = 0;
    while at < lines.len() {
        let free = |line: &String| line.starts_with("result ") || line == "image";
        let end = at + lines[at..].iter().take_while(|line| free(line)).count();
        lines[at..end].sort();
        at = end.max(at) + 1;
    }
    lines
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(bitrouter_fuzz::cases(64)) })]

    #[test]
    fn every_history_becomes_one_that_the_target_takes(steps in steps()) {
        for (from, to) in pairs() {
            let body = body(from, &steps);
            let out = translate(from, to, &body);
            if let Err(what) = strict::check(to, &out) {
                prop_assert!(false, "{from} to {to}: {what}\n{body}\n{out}");
            }
        }
    }

    #[test]
    fn a_history_that_was_torn_is_mended(steps in steps(), lost in prop::collection::vec(any::<prop::sample::Index>(), 1..6), ids: bool) {
        for (from, to) in pairs() {
            let mut body = body(from, &steps);
            let list = body[turns(from)].as_array_mut().unwrap();
            for lost in &lost {
                if list.len() > 1 {
                    let at = lost.index(list.len());
                    // A part of a turn, or all of it.
                    let parts = ["content", "parts", "tool_calls"].into_iter().find(|it| list[at][*it].as_array().is_some_and(|it| it.len() > 1));
                    match parts {
                        Some(parts) => drop(list[at][parts].as_array_mut().unwrap().remove(0)),
                        None => drop(list.remove(at)),
                    }
                }
            }
            if from == Dialect::GenerateContent && !ids {
                without_ids(&mut body);
            }
            let out = translate(from, to, &body);
            if let Err(what) = strict::check(to, &out) {
                prop_assert!(false, "{from} to {to}: {what}\n{body}\n{out}");
            }
        }
    }

    #[test]
    fn a_history_with_more_turns_is_the_same_history_with_more_turns(steps in steps(), at in any::<prop::sample::Index>()) {
        let users: Vec<usize> =
            (0..steps.len()).filter(|at| matches!(steps[*at], Step::User { .. }) && !matches!(steps.get(at + 1), Some(Step::User { .. }))).collect();
        let until = users[at.index(users.len())] + 1;
        for (from, to) in pairs() {
            let whole = translated(from, to, body(from, &steps).to_string().as_bytes()).body;
            let before = translated(from, to, body(from, &steps[..until]).to_string().as_bytes()).body;
            let (whole_turns, before_turns) = (raw_turns(to, &whole), raw_turns(to, &before));
            prop_assert_eq!(&whole_turns[..before_turns.len()], &before_turns[..], "{} to {}", from, to);
            let rest = |body: &[u8]| {
                let mut body: Value = serde_json::from_slice(body).unwrap();
                body.as_object_mut().unwrap().remove(turns(to));
                body
            };
            prop_assert_eq!(rest(&whole), rest(&before), "{} to {}", from, to);
        }
    }

    #[test]
    fn what_goes_there_and_back_is_what_it_was(steps in steps()) {
        for (from, to) in pairs() {
            let body = body(from, &steps);
            let there = translate(from, to, &body);
            prop_assert_eq!(comparable(to, &there), comparable(from, &body), "{} to {}: {}", from, to, there);
            let back = translate(to, from, &there);
            prop_assert_eq!(comparable(from, &back), comparable(from, &body), "{} to {} and back: {}", from, to, back);
        }
    }

    #[test]
    fn arbitrary_bytes_are_refused_or_translated(bytes: Vec<u8>, text: String) {
        for (from, to) in pairs() {
            let client = Client { dialect: from, stream: false, session: None };
            let _ = request(&client, &bytes, &target(to));
            let _ = request(&client, text.as_bytes(), &target(to));
        }
    }
}

/// As clients of generateContent exist that leave ids out.
fn without_ids(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.remove("id");
            members.values_mut().for_each(without_ids);
        }
        Value::Array(items) => items.iter_mut().for_each(without_ids),
        _ => {}
    }
}

/// Values of the wrong type, everywhere.
#[test]
fn a_body_that_is_nonsense_anywhere_is_no_panic() {
    let steps = [
        Step::User { text: "a".to_owned(), image: true },
        Step::Assistant { text: "b".to_owned(), calls: Vec::new(), turned: false },
    ];
    let mut turn = 0;
    for (from, to) in pairs() {
        let body = body(from, &steps);
        let mut pointers = Vec::new();
        walk(&body, &mut String::new(), &mut pointers);
        for pointer in pointers {
            for nonsense in ["null", "-1", "1e400", "\"\"", "\"\\ud83d\"", "[]", "{}", "[[{}]]", "{\"type\":7}", "true"]
            {
                if is_left_out(&mut turn) {
                    continue;
                }
                let mut broken = body.clone();
                *broken.pointer_mut(&pointer).unwrap() = Value::String("NONSENSE".to_owned());
                let text = broken.to_string().replace("\"NONSENSE\"", nonsense);
                let client = Client { dialect: from, stream: false, session: None };
                if let Ok(translated) = request(&client, text.as_bytes(), &target(to)) {
                    let valid = serde_json::from_slice::<&RawValue>(&translated.body);
                    assert!(valid.is_ok(), "{from} to {to}: {text}\n{}", String::from_utf8_lossy(&translated.body));
                }
            }
        }
    }
}

/// Without optimization, all kinds of nonsense in all places take seconds: six of seven combinations are left out.
pub(crate) fn is_left_out(turn: &mut usize) -> bool {
    *turn += 1;
    cfg!(debug_assertions) && !turn.is_multiple_of(7)
}

pub(crate) fn walk(value: &Value, pointer: &mut String, to: &mut Vec<String>) {
    to.push(pointer.clone());
    let length = pointer.len();
    let members = value.as_object().into_iter().flatten().map(|(key, value)| (key.clone(), value));
    let items = value.as_array().into_iter().flatten().enumerate().map(|(at, value)| (at.to_string(), value));
    for (key, value) in members.chain(items) {
        pointer.push('/');
        pointer.push_str(&key);
        walk(value, pointer, to);
        pointer.truncate(length);
    }
}
