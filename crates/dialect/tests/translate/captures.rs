//! What real clients send (tests/captures), translated to each other dialect: an API of that dialect would take it.

use std::fs;
use std::path::Path;

use bitrouter_dialect::Dialect;
use bitrouter_dialect::translate::{Client, request};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::history::turns;
use super::requests::raw_turns;
use super::strict;
use super::target::target;

#[derive(Deserialize)]
struct Capture {
    path: String,
    body: Box<RawValue>,
}

/// The requests for answers, by the names of their files.
fn captures() -> Vec<(String, Dialect, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/captures");
    let mut captures = Vec::new();
    for folder in fs::read_dir(&root).unwrap().map(|it| it.unwrap().path()).filter(|it| it.is_dir()) {
        for file in fs::read_dir(&folder).unwrap().map(|it| it.unwrap().path()) {
            let capture: Capture = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
            if let Some(dialect) = dialect_of(&capture.path) {
                captures.push((
                    file.strip_prefix(&root).unwrap().display().to_string(),
                    dialect,
                    capture.body.get().to_owned(),
                ));
            }
        }
    }
    captures.sort_by(|a, b| a.0.cmp(&b.0));
    captures
}

fn dialect_of(path: &str) -> Option<Dialect> {
    Some(match path.split('?').next().unwrap_or_default() {
        path if path.ends_with("/chat/completions") => Dialect::ChatCompletions,
        path if path.ends_with("/responses") => Dialect::Responses,
        path if path.ends_with("/messages") => Dialect::Messages,
        path if path.contains("enerateContent") => Dialect::GenerateContent,
        _ => return None,
    })
}

/// Whether the model speaks in a turn.
fn is_models(turn: &Value) -> bool {
    let kind = turn["type"].as_str().unwrap_or_default();
    matches!(turn["role"].as_str(), Some("assistant" | "model")) || kind == "reasoning" || kind.ends_with("_call")
}

/// The turns of what a body becomes, byte for byte.
fn turns_of(from: Dialect, to: Dialect, body: &Value) -> Option<Vec<String>> {
    let client = Client { dialect: from, stream: true, session: None };
    let body = request(&client, body.to_string().as_bytes(), &target(to)).ok()?.body;
    Some(raw_turns(to, &body))
}

#[test]
fn what_real_clients_sent_before_is_the_beginning_of_what_they_send_next() {
    let mut count = 0;
    for (name, from, body) in captures() {
        let body: Value = serde_json::from_str(&body).unwrap();
        let said = body[turns(from)].as_array().unwrap().clone();
        for to in Dialect::ALL.into_iter().filter(|to| *to != from) {
            let Some(whole) = turns_of(from, to, &body) else { continue };
            // A request was sent wherever the model spoke next.
            for at in (1..said.len()).filter(|at| is_models(&said[*at]) && !is_models(&said[at - 1])) {
                let mut before = body.clone();
                before[turns(from)] = said[..at].into();
                let before = turns_of(from, to, &before).unwrap();
                assert_eq!(&whole[..before.len()], &before[..], "{name} to {to}, at {at}");
                count += 1;
            }
        }
    }
    assert!(count > 50, "{count}");
}

#[test]
fn what_real_clients_send_is_taken_by_every_other_dialect() {
    let mut wrong = Vec::new();
    let mut count = 0;
    for (name, from, body) in captures() {
        for to in Dialect::ALL.into_iter().filter(|to| *to != from) {
            let client = Client { dialect: from, stream: true, session: None };
            let name = format!("{name} to {to}");
            let translated = match request(&client, body.as_bytes(), &target(to)) {
                Ok(translated) => translated,
                // The host resolves references to items out of its store before it translates.
                Err(error) if error.message.starts_with("Item with id") => continue,
                Err(error) => {
                    wrong.push(format!("{name}: {error}"));
                    continue;
                }
            };
            let body: Value = serde_json::from_slice(&translated.body).unwrap();
            count += 1;
            if let Err(what) = strict::check(to, &body) {
                wrong.push(format!("{name}: {what}"));
            }
        }
    }
    assert!(count >= 117, "{count}");
    assert!(wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong.join("\n"));
}
