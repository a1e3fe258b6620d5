//! TOML, by `toml_edit`.

use serde_json::{Map, Value};
use toml_edit::{Array, DocumentMut, InlineTable, Item, Table};

use super::{Fault, Step};

fn parse(text: &str) -> Result<DocumentMut, Fault> {
    let broken = |error: toml_edit::TomlError| {
        // Its sentence shows the line, which may hold a key.
        let line = error.span().map_or(1, |span| text[..span.start.min(text.len())].matches('\n').count() + 1);
        Fault::Broken(format!("{} on line {line}", error.message().split_whitespace().collect::<Vec<_>>().join(" ")))
    };
    text.trim_start_matches('\u{feff}').parse::<DocumentMut>().map_err(broken)
}

pub(super) fn value(text: &str) -> Result<Value, Fault> {
    Ok(of_item(parse(text)?.as_item()))
}

pub(super) fn set(text: &str, place: &[Step], value: Option<&Value>) -> Result<String, Fault> {
    let mut document = parse(text)?;
    if document.is_empty() && value.is_some() && !text.trim().is_empty() {
        // Remarks alone are the end of a document: what is added would stand before them.
        let end = if text.ends_with('\n') { "" } else { "\n" };
        return Ok(format!("{text}{end}{}", set("", place, value)?));
    }
    let Some((Step::Key(last), parents)) = place.split_last() else { return Ok(text.to_owned()) };
    let mut item = document.as_item_mut();
    for (depth, step) in parents.iter().enumerate() {
        let in_the_way = || Fault::InTheWay(super::dotted(&place[..=depth]));
        let Step::Key(key) = step else { return Err(in_the_way()) };
        let table = item.as_table_like_mut().ok_or_else(in_the_way)?;
        if value.is_none() && !table.contains_key(key) {
            return Ok(text.to_owned());
        }
        item = table.entry(key).or_insert_with(|| {
            let mut table = Table::new();
            // Only the last one has a heading of its own.
            table.set_implicit(depth + 1 < parents.len());
            Item::Table(table)
        });
        if !item.is_table_like() {
            return Err(in_the_way());
        }
    }
    let Some(table) = item.as_table_like_mut() else { return Err(Fault::InTheWay(super::dotted(place))) };
    match value {
        Some(value) => match table.get_mut(last) {
            // The remark behind it stays.
            Some(Item::Value(there)) => {
                let decor = there.decor().clone();
                *there = of_json(value);
                *there.decor_mut() = decor;
            }
            _ => drop(table.insert(last, Item::Value(of_json(value)))),
        },
        None => {
            let remarks = |key: toml_edit::KeyMut<'_>| key.leaf_decor().prefix()?.as_str().map(str::to_owned);
            let above = table.key_mut(last).and_then(remarks).filter(|above| above.contains('#'));
            table.remove(last);
            if let Some(above) = above {
                // They are not ours to take out.
                let end = document.trailing().as_str().unwrap_or_default().to_owned();
                document.set_trailing(format!("{end}{above}"));
            }
        }
    }
    Ok(document.to_string())
}

fn of_json(value: &Value) -> toml_edit::Value {
    match value {
        Value::Bool(it) => (*it).into(),
        Value::Number(number) => match number.as_i64() {
            Some(whole) => whole.into(),
            None => number.as_f64().unwrap_or_default().into(),
        },
        Value::String(text) => text.as_str().into(),
        // TOML has no null, and no client of it is told one.
        Value::Null => "".into(),
        Value::Array(items) => toml_edit::Value::Array(items.iter().map(of_json).collect::<Array>()),
        Value::Object(members) => {
            let members = members.iter().map(|(name, value)| (name.as_str(), of_json(value)));
            toml_edit::Value::InlineTable(members.collect::<InlineTable>())
        }
    }
}

fn of_item(item: &Item) -> Value {
    match item {
        Item::None => Value::Null,
        Item::Value(value) => of_toml(value),
        Item::Table(table) => {
            Value::Object(table.iter().map(|(name, item)| (name.to_owned(), of_item(item))).collect::<Map<_, _>>())
        }
        Item::ArrayOfTables(tables) => {
            let object = |table: &Table| {
                Value::Object(table.iter().map(|(name, item)| (name.to_owned(), of_item(item))).collect())
            };
            Value::Array(tables.iter().map(object).collect())
        }
    }
}

fn of_toml(value: &toml_edit::Value) -> Value {
    match value {
        toml_edit::Value::String(text) => text.value().as_str().into(),
        toml_edit::Value::Integer(number) => (*number.value()).into(),
        toml_edit::Value::Float(number) => (*number.value()).into(),
        toml_edit::Value::Boolean(it) => (*it.value()).into(),
        toml_edit::Value::Datetime(moment) => moment.value().to_string().into(),
        toml_edit::Value::Array(items) => items.iter().map(of_toml).collect(),
        toml_edit::Value::InlineTable(table) => {
            Value::Object(table.iter().map(|(name, value)| (name.to_owned(), of_toml(value))).collect())
        }
    }
}
