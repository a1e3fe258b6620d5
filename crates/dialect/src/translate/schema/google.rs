//! Google's `Schema` (`parameters`, `responseSchema`) as JSON Schema: types in capitals, `nullable`, whole numbers as
//! strings, names in snake case. Clients that write JSON Schema there already lose nothing.

use std::borrow::Cow;

use super::node::{self, DEPTH, Member};
use crate::json;

/// The same in JSON Schema; borrowed if it was that already.
pub(crate) fn from_google(schema: &[u8]) -> Cow<'_, [u8]> {
    rewritten(schema, DEPTH).map_or(Cow::Borrowed(schema), Cow::Owned)
}

fn rewritten(schema: &[u8], depth: usize) -> Option<Vec<u8>> {
    let below = depth.checked_sub(1)?;
    if !schema.starts_with(b"{") {
        return None;
    }
    let (mut members, mut changed, mut nullable) = (Vec::<Member<'_>>::new(), false, false);
    for (key, value) in json::members(schema) {
        let name = json_name(key);
        changed |= name != key;
        let new = match name {
            b"nullable" => {
                nullable |= value == b"true";
                changed = true;
                continue;
            }
            b"propertyOrdering" => {
                changed = true;
                continue;
            }
            b"type" => match json::inside(value) {
                Some(b"TYPE_UNSPECIFIED") => {
                    changed = true;
                    continue;
                }
                Some(name) if name.iter().any(u8::is_ascii_uppercase) => Some(value.to_ascii_lowercase()),
                _ => None,
            },
            b"format" if value == b"\"enum\"" => {
                changed = true;
                continue;
            }
            b"minItems" | b"maxItems" | b"minLength" | b"maxLength" | b"minProperties" | b"maxProperties" => {
                json::inside(value).filter(|it| json::count(it).is_some()).map(<[u8]>::to_vec)
            }
            b"properties" | b"$defs" => node::map(value, |value| rewritten(value, below)),
            b"items" | b"additionalProperties" => rewritten(value, below),
            b"anyOf" | b"oneOf" | b"allOf" | b"prefixItems" => node::list(value, |value| rewritten(value, below)),
            _ => None,
        };
        changed |= new.is_some();
        members.push((Cow::Borrowed(name), new.map_or(Cow::Borrowed(value), Cow::Owned)));
    }
    if nullable {
        allow_null(&mut members);
    }
    changed.then(|| node::object(&members))
}

/// Google's Python types in snake case.
fn json_name(key: &[u8]) -> &[u8] {
    match key {
        b"any_of" => b"anyOf",
        b"min_items" => b"minItems",
        b"max_items" => b"maxItems",
        b"min_length" => b"minLength",
        b"max_length" => b"maxLength",
        b"min_properties" => b"minProperties",
        b"max_properties" => b"maxProperties",
        b"property_ordering" => b"propertyOrdering",
        b"additional_properties" => b"additionalProperties",
        b"prefix_items" => b"prefixItems",
        b"defs" => b"$defs",
        b"ref" => b"$ref",
        other => other,
    }
}

/// `nullable` is a type of its own in JSON Schema.
fn allow_null(members: &mut [Member<'_>]) {
    let mut add = |name: &[u8], null: &[u8]| {
        let member = members.iter_mut().find(|(key, _)| key.as_ref() == name);
        let Some((_, value)) = member else { return false };
        let head: &[u8] = if value.starts_with(b"[") { value.strip_suffix(b"]").unwrap_or_default() } else { value };
        let open: &[u8] = if value.starts_with(b"[") { b"" } else { b"[" };
        let comma: &[u8] = if head == b"[" { b"" } else { b"," };
        *value = Cow::Owned([open, head, comma, null, b"]"].concat());
        true
    };
    if add(b"type", b"\"null\"") {
        add(b"enum", b"null");
    } else {
        add(b"anyOf", b"{\"type\":\"null\"}");
    }
}
