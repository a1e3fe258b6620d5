//! The content of a message that is written as a whole: what the events of its blocks would say, gathered until its end. It is
//! what `fold` makes of those events, without writing and reading them.

use crate::fold::input_of;
use crate::translate::writer::Writer;

/// What a delta adds to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Delta {
    Text,
    Thinking,
    Signature,
    Input,
}

impl Delta {
    /// What stands before its text.
    pub(super) fn head(self) -> &'static [u8] {
        match self {
            Self::Text => b"{\"type\":\"text_delta\",\"text\":\"",
            Self::Thinking => b"{\"type\":\"thinking_delta\",\"thinking\":\"",
            Self::Signature => b"{\"type\":\"signature_delta\",\"signature\":\"",
            Self::Input => b"{\"type\":\"input_json_delta\",\"partial_json\":\"",
        }
    }
}

/// The blocks so far, in the order of their indexes.
#[derive(Debug, Default)]
pub(super) struct Blocks(Vec<Block>);

#[derive(Debug, Default)]
struct Block {
    /// The block as its first event has it: what comes in deltas is empty there, and stands last.
    begin: Vec<u8>,
    text: Vec<u8>,
    signature: Vec<u8>,
    /// Items of `citations`.
    citations: Writer,
    /// What came in deltas; none for a block that came at once.
    kind: Option<Delta>,
}

impl Blocks {
    /// Begins the next block, which is this JSON in its first event.
    pub(super) fn begin(&mut self, begin: Vec<u8>) {
        self.0.push(Block { begin, ..Block::default() });
    }

    /// Adds to a block what stands inside a string.
    pub(super) fn add(&mut self, index: u64, delta: Delta, text: &[u8]) {
        let Some(block) = self.at(index) else { return };
        match delta {
            Delta::Signature => block.signature.extend_from_slice(text),
            other => {
                block.text.extend_from_slice(text);
                block.kind = Some(other);
            }
        }
    }

    /// Adds a citation to a block.
    pub(super) fn cite(&mut self, index: u64, citation: &[u8]) {
        if let Some(block) = self.at(index) {
            block.citations.raw(citation);
        }
    }

    fn at(&mut self, index: u64) -> Option<&mut Block> {
        self.0.get_mut(usize::try_from(index).ok()?)
    }

    /// Writes the list of them all.
    pub(super) fn write(self, to: &mut Writer) {
        to.open(b'[');
        self.0.into_iter().for_each(|block| block.write(to));
        to.close(b']');
    }
}

impl Block {
    fn write(self, to: &mut Writer) {
        let Some(kind) = self.kind else { return to.raw(&self.begin) };
        let empty: &[u8] = match kind {
            Delta::Text => b"\"}",
            Delta::Thinking | Delta::Signature => b"\",\"signature\":\"\"}",
            Delta::Input => b"{}}",
        };
        to.raw(self.begin.strip_suffix(empty).unwrap_or(&self.begin));
        match kind {
            Delta::Input => to.frame(&input_of(&self.text)),
            Delta::Text => {
                to.frame(&self.text);
                to.frame(b"\"");
                if !self.citations.bytes().is_empty() {
                    to.key("citations");
                    to.open(b'[');
                    to.frame(self.citations.bytes());
                    to.close(b']');
                }
            }
            Delta::Thinking | Delta::Signature => {
                to.frame(&self.text);
                to.frame(b"\",\"signature\":\"");
                to.frame(&self.signature);
                to.frame(b"\"");
            }
        }
        to.close(b'}');
    }
}
