//! Watches an answer go by and reports what it used, how it ended and whether its first content has passed.
//! The host feeds it every chunk on its way to the client. It sees bytes and never changes, delays or keeps
//! them; an event that says nothing new costs a search, not a parse.

use std::sync::Arc;

use bytes::Bytes;

use crate::dialect::Dialect;
use crate::error::{ParsedError, read_error};
use crate::event::{Event, EventClass, EventKind, classify, finishes_choice, is_quiet, mentions_usage_metadata};
use crate::json;
use crate::observe::Observer;
use crate::sse::Splitter;
use crate::usage::{Counts, Usage};
use crate::whole::{Found, MEMBER_LIMIT, Whole};

/// How the answer's bytes are framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// Server-Sent Events.
    Sse,
    /// One JSON text, arriving in any number of chunks; Gemini's array of chunks is read too.
    Json,
}

/// An error that an upstream reported inside a 200 answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamError {
    /// What it says.
    pub error: ParsedError,
    /// The event's data as it came, at most 64 KiB, with what is not UTF-8 replaced.
    pub raw: String,
}

impl StreamError {
    /// Reads an error event's data.
    pub(crate) fn read(data: &[u8]) -> Self {
        let raw = &data[..data.len().min(MEMBER_LIMIT)];
        Self { error: read_error(data).unwrap_or_default(), raw: String::from_utf8_lossy(raw).into_owned() }
    }

    /// The error as the body of an HTTP error of its own dialect, with the upstream's error object byte for byte; none
    /// if it has none that clients of that dialect would understand.
    pub fn body(&self, dialect: Dialect) -> Option<Bytes> {
        let data = self.raw.as_bytes();
        serde_json::from_slice::<serde::de::IgnoredAny>(data).ok()?;
        let failed = json::get(data, "response").and_then(|response| json::get(response, "error"));
        let error = failed.or_else(|| json::get(data, "error"))?;
        let kind = if dialect == Dialect::GenerateContent { "status" } else { "type" };
        json::get_text(error, kind).and(json::get_text(error, "message"))?;
        let begin: &[u8] =
            if dialect == Dialect::Messages { b"{\"type\":\"error\",\"error\":" } else { b"{\"error\":" };
        Some([begin, error, b"}"].concat().into())
    }
}

/// How an answer ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// It said that it is whole, in its dialect's way.
    Complete,
    /// It reported an error, whatever else it said.
    Failed(Box<StreamError>),
    /// It stopped without saying that it is whole.
    Cut,
}

/// What a tap learned from a whole answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// What the answer used, as far as it said.
    pub usage: Usage,
    /// How it ended.
    pub end: End,
    /// Whether the client was given anything that commits to this answer.
    pub first_content: bool,
}

/// The tap of one answer. `feed` it every chunk as it comes, then `finish` it once.
#[derive(Debug)]
pub struct Tap {
    source: Source,
    learned: Learned,
}

#[derive(Debug)]
enum Source {
    Sse(Splitter),
    Json(Whole),
}

impl Tap {
    /// A tap for one answer in that dialect, framed that way.
    pub fn new(dialect: Dialect, framing: Framing) -> Self {
        let source = match framing {
            Framing::Sse => Source::Sse(Splitter::default()),
            Framing::Json => Source::Json(Whole::new(&["usage", "usageMetadata", "error"])),
        };
        Self { source, learned: Learned::new(dialect) }
    }

    /// Keeps the data of events whose type is one of `patterns`, or begins as one that ends in `*`, for
    /// [`Self::take_observed`].
    #[must_use]
    pub fn observing(mut self, patterns: Arc<[String]>) -> Self {
        self.learned.observer = (!patterns.is_empty()).then(|| Observer::new(patterns));
        self
    }

    /// Looks at the next bytes of the answer.
    pub fn feed(&mut self, chunk: &[u8]) {
        let learned = &mut self.learned;
        match &mut self.source {
            Source::Sse(splitter) => splitter.feed(chunk, |event| learned.event(&event)),
            Source::Json(whole) => whole.feed(chunk, |found| learned.member(found)),
        }
    }

    /// Ends the answer: no more bytes come, for whatever reason. Call it once.
    pub fn finish(&mut self) -> Report {
        let learned = &mut self.learned;
        match &mut self.source {
            Source::Sse(splitter) => splitter.finish(|event| learned.event(&event)),
            Source::Json(whole) => learned.ended |= whole.is_closed(),
        }
        let end = match learned.error.take() {
            Some(error) => End::Failed(error),
            None if learned.ended => End::Complete,
            None => End::Cut,
        };
        let first_content = learned.first_content;
        Report { usage: self.usage(), end, first_content }
    }

    /// Whether the first content event, or an end without any content, has passed before any error.
    pub fn first_content(&self) -> bool {
        self.learned.first_content
    }

    /// Whether the answer has said that it is whole.
    pub fn is_complete(&self) -> bool {
        self.learned.ended
    }

    /// The first error that the answer reported, if it did so far.
    pub fn error(&self) -> Option<&StreamError> {
        self.learned.error.as_deref()
    }

    /// What the answer has used, as far as it said so far.
    pub fn usage(&self) -> Usage {
        let learned = &self.learned;
        let mut counts = learned.counts;
        counts.read_event(learned.dialect, &learned.unread_usage);
        counts.usage(learned.dialect)
    }

    /// How many events have passed. Responses numbers its events from zero, so this is the number of the next.
    pub fn events(&self) -> u64 {
        self.learned.events
    }

    /// Whether the bytes so far end where an event ends, so that a heartbeat or an error may be written here.
    /// Never so inside a JSON answer.
    pub fn between_events(&self) -> bool {
        match &self.source {
            Source::Sse(splitter) => splitter.between_events(),
            Source::Json(_) => false,
        }
    }

    /// The data of the observed events since the last call, oldest first.
    pub fn take_observed(&mut self) -> Vec<Bytes> {
        self.learned.observer.as_mut().map(Observer::take).unwrap_or_default()
    }
}

/// What is known so far.
#[derive(Debug)]
struct Learned {
    dialect: Dialect,
    counts: Counts,
    /// generateContent counts up in every chunk: the last chunk with usage, read when someone asks.
    unread_usage: Vec<u8>,
    ended: bool,
    first_content: bool,
    error: Option<Box<StreamError>>,
    events: u64,
    observer: Option<Observer>,
}

impl Learned {
    fn new(dialect: Dialect) -> Self {
        Self {
            dialect,
            counts: Counts::default(),
            unread_usage: Vec::new(),
            ended: false,
            first_content: false,
            error: None,
            events: 0,
            observer: None,
        }
    }

    fn event(&mut self, event: &Event<'_>) {
        let skip = match event.kind {
            EventKind::Silent => true,
            EventKind::Unfinished => !is_whole(event.data),
            EventKind::Message | EventKind::Oversized => false,
        };
        if skip {
            return;
        }
        self.events += 1;
        if let Some(observer) = &mut self.observer {
            observer.see(event);
        }
        if self.first_content && is_quiet(self.dialect, event) {
            self.keep_usage(event.data);
            return;
        }
        let class = classify(self.dialect, event);
        match class {
            EventClass::Preamble => {}
            EventClass::Content => self.commit(),
            EventClass::End => {
                self.commit();
                self.ended = true;
            }
            EventClass::Error => self.fail(event.data),
        }
        if self.dialect == Dialect::ChatCompletions {
            self.ended |= finishes_choice(event.data);
        }
        // The preamble of Responses repeats the whole request, with a usage of null.
        if self.dialect != Dialect::Responses || matches!(class, EventClass::End | EventClass::Error) {
            self.counts.read_event(self.dialect, &std::mem::take(&mut self.unread_usage));
            self.counts.read_event(self.dialect, event.data);
        }
    }

    /// What follows an error commits to nothing: chat's `[DONE]` often comes in the same chunk.
    fn commit(&mut self) {
        self.first_content |= self.error.is_none();
    }

    fn keep_usage(&mut self, data: &[u8]) {
        if self.dialect != Dialect::GenerateContent || !mentions_usage_metadata(data) {
            return;
        }
        self.unread_usage.clear();
        if data.len() <= MEMBER_LIMIT {
            self.unread_usage.extend_from_slice(data);
        } else {
            self.counts.read_event(self.dialect, data);
        }
    }

    fn member(&mut self, found: Found<'_>) {
        match found {
            Found::Other => self.commit(),
            Found::Wanted { key: b"error", value } if json::is_blank(value) => {}
            Found::Wanted { key: b"error", value } => {
                self.fail(&[b"{\"error\":", value, b"}"].concat());
                // Whatever stands before it: Messages has its `type` there, a Responses object its `id`.
                self.first_content &= !value.starts_with(b"{");
            }
            Found::Wanted { value, .. } => self.counts.read(value),
        }
    }

    fn fail(&mut self, data: &[u8]) {
        if self.error.is_none() {
            self.error = Some(Box::new(StreamError::read(data)));
        }
    }
}

/// Whether what a stream broke off in is nevertheless a whole event, only its blank line missing.
pub(crate) fn is_whole(data: &[u8]) -> bool {
    data == b"[DONE]" || serde_json::from_slice::<serde::de::IgnoredAny>(data).is_ok()
}
