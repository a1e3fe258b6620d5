//! The parts of a candidate that is written as a whole, in one chunk: what `fold` makes of the chunks of a stream.

use crate::translate::writer::Writer;

/// The parts of a candidate, as its chunks fold: text goes on with text before it.
#[derive(Debug, Default)]
pub(super) struct Parts {
    pub(super) list: Writer,
    /// Whether the last part is plain text, and whether that is a thought.
    last: Option<bool>,
}

impl Parts {
    /// Adds plain text, which stands inside a string.
    pub(super) fn text(&mut self, text: &[&[u8]], thought: bool) {
        let end: &[u8] = if thought { b"\",\"thought\":true}" } else { b"\"}" };
        if self.last == Some(thought) {
            self.list.cut(end.len());
        } else {
            self.list.open(b'{');
            self.list.key("text");
            self.list.frame(b"\"");
        }
        text.iter().for_each(|text| self.list.frame(text));
        self.list.frame(end);
        self.last = Some(thought);
    }

    /// Adds any other part.
    pub(super) fn other(&mut self, part: &[u8]) {
        self.list.raw(part);
        self.last = None;
    }
}
