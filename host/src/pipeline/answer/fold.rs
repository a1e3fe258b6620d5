//! The fold: an answer that comes as a stream to a client that asked for none, read to its end and answered as one document.
//! The way back calls it last, whether the stream is the provider's own or a rewriter's. Nothing reaches the client before
//! the whole is there, so an error inside the stream still gets its own status.

use std::time::Instant;

use bitrouter_dialect::{Fold, FoldError};
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};

use super::{Answer, AnswerBody, Broken, Ending, Watch, Watcher};
use crate::error::Error;
use crate::pipeline::deliver::{Delivered, Explaining};
use crate::pipeline::failed::Failed;

/// Feeds the fold beside the watcher.
pub(in crate::pipeline) struct Folding {
    watcher: Box<Watcher>,
    fold: Fold,
}

impl Folding {
    /// Of an answer that is watched by this.
    pub(in crate::pipeline) fn new(watcher: Box<Watcher>, fold: Fold) -> Box<Self> {
        Box::new(Folding { watcher, fold })
    }
}

impl Watch for Folding {
    fn bytes(&mut self, bytes: &[u8]) -> usize {
        self.watcher.bytes(bytes);
        self.fold.feed(bytes);
        bytes.len()
    }

    fn commits(&self) -> bool {
        self.fold.is_settled()
    }

    fn is_over(&self) -> bool {
        self.fold.is_settled()
    }

    fn end(&mut self, how: Result<(), Broken>, begun: bool) -> Ending {
        self.watcher.end(how, begun)
    }
}

/// Reads the answer and makes the client's of it.
pub(in crate::pipeline) async fn whole(
    answer: Answer<Folding>,
    mut headers: HeaderMap,
    began: Instant,
    explaining: Explaining,
) -> Result<Delivered, Failed> {
    let (read, folding) = answer.read().await;
    let Folding { watcher, fold } = *folding;
    let broken = |error: Error| {
        let mut failed = Failed::from(error);
        failed.committed = watcher.has_content();
        failed
    };
    match read {
        Err(_) if fold.is_settled() => {}
        Err(Broken::Rewriting(error)) => return Err(broken(*error)),
        Err(lost) => return Err(broken(explaining.broken(lost.to_string()))),
        Ok(()) => {}
    }
    match fold.finish() {
        Ok(document) => {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            // What came in pieces stands together here for the first time.
            let document = match &explaining.scrubber {
                Some(scrubber) => scrubber.scrub_bytes(document),
                None => document,
            };
            let body = AnswerBody::whole(document, watcher);
            Ok(Delivered { status: StatusCode::OK, headers, body, began })
        }
        Err(FoldError::Failed(event)) => {
            let explained = explaining.event(&event).await;
            let mut failed = Failed::folded(&event, explained, explaining.shape, headers);
            failed.committed = watcher.has_content();
            Err(failed)
        }
        Err(other) => Err(broken(explaining.broken(other.to_string()))),
    }
}
