//! The way of an answer through its translation: events are cut out of the bytes, read into pieces, brought to the
//! client's terms, and written as events of the client's dialect.

use bytes::Bytes;

use super::Target;
use super::answer::{Naming, Piece, Read, Stop, Write, reader, writer};
use super::names::Names;
use super::writer::Writer;
use crate::dialect::Dialect;
use crate::event::EventKind;
use crate::fold::{Fold, FoldError};
use crate::sse::Splitter;

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
    reader: Box<dyn Read>,
    terms: Terms,
}

/// Brings pieces to the client's terms, and has them written.
struct Terms {
    writer: Box<dyn Write>,
    out: Writer,
    started: bool,
    called: bool,
    over: bool,
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
            over: false,
        };
        Self { splitter: Splitter::default(), reader: reader(target.dialect), terms }
    }

    /// Takes in bytes of the stream; the client's bytes, which may be none.
    pub fn feed(&mut self, chunk: &[u8]) -> Bytes {
        let (reader, terms) = (&mut self.reader, &mut self.terms);
        self.splitter.feed(chunk, |event| {
            if event.kind == EventKind::Message {
                reader.event(&event, &mut |piece| terms.piece(piece));
            }
        });
        terms.out.take().into()
    }

    /// Ends the stream; what is still to be said.
    pub fn finish(&mut self) -> Bytes {
        let (reader, terms) = (&mut self.reader, &mut self.terms);
        self.splitter.finish(|event| {
            if event.kind == EventKind::Message {
                reader.event(&event, &mut |piece| terms.piece(piece));
            }
        });
        reader.finish(&mut |piece| terms.piece(piece));
        terms.out.take().into()
    }

    /// Translates a whole document instead.
    ///
    /// # Errors
    ///
    /// What comes out is no whole answer.
    pub fn document(mut self, client: Dialect, document: &[u8]) -> Result<Bytes, FoldError> {
        let terms = &mut self.terms;
        self.reader.document(document, &mut |piece| terms.piece(piece));
        let mut fold = Fold::new(client);
        fold.feed(terms.out.bytes());
        fold.finish()
    }
}

impl Terms {
    fn piece(&mut self, piece: Piece<'_>) {
        if self.over {
            return;
        }
        let piece = match piece {
            Piece::Start if std::mem::replace(&mut self.started, true) => return,
            Piece::Stop(Stop::Done) if self.called => Piece::Stop(Stop::Calls),
            other => other,
        };
        self.called |= matches!(piece, Piece::Call { .. });
        self.over = matches!(piece, Piece::End | Piece::Error(_));
        self.writer.piece(piece, &mut self.out);
    }
}
