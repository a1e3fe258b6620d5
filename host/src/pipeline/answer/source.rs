//! Where an answer's bytes come from: the upstream, or what a stage makes of it that has to wait for more than bytes.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bitrouter_credential::{ScrubStream, Scrubber};
use bitrouter_upstream::Received;
use bytes::Bytes;
use futures_util::{Stream, stream};
use http_body::Body;

use super::Broken;

/// A stage that waits for something of its own. What it makes of a read may be no bytes at all.
pub(in crate::pipeline) type Stage = Pin<Box<dyn Stream<Item = Result<Bytes, Broken>> + Send>>;

/// What such a stage does.
pub(super) trait Step: Send + 'static {
    /// What it makes of the next read, or of the end. Nothing follows an error.
    fn next(&mut self) -> impl Future<Output = Result<Bytes, Broken>> + Send;

    /// Whether nothing follows.
    fn is_over(&self) -> bool;
}

/// The first of the stages.
pub(in crate::pipeline) enum AnswerSource {
    /// The upstream's body, of which the first bytes may have been looked at.
    Upstream { first: Option<Bytes>, body: Received },
    /// A stage that has the upstream's body behind it.
    Stage(Stage),
    /// The call is over: what belonged to it is given back.
    Ended,
}

impl AnswerSource {
    /// What a stage makes of the source that it has.
    pub(super) fn of(step: impl Step) -> Self {
        AnswerSource::Stage(Box::pin(stream::unfold(Some(step), |step| async move {
            let mut step = step.filter(|step| !step.is_over())?;
            let next = step.next().await;
            let step = next.is_ok().then_some(step);
            Some((next, step))
        })))
    }

    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Broken>>> {
        match self {
            AnswerSource::Upstream { first, body } => {
                if let Some(first) = first.take() {
                    return Poll::Ready(Some(Ok(first)));
                }
                loop {
                    match ready!(Pin::new(&mut *body).poll_frame(context)) {
                        Some(Ok(frame)) => {
                            if let Ok(bytes) = frame.into_data()
                                && !bytes.is_empty()
                            {
                                return Poll::Ready(Some(Ok(bytes)));
                            }
                        }
                        Some(Err(error)) => return Poll::Ready(Some(Err(error.into()))),
                        None => return Poll::Ready(None),
                    }
                }
            }
            AnswerSource::Stage(stage) => stage.as_mut().poll_next(context),
            AnswerSource::Ended => Poll::Ready(None),
        }
    }

    /// How many bytes are to come, where that is known.
    pub(super) fn length(&self) -> Option<u64> {
        match self {
            AnswerSource::Upstream { first, body } => {
                let first = first.as_ref().map_or(0, Bytes::len) as u64;
                body.size_hint().exact().map(|rest| first + rest)
            }
            AnswerSource::Stage(_) | AnswerSource::Ended => None,
        }
    }

    /// Is not woken by what comes until it is polled again, if it can be helped. Whoever calls this must come back by
    /// itself, and soon.
    pub(super) fn leave_alone(&mut self) {
        if let AnswerSource::Upstream { body, .. } = self {
            body.leave_alone();
        }
    }
}

/// The source of a stage that looks into what comes: no secret is in what it reads.
pub(super) struct ScrubbedSource {
    source: AnswerSource,
    scrub: Option<ScrubStream>,
}

impl ScrubbedSource {
    pub(super) fn new(source: AnswerSource, scrubber: Option<Arc<Scrubber>>) -> Self {
        ScrubbedSource { source, scrub: scrubber.map(ScrubStream::new) }
    }

    /// What comes next, which may be no bytes, and whether it is the last.
    pub(super) async fn read(&mut self) -> Result<(Bytes, bool), Broken> {
        let read = std::future::poll_fn(|context| self.source.poll(context)).await.transpose()?;
        let is_last = read.is_none();
        let bytes = match (read, &mut self.scrub) {
            (Some(bytes), Some(scrub)) => scrub.push(bytes),
            (None, Some(scrub)) => scrub.finish(),
            (read, None) => read.unwrap_or_default(),
        };
        Ok((bytes, is_last))
    }
}
