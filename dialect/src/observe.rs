//! Keeps the events that a provider's description asked to observe (`codex.rate_limits`), for its `quota` hook.
//! The tap calls it for every event if there are patterns. Whatever an upstream sends, it holds 256 KiB at most.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;

use crate::event::Event;

/// An event larger than this is no quota report.
const EVENT_LIMIT: usize = 64 * 1024;

/// What is kept until it is taken; the oldest goes first, as the newest report is the one that counts.
const TOTAL_LIMIT: usize = 256 * 1024;

/// How many are kept, so that a flood of tiny events costs no more than a few large ones.
const COUNT_LIMIT: usize = 64;

#[derive(Debug)]
pub(crate) struct Observer {
    patterns: Arc<[String]>,
    kept: VecDeque<Bytes>,
    size: usize,
}

impl Observer {
    pub(crate) fn new(patterns: Arc<[String]>) -> Self {
        Self { patterns, kept: VecDeque::new(), size: 0 }
    }

    pub(crate) fn see(&mut self, event: &Event<'_>) {
        if event.data.len() > EVENT_LIMIT {
            return;
        }
        let Some(name) = event.type_name() else {
            return;
        };
        if !self.patterns.iter().any(|pattern| matches(pattern, &name)) {
            return;
        }
        self.kept.push_back(Bytes::copy_from_slice(event.data));
        self.size += event.data.len();
        while self.size > TOTAL_LIMIT || self.kept.len() > COUNT_LIMIT {
            let oldest = self.kept.pop_front().map_or(0, |data| data.len());
            self.size -= oldest;
        }
    }

    pub(crate) fn take(&mut self) -> Vec<Bytes> {
        self.size = 0;
        self.kept.drain(..).collect()
    }
}

/// A pattern is a type, or the beginning of one followed by `*`.
fn matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(beginning) => name.starts_with(beginning),
        None => name == pattern,
    }
}
