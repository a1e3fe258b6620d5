//! The translation: an answer in the provider's dialect becomes one in the client's, a stream event by event and a document as
//! a whole. `deliver` puts it behind the rewrite and before the fold.
//!
//! What follows sees the client's dialect and nothing else. An answer that breaks off is not ended here: it lacks its last
//! word in the client's dialect as well, and the end of the answer's way tells the client so.

use bitrouter_dialect::{FoldError, Framing, Splitter};
use bytes::{Bytes, BytesMut};

use super::observed::Observed;
use super::source::{ScrubbedSource, Step};
use super::{AnswerSource, Broken};
use crate::error::Error;
use crate::pipeline::translate::Translating;
use crate::pipeline::{Received, whole};

/// The longest document that is translated.
const LONGEST: usize = 64 << 20;

/// Puts the translation behind the source, where the answer needs one; `observes` says whether the provider's own events still
/// come by here.
pub(in crate::pipeline) fn stage(
    source: AnswerSource,
    received: &mut Received,
    framing: Option<Framing>,
    observes: bool,
) -> AnswerSource {
    let Some(translating) = received.translating.take() else { return source };
    let translation = Translation {
        source: ScrubbedSource::new(source, received.scrubber.clone()),
        observed: observes.then(|| Observed::of(received)).flatten().map(|observed| (Splitter::default(), observed)),
        document: (framing != Some(Framing::Sse)).then(BytesMut::new),
        translating: Some(translating),
        provider: received.provider.id().to_owned(),
        ended: false,
    };
    AnswerSource::of(translation)
}

struct Translation {
    source: ScrubbedSource,
    observed: Option<(Splitter, Observed)>,
    /// What has come of a document; none for a stream.
    document: Option<BytesMut>,
    /// None while it is on another thread.
    translating: Option<Box<Translating>>,
    provider: String,
    ended: bool,
}

impl Step for Translation {
    /// What the next read, or the end, is in the client's dialect.
    async fn next(&mut self) -> Result<Bytes, Broken> {
        let bytes;
        (bytes, self.ended) = self.source.read().await?;
        if let Some((splitter, observed)) = &mut self.observed {
            splitter.feed(&bytes, |event| observed.see(&event));
        }
        let made = match &mut self.document {
            None => {
                let Some(translating) = &mut self.translating else { return Ok(Bytes::new()) };
                let answer = translating.answer();
                let made = answer.feed(&bytes);
                if self.ended { [made, answer.finish()].concat().into() } else { made }
            }
            Some(document) if document.len() + bytes.len() > LONGEST => {
                return Err(self.broken(format!("the upstream's answer has more than {} MiB", LONGEST >> 20)));
            }
            Some(document) => {
                document.extend_from_slice(&bytes);
                if self.ended { self.whole().await? } else { Bytes::new() }
            }
        };
        self.translating.iter_mut().for_each(|translating| translating.keep());
        Ok(made)
    }

    fn is_over(&self) -> bool {
        self.ended
    }
}

impl Translation {
    /// The document in the client's dialect. One that is none is left to whoever sees it next, as it came.
    async fn whole(&mut self) -> Result<Bytes, Broken> {
        let document = self.document.take().unwrap_or_default().freeze();
        let Some(mut translating) = self.translating.take() else { return Ok(document) };
        let read = document.clone();
        let work = move || {
            let made = translating.answer().document(&read);
            (translating, made)
        };
        let done = whole::work(document.len(), work).await;
        let (translating, made) = done.map_err(|error| Broken::Rewriting(Box::new(error)))?;
        self.translating = Some(translating);
        match made {
            Ok(document) => Ok(document),
            Err(FoldError::Failed(_) | FoldError::Unreadable(_)) => Ok(document),
            Err(other) => Err(self.broken(other.to_string())),
        }
    }

    fn broken(&self, reason: String) -> Broken {
        Broken::Rewriting(Box::new(Error::Broken { provider: self.provider.clone(), reason }))
    }
}
