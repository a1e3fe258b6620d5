//! The published schema of descriptions is the one that the host reads them by.
//!
//! After a change of the types: `BLESS=1 cargo test -p bitrouter-contract --test schema`.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "all of this is test code: a panic is how a test fails")]

use std::path::{Path, PathBuf};

use bitrouter_contract::description::family;
use bitrouter_contract::{Description, validate};
use serde_json::{Value, json};

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The schema as it is published.
fn made() -> String {
    let mut schema = schemars::schema_for!(Description);
    schema.insert("title".into(), "The description of a BitRouter provider".into());
    schema.insert(
        "description".into(),
        "What `describe` of a component for bitrouter:provider@0.1.0 returns, as JSON.".into(),
    );
    serde_json::to_string_pretty(&schema).unwrap() + "\n"
}

#[test]
fn the_published_schema_is_the_one_of_the_types() {
    let file = workspace().join("wit/0.1.0/description.schema.json");
    let made = made();
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&file, &made).unwrap();
    }
    let published = std::fs::read_to_string(&file).unwrap();
    assert!(
        published == made,
        "{} is not what the types say. Run: BLESS=1 cargo test -p bitrouter-contract --test schema",
        file.display()
    );
    let schema: Value = serde_json::from_str(&published).unwrap();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
}

/// Every description of a `description.json` in `plugins/`.
fn descriptions() -> Vec<(PathBuf, Value)> {
    let plugins = std::fs::read_dir(workspace().join("plugins")).unwrap();
    let files = plugins.map(|entry| entry.unwrap().path().join("description.json")).filter(|file| file.is_file());
    let mut all = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        for entry in family::entries(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display())) {
            all.push((file.clone(), serde_json::from_str(&entry).unwrap()));
        }
    }
    all
}

#[test]
fn every_built_in_description_is_without_a_mistake() {
    let descriptions = descriptions();
    assert!(descriptions.len() > 50, "plugins/ holds {} descriptions", descriptions.len());
    for (file, description) in descriptions {
        let mistakes = validate::mistakes(&description.to_string());
        assert!(mistakes.is_empty(), "{}, {}: {mistakes:#?}", file.display(), description["id"]);
    }
}

#[test]
fn a_mistake_is_refused_and_a_member_of_a_newer_version_is_not() {
    let openai = |(_, description): &(PathBuf, Value)| description["id"] == "openai";
    let (_, sound) = descriptions().into_iter().find(openai).unwrap();
    let mistakes: [(&str, Value); 7] = [
        ("/id", Value::Null),
        ("/origins", json!(["https://example.com"])),
        ("/auth/0/method", "password".into()),
        ("/auth/0/attach/0", json!({"format": "{}"})),
        ("/serves/generate", "responses".into()),
        ("/side_requests/models/kind", "weather".into()),
        ("/billing", "barter".into()),
    ];
    for (place, value) in mistakes {
        let mut wrong = sound.clone();
        *wrong.pointer_mut(place).unwrap_or_else(|| panic!("the description has no {place}")) = value;
        assert!(serde_json::from_value::<Description>(wrong).is_err(), "{place}");
    }
    let mut newer = sound;
    newer["a_member_of_a_newer_version"] = true.into();
    assert!(serde_json::from_value::<Description>(newer).is_ok());
}
