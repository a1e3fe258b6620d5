//! What real clients send (tests/captures), translated to each other dialect: an API of that dialect would take it.

use std::fs;
use std::path::Path;

use bitrouter_dialect::Dialect;
use bitrouter_dialect::translate::{Client, request};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::strict;
use crate::target::target;

#[derive(Deserialize)]
struct Capture<'a> {
    path: String,
    #[serde(borrow)]
    body: &'a RawValue,
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

#[test]
fn what_real_clients_send_is_taken_by_every_other_dialect() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/captures");
    let mut wrong = Vec::new();
    let mut count = 0;
    for folder in fs::read_dir(root).unwrap().map(|it| it.unwrap().path()).filter(|it| it.is_dir()) {
        for file in fs::read_dir(&folder).unwrap().map(|it| it.unwrap().path()) {
            let text = fs::read_to_string(&file).unwrap();
            let capture: Capture<'_> = serde_json::from_str(&text).unwrap();
            let Some(from) = dialect_of(&capture.path) else { continue };
            // What was left out of a capture is no tool.
            let body = capture.body.get();
            for to in Dialect::ALL.into_iter().filter(|to| *to != from) {
                let client = Client { dialect: from, stream: true, session: None };
                let name = format!("{} to {to}", file.strip_prefix(&folder).unwrap().display());
                let name = format!("{}/{name}", folder.file_name().unwrap().to_string_lossy());
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
    }
    assert!(count >= 120, "{count}");
    assert!(wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong.join("\n"));
}
