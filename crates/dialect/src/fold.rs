//! Folds the stream of an answer into the one JSON document that its dialect has for a call that was not streamed. The
//! host calls it for a client that did not ask for a stream where the upstream answers with nothing else. It keeps no
//! more than a limit, never repairs what an upstream said, and leaves the bytes of values it need not join as they came.

mod chat;
mod generate_content;
mod messages;
mod node;
mod responses;

use std::fmt;

use bytes::Bytes;
use serde_json::value::RawValue;

use crate::dialect::Dialect;
use crate::event::{Event, EventClass, EventKind, classify};
use crate::sse::Splitter;
use crate::tap::{StreamError, is_whole};
pub(crate) use messages::input_of;

/// The most that is kept of a stream, unless another limit is asked for: what matters of an answer of 128,000 tokens,
/// each in an event of its own, is half of it.
pub const DEFAULT_FOLD_LIMIT: usize = 64 * 1024 * 1024;

/// Why a stream does not become a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FoldError {
    /// It reported an error before it was whole.
    Failed(Box<StreamError>),
    /// It ended without saying that it is whole.
    Cut,
    /// It has more that would have to be kept than this many bytes.
    TooLarge(usize),
    /// An event that the document is made from is not what its dialect says; the event's type.
    Unreadable(&'static str),
}

impl fmt::Display for FoldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(failed) if failed.error.message.is_empty() => f.write_str("the upstream's answer failed"),
            Self::Failed(failed) => f.write_str(&failed.error.message),
            Self::Cut => f.write_str("the upstream's answer ended without saying that it is whole"),
            Self::TooLarge(limit) => {
                write!(f, "the upstream's answer has more than {} MiB. Ask for a stream", limit >> 20)
            }
            Self::Unreadable(event) => write!(f, "the upstream's answer has a `{event}` that cannot be read"),
        }
    }
}

impl std::error::Error for FoldError {}

/// The fold of one stream of Server-Sent Events. `feed` it every chunk as it comes, then `finish` it.
#[derive(Debug)]
pub struct Fold {
    dialect: Dialect,
    splitter: Splitter,
    folding: Folding,
}

#[derive(Debug)]
struct Folding {
    document: Box<dyn Document>,
    settled: Result<bool, FoldError>,
    kept: usize,
    limit: usize,
}

/// A document that grows with each event of its dialect.
trait Document: fmt::Debug + Send + Sync {
    /// Takes in an event that is no error; its data is JSON, or chat's `[DONE]`.
    fn event(&mut self, event: &Event<'_>, class: EventClass) -> Result<Step, FoldError>;
    /// The document; none if the stream did not say that it is whole.
    fn finish(self: Box<Self>) -> Option<Vec<u8>>;
}

/// What an event did to the document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// Nothing.
    Ignored,
    /// Some of it was kept.
    Kept,
    /// It was the last that matters.
    Last,
}

impl Fold {
    /// The fold of a stream in that dialect.
    pub fn new(dialect: Dialect) -> Self {
        Self::with_limit(dialect, DEFAULT_FOLD_LIMIT)
    }

    /// A fold that gives up once the events that it has to keep are longer than `limit` bytes in all.
    pub fn with_limit(dialect: Dialect, limit: usize) -> Self {
        let document: Box<dyn Document> = match dialect {
            Dialect::ChatCompletions => Box::<chat::Chat>::default(),
            Dialect::Responses => Box::<responses::Response>::default(),
            Dialect::Messages => Box::<messages::Message>::default(),
            Dialect::GenerateContent => Box::<generate_content::Generated>::default(),
        };
        Self {
            dialect,
            splitter: Splitter::with_limit(limit),
            folding: Folding { document, settled: Ok(false), kept: 0, limit },
        }
    }

    /// A fold of a stream that is held already, so that any limit comes too late.
    pub(crate) fn without_limit(dialect: Dialect) -> Self {
        Self::with_limit(dialect, usize::MAX)
    }

    /// Takes in the next bytes of the stream.
    pub fn feed(&mut self, chunk: &[u8]) {
        let (dialect, folding) = (self.dialect, &mut self.folding);
        self.splitter.feed(chunk, |event| folding.event(dialect, &event));
    }

    /// Whether the outcome is certain, so that whatever still comes changes nothing.
    pub fn is_settled(&self) -> bool {
        self.folding.settled != Ok(false)
    }

    /// Ends the stream and makes the document.
    pub fn finish(mut self) -> Result<Bytes, FoldError> {
        let (dialect, folding) = (self.dialect, &mut self.folding);
        self.splitter.finish(|event| folding.event(dialect, &event));
        self.folding.settled?;
        self.folding.document.finish().map(Bytes::from).ok_or(FoldError::Cut)
    }
}

impl Folding {
    fn event(&mut self, dialect: Dialect, event: &Event<'_>) {
        if self.settled == Ok(false) {
            self.settled = self.step(dialect, event);
        }
    }

    /// Takes in an event; whether the outcome is certain now.
    fn step(&mut self, dialect: Dialect, event: &Event<'_>) -> Result<bool, FoldError> {
        match event.kind {
            EventKind::Silent => return Ok(false),
            EventKind::Unfinished if !is_whole(event.data) => return Ok(false),
            EventKind::Oversized => return Err(FoldError::TooLarge(self.limit)),
            EventKind::Message | EventKind::Stray | EventKind::Unfinished => {}
        }
        let class = classify(dialect, event);
        if class == EventClass::Error {
            return Err(FoldError::Failed(Box::new(StreamError::read(event.data, true))));
        }
        let step = self.document.event(event, class)?;
        if step != Step::Ignored {
            self.kept = self.kept.saturating_add(event.data.len());
        }
        if self.kept > self.limit {
            return Err(FoldError::TooLarge(self.limit));
        }
        Ok(step == Step::Last)
    }
}

/// The data of an event that is JSON as a whole, so that whatever is found in it is JSON too.
fn json(data: &[u8]) -> Option<&[u8]> {
    serde_json::from_slice::<&RawValue>(data).ok().map(|value| value.get().as_bytes())
}
