//! What a request of Responses names instead of saying it: the response whose conversation it continues
//! (`previous_response_id`) and items of earlier answers (`item_reference`). Whoever keeps them has the items put in their
//! places, so that the request is what it would have been with the whole history in it, to the byte.

#[cfg(test)]
mod tests;

use std::borrow::Cow;

use crate::json;

/// Conversations and items that somebody keeps.
pub trait Kept {
    /// Hands out the items of the conversation that ends with this response, in their order; false if it is not kept.
    fn conversation(&self, response: &str, each: &mut dyn FnMut(&[u8])) -> bool;
    /// Hands out the item of that id; false if it is not kept.
    fn item(&self, id: &str, each: &mut dyn FnMut(&[u8])) -> bool;
}

/// What became of a request's names.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Resolved {
    /// The body with items in the places of their names; none if there was nothing to replace.
    pub body: Option<Vec<u8>>,
    /// The response that is continued, and how many items stand before the request's own for it.
    pub previous: Option<(String, usize)>,
    /// What is not kept. It stands in the body as it did.
    pub unknown: Vec<Name>,
}

/// Something that is named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Name {
    /// A response, by `previous_response_id`.
    Response(String),
    /// An item, by an `item_reference`.
    Item(String),
}

impl Name {
    /// The id.
    pub fn id(&self) -> &str {
        match self {
            Self::Response(id) | Self::Item(id) => id,
        }
    }

    /// The member of the body in which it stands.
    pub fn param(&self) -> &'static str {
        match self {
            Self::Response(_) => "previous_response_id",
            Self::Item(_) => "input",
        }
    }

    /// What OpenAI says where it does not have it.
    pub fn not_found(&self) -> String {
        match self {
            Self::Response(id) => format!("Previous response with id '{id}' not found."),
            Self::Item(id) => format!(
                "Item with id '{id}' not found. Items are not persisted when `store` is set to false. Try again with \
                 `store` set to true, or remove this item from your input."
            ),
        }
    }
}

/// Puts what is kept into the places of its names.
pub fn resolve(body: &[u8], kept: &dyn Kept) -> Resolved {
    let mut resolved = Resolved::default();
    let mut items = Items::default();
    let mut replaced = false;
    let previous = json::get_text(body, "previous_response_id").filter(|id| !id.is_empty());
    if previous.is_none() && !own_items(body).any(|item| reference(&item).is_some()) {
        return resolved;
    }
    if let Some(id) = previous {
        if kept.conversation(&id, &mut |item| items.add(&without_id(item))) {
            resolved.previous = Some((id.into_owned(), items.count));
            replaced = true;
        } else {
            resolved.unknown.push(Name::Response(id.into_owned()));
        }
    }
    for item in own_items(body) {
        match reference(&item) {
            Some(id) if kept.item(&id, &mut |item| items.add(&without_id(item))) => replaced = true,
            Some(id) => {
                resolved.unknown.push(Name::Item(id.into_owned()));
                items.add(&item);
            }
            None => items.add(&item),
        }
    }
    if replaced {
        resolved.body = Some(with_input(body, &items.json, resolved.previous.is_some()));
    }
    resolved
}

/// Whether a body may name an item, found by one search for a word.
pub fn may_name_items(body: &[u8]) -> bool {
    memchr::memmem::find(body, b"item_reference").is_some()
}

/// The items of a request's `input`; a string is the message that it stands for.
pub fn own_items(body: &[u8]) -> impl Iterator<Item = Cow<'_, [u8]>> {
    let input = json::get(body, "input").unwrap_or_default();
    let message = input
        .starts_with(b"\"")
        .then(|| Cow::Owned([&br#"{"type":"message","role":"user","content":"#[..], input, b"}"].concat()));
    message.into_iter().chain(json::items(input).map(Cow::Borrowed))
}

/// The message of a WebSocket that asks with this body: all of it, or, where the other side has a response that is gone on from
/// and its first so many items, what is new.
pub fn create(body: &[u8], continues: Option<(&str, usize)>) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len() + 64);
    out.extend_from_slice(br#"{"type":"response.create""#);
    let mut write = |key: &[u8], value: &[&[u8]]| {
        [&b",\""[..], key, b"\":"].into_iter().for_each(|part| out.extend_from_slice(part));
        value.iter().for_each(|part| out.extend_from_slice(part));
    };
    for (key, value) in json::members(body).filter(|(key, _)| *key != b"type") {
        match (key, continues) {
            (b"previous_response_id", Some(_)) => {}
            (b"input", Some((id, items))) => {
                let new = own_items(body).skip(items).collect::<Vec<_>>().join(&b","[..]);
                write(b"previous_response_id", &[serde_json::Value::from(id).to_string().as_bytes()]);
                write(b"input", &[b"[", &new, b"]"]);
            }
            _ => write(key, &[value]),
        }
    }
    out.push(b'}');
    out
}

/// Whether the answer may be kept: what the request says of `store`, or what holds where it says nothing.
pub fn wants_kept(body: &[u8]) -> bool {
    json::get(body, "store") != Some(b"false")
}

/// The id that an item names instead of being one. The type may be left out.
fn reference(item: &[u8]) -> Option<Cow<'_, str>> {
    let (mut id, mut kind, mut others) = (None, None, false);
    for (key, value) in json::members(item).filter(|(_, value)| *value != b"null") {
        match key {
            b"id" => id = json::text(value),
            b"type" => kind = Some(value),
            _ => others = true,
        }
    }
    match kind {
        Some(kind) => id.filter(|_| kind == b"\"item_reference\""),
        None => id.filter(|_| !others),
    }
}

/// An item as it is said again: OpenAI refuses ids that it has not made, and the others need none.
pub fn without_id(item: &[u8]) -> Cow<'_, [u8]> {
    if item_id(item).is_none() {
        return Cow::Borrowed(item);
    }
    let mut out = Vec::with_capacity(item.len());
    for (key, value) in json::members(item).filter(|(key, _)| *key != b"id") {
        out.push(if out.is_empty() { b'{' } else { b',' });
        [&b"\""[..], key, b"\":", value].into_iter().for_each(|part| out.extend_from_slice(part));
    }
    out.extend_from_slice(if out.is_empty() { b"{}" } else { b"}" });
    Cow::Owned(out)
}

/// The items of a list.
pub fn items_of(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    json::items(list)
}

/// The id that an item has.
pub fn item_id(item: &[u8]) -> Option<Cow<'_, str>> {
    json::get_text(item, "id")
}

/// A response in parts: what stands before the items of its output, these, and what stands behind.
#[derive(Debug)]
pub struct Response<'a> {
    /// Its id.
    pub id: Cow<'a, str>,
    /// To the bracket that opens the items.
    pub before: &'a [u8],
    /// The items.
    pub output: Vec<&'a [u8]>,
    /// From the bracket that closes them.
    pub after: &'a [u8],
}

impl<'a> Response<'a> {
    /// Takes it apart; none if it is no response.
    pub fn read(response: &'a [u8]) -> Option<Self> {
        let id = json::get_text(response, "id")?;
        let output = json::get(response, "output")?;
        let start = output.as_ptr() as usize - response.as_ptr() as usize;
        let before = response.get(..=start)?;
        let after = response.get(start + output.len() - 1..)?;
        Some(Self { id, before, output: json::items(output).collect(), after })
    }
}

/// Items as they stand between the brackets of a list.
#[derive(Default)]
struct Items {
    json: Vec<u8>,
    count: usize,
}

impl Items {
    fn add(&mut self, item: &[u8]) {
        if self.count > 0 {
            self.json.push(b',');
        }
        self.json.extend_from_slice(item);
        self.count += 1;
    }
}

/// The body with these items as its input, and without the name of the response that they are of.
fn with_input(body: &[u8], items: &[u8], names_previous: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len() + items.len());
    let mut there = false;
    let mut write = |key: &[u8], value: &[&[u8]]| {
        out.push(if out.is_empty() { b'{' } else { b',' });
        [&b"\""[..], key, b"\":"].into_iter().for_each(|part| out.extend_from_slice(part));
        value.iter().for_each(|part| out.extend_from_slice(part));
    };
    for (key, value) in json::members(body) {
        match key {
            b"previous_response_id" if names_previous => {}
            b"input" => {
                there = true;
                write(key, &[b"[", items, b"]"]);
            }
            _ => write(key, &[value]),
        }
    }
    if !there {
        write(b"input", &[b"[", items, b"]"]);
    }
    out.push(b'}');
    out
}
