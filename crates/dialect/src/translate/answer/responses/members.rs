//! The members of an answer's events, and what is remembered of the texts that they bring.

use crate::event::Event;
use crate::json;
use crate::translate::request::Json;

/// Which text of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spot {
    Text(u64),
    Refusal(u64),
    Summary(u64),
    Thought(u64),
    Arguments,
}

/// What was said of a text: enough to know whether another begins with it.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) spot: Spot,
    pub(super) bytes: usize,
    pub(super) hash: u64,
}

impl Said {
    pub(super) fn add(&mut self, text: &[u8]) {
        self.bytes += text.len();
        self.hash = hash(self.hash, text);
    }
}

/// FNV-1a.
pub(super) fn hash(seed: u64, text: &[u8]) -> u64 {
    text.iter().fold(seed, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01B3))
}

pub(super) const SEED: u64 = 0xCBF2_9CE4_8422_2325;

/// The members of events of every kind.
#[derive(Default)]
pub(super) struct Members<'e> {
    pub(super) kind: Option<&'e [u8]>,
    pub(super) index: Option<u64>,
    pub(super) id: Option<&'e [u8]>,
    pub(super) part: u64,
    pub(super) delta: Option<&'e [u8]>,
    pub(super) whole: Option<&'e [u8]>,
    pub(super) item: Option<Json<'e>>,
    pub(super) within: Option<Json<'e>>,
    pub(super) annotation: Option<Json<'e>>,
    pub(super) logprobs: Option<Json<'e>>,
    pub(super) response: Option<Json<'e>>,
}

impl<'e> Members<'e> {
    pub(super) fn read(event: &Event<'e>) -> Self {
        let mut read = Self::default();
        for (key, value) in json::members(event.data) {
            match key {
                b"type" => read.kind = json::inside(value),
                b"output_index" => read.index = json::count(value),
                b"item_id" => read.id = json::inside(value),
                b"content_index" | b"summary_index" => read.part = json::count(value).unwrap_or_default(),
                b"delta" => read.delta = json::inside(value),
                b"text" | b"refusal" | b"arguments" | b"input" => read.whole = json::inside(value),
                b"item" => read.item = Some(value),
                b"part" => read.within = Some(value),
                b"annotation" => read.annotation = Some(value),
                b"logprobs" if !json::is_blank(value) => read.logprobs = Some(value),
                b"response" => read.response = Some(value),
                _ => {}
            }
        }
        read.kind = read.kind.or(event.name);
        read
    }
}
