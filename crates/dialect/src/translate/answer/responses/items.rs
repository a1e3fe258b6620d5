//! The items of an answer of Responses while they are written: what of them the last events repeat.

use std::borrow::Cow;

use serde_json::value::RawValue;

use crate::json;
use crate::translate::request::Json;
use crate::translate::writer::{Writer, unescaped};

/// A message or thinking, of which one at a time is open.
#[derive(Debug)]
pub(super) struct Spoken {
    pub(super) place: Place,
    pub(super) thinking: bool,
    /// The parts that are done, as items of a list.
    parts: Writer,
    pub(super) count: u64,
    pub(super) part: Option<Part>,
}

/// Where an item stands.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) index: u64,
    pub(super) id: String,
}

/// What a part is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PartKind {
    Text,
    Refusal,
    Summary,
}

/// A part that is open.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) kind: PartKind,
    pub(super) text: Vec<u8>,
    pub(super) annotations: Writer,
    pub(super) cited: u64,
    pub(super) logprobs: Writer,
}

impl PartKind {
    /// The part's `type`, and the member that holds its text.
    fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Text => ("output_text", "text"),
            Self::Refusal => ("refusal", "refusal"),
            Self::Summary => ("summary_text", "text"),
        }
    }

    pub(super) fn is_thinking(self) -> bool {
        self == Self::Summary
    }
}

impl Part {
    pub(super) fn new(kind: PartKind) -> Self {
        Self { kind, text: Vec::new(), annotations: Writer::default(), cited: 0, logprobs: Writer::default() }
    }

    pub(super) fn write(&self, json: &mut Writer) {
        let (kind, member) = self.kind.names();
        json.open(b'{');
        json.text_member("type", kind);
        json.inside_member(member, &self.text);
        if self.kind == PartKind::Text {
            list(json, "annotations", &self.annotations);
            list(json, "logprobs", &self.logprobs);
        }
        json.close(b'}');
    }
}

/// A member that is a list of items that were written before.
pub(super) fn list(json: &mut Writer, name: &str, items: &Writer) {
    json.key(name);
    json.open(b'[');
    if !items.bytes().is_empty() {
        json.raw(items.bytes());
    }
    json.close(b']');
}

impl Spoken {
    pub(super) fn new(place: Place, thinking: bool) -> Self {
        Self { place, thinking, parts: Writer::default(), count: 0, part: None }
    }

    /// Puts the open part to those that are done.
    pub(super) fn keep(&mut self, part: &Part) {
        part.write(&mut self.parts);
        self.count += 1;
    }

    /// The item; `state` is the thinking's.
    pub(super) fn write(&self, json: &mut Writer, status: &str, state: Option<&[u8]>) {
        json.open(b'{');
        json.text_member("id", &self.place.id);
        if self.thinking {
            json.text_member("type", "reasoning");
            list(json, "summary", &self.parts);
            if let Some(state) = state {
                json.inside_member("encrypted_content", state);
            }
        } else {
            json.text_member("type", "message");
            json.text_member("status", status);
            json.text_member("role", "assistant");
            list(json, "content", &self.parts);
        }
        json.close(b'}');
    }
}

/// What a call is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CallKind {
    Function,
    Custom,
    /// The client's own search for tools, whose arguments are an object.
    Search,
}

/// A call that is open; several may be.
#[derive(Debug)]
pub(super) struct Calling {
    /// What names it in pieces.
    pub(super) call: u64,
    pub(super) place: Place,
    pub(super) kind: CallKind,
    pub(super) call_id: Vec<u8>,
    pub(super) name: Vec<u8>,
    pub(super) namespace: Option<Vec<u8>>,
    pub(super) arguments: Vec<u8>,
}

impl Calling {
    /// The item as it is now.
    pub(super) fn write(&self, json: &mut Writer, status: &str) {
        json.open(b'{');
        json.text_member("id", &self.place.id);
        json.text_member(
            "type",
            match self.kind {
                CallKind::Function => "function_call",
                CallKind::Custom => "custom_tool_call",
                CallKind::Search => "tool_search_call",
            },
        );
        json.text_member("status", status);
        json.inside_member("call_id", &self.call_id);
        if self.kind == CallKind::Search {
            json.text_member("execution", "client");
            json.member("arguments", self.object().as_bytes());
            return json.close(b'}');
        }
        json.inside_member("name", &self.name);
        if let Some(namespace) = &self.namespace {
            json.inside_member("namespace", namespace);
        }
        json.inside_member(self.member(), &self.arguments);
        json.close(b'}');
    }

    /// The member that holds what it is called with.
    pub(super) fn member(&self) -> &'static str {
        if self.kind == CallKind::Custom { "input" } else { "arguments" }
    }

    /// The arguments as an object; an empty one if they are none.
    fn object(&self) -> Cow<'_, str> {
        let text = unescaped(&self.arguments).unwrap_or_default();
        let is_object = text.trim_start().starts_with('{') && serde_json::from_str::<&RawValue>(&text).is_ok();
        if !is_object {
            return Cow::Borrowed("{}");
        }
        // A line end would end the event's data; inside strings there is none.
        if text.contains(['\n', '\r']) { text.replace(['\n', '\r'], " ").into() } else { text }
    }
}

/// A token with its probability. Clients want its bytes, which servers leave out that know only text.
pub(super) fn write_token(token: Json<'_>, with_others: bool, to: &mut Writer) {
    let (mut text, mut bytes, mut logprob, mut others) = (None, None, None, None);
    for (key, value) in json::members(token) {
        match key {
            b"token" => text = json::inside(value),
            b"bytes" if value.starts_with(b"[") => bytes = Some(value),
            b"logprob" => logprob = Some(value),
            b"top_logprobs" => others = Some(value),
            _ => {}
        }
    }
    let text = text.unwrap_or_default();
    to.open(b'{');
    to.inside_member("token", text);
    to.key("bytes");
    match bytes {
        Some(bytes) => to.raw(bytes),
        None => {
            to.open(b'[');
            unescaped(text).unwrap_or_default().bytes().for_each(|byte| to.number(u64::from(byte)));
            to.close(b']');
        }
    }
    to.member("logprob", logprob.unwrap_or(b"0"));
    if with_others {
        to.key("top_logprobs");
        to.open(b'[');
        others.into_iter().flat_map(json::items).for_each(|other| write_token(other, false, to));
        to.close(b']');
    }
    to.close(b'}');
}
