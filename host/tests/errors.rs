//! The page of errors has every code that the gateway answers, and no other.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "all of this is test code: a panic is how a test fails")]

use std::collections::BTreeSet;

use bitrouter_dialect::{ApiError, Dialect, ErrorKind};
use serde_json::Value;

/// The codes of the kinds, as clients read them.
fn of_kinds() -> impl Iterator<Item = String> {
    let code = |kind: ErrorKind| {
        let body: Value = serde_json::from_slice(&ApiError::new(kind, "x").body(Dialect::ChatCompletions)).unwrap();
        body["error"]["code"].as_str().map(str::to_owned)
    };
    ErrorKind::ALL.into_iter().filter_map(code)
}

/// The codes of single errors: the words that `Error::edge` gives them. They cannot be asked for without an error of each
/// variant, and a list of those would be forgotten like the page.
fn of_errors() -> impl Iterator<Item = String> {
    let source = include_str!("../src/error/edge.rs");
    let words = source.split(".code(\"").skip(1);
    let codes: Vec<String> = words.map(|rest| rest.split('"').next().unwrap().to_owned()).collect();
    assert!(codes.contains(&"model_missing".to_owned()), "the codes stand elsewhere by now: {codes:?}");
    codes.into_iter()
}

#[test]
fn the_page_of_errors_has_every_code_and_no_other() {
    let page = include_str!("../../docs/errors.md");
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    let listed: BTreeSet<String> = rows.map(str::to_owned).collect();
    let answered: BTreeSet<String> = of_kinds().chain(of_errors()).collect();
    let missing: Vec<_> = answered.difference(&listed).collect();
    let gone: Vec<_> = listed.difference(&answered).collect();
    assert!(missing.is_empty() && gone.is_empty(), "docs/errors.md lacks {missing:?} and has {gone:?} too much");
}
