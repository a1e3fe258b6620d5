//! What each built-in description makes of calls and failures, as files: `plugins/FAMILY/golden/ID.json`. The failures that a
//! provider is known for are in `plugins/FAMILY/failures.json`.
//!
//! After a change: `BLESS=1 cargo test --release -p bitrouter-plugin --test built_in`, and read what it wrote.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "all of this is test code: a panic is how a test fails")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bitrouter_contract::described::{RequestedCall, request, settings};
use bitrouter_contract::description::{Auth, Description, family};
use bitrouter_contract::origin::template;
use bitrouter_contract::validate;
use bitrouter_dialect::quirks::{Edited, Quirks};
use bitrouter_dialect::{Failure, Trouble};
use bitrouter_document::Document;
use serde_json::{Map, Value, json};

/// Folders of descriptions that have no component: a component's own golden files say what it makes of calls.
fn families() -> Vec<PathBuf> {
    let plugins = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins");
    let folders = std::fs::read_dir(plugins).unwrap().map(|entry| entry.unwrap().path());
    let mut folders: Vec<_> =
        folders.filter(|path| path.join("description.json").is_file() && !path.join("Cargo.toml").is_file()).collect();
    folders.sort();
    folders
}

fn descriptions(folder: &Path) -> Vec<Description> {
    let text = std::fs::read_to_string(folder.join("description.json")).unwrap();
    let entries = family::entries(&text).unwrap();
    entries.iter().map(|entry| validate::description(entry).unwrap()).collect()
}

/// Every built-in description, those of components included, by id.
fn all() -> BTreeMap<String, Description> {
    let plugins = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins");
    let folders = std::fs::read_dir(plugins).unwrap().map(|entry| entry.unwrap().path());
    let folders = folders.filter(|path| path.join("description.json").is_file());
    folders.flat_map(|folder| descriptions(&folder)).map(|one| (one.id.clone(), one)).collect()
}

/// What a user needs for a provider: variables, a login, settings.
fn credential(description: &Description) -> String {
    let ways = description.auth.iter().filter_map(|auth| match auth {
        Auth::Oauth(_) => Some("a login".to_owned()),
        Auth::GoogleServiceAccount(google) => Some(format!("`{}`", google.env.join("`, `"))),
        auth => {
            let secrets = auth.secrets().iter().filter(|secret| !secret.optional);
            let secrets: Vec<_> = secrets.filter_map(|secret| Some(format!("`{}`", secret.env.first()?))).collect();
            let keys: Vec<_> = auth.env().iter().map(|variable| format!("`{variable}`")).collect();
            match (keys.is_empty(), secrets.is_empty()) {
                (false, _) => Some(keys.join(" or ")),
                (true, false) => Some(secrets.join(" with ")),
                (true, true) if description.explicit => Some("`api_key`, or a stored key".to_owned()),
                (true, true) => None,
            }
        }
    });
    let ways: Vec<String> = ways.collect();
    if ways.is_empty() { "none".into() } else { ways.join("; or ") }
}

/// One row of the table in docs/providers.md.
fn row(description: &Description) -> String {
    let named = |dialect: &String| match dialect.as_str() {
        "chat-completions" => "Chat".to_owned(),
        "responses" => "Responses".to_owned(),
        "messages" => "Messages".to_owned(),
        "generate-content" => "generateContent".to_owned(),
        other => other.to_owned(),
    };
    let mut dialects: Vec<String> = description.serves.get("generate").into_iter().flatten().map(named).collect();
    for rule in &description.by_model {
        for dialect in rule.serves.get("generate").into_iter().flatten().map(named) {
            dialects.push(format!("{dialect} (`{}`)", rule.models.join("`, `")));
        }
    }
    let others = description.serves.keys().filter(|operation| *operation != "generate" && *operation != "models");
    let others: Vec<&str> = others.map(String::as_str).collect();
    let holes = description.origins.values().flat_map(|url| template::holes(url));
    let mut settings: Vec<&str> =
        holes.map(|hole| description.origin_parts.get(hole).map_or(hole, |part| part.of.as_str())).collect();
    settings.sort_unstable();
    settings.dedup();
    let settings = settings.into_iter().map(|name| {
        let env = description.settings[name].env.first();
        env.map_or(format!("`{name}`"), |variable| format!("`{name}` (`{variable}`)"))
    });
    let origin = description.origins.get("api").map_or("yours, as `api_base`", String::as_str);
    let cells = [
        format!("`{}`", description.id),
        description.name.clone(),
        credential(description),
        settings.collect::<Vec<_>>().join(", "),
        dialects.join(", "),
        others.join(", "),
        format!("`{origin}`"),
    ];
    format!("| {} |\n", cells.join(" | "))
}

#[test]
fn the_table_of_the_documentation_is_what_the_descriptions_say() {
    const BEGIN: &str =
        "<!-- Made of the descriptions: BLESS=1 cargo test --release -p bitrouter-plugin --test built_in -->\n";
    const END: &str = "<!-- End of the table. -->";
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/providers.md");
    let page = std::fs::read_to_string(&file).unwrap();
    let (before, rest) = page.split_once(BEGIN).expect("the page has the beginning of the table");
    let (_, after) = rest.split_once(END).expect("the page has the end of the table");
    let head = "| id | name | key | settings | models answer in | besides | address |\n|---|---|---|---|---|---|---|\n";
    let rows: String = all().values().map(row).collect();
    let made = format!("{before}{BEGIN}{head}{rows}{END}{after}");
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&file, &made).unwrap();
    }
    assert!(page == made || std::env::var_os("BLESS").is_some(), "docs/providers.md is not what the descriptions say");
}

/// Values for the settings that origins name and that have no default.
fn filled(description: &Description) -> Map<String, Value> {
    let mut all = settings::effective(&description.settings, &Map::new(), &|_| None);
    for hole in description.origins.values().flat_map(|url| template::holes(url)) {
        if description.settings.contains_key(hole) {
            all.entry(hole).or_insert_with(|| format!("my-{hole}").into());
        }
    }
    all
}

/// Where a call goes, and with which headers.
fn calls(description: &Description) -> Value {
    let settings = filled(description);
    let rules = description.by_model.iter().map(|rule| (rule.models[0].replace('*', "x"), &rule.serves));
    let mut calls = BTreeMap::new();
    for (model, serves) in std::iter::once(("MODEL".to_owned(), &description.serves)).chain(rules) {
        for (operation, dialects) in serves {
            for (dialect, streaming) in dialects.iter().flat_map(|dialect| [(dialect, false), (dialect, true)]) {
                let settings_json = Value::Object(settings.clone()).to_string();
                let requested =
                    RequestedCall { operation, dialect, model: &model, streaming, settings: &settings_json };
                let shaped = request::request(description, requested, |_| false).unwrap();
                let origin = match description.origins.contains_key(&shaped.origin) {
                    true => description.origin_under(&shaped.origin, &settings).unwrap().to_string(),
                    false => "BASE".to_owned(),
                };
                let query: String = shaped.query.iter().map(|(name, value)| format!("?{name}={value}")).collect();
                let url = format!("{} {origin}{}{query}", shaped.method, shaped.path);
                let name = format!("{model} {operation} {dialect}{}", if streaming { " streamed" } else { "" });
                if calls.get(&name.replace(" streamed", "")) != Some(&json!(url)) {
                    calls.insert(name, json!(url));
                }
            }
        }
    }
    json!(calls)
}

/// What a provider's known failures are read as.
fn failures(description: &Description, known: &Value) -> Vec<Value> {
    let known = known.get(&description.id).and_then(Value::as_array).cloned().unwrap_or_default();
    let read = |sample: &Value| {
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let body = text(&sample["body"]);
        let failure = match sample.get("status").and_then(Value::as_u64) {
            None => Failure::of(&description.errors, Trouble::Event { headers: &[], data: &body }),
            Some(status) => {
                let headers = sample["headers"].as_object().cloned().unwrap_or_default();
                let headers: Vec<(String, String)> =
                    headers.iter().map(|(name, value)| (name.clone(), text(value))).collect();
                let headers: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
                let status = u16::try_from(status).unwrap();
                Failure::of(&description.errors, Trouble::Answer { status, headers: &headers, body: &body })
            }
        };
        json!({
            "answer": sample, "kind": failure.kind.word(), "scope": failure.scope.word(), "code": failure.code,
            "message": failure.message, "retry_after_ms": failure.retry_after_ms,
        })
    };
    known.iter().map(read).collect()
}

/// What becomes of a request that says what quirks are about, and what the client is told is left out.
fn body(description: &Description, dialect: &str) -> Value {
    let sample = match dialect {
        "messages" => json!({ "model": "m", "max_tokens": 9, "messages": [{ "role": "user", "content": "hi" }] }),
        _ => json!({
            "model": "m", "max_completion_tokens": 9, "seed": 1, "stop": null, "store": false, "parallel_tool_calls": true,
            "tool_choice": "required",
            "tools": [{ "type": "function", "function": {
                "name": "f", "strict": true, "parameters": { "$schema": "s", "type": "object" },
            } }],
            "messages": [
                { "role": "developer", "content": [{ "type": "text", "text": "be" }, { "type": "text", "text": "brief" }] },
                { "role": "user", "name": "ann", "content": "hi" },
                { "role": "assistant", "reasoning_content": "hm", "content": null, "tool_calls": [
                    { "id": "call_0123456789", "type": "function", "function": { "name": "f", "arguments": "{}" } },
                ] },
                { "role": "tool", "tool_call_id": "call_0123456789", "content": "ok" },
            ],
        }),
    };
    let quirks = Quirks::new(description.quirks.iter().copied(), description.body.clone());
    let mut document = Document::parse(sample.to_string()).unwrap();
    let request = Edited { dialect, generates: true, streaming: false };
    let dropped = quirks.apply(request, &mut document).unwrap();
    let made: Value = serde_json::from_slice(&document.output().into_bytes()).unwrap();
    if made == sample { json!("as it came") } else { json!({ "goes up": made, "dropped": dropped }) }
}

fn golden(description: &Description, known: &Value) -> Value {
    let settings = filled(description);
    let lists = description.side_requests.iter().map(|(name, side)| {
        let origin =
            description.origin_under(&side.origin, &settings).map_or("BASE".into(), |origin| origin.to_string());
        (name.clone(), json!(format!("GET {origin}{}", side.path)))
    });
    let rules = description.by_model.iter().map(|rule| &rule.serves);
    let mut dialects: Vec<&String> = std::iter::once(&description.serves)
        .chain(rules)
        .filter_map(|serves| serves.get("generate"))
        .flatten()
        .collect();
    dialects.sort();
    dialects.dedup();
    dialects.retain(|dialect| matches!(dialect.as_str(), "chat-completions" | "messages"));
    let bodies = dialects.into_iter().map(|dialect| (dialect.clone(), body(description, dialect)));
    json!({
        "auth": serde_json::to_value(&description.auth).unwrap(),
        "calls": calls(description),
        "headers": description.headers,
        "bodies": bodies.collect::<Map<_, _>>(),
        "lists": lists.collect::<Map<_, _>>(),
        "failures": failures(description, known),
    })
}

#[test]
fn every_built_in_description_comes_out_as_its_golden_file_says() {
    let mut wrong = Vec::new();
    let mut seen = std::collections::BTreeSet::new();
    for folder in families() {
        let known = std::fs::read_to_string(folder.join("failures.json")).unwrap_or_else(|_| "{}".into());
        let known: Value = serde_json::from_str(&known).unwrap();
        let descriptions = descriptions(&folder);
        for id in known.as_object().unwrap().keys() {
            assert!(
                descriptions.iter().any(|description| description.id == *id),
                "failures of `{id}`, which is not there"
            );
        }
        std::fs::create_dir_all(folder.join("golden")).unwrap();
        for description in descriptions {
            assert!(seen.insert(description.id.clone()), "`{}` is there twice", description.id);
            let file = folder.join("golden").join(format!("{}.json", description.id));
            let made = serde_json::to_string_pretty(&golden(&description, &known)).unwrap() + "\n";
            if std::env::var_os("BLESS").is_some() {
                std::fs::write(&file, &made).unwrap();
            }
            if std::fs::read_to_string(&file).unwrap_or_default() != made {
                wrong.push(file);
            }
        }
    }
    assert!(wrong.is_empty(), "these are not what the descriptions say, see the file's head: {wrong:?}");
    assert!(seen.len() >= 45, "{} descriptions", seen.len());
}

#[test]
fn no_two_built_in_descriptions_read_the_same_variable_for_their_key() {
    let mut of: BTreeMap<String, String> = BTreeMap::new();
    for description in families().iter().flat_map(|folder| descriptions(folder)) {
        for variable in description.auth.iter().flat_map(|auth| auth.env()) {
            let before = of.insert(variable.to_owned(), description.id.clone());
            assert_eq!(before, None, "{variable} is the key of {} too", description.id);
        }
    }
}
