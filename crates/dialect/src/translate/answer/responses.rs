//! Answers of responses: reading and writing.

use super::{Naming, Piece, Read, Write};
use crate::event::Event;
use crate::translate::request::Json;
use crate::translate::writer::Writer;

/// Reads an answer.
#[derive(Debug, Default)]
pub(super) struct Reader {}

impl Read for Reader {
    fn event(&mut self, event: &Event<'_>, to: &mut dyn FnMut(Piece<'_>)) {
        let _ = (event, to);
    }

    fn document(&mut self, document: Json<'_>, to: &mut dyn FnMut(Piece<'_>)) {
        let _ = (document, to);
    }

    fn finish(&mut self, to: &mut dyn FnMut(Piece<'_>)) {
        let _ = to;
    }
}

/// Writes an answer.
#[derive(Debug)]
pub(super) struct AnswerWriter {
    naming: Naming,
}

impl AnswerWriter {
    pub(super) fn new(naming: Naming) -> Self {
        Self { naming }
    }
}

impl Write for AnswerWriter {
    fn piece(&mut self, piece: Piece<'_>, to: &mut Writer) {
        let _ = (piece, to, &self.naming);
    }
}
