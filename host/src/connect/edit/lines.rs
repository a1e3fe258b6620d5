//! Variables that are a line each, in a file of them or among the other lines of a shell's.

use serde_json::{Map, Value};

use super::{Fault, Format, Step};

/// The variables that lines of this format set, the last of each. What a shell makes of anything else is not known here.
pub(super) fn value(format: Format, text: &str) -> Value {
    let variables = text.trim_start_matches('\u{feff}').lines().filter_map(|line| variable(format, line));
    Value::Object(variables.map(|(name, value)| (name.to_owned(), value.into())).collect::<Map<_, _>>())
}

pub(super) fn set(format: Format, text: &str, place: &[Step], value: Option<&Value>) -> Result<String, Fault> {
    let [Step::Key(name)] = place else { return Err(Fault::NotHere(super::dotted(place))) };
    let line =
        value.map(|value| written(format, name, &value.as_str().map_or_else(|| value.to_string(), str::to_owned)));
    let is_it = |line: &str| variable(format, line).is_some_and(|(it, _)| it == name);
    // The last one holds.
    let at = text.lines().collect::<Vec<_>>().iter().rposition(|line| is_it(line));
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    match (at, line) {
        (Some(at), Some(line)) => lines[at] = line,
        (Some(at), None) => drop(lines.remove(at)),
        (None, Some(line)) => lines.push(line),
        (None, None) => return Ok(text.to_owned()),
    }
    Ok(lines.iter().map(|line| format!("{line}\n")).collect())
}

fn variable(format: Format, line: &str) -> Option<(&str, String)> {
    let line = line.trim();
    let (name, value) = match format {
        Format::Fish => line.strip_prefix("set -gx ")?.trim().split_once(' ')?,
        Format::Sh => line.strip_prefix("export ")?.trim().split_once('=')?,
        _ => line.strip_prefix("export ").unwrap_or(line).split_once('=')?,
    };
    let is_name =
        |name: &str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let name = name.trim();
    is_name(name).then(|| (name, unquoted(value.trim())))
}

fn unquoted(value: &str) -> String {
    for quote in ['"', '\''] {
        if let Some(inner) = value.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote)) {
            return inner.to_owned();
        }
    }
    value.to_owned()
}

fn written(format: Format, name: &str, value: &str) -> String {
    let plain = value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._-+@:,=".contains(&byte));
    // Single quotes: a shell looks for nothing inside, and readers of such files take them too.
    let value = match (plain, value.contains('\'')) {
        (true, _) => value.to_owned(),
        (false, false) => format!("'{value}'"),
        (false, true) => format!("\"{value}\""),
    };
    match format {
        Format::Fish => format!("set -gx {name} {value}"),
        Format::Sh => format!("export {name}={value}"),
        _ => format!("{name}={value}"),
    }
}
