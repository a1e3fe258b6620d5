//! Cuts a byte stream into the lines of NDJSON, each of which is one JSON value, as Ollama answers. `EventReader` calls it. A
//! line that lies in one chunk is not copied, and what is carried from chunk to chunk is bounded.

use memchr::memchr;

use crate::event::{Event, EventKind};
use crate::tap::is_whole;

/// An incremental splitter for one stream.
#[derive(Debug)]
pub(crate) struct Lines {
    /// The beginning of a line whose end has not come.
    carry: Vec<u8>,
    limit: usize,
    /// Whether that line is too long to be kept.
    oversized: bool,
}

impl Lines {
    /// One that gives up keeping a line of more than `limit` bytes: its place is taken by an [`EventKind::Oversized`].
    pub(crate) fn with_limit(limit: usize) -> Self {
        Self { carry: Vec::new(), limit, oversized: false }
    }

    /// Hands every line that `chunk` completes to `on_event`, in order.
    pub(crate) fn feed(&mut self, chunk: &[u8], mut on_event: impl FnMut(Event<'_>)) {
        let mut rest = chunk;
        while let Some(end) = memchr(b'\n', rest) {
            let (line, after) = rest.split_at(end + 1);
            rest = after;
            if self.oversized || self.carry.len() + line.len() > self.limit {
                on_event(Event::oversized());
            } else if self.carry.is_empty() {
                on_event(event(line, EventKind::Message));
            } else {
                self.carry.extend_from_slice(line);
                on_event(event(&self.carry, EventKind::Message));
            }
            self.carry.clear();
            self.oversized = false;
        }
        self.oversized |= self.carry.len() + rest.len() > self.limit;
        if self.oversized {
            // A fresh Vec gives the memory back.
            self.carry = Vec::new();
        } else {
            self.carry.extend_from_slice(rest);
        }
    }

    /// Ends the stream. The last line may lack its end; one that is no whole value is [`EventKind::Unfinished`].
    pub(crate) fn finish(&mut self, mut on_event: impl FnMut(Event<'_>)) {
        let line = std::mem::take(&mut self.carry);
        if std::mem::take(&mut self.oversized) {
            on_event(Event::oversized());
        } else if !line.is_empty() {
            on_event(event(&line, if is_whole(&line) { EventKind::Message } else { EventKind::Unfinished }));
        }
    }
}

/// A line with something on it; one without is no event.
fn event(line: &[u8], kind: EventKind) -> Event<'_> {
    let data = line.trim_ascii();
    let kind = if data.is_empty() { EventKind::Silent } else { kind };
    Event { kind, name: None, data, raw: line }
}
