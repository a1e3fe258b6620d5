//! What the server sends: bytes that were held back until the answer was the client's, and the rest as it comes.
//!
//! `Answer::begin` makes it; the gateway's server polls it. Nothing is decided here.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};

use super::{Answer, Broken, GATHER, Watch};
use crate::telemetry::Answering;

/// Bytes that were held back, in the order they came; small ones are joined, so that they leave in one write.
#[derive(Debug, Default)]
pub(in crate::pipeline) struct HeldBack {
    pieces: VecDeque<Bytes>,
    open: BytesMut,
    pub(super) length: u64,
}

impl HeldBack {
    pub(super) fn push(&mut self, bytes: Bytes) {
        self.length += bytes.len() as u64;
        if self.length == bytes.len() as u64 {
            // What comes first is often all there is: it is not copied.
            self.pieces.push_back(bytes);
            return;
        }
        if bytes.len() >= GATHER {
            self.close();
            self.pieces.push_back(bytes);
            return;
        }
        if self.open.is_empty()
            && let Some(last) = self.pieces.pop_back_if(|last| last.len() < GATHER)
        {
            self.open = BytesMut::from(last);
        }
        self.open.extend_from_slice(&bytes);
    }

    fn close(&mut self) {
        if !self.open.is_empty() {
            self.pieces.push_back(self.open.split().freeze());
        }
    }

    /// Takes the next piece out.
    fn pop(&mut self) -> Option<Bytes> {
        self.close();
        let piece = self.pieces.pop_front()?;
        self.length -= piece.len() as u64;
        Some(piece)
    }
}

/// What the gateway's server sends to the client.
pub(in crate::pipeline) enum AnswerBody<W> {
    /// An answer that is there to its end.
    Whole {
        /// All of it.
        bytes: HeldBack,
        /// Kept until the bytes have left.
        watch: Box<W>,
    },
    /// An answer that is still coming.
    Stream {
        /// What had come before the head was written.
        first: HeldBack,
        /// The rest, which others may have to end: a client that does not read does not have it polled.
        rest: Arc<Mutex<Answer<W>>>,
    },
}

impl<W> AnswerBody<W> {
    /// An answer in one piece.
    pub(in crate::pipeline) fn whole(bytes: Bytes, watch: Box<W>) -> Self {
        let mut held = HeldBack::default();
        held.push(bytes);
        AnswerBody::Whole { bytes: held, watch }
    }

    pub(super) fn stream(first: HeldBack, rest: Answer<W>) -> Self {
        AnswerBody::Stream { first, rest: Arc::new(Mutex::new(rest)) }
    }

    /// Asks what watches it, or tells it something.
    pub(in crate::pipeline) fn watch<T>(&mut self, with: impl FnOnce(&mut W) -> T) -> T {
        match self {
            AnswerBody::Whole { watch, .. } => with(watch),
            AnswerBody::Stream { rest, .. } => with(&mut lock(rest).watch),
        }
    }
}

impl<W: Watch> AnswerBody<W> {
    /// The answer, for who may have to end it; none where nothing more is to come.
    pub(in crate::pipeline) fn under_way(&self) -> Option<std::sync::Weak<Mutex<dyn Answering>>> {
        match self {
            AnswerBody::Whole { .. } => None,
            AnswerBody::Stream { rest, .. } => {
                let rest: Arc<Mutex<dyn Answering>> = Arc::<Mutex<Answer<W>>>::clone(rest);
                Some(Arc::downgrade(&rest))
            }
        }
    }
}

fn lock<W>(answer: &Mutex<Answer<W>>) -> MutexGuard<'_, Answer<W>> {
    // A poll that panicked takes its connection with it.
    answer.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<W: Watch> Body for AnswerBody<W> {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        match &mut *self {
            AnswerBody::Whole { bytes, .. } => Poll::Ready(bytes.pop().map(|bytes| Ok(Frame::data(bytes)))),
            AnswerBody::Stream { first, rest } => {
                let mut rest = lock(rest);
                let next = match first.pop() {
                    Some(bytes) => Poll::Ready(Some(Ok(bytes))),
                    None => rest.poll_next(context),
                };
                match &next {
                    Poll::Ready(Some(Ok(_))) => rest.unwritten = true,
                    Poll::Pending => rest.waits(context),
                    Poll::Ready(_) => {}
                }
                next.map(|next| next.map(|bytes| bytes.map(Frame::data)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, AnswerBody::Whole { bytes, .. } if bytes.length == 0)
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            AnswerBody::Whole { bytes, .. } => SizeHint::with_exact(bytes.length),
            AnswerBody::Stream { .. } => SizeHint::default(),
        }
    }
}
