//! Scrubs a body that comes in chunks, so that a secret split over two of them is found too.
//!
//! Upstream makes one for each answer. It must give the same bytes as scrubbing the whole would, and hold back no more
//! than what may yet become a secret.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use super::{MARK, Scrubber};

/// The state of one body. Push its chunks in order, then finish.
#[derive(Debug)]
pub struct ScrubStream {
    scrubber: Arc<Scrubber>,
    /// The end of what was pushed, where it may be the beginning of a secret: shorter than the longest needle.
    held: HeldTail,
}

#[derive(Default)]
struct HeldTail(Bytes);

impl std::fmt::Debug for HeldTail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

impl ScrubStream {
    /// A stream of which nothing has come yet.
    pub fn new(scrubber: Arc<Scrubber>) -> Self {
        ScrubStream { scrubber, held: HeldTail::default() }
    }

    /// Takes the next chunk and returns what may go on, which can be nothing. A chunk without a secret whose end cannot
    /// begin one comes back as it is, not copied.
    pub fn push(&mut self, chunk: Bytes) -> Bytes {
        let text = if self.held.0.is_empty() { chunk } else { joined(&std::mem::take(&mut self.held.0), &chunk) };
        let scrubber = &*self.scrubber;
        let mut open = scrubber.open_end(&text, 0);
        let mut found = scrubber.find(&text, 0);
        let mut clean = BytesMut::new();
        let mut from = 0;
        // A match is settled once nothing that begins at or before it is still open: then no chunk to come can bring a
        // match further left, nor a longer one.
        while let Some(hit) = found.take_if(|hit| hit.start < open) {
            clean.extend_from_slice(&text[from..hit.start]);
            clean.extend_from_slice(MARK.as_bytes());
            from = hit.end;
            if open < from {
                open = scrubber.open_end(&text, from);
            }
            found = scrubber.find(&text, from);
        }
        self.held.0 = text.slice(open..);
        if from == 0 {
            return text.slice(..open);
        }
        clean.extend_from_slice(&text[from..open]);
        clean.freeze()
    }

    /// How many bytes are held back: fewer than the longest needle has.
    pub fn held_back(&self) -> usize {
        self.held.0.len()
    }

    /// Returns what was held back, at the end of the body.
    pub fn finish(&mut self) -> Bytes {
        self.scrubber.scrub_bytes(std::mem::take(&mut self.held.0))
    }
}

fn joined(held: &[u8], chunk: &[u8]) -> Bytes {
    let mut text = BytesMut::with_capacity(held.len() + chunk.len());
    text.extend_from_slice(held);
    text.extend_from_slice(chunk);
    text.freeze()
}
