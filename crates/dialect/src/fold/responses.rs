//! Responses: the `response` of the last event, byte for byte. Backends exist that leave its `output` empty and report
//! each item by `response.output_item.done` alone: then the output is put together from those, byte for byte too.

use std::collections::BTreeMap;

use super::node::inside;
use super::{Document, FoldError, Step};
use crate::event::{Event, EventClass};
use crate::json;

/// A response so far.
#[derive(Debug, Default)]
pub(super) struct Response {
    items: BTreeMap<u64, Item>,
    whole: Option<Vec<u8>>,
}

#[derive(Debug)]
enum Item {
    Done(Vec<u8>),
    /// An item that was added, and what was said of it since: by the member and the index in it.
    Begun(Vec<u8>, BTreeMap<(&'static str, u64), StreamedText>),
}

/// A text as it is written inside strings, and what of it is made.
#[derive(Debug)]
struct StreamedText {
    delta: &'static Delta,
    text: Vec<u8>,
}

/// A kind of event that adds text to an item.
#[derive(Debug)]
struct Delta {
    event: &'static str,
    /// The item's member that grows.
    member: &'static str,
    /// Where that is a list of parts: the part's type, and the part's member that holds the text.
    part: Option<(&'static str, &'static str)>,
}

const fn delta(event: &'static str, member: &'static str, part: Option<(&'static str, &'static str)>) -> Delta {
    Delta { event, member, part }
}

static DELTAS: [Delta; 8] = [
    delta("response.output_text.delta", "content", Some(("output_text", "text"))),
    delta("response.refusal.delta", "content", Some(("refusal", "refusal"))),
    delta("response.reasoning_text.delta", "content", Some(("reasoning_text", "text"))),
    delta("response.reasoning_summary_text.delta", "summary", Some(("summary_text", "text"))),
    delta("response.function_call_arguments.delta", "arguments", None),
    delta("response.mcp_call_arguments.delta", "arguments", None),
    delta("response.custom_tool_call_input.delta", "input", None),
    delta("response.code_interpreter_call_code.delta", "code", None),
];

impl Document for Response {
    fn event(&mut self, event: &Event<'_>, class: EventClass) -> Result<Step, FoldError> {
        let name = event.type_name().unwrap_or_default();
        if class == EventClass::End {
            let response = super::json(event.data).and_then(|data| json::get(data, "response"));
            let response = response.filter(|response| response.starts_with(b"{"));
            self.whole = Some(response.ok_or(FoldError::Unreadable("response.completed"))?.to_vec());
            return Ok(Step::Last);
        }
        match &*name {
            "response.output_item.added" => {
                let (index, item) = self.item(event).ok_or(FoldError::Unreadable("response.output_item.added"))?;
                self.items.insert(index, Item::Begun(item, BTreeMap::new()));
            }
            "response.output_item.done" => {
                let (index, item) = self.item(event).ok_or(FoldError::Unreadable("response.output_item.done"))?;
                self.items.insert(index, Item::Done(item));
            }
            name => {
                let Some(delta) = DELTAS.iter().find(|delta| delta.event == name) else {
                    return Ok(Step::Ignored);
                };
                let data = super::json(event.data).ok_or(FoldError::Unreadable(delta.event))?;
                return Ok(if self.delta(delta, data) { Step::Kept } else { Step::Ignored });
            }
        }
        Ok(Step::Kept)
    }

    fn finish(self: Box<Self>) -> Option<Vec<u8>> {
        let whole = self.whole?;
        match json::get(&whole, "output") {
            Some(output) if !json::is_blank(output) || self.items.is_empty() => return Some(whole),
            _ => {}
        }
        let mut output = Vec::from(b"[");
        for item in self.items.values() {
            if output.len() > 1 {
                output.push(b',');
            }
            output.extend_from_slice(&item.text());
        }
        output.push(b']');
        Some(json::with_member(&whole, "output", &output))
    }
}

impl Response {
    /// The item of an event and its place. Where the event has no `output_index`, the item comes behind the others,
    /// but what is done without one is the last that was begun.
    fn item(&self, event: &Event<'_>) -> Option<(u64, Vec<u8>)> {
        let data = super::json(event.data)?;
        let item = json::get(data, "item")?;
        let place = || match self.items.last_key_value() {
            Some((last, Item::Begun(begun, _))) if json::get(begun, "id") == json::get(item, "id") => *last,
            Some((last, _)) => last.saturating_add(1),
            None => 0,
        };
        Some((json::get(data, "output_index").and_then(json::count).unwrap_or_else(place), item.to_vec()))
    }

    /// Takes in a delta; whether there is an item for it that is not done.
    fn delta(&mut self, delta: &'static Delta, data: &[u8]) -> bool {
        let number = |name| json::get(data, name).and_then(json::count);
        let item = match number("output_index") {
            Some(index) => self.items.get_mut(&index),
            None => self.items.values_mut().next_back(),
        };
        let Some(Item::Begun(_, texts)) = item else {
            return false;
        };
        let index = number("content_index").or_else(|| number("summary_index")).unwrap_or_default();
        let texts = texts.entry((delta.member, index)).or_insert(StreamedText { delta, text: Vec::new() });
        texts.text.extend_from_slice(json::get(data, "delta").map(inside).unwrap_or_default());
        true
    }
}

impl Item {
    /// The item's JSON: as it came if it was done, else with what was said of it.
    fn text(&self) -> Vec<u8> {
        let (item, texts) = match self {
            Self::Done(item) => return item.clone(),
            Self::Begun(item, texts) => (item, texts),
        };
        let mut item = item.clone();
        let mut texts = texts.values().peekable();
        while let Some(first) = texts.next() {
            let member = first.delta.member;
            let mut value = first.value();
            while let Some(more) = texts.next_if(|more| more.delta.member == member) {
                value.push(b',');
                value.extend(more.value());
            }
            if first.delta.part.is_some() {
                value = [b"[", &value[..], b"]"].concat();
            }
            item = json::with_member(&item, member, &value);
        }
        if json::get(&item, "status").is_some() {
            item = json::with_member(&item, "status", b"\"incomplete\"");
        }
        item
    }
}

impl StreamedText {
    fn value(&self) -> Vec<u8> {
        let text = [b"\"", &self.text[..], b"\""].concat();
        let Some((kind, member)) = self.delta.part else {
            return text;
        };
        let annotations = if kind == "output_text" { ",\"annotations\":[]" } else { "" };
        let (begin, end) = (format!("{{\"type\":\"{kind}\",\"{member}\":"), format!("{annotations}}}"));
        [begin.as_bytes(), &text, end.as_bytes()].concat()
    }
}
