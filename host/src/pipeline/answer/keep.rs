//! The keeping: an answer of Responses that passes as it came is gathered beside, and kept for its client once it is whole.
//! `deliver` puts it behind the rewrite. It changes nothing but what is scrubbed, which it hands on as it reads it.

use bitrouter_dialect::{Dialect, Fold, Framing};
use bytes::Bytes;

use super::source::{ScrubbedSource, Step};
use super::{AnswerSource, Broken};
use crate::pipeline::Received;
use crate::pipeline::keeping::Keeping;

/// The longest document that is kept.
const LONGEST: usize = 16 << 20;

/// Puts whoever keeps the answer behind the source, where one does.
pub(in crate::pipeline) fn stage(
    source: AnswerSource,
    received: &mut Received,
    framing: Option<Framing>,
) -> AnswerSource {
    let Some(keeping) = received.keeping.take() else { return source };
    let gathered = match framing {
        Some(Framing::Sse) => Gathered::Events(Box::new(Fold::new(Dialect::Responses))),
        Some(Framing::Json) | None => Gathered::Document(Vec::new()),
    };
    let source = ScrubbedSource::new(source, received.scrubber.clone());
    let watched = Watched { source, gathered, keeping: Some(keeping), ended: false };
    AnswerSource::of(watched)
}

struct Watched {
    source: ScrubbedSource,
    gathered: Gathered,
    keeping: Option<Keeping>,
    ended: bool,
}

enum Gathered {
    Events(Box<Fold>),
    Document(Vec<u8>),
}

impl Step for Watched {
    /// What comes next, seen on its way.
    async fn next(&mut self) -> Result<Bytes, Broken> {
        let bytes;
        (bytes, self.ended) = self.source.read().await?;
        self.see(&bytes);
        // The last word is seen before the connection ends, if it does.
        if self.ended || matches!(&self.gathered, Gathered::Events(fold) if fold.is_settled()) {
            self.keep();
        }
        Ok(bytes)
    }

    fn is_over(&self) -> bool {
        self.ended
    }
}

impl Watched {
    fn see(&mut self, bytes: &[u8]) {
        match &mut self.gathered {
            Gathered::Events(fold) => fold.feed(bytes),
            Gathered::Document(document) if document.len() + bytes.len() > LONGEST => self.keeping = None,
            Gathered::Document(document) => document.extend_from_slice(bytes),
        }
    }

    fn keep(&mut self) {
        let Some(keeping) = self.keeping.take() else { return };
        match std::mem::replace(&mut self.gathered, Gathered::Document(Vec::new())) {
            Gathered::Events(fold) => {
                if let Ok(response) = fold.finish() {
                    keeping.keep(&response);
                }
            }
            Gathered::Document(response) => keeping.keep(&response),
        }
    }
}
