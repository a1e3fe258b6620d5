//! SECURITY.md says only what a test keeps: each of its promises names one, and each that it names is there.

use std::fs;
use std::path::{Path, PathBuf};

/// Where tests are.
const ROOMS: [&str; 4] = ["tests", "host", "crates", "bench"];

/// A test as the document names it.
struct Named<'d> {
    /// The file, where it is named: `tests/e2e/secrets.rs`.
    file: Option<String>,
    test: &'d str,
}

/// What stands between backquotes as `FILE.rs::test`, or as the name of a test alone, which is a sentence.
fn named(text: &str) -> Vec<Named<'_>> {
    let quoted = text.split('`').skip(1).step_by(2);
    let test = |quoted: &'_ str| -> bool {
        let name = quoted.rsplit("::").next().unwrap_or_default();
        let letters = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
        letters && name.matches('_').count() >= 2
    };
    let named = quoted.filter(|quoted| test(quoted)).map(|quoted| match quoted.split_once(".rs::") {
        Some((file, test)) => Named { file: Some(format!("{file}.rs")), test },
        None => Named { file: None, test: quoted.rsplit("::").next().unwrap_or_default() },
    });
    named.collect()
}

/// All sources below a folder, each with its path.
fn sources(folder: &Path, found: &mut Vec<(PathBuf, String)>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() && !path.ends_with("target") {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push((path.clone(), fs::read_to_string(path).unwrap()));
        }
    }
}

#[test]
fn every_promise_names_a_test_that_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let document = fs::read_to_string(root.join("SECURITY.md")).unwrap();
    let (_, promises) = document.split_once("## What is promised").expect("there are promises");
    let (promises, _) = promises.split_once("## What is not promised").expect("and what is none");
    let (_, secrets) = promises.split_once("## Where secrets live").expect("and where secrets are");
    let mut missing = Vec::new();
    let bold = promises.split("\n\n").filter(|paragraph| paragraph.trim_start().starts_with("**"));
    for paragraph in bold.chain([secrets]) {
        if named(paragraph).is_empty() {
            missing.push(format!("no test is named by: {:.80}", paragraph.trim()));
        }
    }
    let mut found = Vec::new();
    ROOMS.iter().for_each(|room| sources(&root.join(room), &mut found));
    for Named { file, test } in named(&document) {
        let in_file = |path: &Path| file.as_ref().is_none_or(|file| path == root.join(file));
        let written = format!("fn {test}(");
        if !found.iter().any(|(path, text)| in_file(path) && text.contains(&written)) {
            missing.push(format!("there is no test `{test}` in {}", file.as_deref().unwrap_or("any file")));
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
    assert!(named(&document).len() > 20);
}
