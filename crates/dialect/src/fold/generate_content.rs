//! generateContent: chunks into one response. Parts are appended; text that goes on in the next chunk is joined.

use std::collections::BTreeMap;

use super::node::{self, Members, Node};
use super::{Document, FoldError, Step};
use crate::event::{Event, EventClass};
use crate::json;

/// A response so far.
#[derive(Debug, Default)]
pub(super) struct Generated {
    members: Members,
    candidates: BTreeMap<u64, Candidate>,
    ended: bool,
}

#[derive(Debug, Default)]
struct Candidate {
    members: Members,
    content: Members,
    parts: BTreeMap<u64, Node>,
    /// Whether the last part is thought, or none if it is not plain text.
    last: Option<bool>,
}

impl Document for Generated {
    fn event(&mut self, event: &Event<'_>, class: EventClass) -> Result<Step, FoldError> {
        // More may follow an end: some models write a finish reason on each chunk.
        self.ended |= class == EventClass::End;
        let chunk = super::json(event.data).ok_or(FoldError::Unreadable("GenerateContentResponse"))?;
        for (key, value) in json::members(chunk) {
            match key {
                b"candidates" => {
                    node::member(&mut self.members, "candidates", b"[]");
                    for candidate in json::items(value) {
                        let index = json::get(candidate, "index").and_then(json::count).unwrap_or_default();
                        self.candidates.entry(index).or_default().chunk(candidate);
                    }
                }
                _ => node::set(&mut self.members, key, value),
            }
        }
        Ok(Step::Kept)
    }

    fn finish(mut self: Box<Self>) -> Option<Vec<u8>> {
        if !self.ended {
            return None;
        }
        if !self.candidates.is_empty() {
            let candidates = std::mem::take(&mut self.candidates).into_iter();
            let candidates = candidates.map(|(index, candidate)| (index, candidate.finish()));
            self.members.insert(b"candidates".to_vec(), Node::Items(candidates.collect()));
        }
        let mut document = Vec::new();
        node::write(&self.members, &mut document);
        Some(document)
    }
}

impl Candidate {
    fn chunk(&mut self, candidate: &[u8]) {
        for (key, value) in json::members(candidate) {
            if key != b"content" {
                node::set(&mut self.members, key, value);
                continue;
            }
            node::member(&mut self.members, "content", b"{}");
            for (key, value) in json::members(value) {
                if key == b"parts" {
                    node::member(&mut self.content, "parts", b"[]");
                    json::items(value).for_each(|part| self.part(part));
                } else {
                    node::set(&mut self.content, key, value);
                }
            }
        }
    }

    fn part(&mut self, part: &[u8]) {
        let thought = plain_text(part);
        match self.parts.last_entry() {
            Some(mut last) if thought.is_some() && thought == self.last => {
                if let (Some(members), Some(text)) = (last.get_mut().object(), json::get(part, "text")) {
                    node::merge(members, b"text", text);
                }
            }
            _ => drop(self.parts.insert(node::next(&self.parts), Node::raw(part))),
        }
        self.last = thought;
    }

    fn finish(mut self) -> Node {
        if self.content.contains_key(&b"parts"[..]) {
            self.content.insert(b"parts".to_vec(), Node::Items(self.parts));
        }
        if let Some(content) = self.members.get_mut(&b"content"[..]) {
            *content = Node::Object(self.content);
        }
        Node::Object(self.members)
    }
}

/// Whether a part that has nothing but text is a thought.
fn plain_text(part: &[u8]) -> Option<bool> {
    let plain = json::members(part).all(|(key, _)| matches!(key, b"text" | b"thought"));
    json::get(part, "text").filter(|text| plain && text.starts_with(b"\""))?;
    Some(json::get(part, "thought") == Some(b"true"))
}
