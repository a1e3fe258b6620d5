//! The way of an answer through its translation: events are cut out of the bytes, read into pieces, brought to the
//! client's terms, and written as events of the client's dialect.

use bytes::Bytes;

use super::Target;
use super::answer::{Naming, Piece, Read, Stop, Write, reader, writer};
use super::names::Names;
use super::writer::Writer;
use crate::dialect::Dialect;
use crate::event::{Event, EventClass, EventKind, classify};
use crate::fold::{DEFAULT_FOLD_LIMIT, Fold, FoldError};
use crate::sse::Splitter;
use crate::tap::{End, StreamError, is_whole};

/// What is known of an answer before it comes.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The dialect in which the client reads it.
    pub client: Dialect,
    /// What tells this answer from all others: letters and digits.
    pub id: String,
    /// The model as the client asked for it.
    pub model: String,
    /// Seconds since 1970.
    pub created: u64,
    /// Whether the client asked for the usage of a stream (Chat Completions).
    pub usage: bool,
    /// What the request's translation kept.
    pub names: Names,
}

/// The translation of one answer.
pub struct AnswerTranslation {
    splitter: Splitter,
    upstream: Dialect,
    client: Dialect,
    reader: Box<dyn Read>,
    terms: Terms,
}

/// Brings pieces to the client's terms, and has them written.
struct Terms {
    writer: Box<dyn Write>,
    out: Writer,
    started: bool,
    called: bool,
    end: Option<End>,
}

impl AnswerTranslation {
    /// The translation of an answer that comes from this target.
    pub fn new(target: &Target<'_>, answer: Answer) -> Self {
        let Answer { client, id, model, created, usage, names } = answer;
        let _ = names;
        let terms = Terms {
            writer: writer(client, Naming { id, model, created, usage }),
            out: Writer::default(),
            started: false,
            called: false,
            end: None,
        };
        Self {
            splitter: Splitter::with_limit(DEFAULT_FOLD_LIMIT),
            upstream: target.dialect,
            client,
            reader: reader(target.dialect),
            terms,
        }
    }

    /// Takes in bytes of the stream; the client's bytes, which may be none.
    pub fn feed(&mut self, chunk: &[u8]) -> Bytes {
        let Self { splitter, upstream, reader, terms, .. } = self;
        splitter.feed(chunk, |event| read_event(*upstream, reader.as_mut(), terms, &event));
        terms.out.take().into()
    }

    /// Ends the stream; what is still to be said. An answer that broke off is not ended here: [`Self::end`] tells it, and
    /// the host writes the error.
    pub fn finish(&mut self) -> Bytes {
        let Self { splitter, upstream, reader, terms, .. } = self;
        splitter.finish(|event| read_event(*upstream, reader.as_mut(), terms, &event));
        reader.finish(&mut |piece| terms.piece(piece));
        terms.out.take().into()
    }

    /// How the answer ended, as far as it has come.
    pub fn end(&self) -> End {
        self.terms.end.clone().unwrap_or(End::Cut)
    }

    /// Translates a whole document instead.
    ///
    /// # Errors
    ///
    /// What comes out is no whole answer.
    pub fn document(mut self, document: &[u8]) -> Result<Bytes, FoldError> {
        let terms = &mut self.terms;
        if serde_json::from_slice::<&serde_json::value::RawValue>(document).is_err() {
            return Err(FoldError::Unreadable("answer"));
        }
        self.reader.document(document.trim_ascii(), &mut |piece| terms.piece(piece));
        let mut fold = Fold::new(self.client);
        fold.feed(terms.out.bytes());
        fold.finish()
    }
}

/// Reads one event, whatever it is.
fn read_event(upstream: Dialect, reader: &mut dyn Read, terms: &mut Terms, event: &Event<'_>) {
    match event.kind {
        EventKind::Silent => return,
        EventKind::Unfinished if !is_whole(event.data) => return,
        EventKind::Oversized => return terms.fail(StreamError::read(b"an event of the answer is too long", true)),
        EventKind::Message | EventKind::Stray | EventKind::Unfinished => {}
    }
    if classify(upstream, event) == EventClass::Error {
        return terms.fail(StreamError::read(event.data, true));
    }
    reader.event(event, &mut |piece| terms.piece(piece));
}

impl Terms {
    fn piece(&mut self, piece: Piece<'_>) {
        if self.end.is_some() {
            return;
        }
        let piece = match piece {
            Piece::Start if std::mem::replace(&mut self.started, true) => return,
            Piece::Stop(Stop::Done) if self.called => Piece::Stop(Stop::Calls),
            Piece::Error(error) => return self.fail(StreamError { error: *error, raw: String::new(), readable: true }),
            other => other,
        };
        self.called |= matches!(piece, Piece::Call { .. });
        if matches!(piece, Piece::End) {
            self.end = Some(End::Complete);
        }
        self.writer.piece(piece, &mut self.out);
    }

    /// The answer failed; the client is told in its own words.
    fn fail(&mut self, error: StreamError) {
        if self.end.is_none() {
            self.writer.piece(Piece::Error(Box::new(error.error.clone())), &mut self.out);
            self.end = Some(End::Failed(Box::new(error)));
        }
    }
}
