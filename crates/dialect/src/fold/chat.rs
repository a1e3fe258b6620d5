//! Chat Completions: chunks into a `chat.completion`. The legacy completions, whose chunks carry `text`, fold too.

use std::collections::BTreeMap;

use super::node::{self, Members, Node};
use super::{Document, FoldError, Step};
use crate::event::{Event, EventClass};
use crate::json;

/// A completion so far.
#[derive(Debug, Default)]
pub(super) struct Chat {
    members: Members,
    choices: BTreeMap<u64, Members>,
    done: bool,
}

impl Document for Chat {
    fn event(&mut self, event: &Event<'_>, class: EventClass) -> Result<Step, FoldError> {
        if class == EventClass::End {
            self.done = true;
            return Ok(Step::Last);
        }
        let chunk = super::json(event.data).ok_or(FoldError::Unreadable("chat.completion.chunk"))?;
        for (key, value) in json::members(chunk) {
            match key {
                b"choices" => {
                    // Keeps its place among the members; it is filled in at the end.
                    node::member(&mut self.members, "choices", b"[]");
                    json::items(value).for_each(|choice| self.choice(choice));
                }
                b"object" if value == b"\"chat.completion.chunk\"" => {
                    node::set(&mut self.members, key, b"\"chat.completion\"");
                }
                // Random text that only evens out the length of chunks.
                b"obfuscation" => {}
                _ => node::set(&mut self.members, key, value),
            }
        }
        Ok(Step::Kept)
    }

    fn finish(mut self: Box<Self>) -> Option<Vec<u8>> {
        // Servers exist that leave out `[DONE]`.
        if !self.done && (self.choices.is_empty() || !self.choices.values().all(is_finished)) {
            return None;
        }
        let choices = std::mem::take(&mut self.choices).into_iter();
        let choices = choices.map(|(index, mut choice)| {
            finish_message(&mut choice);
            (index, Node::Object(choice))
        });
        self.members.insert(b"choices".to_vec(), Node::Items(choices.collect()));
        let mut document = Vec::new();
        node::write(&self.members, &mut document);
        Some(document)
    }
}

impl Chat {
    fn choice(&mut self, choice: &[u8]) {
        let index = json::get(choice, "index").and_then(json::count).unwrap_or_default();
        let folded = self.choices.entry(index).or_default();
        for (key, value) in json::members(choice) {
            match key {
                b"delta" => node::member(folded, "message", b"{}").merge(value),
                b"logprobs" | b"text" => node::merge(folded, key, value),
                _ => node::set(folded, key, value),
            }
        }
    }
}

fn is_finished(choice: &Members) -> bool {
    matches!(choice.get(&b"finish_reason"[..]), Some(Node::Raw(reason)) if reason != b"null")
}

/// What a whole message has and deltas may lack, and the other way around.
fn finish_message(choice: &mut Members) {
    let Some(message) = choice.get_mut(&b"message"[..]).and_then(Node::object) else {
        return;
    };
    if !message.contains_key(&b"role"[..]) {
        message.shift_insert(0, b"role".to_vec(), Node::raw(b"\"assistant\""));
    }
    node::member(message, "content", b"null");
    if let Some(calls) = message.get_mut(&b"tool_calls"[..]).and_then(Node::items) {
        for call in calls.values_mut().filter_map(Node::object) {
            call.shift_remove(&b"index"[..]);
        }
    }
}
