//! Keeps the events that a provider's description asked to observe (`codex.rate_limits`), for its `quota` hook.
//! The tap calls it for every event if there are patterns, and the host for the events that a component is about to
//! rewrite, so that patterns name the provider's own events. Whatever an upstream sends, it holds 256 KiB at most.

use std::collections::VecDeque;
use std::sync::Arc;

use bitrouter_contract::pattern;
use bytes::Bytes;

use crate::event::Event;
use crate::json;

/// An event larger than this is no quota report.
const EVENT_LIMIT: usize = 64 * 1024;

/// What is kept until it is taken; the oldest goes first, as the newest report is the one that counts.
const TOTAL_LIMIT: usize = 256 * 1024;

/// How many are kept, so that a flood of tiny events costs no more than a few large ones.
const COUNT_LIMIT: usize = 64;

/// Keeps what is observed of one stream until it is taken.
#[derive(Debug)]
pub struct Observer {
    patterns: Arc<[String]>,
    kept: VecDeque<Bytes>,
    size: usize,
}

impl Observer {
    /// One that keeps events whose name or type is one of `patterns`, or begins as one that ends in `*`.
    pub fn new(patterns: Arc<[String]>) -> Self {
        Self { patterns, kept: VecDeque::new(), size: 0 }
    }

    /// Looks at an event.
    pub fn see(&mut self, event: &Event<'_>) {
        if event.data.len() > EVENT_LIMIT {
            return;
        }
        let named = |name: &str| pattern::any(&self.patterns, name);
        let name = event.name.and_then(|name| std::str::from_utf8(name).ok());
        let type_name = json::get_text(event.data, "type");
        if !name.is_some_and(named) && !type_name.is_some_and(|name| named(&name)) {
            return;
        }
        self.kept.push_back(Bytes::copy_from_slice(event.data));
        self.size += event.data.len();
        while self.size > TOTAL_LIMIT || self.kept.len() > COUNT_LIMIT {
            let oldest = self.kept.pop_front().map_or(0, |data| data.len());
            self.size -= oldest;
        }
    }

    /// The data of the events that were kept, oldest first; they are kept no longer.
    pub fn take(&mut self) -> Vec<Bytes> {
        self.size = 0;
        self.kept.drain(..).collect()
    }
}
