//! A JSON value that is put together from deltas. Chat, Messages and generateContent build their documents of it. Text
//! is joined as it is written between its quotes: escapes survive, even half a surrogate pair on each side of a seam.

use std::collections::BTreeMap;

use indexmap::IndexMap;

use crate::json;

/// The members of an object in the order in which they came, under their names as written between the quotes.
pub(super) type Members = IndexMap<Vec<u8>, Node>;

/// What lies deeper than this in a delta is taken whole, so that an event is not walked over once for each level.
const DEPTH: usize = 8;

/// Members that name something: a server that repeats one in every delta does not mean to add to it.
const NAMES: [&[u8]; 6] = [b"format", b"id", b"index", b"name", b"role", b"type"];

#[derive(Debug)]
pub(super) enum Node {
    /// JSON as it came. What no delta touches again stays this.
    Raw(Vec<u8>),
    /// A string's inside.
    Text(Vec<u8>),
    Object(Members),
    /// An array by the `index` that its items have, or by their order where they have none.
    Items(BTreeMap<u64, Node>),
}

impl Node {
    pub(super) fn raw(value: &[u8]) -> Self {
        Self::Raw(value.to_vec())
    }

    /// Takes in a delta: `null` says nothing, texts are joined, objects and arrays are merged, the rest replaces.
    pub(super) fn merge(&mut self, delta: &[u8]) {
        self.merge_within(delta, DEPTH);
    }

    fn merge_within(&mut self, delta: &[u8], depth: usize) {
        match delta.first() {
            Some(b'n') => return,
            Some(b'"') => {
                if let Some(text) = self.text() {
                    text.extend_from_slice(inside(delta));
                    return;
                }
            }
            Some(b'{') if depth > 0 => {
                if let Some(members) = self.object() {
                    for (key, value) in json::members(delta) {
                        add(members, key, value, depth - 1);
                    }
                    return;
                }
            }
            Some(b'[') if depth > 0 => {
                if let Some(items) = self.items() {
                    for item in json::items(delta) {
                        let index = json::get(item, "index").and_then(json::count).unwrap_or_else(|| next(items));
                        match items.get_mut(&index) {
                            Some(known) => known.merge_within(item, depth - 1),
                            None => drop(items.insert(index, Self::raw(item))),
                        }
                    }
                    return;
                }
            }
            _ => {}
        }
        *self = Self::raw(delta);
    }

    /// The inside of a string, to be added to.
    fn text(&mut self) -> Option<&mut Vec<u8>> {
        if let Self::Raw(raw) = self
            && raw.first() == Some(&b'"')
        {
            *self = Self::Text(inside(raw).to_vec());
        }
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    /// The members of an object.
    pub(super) fn object(&mut self) -> Option<&mut Members> {
        if let Self::Raw(raw) = self
            && raw.first() == Some(&b'{')
        {
            *self = Self::Object(members(raw));
        }
        if let Self::Object(members) = self { Some(members) } else { None }
    }

    /// The items of an array.
    pub(super) fn items(&mut self) -> Option<&mut BTreeMap<u64, Node>> {
        if let Self::Raw(raw) = self
            && raw.first() == Some(&b'[')
        {
            let mut node = Self::Items(BTreeMap::new());
            node.merge_within(raw, 1);
            *self = node;
        }
        if let Self::Items(items) = self { Some(items) } else { None }
    }

    /// Appends the value as JSON.
    pub(super) fn write(&self, to: &mut Vec<u8>) {
        match self {
            Self::Raw(raw) => to.extend_from_slice(raw),
            Self::Text(text) => quoted(text, to),
            Self::Object(members) => write(members, to),
            Self::Items(items) => {
                to.push(b'[');
                for (at, item) in items.values().enumerate() {
                    if at > 0 {
                        to.push(b',');
                    }
                    item.write(to);
                }
                to.push(b']');
            }
        }
    }
}

/// The members of an object as they came.
pub(super) fn members(object: &[u8]) -> Members {
    json::members(object).map(|(key, value)| (key.to_vec(), Node::raw(value))).collect()
}

/// The member of that name, which begins as `first` (JSON).
pub(super) fn member<'a>(members: &'a mut Members, name: &str, first: &[u8]) -> &'a mut Node {
    members.entry(name.as_bytes().to_vec()).or_insert_with(|| Node::raw(first))
}

/// Takes a member of a delta in: names replace, everything else is merged.
pub(super) fn merge(members: &mut Members, key: &[u8], value: &[u8]) {
    add(members, key, value, DEPTH);
}

fn add(members: &mut Members, key: &[u8], value: &[u8], depth: usize) {
    match members.get_mut(key) {
        Some(known) if !NAMES.contains(&key) => known.merge_within(value, depth),
        _ => set(members, key, value),
    }
}

/// Sets a member; a value that says nothing does not replace one.
pub(super) fn set(members: &mut Members, key: &[u8], value: &[u8]) {
    match members.get_mut(key) {
        Some(_) if json::is_blank(value) => {}
        Some(known) => *known = Node::raw(value),
        None => drop(members.insert(key.to_vec(), Node::raw(value))),
    }
}

/// The place behind the last item.
pub(super) fn next<T>(items: &BTreeMap<u64, T>) -> u64 {
    items.last_key_value().map_or(0, |(last, _)| last.saturating_add(1))
}

/// Appends an object as JSON.
pub(super) fn write(members: &Members, to: &mut Vec<u8>) {
    to.push(b'{');
    for (at, (key, value)) in members.iter().enumerate() {
        if at > 0 {
            to.push(b',');
        }
        quoted(key, to);
        to.push(b':');
        value.write(to);
    }
    to.push(b'}');
}

fn quoted(inside: &[u8], to: &mut Vec<u8>) {
    to.push(b'"');
    to.extend_from_slice(inside);
    to.push(b'"');
}

/// What stands between a string's quotes; nothing if it is no string.
pub(super) fn inside(value: &[u8]) -> &[u8] {
    value.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")).unwrap_or_default()
}
