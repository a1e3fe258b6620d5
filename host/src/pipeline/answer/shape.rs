//! The shape: an answer that is one JSON document, edited as a whole by the component until it is in the call's dialect. `deliver`
//! puts it where the rewrite of a stream would be. The component sees the document as it does a call's body, and no more of it
//! than it reads.

use std::sync::Arc;

use bitrouter_contract::cut;
use bitrouter_credential::Scrubber;
use bitrouter_document::Document;
use bitrouter_plugin::HookError;
use bitrouter_plugin::contract::{Call, Head};
use bytes::{Bytes, BytesMut};
use futures_util::stream;

use super::{AnswerSource, Broken};
use crate::error::Error;
use crate::pipeline::{Received, failed, head};
use crate::route::Provider;

/// The longest document that is edited.
const LONGEST: usize = 64 << 20;

/// Puts the edits behind the source.
pub(in crate::pipeline) fn stage(source: AnswerSource, received: &Received) -> AnswerSource {
    let shaping = Shaping {
        head: head::of(received),
        call: received.call.clone(),
        memo: received.request.memo.clone(),
        scrubber: received.scrubber.clone(),
        provider: Arc::clone(&received.provider),
    };
    AnswerSource::Stage(Box::pin(stream::once(shaping.shaped(source))))
}

struct Shaping {
    head: Head,
    call: Box<Call>,
    memo: Vec<u8>,
    scrubber: Option<Arc<Scrubber>>,
    provider: Arc<Provider>,
}

impl Shaping {
    /// The whole, once all of it is there.
    async fn shaped(self, mut source: AnswerSource) -> Result<Bytes, Broken> {
        let mut whole = BytesMut::new();
        while let Some(bytes) = std::future::poll_fn(|context| source.poll(context)).await.transpose()? {
            if whole.len() + bytes.len() > LONGEST {
                return Err(self.broken(format!("the upstream's answer is longer than {} MiB", LONGEST >> 20)));
            }
            whole.extend_from_slice(&bytes);
        }
        let whole = whole.freeze();
        let whole = self.scrubber.as_ref().map_or(whole.clone(), |scrubber| scrubber.scrub_bytes(whole));
        let document = Document::parse(whole);
        let document =
            document.map_err(|error| self.broken(format!("the upstream's answer cannot be read: {error}")))?;
        let plugin = &self.provider.plugin;
        match plugin.shape(&self.call, &self.memo, &self.head, document, self.scrubber.clone()).await {
            Ok(Ok(document)) => Ok(document.output().into_bytes()),
            Ok(Err(failure)) => {
                Err(Broken::Rewriting(Box::new(failed::reported(self.provider.id().to_owned(), failure))))
            }
            // It is no client's.
            Err(HookError::Body(error)) => Err(self.broken(format!("the upstream's answer cannot be read: {error}"))),
            Err(error) => {
                let provider = self.provider.id().to_owned();
                Err(Broken::Rewriting(Box::new(Error::Hook { provider, error })))
            }
        }
    }

    fn broken(&self, reason: String) -> Broken {
        let reason = cut::sentence(reason);
        Broken::Rewriting(Box::new(Error::Broken { provider: self.provider.id().to_owned(), reason }))
    }
}
