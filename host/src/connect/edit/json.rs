//! JSON, with comments for clients that read them: `jsonc-parser` keeps the tree with all that stands between its nodes.

use jsonc_parser::cst::{CstArray, CstInputValue, CstNode, CstObject, CstObjectProp, CstRootNode};
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};
use serde_json::Value;

use super::{Fault, Format, Step};

/// JSON as most programs read it; what JSON5 allows beside that is broken to them.
const READ: ParseOptions = ParseOptions {
    allow_comments: false,
    allow_trailing_commas: false,
    allow_loose_object_property_names: false,
    allow_missing_commas: false,
    allow_single_quoted_strings: false,
    allow_hexadecimal_numbers: false,
    allow_unary_plus_numbers: false,
    allow_bare_decimal_point_numbers: false,
    allow_non_finite_numbers: false,
    allow_extended_string_escapes: false,
};

fn parse(format: Format, text: &str) -> Result<CstRootNode, Fault> {
    let more = format == Format::Jsonc;
    let read = ParseOptions { allow_comments: more, allow_trailing_commas: more, ..READ };
    let text = text.trim_start_matches('\u{feff}');
    let broken = |error: jsonc_parser::errors::ParseError| Fault::Broken(error.to_string());
    if !more {
        // The tree takes comments whatever it is told.
        parse_to_ast(text, &CollectOptions::default(), &read).map_err(broken)?;
    }
    CstRootNode::parse(text, &read).map_err(broken)
}

pub(super) fn value(format: Format, text: &str) -> Result<Value, Fault> {
    Ok(parse(format, text)?.to_serde_value().unwrap_or_default())
}

pub(super) fn set(format: Format, text: &str, place: &[Step], value: Option<&Value>) -> Result<String, Fault> {
    let root = parse(format, text)?;
    let Some((last, parents)) = place.split_last() else { return Ok(text.to_owned()) };
    let in_the_way = |depth: usize| {
        move |NoHolder| match &place[..depth] {
            [] => Fault::InTheWay("the top of the file".to_owned()),
            parents => Fault::InTheWay(super::dotted(parents)),
        }
    };
    let mut holder = Holder::Root(root.clone());
    for (depth, step) in parents.iter().enumerate() {
        holder = match holder.below(step, value.is_some()).map_err(in_the_way(depth))? {
            Some(below) => below,
            // What is not there need not be taken out.
            None => return Ok(text.to_owned()),
        };
    }
    let in_the_way = in_the_way(parents.len());
    match (holder.find(last).map_err(in_the_way)?, value) {
        (Some(found), Some(value)) => found.replace(input(value)),
        (Some(found), None) => found.remove(),
        (None, Some(value)) => holder.append(last, input(value)).map_err(in_the_way)?,
        (None, None) => {}
    }
    let text = root.to_string();
    Ok(if text.ends_with('\n') { text } else { text + "\n" })
}

/// Something else than an object or a list stands where a setting has to be in one.
struct NoHolder;

/// What a value stands in.
enum Holder {
    Root(CstRootNode),
    Member(CstObjectProp),
    Item(CstNode),
}

impl Holder {
    fn value(&self) -> Option<CstNode> {
        match self {
            Holder::Root(root) => root.value(),
            Holder::Member(member) => member.value(),
            Holder::Item(item) => Some(item.clone()),
        }
    }

    /// The holder at the next step; one that is missing is made where it may be.
    fn below(&self, step: &Step, make: bool) -> Result<Option<Holder>, NoHolder> {
        match self.find(step)? {
            Some(found) => Ok(Some(found)),
            None if make => {
                // What kind it becomes is known by who comes next.
                self.append(step, CstInputValue::Null)?;
                self.find(step)
            }
            None => Ok(None),
        }
    }

    fn find(&self, step: &Step) -> Result<Option<Holder>, NoHolder> {
        match (step, self.value()) {
            (_, None) => Ok(None),
            (_, Some(value)) if value.as_null_keyword().is_some() => Ok(None),
            (Step::Key(key), Some(value)) => Ok(value.as_object().ok_or(NoHolder)?.get(key).map(Holder::Member)),
            (Step::Item(key, is), Some(value)) => {
                let elements = value.as_array().ok_or(NoHolder)?.elements();
                let is_it = |item: &CstNode| item.to_serde_value().is_some_and(|item| item[key] == is.as_str());
                Ok(elements.into_iter().find(is_it).map(Holder::Item))
            }
        }
    }

    fn append(&self, step: &Step, value: CstInputValue) -> Result<(), NoHolder> {
        match step {
            Step::Key(key) => {
                let object = self.object().ok_or(NoHolder)?;
                object.ensure_multiline();
                object.append(key, value);
            }
            Step::Item(..) => {
                let array = self.array().ok_or(NoHolder)?;
                array.ensure_multiline();
                array.append(value);
            }
        }
        Ok(())
    }

    fn object(&self) -> Option<CstObject> {
        let value = self.value().filter(|value| value.as_null_keyword().is_none());
        match (value, self) {
            (Some(value), _) => value.as_object(),
            (None, Holder::Root(root)) => Some(root.object_value_or_set()),
            (None, Holder::Member(member)) => Some(member.object_value_or_set()),
            (None, Holder::Item(_)) => None,
        }
    }

    fn array(&self) -> Option<CstArray> {
        let value = self.value().filter(|value| value.as_null_keyword().is_none());
        match (value, self) {
            (Some(value), _) => value.as_array(),
            (None, Holder::Root(root)) => Some(root.array_value_or_set()),
            (None, Holder::Member(member)) => Some(member.array_value_or_set()),
            (None, Holder::Item(_)) => None,
        }
    }

    fn replace(self, value: CstInputValue) {
        match self {
            Holder::Root(root) => root.set_value(value),
            Holder::Member(member) => member.set_value(value),
            Holder::Item(item) => {
                // An item is found by a member, so it is an object.
                item.as_object().map(|object| object.replace_with(value));
            }
        }
    }

    fn remove(self) {
        match self {
            Holder::Root(root) => root.clear_children(),
            Holder::Member(member) => member.remove(),
            Holder::Item(item) => item.remove(),
        }
    }
}

fn input(value: &Value) -> CstInputValue {
    match value {
        Value::Null => CstInputValue::Null,
        Value::Bool(it) => CstInputValue::Bool(*it),
        Value::Number(number) => CstInputValue::Number(number.to_string()),
        Value::String(text) => CstInputValue::String(text.clone()),
        Value::Array(items) => CstInputValue::Array(items.iter().map(input).collect()),
        Value::Object(members) => {
            CstInputValue::Object(members.iter().map(|(name, value)| (name.clone(), input(value))).collect())
        }
    }
}
