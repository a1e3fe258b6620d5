//! Watches an answer go by and reports what it used, how it ended and whether its first content has passed.
//! The host feeds it every chunk on its way to the client. It sees bytes and never changes, delays or keeps
//! them; an event that says nothing new costs a search, not a parse.

use std::sync::Arc;

use bytes::Bytes;

use crate::dialect::Dialect;
use crate::error::{ApiError, ParsedError, read_error};
use crate::event::{
    DONE, Event, EventClass, EventKind, classify, classify_plain, finishes_choice, is_quiet, is_read_as_error,
    mentions_usage_metadata,
};
use crate::json;
use crate::observe::Observer;
use crate::position::Position;
use crate::sse::Splitter;
use crate::usage::{Counts, Usage};
use crate::whole::{MEMBER_LIMIT, Whole, WholeMember};

/// How the answer's bytes are framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// Server-Sent Events.
    Sse,
    /// One JSON text, arriving in any number of chunks; Gemini's array of chunks is read too.
    Json,
}

impl Framing {
    /// How a body is framed that begins like this, whatever its content type says; none while that cannot be told. A
    /// line of Server-Sent Events never begins with a bracket, and JSON never with the letter of a field or a colon.
    pub fn of_first_bytes(bytes: &[u8]) -> Option<First> {
        let text = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes).trim_ascii_start();
        Some(match text.first()? {
            // A part of a byte order mark.
            0xEF | 0xBB | 0xBF if bytes.len() < 3 => return None,
            b'{' | b'[' => First::Json,
            b'd' | b'e' | b'i' | b'r' | b':' => First::Events,
            b'<' => First::Markup,
            _ => First::Other,
        })
    }
}

/// What the first bytes of a body look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum First {
    /// A line of Server-Sent Events.
    Events,
    /// A JSON object or array.
    Json,
    /// A web page.
    Markup,
    /// None of these.
    Other,
}

/// What says that a stream of events is whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LastWord {
    /// What its dialect has for it.
    #[default]
    Dialect,
    /// An event of this type (`transcript.text.done`), which is the last. A server whose events are none of that family
    /// (`transcript.…`) has a stream of its own, which is whole when it ends.
    Once(&'static str),
    /// The same, but several may come.
    Each(&'static str),
    /// Nothing: a stream that ends is whole.
    Nothing,
}

/// An error that an upstream reported inside a 200 answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamError {
    /// What it says.
    pub error: ParsedError,
    /// The event's data as it came, at most 64 KiB, with what is not UTF-8 replaced.
    pub raw: String,
    /// Whether the client can read it as what it is, being an error of its dialect; else it must be told.
    pub readable: bool,
}

impl StreamError {
    /// Reads an error event's data.
    pub(crate) fn read(data: &[u8], readable: bool) -> Self {
        let raw = String::from_utf8_lossy(&data[..data.len().min(MEMBER_LIMIT)]).into_owned();
        let plain = || ParsedError { message: plain_text(&raw), ..ParsedError::default() };
        Self { error: read_error(data).unwrap_or_else(plain), raw, readable }
    }

    /// The error as the end of a stream whose client could not read it as it came: in its own words where they are the
    /// dialect's, else as `error` has it.
    pub fn as_event(&self, dialect: Dialect, error: &ApiError, position: &Position) -> Bytes {
        match self.body(dialect).filter(|_| dialect == Dialect::Messages) {
            Some(body) => [b"event: error\ndata: ", &body[..], b"\n\n"].concat().into(),
            None => error.as_event(dialect, position),
        }
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

/// The sentence of an error that is not JSON.
fn plain_text(raw: &str) -> String {
    let is_json = serde_json::from_str::<serde::de::IgnoredAny>(raw).is_ok();
    if is_json { String::new() } else { raw.trim().chars().take(500).collect() }
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
    source: TapSource,
    learned: Learned,
}

#[derive(Debug)]
enum TapSource {
    Sse(Splitter),
    Json(Whole),
}

impl Tap {
    /// A tap for one answer in that dialect, framed that way.
    pub fn new(dialect: Dialect, framing: Framing) -> Self {
        let source = match framing {
            // The last event of Responses repeats the whole answer.
            Framing::Sse => TapSource::Sse(Splitter::with_limit(crate::DEFAULT_FOLD_LIMIT)),
            Framing::Json => TapSource::Json(Whole::new(&["usage", "usageMetadata", "error"])),
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

    /// Looks at events of up to this many bytes, for an answer whose events are the gateway's own: those that end it may
    /// repeat all of it, and one that is not looked at says nothing.
    #[must_use]
    pub fn with_event_limit(mut self, limit: usize) -> Self {
        if let TapSource::Sse(splitter) = &mut self.source {
            *splitter = Splitter::with_limit(limit);
        }
        self
    }

    /// What says that the answer is whole, where that is not its dialect's.
    #[must_use]
    pub fn ending_with(mut self, last_word: LastWord) -> Self {
        self.learned.last_word = last_word;
        self
    }

    /// Looks at the next bytes of the answer. Returns how many of them are the client's: all, but for an error that it
    /// could not read as one ([`StreamError::readable`]) and what follows it.
    pub fn feed(&mut self, chunk: &[u8]) -> usize {
        let learned = &mut self.learned;
        match &mut self.source {
            TapSource::Sse(splitter) => {
                if learned.has_unreadable_error() {
                    return 0;
                }
                let carried = splitter.carried();
                let (mut at, mut shown) = (0, None);
                splitter.feed(chunk, |event| {
                    if shown.is_some() {
                        return;
                    }
                    learned.event(&event);
                    at += event.raw.len();
                    if learned.has_unreadable_error() {
                        // What of it has left already is nothing to the client, once its line ends.
                        let begins = (at - event.raw.len()).checked_sub(carried);
                        shown = Some(begins.unwrap_or(at.saturating_sub(carried)).min(chunk.len()));
                    }
                });
                shown.unwrap_or(chunk.len())
            }
            TapSource::Json(whole) => {
                whole.feed(chunk, |found| learned.member(found));
                learned.over |= whole.is_closed();
                chunk.len()
            }
        }
    }

    /// Ends the answer: no more bytes come, for whatever reason. Call it once.
    pub fn finish(&mut self) -> Report {
        let whole_without_saying = self.whole_without_saying();
        let learned = &mut self.learned;
        match &mut self.source {
            // Nothing that follows an error of which the client is told in other words counts, however it was cut.
            TapSource::Sse(_) if learned.has_unreadable_error() => {}
            TapSource::Sse(splitter) => splitter.finish(|event| learned.event(&event)),
            TapSource::Json(whole) => learned.ended |= whole.is_closed(),
        }
        let end = match learned.error.take() {
            Some(error) => End::Failed(error),
            None if learned.ended || whole_without_saying => End::Complete,
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

    /// Whether nothing that matters follows: the last word has passed, or an error.
    pub fn is_over(&self) -> bool {
        self.learned.over
    }

    /// Whether an error has come that the client cannot read as one.
    pub fn has_unreadable_error(&self) -> bool {
        self.learned.has_unreadable_error()
    }

    /// Whether the answer is one that has no way to say that it is whole.
    fn whole_without_saying(&self) -> bool {
        let says_so = match self.learned.last_word {
            LastWord::Dialect => true,
            LastWord::Once(_) | LastWord::Each(_) => self.learned.in_family,
            LastWord::Nothing => false,
        };
        !says_so && matches!(self.source, TapSource::Sse(_))
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

    /// Where the stream stands.
    pub fn position(&self) -> &Position {
        &self.learned.position
    }

    /// Whether the bytes so far end where an event ends, so that a heartbeat or an error may be written here.
    /// Never so inside a JSON answer.
    pub fn between_events(&self) -> bool {
        match &self.source {
            TapSource::Sse(splitter) => splitter.between_events(),
            TapSource::Json(_) => false,
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
    last_word: LastWord,
    /// Whether an event has come of the family that the last word belongs to.
    in_family: bool,
    ended: bool,
    over: bool,
    first_content: bool,
    error: Option<Box<StreamError>>,
    position: Position,
    observer: Option<Observer>,
}

impl Learned {
    fn new(dialect: Dialect) -> Self {
        Self {
            dialect,
            counts: Counts::default(),
            unread_usage: Vec::new(),
            last_word: LastWord::Dialect,
            in_family: false,
            ended: false,
            over: false,
            first_content: false,
            error: None,
            position: Position::default(),
            observer: None,
        }
    }

    fn event(&mut self, event: &Event<'_>) {
        let skip = match event.kind {
            EventKind::Silent => true,
            EventKind::Unfinished => !is_whole(event.data),
            EventKind::Message | EventKind::Stray | EventKind::Oversized => false,
        };
        if skip {
            return;
        }
        if self.dialect == Dialect::Responses {
            self.position.pass(event.data);
        }
        if let Some(observer) = &mut self.observer {
            observer.see(event);
        }
        if self.first_content && self.last_word == LastWord::Dialect && is_quiet(self.dialect, event) {
            self.keep_usage(event.data);
            return;
        }
        let class = self.classify(event);
        match class {
            EventClass::Preamble => {}
            EventClass::Content => self.commit(),
            EventClass::End => {
                self.commit();
                self.ended = true;
                self.over |= self.is_last(event);
            }
            EventClass::Error => {
                self.fail(event.data, is_read_as_error(self.dialect, event));
                self.over = true;
            }
        }
        if self.dialect == Dialect::ChatCompletions && self.last_word == LastWord::Dialect {
            self.ended |= finishes_choice(event.data);
        }
        // The preamble of Responses repeats the whole request, with a usage of null.
        if self.dialect != Dialect::Responses || matches!(class, EventClass::End | EventClass::Error) {
            self.counts.read_event(self.dialect, &std::mem::take(&mut self.unread_usage));
            self.counts.read_event(self.dialect, event.data);
        }
    }

    fn classify(&mut self, event: &Event<'_>) -> EventClass {
        match self.last_word {
            LastWord::Dialect => classify(self.dialect, event),
            LastWord::Once(last) | LastWord::Each(last) => {
                let family = last.split_inclusive('.').next().unwrap_or(last);
                self.in_family |= event.type_name().is_some_and(|name| name.starts_with(family));
                classify_plain(event, Some(last))
            }
            LastWord::Nothing => classify_plain(event, None),
        }
    }

    /// Whether the answer ends with an event that says that it is whole: a Gemini model may say so in each chunk.
    fn is_last(&self, event: &Event<'_>) -> bool {
        match self.last_word {
            LastWord::Dialect => self.dialect != Dialect::GenerateContent,
            LastWord::Once(_) => true,
            LastWord::Each(_) | LastWord::Nothing => event.data == DONE,
        }
    }

    fn has_unreadable_error(&self) -> bool {
        self.error.as_ref().is_some_and(|error| !error.readable)
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

    fn member(&mut self, found: WholeMember<'_>) {
        match found {
            WholeMember::Other => self.commit(),
            WholeMember::Wanted { key: b"error", value } if json::is_blank(value) => {}
            WholeMember::Wanted { key: b"error", value } => {
                self.fail(&[b"{\"error\":", value, b"}"].concat(), true);
                // Whatever stands before it: Messages has its `type` there, a Responses object its `id`.
                self.first_content &= !value.starts_with(b"{");
            }
            WholeMember::Wanted { value, .. } => self.counts.read(value),
        }
    }

    fn fail(&mut self, data: &[u8], readable: bool) {
        if self.error.is_none() {
            self.error = Some(Box::new(StreamError::read(data, readable)));
        }
    }
}

/// Whether what a stream broke off in is nevertheless a whole event, only its blank line missing.
pub(crate) fn is_whole(data: &[u8]) -> bool {
    data == b"[DONE]" || serde_json::from_slice::<serde::de::IgnoredAny>(data).is_ok()
}
