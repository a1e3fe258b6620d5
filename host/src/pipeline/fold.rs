//! An answer that comes as a stream to a client that asked for none: read to its end and answered as one document. The
//! way back (`deliver`) calls it where the component described the delivery `fold`. Nothing reaches the client before
//! the whole is there, so an error inside the stream still gets its own status.

use std::time::Instant;

use bitrouter_dialect::{Fold, FoldError};
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderValue};

use super::deliver::{Delivered, DeliveredBody, client_headers};
use super::failed::Failed;
use super::watch::Watcher;
use super::{Received, explain};
use crate::credential::ScrubStream;
use crate::error::Error;
use crate::upstream::{Answer, AnswerBody, Watch};

/// Feeds the fold beside the watcher.
struct Folding {
    watcher: Watcher,
    fold: Fold,
}

impl Watch for Folding {
    fn bytes(&mut self, bytes: &[u8]) {
        self.watcher.bytes(bytes);
        self.fold.feed(bytes);
    }

    fn commits(&self) -> bool {
        self.fold.is_settled()
    }

    fn end(&mut self, error: Option<&str>) {
        self.watcher.end(error);
    }
}

/// Reads the answer and makes the client's of it.
pub(super) async fn deliver(received: Received, watcher: Watcher) -> Result<Delivered, Failed> {
    let mut headers = client_headers(&received);
    let began = Instant::now();
    let Received { provider, endpoint, request, scrubber, response, sent, .. } = received;
    let shape = endpoint.shape;
    let folding = Folding { watcher, fold: Fold::new(shape) };
    let scrub = scrubber.clone().map(ScrubStream::new);
    let answer = Answer::new(response.into_body(), scrub, folding, provider.deadlines, sent, false);
    let (read, Folding { watcher, fold }) = answer.read_until(|folding| folding.fold.is_settled()).await;
    let broken = |reason: String| {
        let mut failed = Failed::from(Error::Broken { provider: provider.id().to_owned(), reason });
        failed.committed = watcher.has_content();
        failed
    };
    if let Err(lost) = read
        && !fold.is_settled()
    {
        return Err(broken(lost.to_string()));
    }
    match fold.finish() {
        Ok(document) => {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            let body = DeliveredBody::Answer(AnswerBody::whole(document, watcher));
            Ok(Delivered { status: StatusCode::OK, headers, body, began })
        }
        Err(FoldError::Failed(event)) => {
            let explained = explain::event(&provider, &request.memo, scrubber, &event.raw).await;
            let mut failed = Failed::folded(&event, explained, shape, headers);
            failed.committed = watcher.has_content();
            Err(failed)
        }
        Err(other) => Err(broken(other.to_string())),
    }
}
