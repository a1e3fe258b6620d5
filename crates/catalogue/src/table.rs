//! A vendored file: after a head of `# NAME: VALUE` lines, one line for each model, `PROVIDER`, a tab, `MODEL`, a tab, and
//! its facts as JSON, sorted by bytes. It is looked up in place: a search reads some ten lines of it, and parses one, so
//! that it costs nothing at start and no memory but the pages that were looked at.
//!
//! `write` makes such a text for `cargo xtask update-models`, and is here so that one file knows the form.

use std::fmt::Write as _;

use bitrouter_contract::description::{Facts, Price};
use serde::{Deserialize, Serialize};
use time::Date;
use time::format_description::well_known::Iso8601;

/// A vendored file.
pub struct Table {
    text: &'static str,
}

/// Where facts are from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Source {
    /// What it calls itself.
    pub name: &'static str,
    /// The package that it came in, with its version.
    pub package: &'static str,
    /// The day of which it tells, such as `2026-11-09`.
    pub date: &'static str,
}

/// A line: the provider's id, the model's name, what is said of it.
pub type Line = (String, String, Record);

/// What a line says of a model.
#[derive(Clone, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
pub struct Record {
    /// What is known; its price is the first that is known.
    #[serde(flatten)]
    pub facts: Facts,
    /// The prices after that, in the order of their days.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Change>,
}

/// A price, and since when it is asked for.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
pub struct Change {
    /// The first day, in UTC: `2026-10-18`.
    pub from: String,
    /// What is paid from then on.
    #[serde(flatten)]
    pub price: Price,
}

/// Why a text is no vendored file: what is wrong, and in which line, counted from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// The line.
    pub line: usize,
    /// What is wrong with it.
    pub problem: String,
}

impl Record {
    /// The facts of a day.
    pub fn on(self, day: Date) -> Facts {
        let begun = |change: &&Change| Date::parse(&change.from, &Iso8601::DATE).is_ok_and(|from| from <= day);
        let price = self.changes.iter().rev().find(begun).map(|change| change.price.clone());
        Facts { price: price.or(self.facts.price), ..self.facts }
    }
}

impl Table {
    pub(crate) const fn new(text: &'static str) -> Self {
        Table { text }
    }

    /// The whole text, for whoever compares two of them.
    pub fn text(&self) -> &'static str {
        self.text
    }

    /// Where it is from; empty where the head does not say.
    pub fn source(&self) -> Source {
        let head = |name: &str| {
            let mut lines = self.text.lines().take_while(|line| line.starts_with('#'));
            lines.find_map(|line| line[1..].trim_start().strip_prefix(name)?.strip_prefix(": ")).unwrap_or_default()
        };
        Source { name: head("source"), package: head("package"), date: head("date") }
    }

    /// What it says of a model under this very name.
    pub fn get(&self, provider: &str, model: &str) -> Option<Record> {
        let wanted = (provider.as_bytes(), model.as_bytes());
        let text = self.text;
        let (mut from, mut to) = (body(text), text.len());
        while from < to {
            let middle = from + (to - from) / 2;
            // Offsets may lie within a letter: lines are found among the bytes.
            let bytes = text.as_bytes();
            let start = bytes[from..middle].iter().rposition(|byte| *byte == b'\n').map_or(from, |at| from + at + 1);
            let end = bytes[middle..to].iter().position(|byte| *byte == b'\n').map_or(to, |at| middle + at);
            let (provider, model, facts) = fields(&text[start..end])?;
            match (provider.as_bytes(), model.as_bytes()).cmp(&wanted) {
                std::cmp::Ordering::Less => from = end + 1,
                std::cmp::Ordering::Greater => to = start,
                std::cmp::Ordering::Equal => return serde_json::from_str(facts).ok(),
            }
        }
        None
    }
}

/// Where the lines behind the head begin.
fn body(text: &str) -> usize {
    text.split_inclusive('\n').take_while(|line| line.starts_with('#')).map(str::len).sum()
}

fn fields(line: &str) -> Option<(&str, &str, &str)> {
    let (provider, rest) = line.split_once('\t')?;
    let (model, facts) = rest.split_once('\t')?;
    Some((provider, model, facts))
}

/// All that a text says, each with its provider's id and its name.
///
/// # Errors
///
/// A line is not in the form, or not behind the one before it.
pub fn read(text: &str) -> Result<Vec<Line>, Malformed> {
    let mut records: Vec<Line> = Vec::new();
    for (at, line) in text.lines().enumerate() {
        if line.starts_with('#') {
            continue;
        }
        let malformed = |problem: String| Malformed { line: at + 1, problem };
        let (provider, model, facts) = fields(line).ok_or_else(|| malformed("it has no three columns".into()))?;
        if let Some((before, of, _)) = records.last()
            && (before.as_str(), of.as_str()) >= (provider, model)
        {
            return Err(malformed(format!("{provider} {model} does not stand behind {before} {of}")));
        }
        let record: Record = serde_json::from_str(facts).map_err(|error| malformed(error.to_string()))?;
        if written(&record).ok().as_deref() != Some(facts) {
            return Err(malformed("its facts are not written as they would be".into()));
        }
        records.push((provider.into(), model.into(), record));
    }
    Ok(records)
}

/// A text of these, the same for the same whatever their order, under a head of names and values. Of two with one name
/// the first stays.
pub fn write(head: &[(&str, &str)], mut records: Vec<Line>) -> serde_json::Result<String> {
    records.sort_by(|one, other| (&one.0, &one.1).cmp(&(&other.0, &other.1)));
    records.dedup_by(|later, first| (&later.0, &later.1) == (&first.0, &first.1));
    let mut text = String::new();
    for (name, value) in head {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "# {name}: {value}");
    }
    for (provider, model, record) in records {
        let _ = writeln!(text, "{provider}\t{model}\t{}", written(&record)?);
    }
    Ok(text)
}

/// A record as it stands in a line: what is not known is not there.
fn written(record: &Record) -> serde_json::Result<String> {
    let mut members = serde_json::to_value(record)?;
    if let Some(members) = members.as_object_mut() {
        members.retain(|_, value| !value.is_null() && value.as_array().is_none_or(|list| !list.is_empty()));
    }
    Ok(members.to_string())
}
