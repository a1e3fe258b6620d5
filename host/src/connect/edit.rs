//! Changing one setting in a text and nothing else: comments, order, blank lines and unknown keys stay as they are.
//!
//! `plan` and `files` call it, with a text and no file. What cannot be changed safely is refused, with the line or the key.

mod json;
mod lines;
mod toml;
mod yaml;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::record::Written;

/// How a file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// JSON, for a client that reads nothing else.
    Json,
    /// JSON with comments and trailing commas.
    Jsonc,
    /// TOML.
    Toml,
    /// YAML: keys at the top, and the items of lists below one.
    Yaml,
    /// `NAME=value`, a line each.
    Dotenv,
    /// `export NAME=value`, among other lines of a POSIX shell.
    Sh,
    /// `set -gx NAME value`, among other lines of fish.
    Fish,
}

/// One step on the way to a setting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// The member of this name.
    Key(String),
    /// The item of a list whose member has this value.
    Item(String, String),
}

/// Where a setting stands.
pub type Place = Vec<Step>;

/// Why a text is left alone.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// It is broken already.
    #[error("{0}")]
    Broken(String),
    /// Something else stands where a setting has to.
    #[error("`{0}` is not what can have settings below it")]
    InTheWay(String),
    /// It is written in a way that cannot be changed in place.
    #[error("`{0}` is written in a way that is not changed here")]
    NotHere(String),
}

/// A place by the names of its keys.
pub(super) fn place(keys: &[&str]) -> Place {
    keys.iter().map(|key| Step::Key((*key).to_owned())).collect()
}

/// A place as people write it, such as `env.ANTHROPIC_BASE_URL` or `models[BitRouter]`.
pub(super) fn dotted(place: &[Step]) -> String {
    let mut text = String::new();
    for step in place {
        match step {
            Step::Key(key) if text.is_empty() => text.push_str(key),
            Step::Key(key) => text.push_str(&format!(".{key}")),
            Step::Item(_, is) => text.push_str(&format!("[{is}]")),
        }
    }
    text
}

impl Format {
    /// What stands at a place.
    pub fn get(self, text: &str, place: &[Step]) -> Result<Option<Value>, Fault> {
        let value = match self {
            Format::Json | Format::Jsonc => json::value(self, text)?,
            Format::Toml => toml::value(text)?,
            Format::Yaml => yaml::value(text)?,
            Format::Dotenv | Format::Sh | Format::Fish => lines::value(self, text),
        };
        Ok(walk(&value, place).cloned())
    }

    /// The text with this value at a place, or with nothing there.
    pub fn set(self, text: &str, place: &[Step], value: Option<&Value>) -> Result<String, Fault> {
        let (mark, text) = match text.strip_prefix('\u{feff}') {
            Some(text) => ("\u{feff}", text),
            None => ("", text),
        };
        // Editors of these formats write `\n`: a text of Windows is one of Unix meanwhile.
        let windows = text.contains("\r\n") && text.matches('\n').count() == text.matches("\r\n").count();
        let unix = if windows { text.replace("\r\n", "\n") } else { text.to_owned() };
        let set = match self {
            Format::Json | Format::Jsonc => json::set(self, &unix, place, value)?,
            Format::Toml => toml::set(&unix, place, value)?,
            Format::Yaml => yaml::set(&unix, place, value)?,
            Format::Dotenv | Format::Sh | Format::Fish => lines::set(self, &unix, place, value)?,
        };
        Ok(format!("{mark}{}", if windows { set.replace('\n', "\r\n") } else { set }))
    }
}

/// What stands at a place below a value.
fn walk<'a>(value: &'a Value, place: &[Step]) -> Option<&'a Value> {
    place.iter().try_fold(value, |value, step| match step {
        Step::Key(key) => value.as_object()?.get(key),
        Step::Item(key, is) => value.as_array()?.iter().find(|item| item[key] == is.as_str()),
    })
}

/// Whether nothing but the frame of a text is left.
pub(super) fn is_empty(text: &str) -> bool {
    let rest: String = text.trim_start_matches('\u{feff}').split_whitespace().collect();
    matches!(rest.as_str(), "" | "{}" | "[]")
}

/// The text as it is to be without what was written: what is still as written is again what it was before, and so is what
/// its client says anew by itself. All else stays. `None` where nothing is left of a text that was not there before.
pub(super) fn taken_back(written: &Written, now: &str) -> Result<Option<String>, Fault> {
    let Written { format, after, places, restless, .. } = written;
    let before = written.before.as_deref();
    if now == after {
        return Ok(written.before.clone());
    }
    let was = |place: &[Step]| before.map_or(Ok(None), |before| format.get(before, place));
    let mut text = now.to_owned();
    for place in places.iter().rev() {
        let (wrote, was_here, is_here) = (format.get(after, place)?, was(place)?, format.get(&text, place)?);
        let is_as_written = is_here == wrote || is_here.is_some() && restless.contains(place);
        if wrote == was_here || !is_as_written {
            continue;
        }
        text = format.set(&text, place, was_here.as_ref())?;
        for parent in (1..place.len()).rev().map(|end| &place[..end]) {
            let is_bare = format.get(&text, parent)?.is_some_and(|value| bare(&value));
            if !is_bare || was(parent)?.is_some() {
                break;
            }
            text = format.set(&text, parent, None)?;
        }
    }
    Ok((before.is_some() || !is_empty(&text)).then_some(text))
}

fn bare(value: &Value) -> bool {
    match value {
        Value::Object(members) => members.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => value.is_null(),
    }
}
