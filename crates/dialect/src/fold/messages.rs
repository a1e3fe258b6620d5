//! Messages: `message_start`, content blocks and `message_delta` into a `message`.

use std::collections::BTreeMap;

use super::node::{self, Members, Node};
use super::{Document, FoldError, Step};
use crate::event::{Event, EventClass};
use crate::json;

/// A message so far.
#[derive(Debug, Default)]
pub(super) struct Message {
    members: Members,
    blocks: BTreeMap<u64, Block>,
    stopped: bool,
}

#[derive(Debug)]
struct Block {
    members: Members,
    /// The text of `input`, as it is written inside strings.
    input: Vec<u8>,
}

impl Document for Message {
    fn event(&mut self, event: &Event<'_>, _class: EventClass) -> Result<Step, FoldError> {
        let name = event.type_name().unwrap_or_default();
        let read = |name| super::json(event.data).ok_or(FoldError::Unreadable(name));
        match &*name {
            "message_start" => {
                let message = json::get(read("message_start")?, "message");
                self.members = message.map(node::members).ok_or(FoldError::Unreadable("message_start"))?;
            }
            "content_block_start" => {
                let data = read("content_block_start")?;
                let block = json::get(data, "content_block").ok_or(FoldError::Unreadable("content_block_start"))?;
                let index = index(data).unwrap_or_else(|| node::next(&self.blocks));
                self.blocks.insert(index, Block { members: node::members(block), input: Vec::new() });
            }
            "content_block_delta" => {
                let data = read("content_block_delta")?;
                let block = match index(data) {
                    Some(index) => self.blocks.get_mut(&index),
                    None => self.blocks.values_mut().next_back(),
                };
                let block = block.ok_or(FoldError::Unreadable("content_block_delta"))?;
                json::get(data, "delta").into_iter().flat_map(json::members).for_each(|(key, value)| {
                    block.delta(key, value);
                });
            }
            "message_delta" => self.message_delta(read("message_delta")?),
            "message_stop" => {
                self.stopped = true;
                return Ok(Step::Last);
            }
            _ => return Ok(Step::Ignored),
        }
        Ok(Step::Kept)
    }

    fn finish(mut self: Box<Self>) -> Option<Vec<u8>> {
        if !self.stopped || self.members.is_empty() {
            return None;
        }
        let blocks = std::mem::take(&mut self.blocks).into_iter().map(|(index, block)| (index, block.finish()));
        self.members.insert(b"content".to_vec(), Node::Items(blocks.collect()));
        let mut document = Vec::new();
        node::write(&self.members, &mut document);
        Some(document)
    }
}

impl Message {
    /// Its `usage` counts the whole message so far: it replaces the numbers of `message_start`.
    fn message_delta(&mut self, data: &[u8]) {
        for (key, value) in json::members(data) {
            match key {
                b"type" => {}
                b"delta" => json::members(value).for_each(|(key, value)| node::set(&mut self.members, key, value)),
                b"usage" => {
                    if let Some(usage) = node::member(&mut self.members, "usage", b"{}").object() {
                        json::members(value).for_each(|(key, value)| node::set(usage, key, value));
                    }
                }
                _ => node::set(&mut self.members, key, value),
            }
        }
    }
}

impl Block {
    /// A delta names the member that it adds to, but for two of them.
    fn delta(&mut self, key: &[u8], value: &[u8]) {
        match key {
            b"type" => {}
            b"partial_json" => self.input.extend_from_slice(node::inside(value)),
            b"citation" => node::member(&mut self.members, "citations", b"[]").merge(&[b"[", value, b"]"].concat()),
            _ => node::merge(&mut self.members, key, value),
        }
    }

    fn finish(mut self) -> Node {
        if !self.input.is_empty() {
            self.members.insert(b"input".to_vec(), Node::Raw(input_of(&self.input)));
        }
        Node::Object(self.members)
    }
}

/// The input of a call, of which this stands inside strings.
pub(crate) fn input_of(inside: &[u8]) -> Vec<u8> {
    let quoted = [b"\"", inside, b"\""].concat();
    let text: Option<String> = serde_json::from_slice(&quoted).ok();
    match text.filter(|text| super::json(text.as_bytes()).is_some()) {
        Some(text) => text.into_bytes(),
        // Cut off by `max_tokens`. Anthropic's guide to fine-grained tool streaming wraps it so.
        None => [b"{\"INVALID_JSON\":", &quoted[..], b"}"].concat(),
    }
}

fn index(data: &[u8]) -> Option<u64> {
    json::get(data, "index").and_then(json::count)
}
