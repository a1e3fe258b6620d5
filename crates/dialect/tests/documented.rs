//! What translation keeps, in `docs/dialects.md`: made from the files of the cases, so that it says what is tested.
//!
//! `BLESS=1 cargo test -p bitrouter-dialect --test all -- documented` writes the tables. Each case of a request is in a
//! group of [`groups::GROUPS`]; whoever adds one gives it a group.

mod answers;
mod groups;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use bitrouter_dialect::Dialect;
use serde_json::Value;

use crate::cases::{Case, cases};
use groups::{GROUPS, group_of};

/// Behind it the file is made, before it written by hand.
const MARKER: &str = "<!-- What follows is made by crates/dialect/tests/documented.rs from crates/dialect/cases. -->\n";

/// What becomes of a group of cases with a target of one dialect.
#[derive(Default)]
struct Outcome {
    refused: usize,
    carried: usize,
    approximated: BTreeSet<String>,
    dropped: BTreeSet<String>,
}

impl Outcome {
    fn add(&mut self, case: &Case, to: Dialect) {
        let translated = case.read(&format!("request.{to}.json")).unwrap_or_default();
        if translated.trim_start().starts_with("{\n \"refused\"") {
            self.refused += 1;
            return;
        }
        let Some(lost) = case.read(&format!("lost.{to}.json")) else {
            self.carried += 1;
            return;
        };
        let lost: Value = serde_json::from_str(&lost).unwrap();
        // Of a body with 1e400 in it, which no number here holds, only the places are named.
        let request: Value = serde_json::from_str(&case.read("request.json").unwrap()).unwrap_or_default();
        for (kind, to) in [("approximated", &mut self.approximated), ("dropped", &mut self.dropped)] {
            to.extend(lost[kind].as_array().into_iter().flatten().map(|it| named(it.as_str().unwrap(), &request)));
        }
    }

    fn cell(&self) -> String {
        let mut said = Vec::new();
        if self.carried > 0 && self.approximated.is_empty() && self.dropped.is_empty() {
            said.push("carried".to_owned());
        }
        for (word, members) in [("approximated", &self.approximated), ("dropped", &self.dropped)] {
            if !members.is_empty() {
                let members = members.iter().map(String::as_str).collect::<Vec<_>>();
                said.push(format!("{word}: {}", members.join(", ")));
            }
        }
        if self.refused > 0 {
            said.push(if said.is_empty() { "refused" } else { "some refused" }.to_owned());
        }
        said.join("<br>")
    }
}

/// A member of a body as a table names it: its place without numbers, and what kind of thing stands there.
fn named(pointer: &str, request: &Value) -> String {
    let names: Vec<&str> = pointer.split('/').skip(1).filter(|name| name.parse::<usize>().is_err()).collect();
    // In a schema the way to the keyword is the client's own.
    let within = names.iter().position(|name| ["properties", "$defs", "items"].contains(name));
    let path = match within {
        Some(at) => format!("{}…{}", names[..at].join("."), names.last().unwrap()),
        None => names.join("."),
    };
    let value = request.pointer(pointer).unwrap_or(&Value::Null);
    let is_item = pointer.rsplit('/').next().is_some_and(|name| name.parse::<usize>().is_ok());
    match kind_of(value).filter(|_| is_item) {
        Some(kind) => format!("`{path}` ({kind})"),
        None => format!("`{path}`"),
    }
}

/// What an item of a list says that it is.
fn kind_of(value: &Value) -> Option<String> {
    let text = |name: &str| value[name].as_str().map(str::to_owned);
    if value["thought"] == true {
        return Some("thought".to_owned());
    }
    let first = || value.as_object()?.keys().find(|key| *key != "thoughtSignature").cloned();
    text("type").or_else(|| text("role")).or_else(first)
}

fn title(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::ChatCompletions => "Chat Completions",
        Dialect::Responses => "Responses",
        Dialect::Messages => "Messages",
        Dialect::GenerateContent => "generateContent",
    }
}

fn others(dialect: Dialect) -> impl Iterator<Item = Dialect> {
    Dialect::ALL.into_iter().filter(move |other| *other != dialect)
}

fn head(first: &str, columns: impl Iterator<Item = Dialect>) -> String {
    let columns = columns.map(title).collect::<Vec<_>>().join(" | ");
    format!("| {first} | {columns} |\n|---|---|---|---|\n")
}

/// The table of what clients of a dialect ask for.
fn requests(from: Dialect, cases: &[Case]) -> String {
    let mut outcomes: BTreeMap<usize, (usize, BTreeMap<&str, Outcome>)> = BTreeMap::new();
    for case in cases.iter().filter(|case| case.from == from && case.read("request.json").is_some()) {
        let name = case.folder.file_name().unwrap().to_string_lossy();
        let group = group_of(from, &name).unwrap_or_else(|| {
            panic!("{from}/{name} is in no group: give it one in crates/dialect/tests/documented/groups.rs")
        });
        let (count, row) = outcomes.entry(group).or_default();
        *count += 1;
        others(from).for_each(|to| row.entry(to.as_str()).or_default().add(case, to));
    }
    let mut table = head("what is asked, and how many cases", others(from));
    for (group, (count, row)) in &outcomes {
        let cells = others(from).map(|to| row[to.as_str()].cell()).collect::<Vec<_>>().join(" | ");
        writeln!(table, "| {} ({count}) | {cells} |", GROUPS[*group].0).unwrap();
    }
    table
}

#[test]
fn the_documented_tables_are_those_of_the_cases() {
    let cases = cases();
    let mut made = String::new();
    for from in Dialect::ALL {
        let title = title(from);
        write!(made, "\n## A client of {title}\n\nIts requests, by the dialect of the target:\n\n").unwrap();
        made += &requests(from, &cases);
        write!(made, "\nThe answers that it gets, by the dialect of the provider:\n\n").unwrap();
        made += &answers::table(from, &cases);
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/dialects.md");
    let written = fs::read_to_string(&path).unwrap();
    let (by_hand, tables) = written.split_once(MARKER).expect("the file has its marker");
    if tables == made {
        return;
    }
    assert!(
        std::env::var_os("BLESS").is_some(),
        "docs/dialects.md is not what the cases say. BLESS=1 cargo test -p bitrouter-dialect --test all -- documented writes it"
    );
    fs::write(&path, format!("{by_hand}{MARKER}{made}")).unwrap();
}
