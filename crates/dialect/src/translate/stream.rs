//! The way of an answer through its translation: events are cut out of the bytes, read into pieces, brought to the
//! client's terms, and written as events of the client's dialect.

mod input;
mod terms;

use std::borrow::Cow;

use bytes::Bytes;

use super::Target;
use super::answer::{Naming, Read, reader, writer};
use super::names::Names;
use crate::dialect::Dialect;
use crate::event::{Event, EventKind, has_error, is_error};
use crate::fold::{DEFAULT_FOLD_LIMIT, Fold, FoldError};
use crate::sse::Splitter;
use crate::tap::{End, StreamError, is_whole};
use terms::{Maker, Terms};

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
    /// Whether usage is told to a client of Chat Completions: where it asked for that of a stream, and always where it did
    /// not ask for a stream, since its document is folded from one.
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

impl AnswerTranslation {
    /// The translation of an answer that comes from this target.
    pub fn new(target: &Target<'_>, answer: Answer) -> Self {
        let Answer { client, id, model, created, usage, names } = answer;
        let maker = Maker {
            dialect: target.dialect,
            provider: target.owner.provider.to_owned(),
            account: target.owner.account.to_owned(),
            model: target.owner.model.to_owned(),
        };
        let writer = writer(client, Naming { id: id.clone(), model, created, usage });
        Self {
            splitter: Splitter::with_limit(DEFAULT_FOLD_LIMIT),
            reader: reader(target.dialect),
            terms: Terms::new(client, maker, names, id, writer),
        }
    }

    /// Takes in bytes of the stream; the client's bytes, which may be none.
    pub fn feed(&mut self, chunk: &[u8]) -> Bytes {
        let Self { splitter, reader, terms } = self;
        splitter.feed(chunk, |event| read_event(reader.as_mut(), terms, &event));
        terms.out.take().into()
    }

    /// Ends the stream; what is still to be said. An answer that broke off is not ended here: [`Self::end`] tells it, and
    /// the host writes the error.
    pub fn finish(&mut self) -> Bytes {
        let Self { splitter, reader, terms } = self;
        splitter.finish(|event| read_event(reader.as_mut(), terms, &event));
        reader.finish(&mut |piece| terms.piece(piece));
        terms.out.take().into()
    }

    /// How the answer ended, as far as it has come.
    pub fn end(&self) -> End {
        self.terms.end.clone().unwrap_or(End::Cut)
    }

    /// States of calls that have come since the last time, by the calls' ids as the client has them. Whoever keeps them
    /// ([`super::States::keep`]) can give them back where the client cannot.
    pub fn take_states(&mut self) -> Vec<(String, String)> {
        std::mem::take(&mut self.terms.states)
    }

    /// The answer as a client of Responses can ask for it later; none before it is whole, and for other clients.
    pub fn response(&self) -> Option<Vec<u8>> {
        self.terms.writer.response().filter(|_| self.end() == End::Complete)
    }

    /// Translates a whole document instead. Afterwards [`Self::take_states`] has its states.
    ///
    /// # Errors
    ///
    /// What comes out is no whole answer.
    pub fn document(&mut self, document: &[u8]) -> Result<Bytes, FoldError> {
        let Self { reader, terms, .. } = self;
        let document = &*on_one_line(document.trim_ascii());
        if serde_json::from_slice::<&serde_json::value::RawValue>(document).is_err() {
            return Err(FoldError::Unreadable("answer"));
        }
        if has_error(document) {
            terms.fail(StreamError::read(document, true));
        }
        reader.document(document, &mut |piece| terms.piece(piece));
        reader.finish(&mut |piece| terms.piece(piece));
        let mut fold = Fold::without_limit(terms.client);
        fold.feed(&terms.out.take());
        let folded = fold.finish();
        match &terms.end {
            Some(End::Failed(error)) => Err(FoldError::Failed(error.clone())),
            _ => folded,
        }
    }
}

/// Reads one event, whatever it is.
fn read_event(reader: &mut dyn Read, terms: &mut Terms, event: &Event<'_>) {
    match event.kind {
        EventKind::Silent => return,
        EventKind::Unfinished if !is_whole(event.data) => return,
        EventKind::Oversized => return terms.fail(StreamError::read(b"an event of the answer is too long", true)),
        EventKind::Message | EventKind::Stray | EventKind::Unfinished => {}
    }
    if terms.end.is_some() {
        return;
    }
    if is_error(terms.maker.dialect, event) {
        return terms.fail(StreamError::read(event.data, true));
    }
    let data = &*on_one_line(event.data);
    reader.event(&Event { data, ..*event }, &mut |piece| terms.piece(piece));
}

/// JSON without line ends, of which strings have none: values pass as they are into events, where a line end would end
/// their data.
fn on_one_line(json: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr2(b'\n', b'\r', json).is_none() {
        return Cow::Borrowed(json);
    }
    let spaced = json.iter().map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { *byte });
    Cow::Owned(spaced.collect())
}
