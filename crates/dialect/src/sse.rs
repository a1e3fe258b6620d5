//! Cuts a byte stream into Server-Sent Events, as the WHATWG HTML standard (9.2.6) says: LF, CR and CRLF line
//! ends, a byte order mark at the start, comments, several data lines. The tap and rewriters call it on every
//! chunk. An event that lies in one chunk is never copied; what is carried from chunk to chunk is bounded.

use std::ops::Range;

use memchr::memchr2;

use crate::event::{Event, EventKind, has_error};

/// The size beyond which an event is not kept, unless another limit is asked for. An image in base64 fits.
pub const DEFAULT_EVENT_LIMIT: usize = 16 * 1024 * 1024;

/// An incremental splitter for one stream.
///
/// Every byte of the stream is in exactly one event's `raw` (oversized events aside), in order, and the events
/// are the same however the stream is cut into chunks. For that, a CR that ends a chunk waits for the next
/// byte, which may be its LF.
#[derive(Debug)]
pub struct Splitter {
    carry: Vec<u8>,
    fields: Fields,
    limit: usize,
    oversized: bool,
}

impl Default for Splitter {
    fn default() -> Self {
        Self::with_limit(DEFAULT_EVENT_LIMIT)
    }
}

impl Splitter {
    /// A splitter that gives up keeping an event once it is longer than `limit` bytes: its place is taken by
    /// one [`EventKind::Oversized`].
    pub fn with_limit(limit: usize) -> Self {
        Self { carry: Vec::new(), fields: Fields::at_stream_start(), limit, oversized: false }
    }

    /// Whether the bytes so far end where an event ends, so that another event may be written here.
    pub fn between_events(&self) -> bool {
        self.carry.is_empty()
    }

    /// How many bytes of the event that is being read came with earlier chunks.
    pub(crate) fn carried(&self) -> usize {
        self.carry.len()
    }

    /// Hands every event that `chunk` completes to `on_event`, in order.
    pub fn feed(&mut self, chunk: &[u8], mut on_event: impl FnMut(Event<'_>)) {
        let mut rest = chunk;
        if !self.carry.is_empty() {
            rest = self.complete_carried(rest, &mut on_event);
        }
        while !rest.is_empty() {
            let Some(end) = self.fields.advance(rest) else {
                self.carry.extend_from_slice(rest);
                self.forget_if_oversized();
                return;
            };
            let (frame, after) = rest.split_at(end);
            if end > self.limit {
                on_event(Event::oversized());
            } else {
                on_event(self.fields.event(frame));
            }
            self.fields.reset();
            rest = after;
        }
    }

    /// Ends the stream. What stands behind the last blank line is no event by the standard, but servers that
    /// leave out the blank line after the last one exist: it is handed out as [`EventKind::Unfinished`].
    pub fn finish(&mut self, mut on_event: impl FnMut(Event<'_>)) {
        if self.carry.is_empty() {
            return;
        }
        if self.oversized {
            on_event(Event::oversized());
        } else {
            let whole = self.fields.end_of_stream(&self.carry);
            let event = self.fields.event(&self.carry);
            let kind = if whole { event.kind } else { EventKind::Unfinished };
            on_event(Event { kind, ..event });
        }
        self.start_over();
    }

    /// Takes the carried event's remaining lines from `chunk`, one at a time so that nothing behind the event
    /// is copied, and returns what follows it.
    fn complete_carried<'c>(&mut self, chunk: &'c [u8], on_event: &mut impl FnMut(Event<'_>)) -> &'c [u8] {
        let mut rest = chunk;
        while !rest.is_empty() {
            let line = memchr2(b'\n', b'\r', rest).map_or(rest.len(), |at| at + 1);
            self.carry.extend_from_slice(&rest[..line]);
            rest = &rest[line..];
            if let Some(end) = self.fields.advance(&self.carry) {
                // A CR waits for one byte more, which then turns out to begin the next event.
                let too_many = self.carry.len() - end;
                rest = &chunk[chunk.len() - rest.len() - too_many..];
                if self.oversized || end > self.limit {
                    on_event(Event::oversized());
                } else {
                    on_event(self.fields.event(&self.carry[..end]));
                }
                self.start_over();
                return rest;
            }
            self.forget_if_oversized();
        }
        rest
    }

    /// Lets go of an event that is too long, keeping only what tells where it ends: whether the line it is in
    /// has anything on it, and a CR that waits for its LF.
    fn forget_if_oversized(&mut self) {
        if !self.oversized && self.carry.len() <= self.limit {
            return;
        }
        self.oversized = true;
        let line = &self.carry[self.fields.line_start..];
        let waiting = line.last() == Some(&b'\r');
        let blank = line.len() == usize::from(waiting);
        // A comment stands for whatever the line held. A fresh Vec gives the memory back.
        self.carry = match (blank, waiting) {
            (true, true) => b"\r".to_vec(),
            (false, true) => b":\r".to_vec(),
            (false, false) => b":".to_vec(),
            // The carry must not look empty; the standing line end is one that was seen already.
            (true, false) => b"\n".to_vec(),
        };
        let seen = usize::from(blank && !waiting);
        self.fields.reset();
        self.fields.line_start = seen;
        self.fields.scanned = seen;
    }

    fn start_over(&mut self) {
        self.carry.clear();
        self.oversized = false;
        self.fields.reset();
    }
}

/// What is known of the event that is being read. Offsets count from the event's first byte, so they hold
/// whether the event lies in a chunk or in the carry.
#[derive(Debug)]
struct Fields {
    name: Option<Range<usize>>,
    data: Option<Range<usize>>,
    /// The value of a field named `error`, which the standard does not know.
    error: Option<Range<usize>>,
    /// All data lines joined by LF, once there is more than one.
    joined: Vec<u8>,
    is_joined: bool,
    line_start: usize,
    scanned: usize,
    stream_start: bool,
}

impl Fields {
    fn at_stream_start() -> Self {
        Self {
            name: None,
            data: None,
            error: None,
            joined: Vec::new(),
            is_joined: false,
            line_start: 0,
            scanned: 0,
            stream_start: true,
        }
    }

    fn reset(&mut self) {
        self.name = None;
        self.data = None;
        self.error = None;
        self.joined.clear();
        self.is_joined = false;
        self.line_start = 0;
        self.scanned = 0;
    }

    /// Reads lines up to the blank one that ends the event; the offset behind it, or `None` if `frame` ends
    /// before. `frame` is the event from its first byte, and may only grow from call to call.
    fn advance(&mut self, frame: &[u8]) -> Option<usize> {
        loop {
            let Some(found) = memchr2(b'\n', b'\r', &frame[self.scanned..]) else {
                self.scanned = frame.len();
                return None;
            };
            let end = self.scanned + found;
            let next = match (frame[end], frame.get(end + 1)) {
                (b'\r', Some(b'\n')) => end + 2,
                (b'\r', None) => {
                    self.scanned = end;
                    return None;
                }
                _ => end + 1,
            };
            let blank = self.line(frame, end);
            self.line_start = next;
            self.scanned = next;
            if blank {
                return Some(next);
            }
        }
    }

    /// Reads what the stream broke off in; whether it was a whole event whose last CR waited for an LF.
    fn end_of_stream(&mut self, frame: &[u8]) -> bool {
        let end = frame.len() - usize::from(frame.last() == Some(&b'\r'));
        self.line_start < frame.len() && self.line(frame, end) && end < frame.len()
    }

    /// Takes in the line that ends at `end`; whether it was blank.
    fn line(&mut self, frame: &[u8], end: usize) -> bool {
        let mut start = self.line_start;
        if std::mem::take(&mut self.stream_start) && frame[start..end].starts_with(b"\xEF\xBB\xBF") {
            start += 3;
        }
        let line = &frame[start..end];
        if let Some(value) = line.strip_prefix(b"data").and_then(value_of) {
            self.add_data(frame, end - value.len()..end);
        } else if let Some(value) = line.strip_prefix(b"event").and_then(value_of) {
            self.name = (!value.is_empty()).then_some(end - value.len()..end);
        } else if let Some(value) = line.strip_prefix(b"error").and_then(value_of) {
            self.error = (!value.is_empty()).then_some(end - value.len()..end);
        }
        line.is_empty()
    }

    fn add_data(&mut self, frame: &[u8], line: Range<usize>) {
        let Some(first) = self.data.clone() else {
            self.data = Some(line);
            return;
        };
        if !self.is_joined {
            self.joined.extend_from_slice(&frame[first]);
            self.is_joined = true;
        }
        self.joined.push(b'\n');
        self.joined.extend_from_slice(&frame[line]);
    }

    fn event<'a>(&'a self, frame: &'a [u8]) -> Event<'a> {
        if let Some(error) = self.stray_error(frame) {
            return Event { kind: EventKind::Stray, name: None, data: error, raw: frame };
        }
        let data = match &self.data {
            Some(_) if self.is_joined => &self.joined[..],
            Some(line) => &frame[line.clone()],
            None => &[],
        };
        let kind = if self.data.is_some() { EventKind::Message } else { EventKind::Silent };
        Event { kind, name: self.name.clone().map(|name| &frame[name]), data, raw: frame }
    }
}

impl Fields {
    /// An error that clients do not see, since it stands in a field of its own or is JSON without any field.
    fn stray_error<'a>(&self, frame: &'a [u8]) -> Option<&'a [u8]> {
        if let Some(error) = &self.error {
            return Some(&frame[error.clone()]);
        }
        let bare = || Some(frame.trim_ascii()).filter(|text| text.starts_with(b"{") && has_error(text));
        if self.data.is_none() { bare() } else { None }
    }
}

/// What follows a field's name: nothing, or a colon, at most one space, and the value.
fn value_of(rest: &[u8]) -> Option<&[u8]> {
    match rest.split_first() {
        None => Some(rest),
        Some((b':', value)) => Some(value.strip_prefix(b" ").unwrap_or(value)),
        Some(_) => None,
    }
}
