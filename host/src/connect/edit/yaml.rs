//! YAML: a key at the top with a plain value, or an item of the list below one. There is no editor of YAML that keeps
//! comments, so lines are changed, and the result is believed only when it parses to exactly what was wanted.

use serde_json::{Map, Value};

use super::{Fault, Step};

pub(super) fn value(text: &str) -> Result<Value, Fault> {
    let text = text.trim_start_matches('\u{feff}');
    let has_content =
        |line: &str| !line.trim().is_empty() && !line.trim_start().starts_with('#') && line.trim() != "---";
    if !text.lines().any(has_content) {
        return Ok(Value::Object(Map::new()));
    }
    let options = serde_saphyr::options! { with_snippet: false };
    serde_saphyr::from_str_with_options(text, options)
        .map_err(|error| Fault::Broken(error.without_snippet().to_string()))
}

pub(super) fn set(text: &str, place: &[Step], to: Option<&Value>) -> Result<String, Fault> {
    let before = value(text)?;
    if !before.is_object() {
        return Err(Fault::InTheWay(super::dotted(place)));
    }
    if super::walk(&before, place) == to {
        return Ok(text.to_owned());
    }
    let lines: Vec<&str> = text.lines().collect();
    let (changed, wanted) = match place {
        [Step::Key(key)] => (set_key(&lines, key, to), with_key(&before, key, to)),
        [Step::Key(list), Step::Item(key, is)] => {
            let items = before.get(list).cloned().unwrap_or_default();
            if !items.is_array() && !items.is_null() {
                return Err(Fault::InTheWay(list.clone()));
            }
            (set_item(&lines, list, &items, (key, is), to), with_item(&before, list, &items, (key, is), to))
        }
        _ => return Err(Fault::NotHere(super::dotted(place))),
    };
    let changed: String = changed.iter().map(|line| format!("{line}\n")).collect();
    match value(&changed) {
        Ok(now) if now == wanted => Ok(changed),
        _ => Err(Fault::NotHere(super::dotted(place))),
    }
}

fn with_key(before: &Value, key: &str, to: Option<&Value>) -> Value {
    let mut after = before.as_object().cloned().unwrap_or_default();
    match to {
        Some(to) => drop(after.insert(key.to_owned(), to.clone())),
        None => drop(after.shift_remove(key)),
    }
    Value::Object(after)
}

fn with_item(before: &Value, list: &str, items: &Value, (key, is): (&str, &str), to: Option<&Value>) -> Value {
    let mut items = items.as_array().cloned().unwrap_or_default();
    let at = items.iter().position(|item| item[key] == is);
    match (at, to) {
        (Some(at), Some(to)) => items[at] = to.clone(),
        (Some(at), None) => drop(items.remove(at)),
        (None, Some(to)) => items.push(to.clone()),
        (None, None) => {}
    }
    // A key without a value is nothing, and so is a list without an item where the last is taken out.
    let items = if items.is_empty() { Value::Null } else { Value::Array(items) };
    with_key(before, list, Some(&items))
}

/// The lines of a key at the top: its own and those below it.
fn lines_of(lines: &[&str], key: &str) -> Option<std::ops::Range<usize>> {
    let is_it = |line: &str| {
        let rest = line.strip_prefix(key).or_else(|| line.strip_prefix(&format!("\"{key}\"")))?;
        rest.trim_start().starts_with(':').then_some(())
    };
    let start = lines.iter().position(|line| is_it(line).is_some())?;
    let below = |line: &&&str| line.is_empty() || line.starts_with([' ', '\t', '#', '-']) && **line != "---";
    let mut end = start + 1 + lines[start + 1..].iter().take_while(below).count();
    // Blank lines and remarks at the margin belong to what follows.
    while end > start + 1 && (lines[end - 1].trim().is_empty() || lines[end - 1].starts_with('#')) {
        end -= 1;
    }
    Some(start..end)
}

fn set_key(lines: &[&str], key: &str, to: Option<&Value>) -> Vec<String> {
    let mut lines_now: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
    let new = to.map(|to| format!("{key}: {}", scalar(to)));
    match lines_of(lines, key) {
        Some(range) => {
            let remark = remark(lines[range.start]).filter(|_| range.len() == 1).unwrap_or_default();
            drop(lines_now.splice(range, new.map(|new| new + &remark)));
        }
        None => lines_now.extend(new),
    }
    lines_now
}

/// A remark behind a value that has no quotes in it, with the space before it.
fn remark(line: &str) -> Option<String> {
    let at = line.find(" #").filter(|_| !line.contains(['"', '\'']))?;
    let from = line[..at].trim_end().len();
    Some(line[from..].to_owned())
}

fn set_item(lines: &[&str], list: &str, items: &Value, (key, is): (&str, &str), to: Option<&Value>) -> Vec<String> {
    let mut now: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
    let Some(range) = lines_of(lines, list) else {
        if let Some(to) = to {
            now.push(format!("{list}:"));
            now.extend(item("  ", to));
        }
        return now;
    };
    let first = lines[range.start + 1..range.end].iter().find(|line| line.trim_start().starts_with("- "));
    let Some(first) = first else {
        // An empty list: `models:` or `models: []`.
        if let Some(to) = to {
            now[range.start] = format!("{list}:");
            let at = range.start + 1;
            drop(now.splice(at..at, item("  ", to)));
        }
        return now;
    };
    let indent = &first[..first.len() - first.trim_start().len()];
    let begins = |line: &str| line.strip_prefix(indent).is_some_and(|rest| rest == "-" || rest.starts_with("- "));
    let starts: Vec<usize> = (range.start + 1..range.end).filter(|&at| begins(lines[at])).collect();
    let at = items.as_array().and_then(|items| items.iter().position(|item| item[key] == is));
    match at.and_then(|at| Some((*starts.get(at)?, at))) {
        Some((start, at)) => {
            let end = starts.get(at + 1).copied().unwrap_or(range.end);
            drop(now.splice(start..end, to.map(|to| item(indent, to)).unwrap_or_default()));
        }
        None => drop(now.splice(range.end..range.end, to.map(|to| item(indent, to)).unwrap_or_default())),
    }
    now
}

/// An item of a list, a line for each member.
fn item(indent: &str, value: &Value) -> Vec<String> {
    let Some(members) = value.as_object() else { return vec![format!("{indent}- {}", scalar(value))] };
    let line = |(at, (name, value)): (usize, (&String, &Value))| {
        format!("{indent}{} {name}: {}", if at == 0 { "-" } else { " " }, scalar(value))
    };
    members.iter().enumerate().map(line).collect()
}

/// A value on one line: as it is where YAML reads nothing into it, else as JSON, which YAML reads too.
fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) => {
            let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._-:".contains(&byte));
            let is_word = text.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic()) && !text.ends_with(':');
            let means = matches!(
                text.to_ascii_lowercase().as_str(),
                "true" | "false" | "yes" | "no" | "on" | "off" | "null" | "y" | "n"
            );
            if plain && is_word && !means { text.clone() } else { value.to_string() }
        }
        other => other.to_string(),
    }
}
