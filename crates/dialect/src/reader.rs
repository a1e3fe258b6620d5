//! Cuts a stream into events, in any of the framings that providers have. The host calls it for what a component is about to
//! rewrite; what passes to clients is Server-Sent Events, which the tap cuts by itself.

use std::borrow::Cow;

use crate::event::Event;
use crate::frames::{FrameError, Frames};
use crate::lines::Lines;
use crate::sse::{DEFAULT_EVENT_LIMIT, Splitter};

/// A framing of streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamFraming {
    /// Server-Sent Events.
    Sse,
    /// A JSON value on each line.
    Ndjson,
    /// AWS's event stream: frames with headers and checksums.
    AwsEventStream,
}

impl StreamFraming {
    /// The framing of this name in the contract; none for one that is no stream of events.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "sse" => Self::Sse,
            "ndjson" => Self::Ndjson,
            "aws-event-stream" => Self::AwsEventStream,
            _ => return None,
        })
    }

    /// Its media type.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Sse => "text/event-stream",
            Self::Ndjson => "application/x-ndjson",
            Self::AwsEventStream => "application/vnd.amazon.eventstream",
        }
    }
}

/// An event with what its framing says beside it.
#[derive(Clone, Debug)]
pub struct Framed<'a> {
    /// The event.
    pub event: Event<'a>,
    /// The frame's headers with their values as text, the event's name among them; only AWS's event stream has any.
    pub headers: Vec<(&'a str, Cow<'a, str>)>,
}

impl<'a> Framed<'a> {
    /// An event of a framing without headers.
    pub(crate) fn of(event: Event<'a>) -> Self {
        Self { event, headers: Vec::new() }
    }

    /// Whether the framing says that this is an error. What is one by its data, it does not know.
    pub fn is_exception(&self) -> bool {
        self.headers.iter().any(|(name, value)| *name == ":message-type" && ["exception", "error"].contains(&&**value))
    }
}

/// An incremental reader of one stream. The events are the same however the stream is cut into chunks, and none is kept that
/// has more than [`DEFAULT_EVENT_LIMIT`] bytes.
#[derive(Debug)]
pub struct EventReader(Cutter);

#[derive(Debug)]
enum Cutter {
    Sse(Splitter),
    Ndjson(Lines),
    AwsEventStream(Frames),
}

impl EventReader {
    /// A reader of a stream in this framing.
    pub fn new(framing: StreamFraming) -> Self {
        Self::with_limit(framing, DEFAULT_EVENT_LIMIT)
    }

    /// One that keeps no event of more than `limit` bytes: its place is taken by one [`EventKind::Oversized`].
    ///
    /// [`EventKind::Oversized`]: crate::EventKind::Oversized
    pub fn with_limit(framing: StreamFraming, limit: usize) -> Self {
        Self(match framing {
            StreamFraming::Sse => Cutter::Sse(Splitter::with_limit(limit)),
            StreamFraming::Ndjson => Cutter::Ndjson(Lines::with_limit(limit)),
            StreamFraming::AwsEventStream => Cutter::AwsEventStream(Frames::with_limit(limit)),
        })
    }

    /// Hands every event that `chunk` completes to `on_event`, in order.
    ///
    /// # Errors
    ///
    /// A frame that cannot be read; nothing that follows can.
    pub fn feed(&mut self, chunk: &[u8], mut on_event: impl FnMut(Framed<'_>)) -> Result<(), FrameError> {
        match &mut self.0 {
            Cutter::Sse(splitter) => splitter.feed(chunk, |event| on_event(Framed::of(event))),
            Cutter::Ndjson(lines) => lines.feed(chunk, |event| on_event(Framed::of(event))),
            Cutter::AwsEventStream(frames) => return frames.feed(chunk, on_event),
        }
        Ok(())
    }

    /// Ends the stream. What it broke off in is [`EventKind::Unfinished`].
    ///
    /// [`EventKind::Unfinished`]: crate::EventKind::Unfinished
    pub fn finish(&mut self, mut on_event: impl FnMut(Framed<'_>)) {
        match &mut self.0 {
            Cutter::Sse(splitter) => splitter.finish(|event| on_event(Framed::of(event))),
            Cutter::Ndjson(lines) => lines.finish(|event| on_event(Framed::of(event))),
            Cutter::AwsEventStream(frames) => frames.finish(on_event),
        }
    }
}
