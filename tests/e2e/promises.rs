//! SECURITY.md says only what a test keeps: each of its promises names one, and each that it names is there.

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// What stands between backquotes as `FILE::TEST`.
fn named(text: &str) -> Vec<(&str, &str)> {
    let quoted = text.split('`').skip(1).step_by(2);
    quoted.filter_map(|quoted| quoted.split_once(".rs::")).collect()
}

#[test]
fn every_promise_names_a_test_that_is_there() {
    let document = fs::read_to_string(root().join("SECURITY.md")).unwrap();
    let (_, promises) = document.split_once("## What is promised").expect("there are promises");
    let (promises, _) = promises.split_once("## What is not promised").expect("and what is none");
    let mut missing = Vec::new();
    let (_, secrets) = promises.split_once("## Where secrets live").expect("and where secrets are");
    let bold = promises.split("\n\n").filter(|paragraph| paragraph.trim_start().starts_with("**"));
    for paragraph in bold.chain([secrets]) {
        if named(paragraph).is_empty() {
            missing.push(format!("no test is named by: {:.80}", paragraph.trim()));
        }
    }
    for (file, test) in named(&document) {
        let text = fs::read_to_string(root().join(format!("{file}.rs"))).unwrap_or_default();
        if !text.contains(&format!("fn {test}(")) {
            missing.push(format!("`{file}.rs::{test}` is not there"));
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
    assert!(named(&document).len() > 20);
}
