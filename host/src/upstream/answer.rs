//! An answer on its way back: scrubbed, watched, and several frames in one write where they are there.
//!
//! The pipeline wraps the upstream's body in `Answer`; the gateway's server polls it. Bytes are forwarded as they came.
//! Dropping it, as the server does when the client goes away, ends the upstream call at once.

mod body;
mod pace;

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use http_body::Body;
use tokio::time::Sleep;

use super::{Deadlines, ReceiveError, Received};
use crate::credential::ScrubStream;

pub use body::{AnswerBody, Held};
use pace::Pace;

/// How often other tasks get their turn before a stream's first event leaves. Where the upstream has a burst ready, most
/// of it is there by then and leaves in the same write; where it has not, nobody else has much to do.
const TURNS: u32 = 2;
/// A burst is written when this much has been gathered; larger frames are forwarded without a copy.
const GATHER: usize = 16 << 10;

/// How long the end of an answer is waited for once all that matters of it is there.
const REST: Duration = Duration::from_millis(100);

/// Sees every byte that goes to the client, and how it ended.
pub trait Watch: Send + Unpin + 'static {
    /// Bytes that are about to be forwarded.
    fn bytes(&mut self, bytes: &[u8]);
    /// Whether what was seen may leave. Until then it is held back, so that another answer can still take its place.
    fn commits(&self) -> bool;
    /// What the client of a stream that breaks off is told behind what it has; none where nothing can be said there.
    fn last_words(&self, _broken: &Broken) -> Option<Bytes> {
        None
    }
    /// The answer ended: in full, or with this error. Not called when the client goes away first; then it is dropped.
    fn end(&mut self, error: Option<&str>);
}

/// What can break an answer off.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    /// The connection was lost.
    #[error("the upstream's answer broke off: {0}")]
    Lost(#[from] ReceiveError),
    /// Nothing came for too long.
    #[error("the upstream sent nothing for {} s", .0.as_secs_f32())]
    Idle(Duration),
    /// The whole took too long.
    #[error("the answer was not complete after {} s", .0.as_secs_f32())]
    Total(Duration),
}

/// The upstream's body with everything that happens to it on the way.
pub struct Answer<W> {
    inner: Received,
    scrub: Option<ScrubStream>,
    watch: W,
    /// Bytes of a burst as they came: they are scrubbed and watched in one go when they leave.
    gathered: BytesMut,
    /// The last of a burst, scrubbed and watched already.
    last_words: Option<Bytes>,
    /// What comes after the gathered bytes have left.
    then: Option<Then>,
    pace: Pace,
    /// Whether bursts are worth gathering: streams of events are, documents are not.
    events: bool,
    /// Rings when what has been gathered is to be written.
    hold: Option<Pin<Box<Sleep>>>,
    holding: bool,
    /// Whether a burst goes on: then nothing is read before it has been gathered again.
    burst: bool,
    /// Whether the answer is the client's: until then nothing is gathered, so that its first content leaves at once.
    begun: bool,
    /// Whether bytes were handed out that the server may not have written yet.
    unwritten: bool,
    deadlines: Deadlines,
    started: Instant,
    alarm: Option<Pin<Box<Sleep>>>,
}

enum Then {
    Frame(Bytes),
    Broken(Broken),
    End,
}

impl<W: Watch> Answer<W> {
    /// Wraps a body; `started` is when the request was sent, `events` whether it is a stream of events.
    pub fn new(
        inner: Received,
        scrub: Option<ScrubStream>,
        watch: W,
        deadlines: Deadlines,
        started: Instant,
        events: bool,
    ) -> Self {
        Answer {
            inner,
            scrub,
            watch,
            gathered: BytesMut::new(),
            last_words: None,
            then: None,
            pace: Pace::new(),
            events,
            hold: None,
            holding: false,
            burst: false,
            begun: false,
            unwritten: false,
            deadlines,
            started,
            alarm: None,
        }
    }

    /// Waits until the watch commits to the answer, and returns what was held back until then together with the rest: it
    /// leaves with the head, in one write instead of two. What breaks before that is returned with the watch, for there is
    /// still time for another answer.
    pub async fn begin(mut self) -> Result<AnswerBody<W>, (Broken, W)> {
        let known = self.inner.size_hint().exact();
        let short = !self.events && known.is_some_and(|expected| expected <= GATHER as u64);
        let mut held = Held::default();
        let close = loop {
            let before = self.pace.last();
            match std::future::poll_fn(|context| Pin::new(&mut self).poll_next(context)).await {
                None => return Ok(AnswerBody::Whole { bytes: held, watch: self.watch }),
                Some(Ok(bytes)) => held.push(bytes),
                Some(Err(broken)) => return Err((broken, self.watch)),
            }
            // A short document of known length is sent with its length, in one piece. Events leave as they come.
            if !short && self.watch.commits() {
                break self.pace.follows(before);
            }
        };
        self.begun = true;
        if self.events {
            self.gather_what_follows(&mut held).await;
            self.burst |= close;
        }
        Ok(AnswerBody::Stream { first: held, rest: Box::new(self) })
    }

    /// Reads the answer for what the watch makes of it, to its end, or until `enough` says that the rest changes nothing.
    /// The rest is then waited for a moment: an answer that ends leaves a connection that can be used again.
    pub async fn read_until(mut self, enough: impl Fn(&W) -> bool) -> (Result<(), Broken>, W) {
        let mut until = None;
        loop {
            if until.is_none() && enough(&self.watch) {
                until = Some(Instant::now() + REST);
            }
            let next = std::future::poll_fn(|context| Pin::new(&mut self).poll_next(context));
            let next = match until {
                None => next.await,
                Some(until) => match tokio::time::timeout_at(until.into(), next).await {
                    Ok(next) => next,
                    Err(_) => {
                        self.watch.end(None);
                        None
                    }
                },
            };
            match next {
                None => return (Ok(()), self.watch),
                Some(Ok(_)) => {}
                Some(Err(broken)) => return (Err(broken), self.watch),
            }
        }
    }

    /// Adds what comes while other tasks have their turn.
    async fn gather_what_follows(&mut self, held: &mut Held) {
        let before = held.length;
        for _ in 0..TURNS {
            tokio::task::yield_now().await;
            let next = std::future::poll_fn(|context| Poll::Ready(Pin::new(&mut *self).poll_next(context))).await;
            match next {
                Poll::Ready(Some(Ok(bytes))) => held.push(bytes),
                Poll::Ready(Some(Err(broken))) => self.then = Some(Then::Broken(broken)),
                Poll::Ready(None) => {}
                Poll::Pending => {
                    self.holding = false;
                    self.release().into_iter().for_each(|bytes| held.push(bytes));
                }
            }
        }
        self.burst = held.length > before;
    }

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Broken>>> {
        let this = &mut *self;
        if std::mem::take(&mut this.burst) {
            this.gather();
        }
        if this.holding && this.then.is_none() {
            // Reading now would cost a system call for each event; the timer reads them all.
            if let Some(hold) = &mut this.hold
                && hold.as_mut().poll(context).is_pending()
            {
                return Poll::Pending;
            }
        }
        loop {
            if let Some(bytes) = this.last_words.take() {
                return Poll::Ready(Some(Ok(bytes)));
            }
            if this.then.is_some() {
                match this.release() {
                    Some(bytes) => return Poll::Ready(Some(Ok(bytes))),
                    None => match this.go_on(context) {
                        Some(next) => return next,
                        None => continue,
                    },
                }
            }
            match Pin::new(&mut this.inner).poll_frame(context) {
                Poll::Ready(Some(Ok(frame))) => {
                    let Ok(bytes) = frame.into_data() else { continue };
                    if bytes.is_empty() {
                        continue;
                    }
                    let burst = this.pace.comes(Instant::now());
                    if this.gathered.is_empty() && (!burst || !this.begun || !this.events || bytes.len() >= GATHER) {
                        match this.show(bytes) {
                            Some(bytes) => return Poll::Ready(Some(Ok(bytes))),
                            None => continue,
                        }
                    }
                    if bytes.len() >= GATHER {
                        this.then = Some(Then::Frame(bytes));
                    } else {
                        this.gathered.extend_from_slice(&bytes);
                        if this.gathered.len() >= GATHER {
                            this.holding = false;
                            if let Some(bytes) = this.release() {
                                return Poll::Ready(Some(Ok(bytes)));
                            }
                        }
                    }
                }
                Poll::Ready(Some(Err(error))) => this.broke(Broken::Lost(error)),
                Poll::Ready(None) => this.ended(),
                Poll::Pending if this.holding => {
                    this.holding = false;
                    this.burst = this.pace.gathered(this.gathered.len());
                    if let Some(bytes) = this.release() {
                        return Poll::Ready(Some(Ok(bytes)));
                    }
                }
                Poll::Pending if this.gathered.is_empty() => match this.poll_alarm(context) {
                    Some(broken) => this.broke(broken),
                    None => return Poll::Pending,
                },
                Poll::Pending => {
                    if this.gather().poll(context).is_pending() {
                        return Poll::Pending;
                    }
                }
            }
        }
    }

    /// Lets what comes gather for a while; the timer that ends it.
    fn gather(&mut self) -> Pin<&mut Sleep> {
        let until = self.pace.until(Instant::now()).into();
        let hold = self.hold.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(until)));
        hold.as_mut().reset(until);
        self.holding = true;
        // It would be woken for every event that comes.
        self.inner.leave_alone();
        hold.as_mut()
    }

    /// What comes after the gathered bytes; `None` if that was nothing to be seen.
    fn go_on(&mut self, context: &mut Context<'_>) -> Option<Poll<Option<Result<Bytes, Broken>>>> {
        match self.then.take() {
            Some(Then::Frame(bytes)) => self.show(bytes).map(|bytes| Poll::Ready(Some(Ok(bytes)))),
            Some(Then::Broken(broken)) if self.unwritten => {
                // The server drops what it has not written yet when a body fails: let it write first.
                self.unwritten = false;
                self.then = Some(Then::Broken(broken));
                context.waker().wake_by_ref();
                Some(Poll::Pending)
            }
            Some(Then::Broken(broken)) => {
                self.then = Some(Then::End);
                Some(Poll::Ready(Some(Err(broken))))
            }
            Some(Then::End) => {
                self.then = Some(Then::End);
                Some(Poll::Ready(None))
            }
            None => None,
        }
    }

    /// The gathered bytes, ready to leave.
    fn release(&mut self) -> Option<Bytes> {
        if self.gathered.is_empty() {
            return None;
        }
        let gathered = self.gathered.split().freeze();
        self.show(gathered)
    }

    /// Bytes as they may leave, seen by the watch; `None` while all of them may be the beginning of a secret.
    fn show(&mut self, bytes: Bytes) -> Option<Bytes> {
        let bytes = match &mut self.scrub {
            Some(scrub) => scrub.push(bytes),
            None => bytes,
        };
        if bytes.is_empty() {
            return None;
        }
        self.watch.bytes(&bytes);
        Some(bytes)
    }

    fn ended(&mut self) {
        let gathered = self.release();
        let tail = self.scrub.as_mut().map(ScrubStream::finish).filter(|tail| !tail.is_empty());
        if let Some(tail) = &tail {
            self.watch.bytes(tail);
        }
        self.last_words = joined(gathered, tail);
        self.watch.end(None);
        self.then = Some(Then::End);
    }

    fn broke(&mut self, broken: Broken) {
        let gathered = self.release();
        // Before it has begun it is nobody's: there is still time for another answer.
        let said = if self.begun { self.watch.last_words(&broken) } else { None };
        self.last_words = joined(gathered, said);
        self.watch.end(Some(&broken.to_string()));
        self.then = Some(Then::Broken(broken));
    }

    /// One timer for a stream, moved only when it rings: setting it for each frame would cost more than the frame.
    fn poll_alarm(&mut self, context: &mut Context<'_>) -> Option<Broken> {
        loop {
            let idle_at = self.pace.last().unwrap_or(self.started) + self.deadlines.idle;
            let total_at = self.deadlines.total.map(|total| self.started + total);
            let due = total_at.map_or(idle_at, |total| total.min(idle_at));
            let alarm = self.alarm.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(due.into())));
            match alarm.as_mut().poll(context) {
                Poll::Pending => return None,
                Poll::Ready(()) if Instant::now() < due => alarm.as_mut().reset(due.into()),
                Poll::Ready(()) => {
                    return Some(match self.deadlines.total {
                        Some(total) if total_at == Some(due) => Broken::Total(total),
                        _ => Broken::Idle(self.deadlines.idle),
                    });
                }
            }
        }
    }
}

fn joined(first: Option<Bytes>, second: Option<Bytes>) -> Option<Bytes> {
    match (first, second) {
        (Some(first), Some(second)) => Some([first, second].concat().into()),
        (first, second) => first.or(second),
    }
}

#[cfg(test)]
mod tests;
