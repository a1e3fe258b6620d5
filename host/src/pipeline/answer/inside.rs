//! Failures inside answers whose status says that all is well: where a description says how they are told, such an answer
//! becomes the error that it is, in the shape that every reader knows. `deliver` puts it behind the upstream.

use bitrouter_contract::description::InsideFailure;
use bitrouter_dialect::{EventKind, Framing, Splitter, as_error};
use bytes::{Bytes, BytesMut};

use super::source::Step;
use super::{AnswerSource, Broken};
use crate::error::Error;
use crate::pipeline::Received;

/// A document that is longer is no failure.
const LONGEST: usize = 64 << 10;

/// Puts whoever looks for failures behind the source, where the provider has such.
pub(in crate::pipeline) fn stage(source: AnswerSource, received: &Received, framing: Option<Framing>) -> AnswerSource {
    let (Some(inside), Some(framing)) = (received.provider.plugin.description.errors.inside.clone(), framing) else {
        return source;
    };
    let looking = match framing {
        Framing::Sse => Looking::At(Splitter::default()),
        Framing::Json => Looking::ForWhole(BytesMut::new()),
    };
    let provider = received.provider.id().to_owned();
    let checked = Checked { source, inside, looking, provider, ended: false };
    AnswerSource::of(checked)
}

struct Checked {
    source: AnswerSource,
    inside: InsideFailure,
    looking: Looking,
    provider: String,
    ended: bool,
}

enum Looking {
    /// At each event.
    At(Splitter),
    /// At a document, once all of it is there.
    ForWhole(BytesMut),
    /// No more.
    Past,
}

impl Step for Checked {
    /// What comes next, or the error that it is. Nothing follows an error.
    async fn next(&mut self) -> Result<Bytes, Broken> {
        let read = std::future::poll_fn(|context| self.source.poll(context)).await.transpose()?;
        self.ended = read.is_none();
        let bytes = read.unwrap_or_default();
        match &mut self.looking {
            Looking::At(splitter) => {
                let (mut made, mut failed, mut oversized) = (BytesMut::with_capacity(bytes.len()), false, false);
                let mut look = |event: bitrouter_dialect::Event<'_>| {
                    oversized |= event.kind == EventKind::Oversized;
                    match as_error(&self.inside, event.data) {
                        _ if failed => {}
                        Some(error) => {
                            failed = true;
                            made.extend_from_slice(format!("event: error\ndata: {error}\n\n").as_bytes());
                        }
                        None => made.extend_from_slice(event.raw),
                    }
                };
                splitter.feed(&bytes, &mut look);
                if self.ended {
                    splitter.finish(&mut look);
                }
                if oversized {
                    let reason = "the upstream sent an event that is too large to look at".to_owned();
                    let error = Error::Broken { provider: self.provider.clone(), reason };
                    return Err(Broken::Rewriting(Box::new(error)));
                }
                self.ended |= failed;
                Ok(made.freeze())
            }
            Looking::ForWhole(document) => {
                document.extend_from_slice(&bytes);
                if document.len() > LONGEST {
                    let begun = std::mem::take(document).freeze();
                    self.looking = Looking::Past;
                    return Ok(begun);
                }
                if !self.ended {
                    return Ok(Bytes::new());
                }
                let document = std::mem::take(document).freeze();
                Ok(as_error(&self.inside, &document).map_or(document, Bytes::from))
            }
            Looking::Past => Ok(bytes),
        }
    }

    fn is_over(&self) -> bool {
        self.ended
    }
}
