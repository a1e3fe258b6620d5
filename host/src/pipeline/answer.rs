//! An answer on its way back, as a list of stages: source → scrub → [rewrite → scrub] → [keep] → [learn] → [translate] → tap → gather, and for a
//! client that asked for no stream → fold. `deliver` puts them together; around all of them stand, once, the commit, the deadlines and the
//! heartbeat, and the end.
//!
//! The gateway's server polls it. Bytes are forwarded as they came, and several frames in one write where they are there.
//! Dropping it, as the server does when the client goes away, ends the upstream call at once.

pub(super) mod array;
mod body;
mod burst;
mod deadlines;
pub(super) mod fold;
pub(super) mod heartbeat;
pub(super) mod inside;
pub(super) mod keep;
pub(super) mod learn;
mod observed;
pub(super) mod rewrite;
pub(super) mod shape;
mod source;
pub(super) mod translate;
pub(super) mod until_whole;
mod watch;

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bitrouter_credential::ScrubStream;
use bitrouter_upstream::{Deadlines, ReceiveError};
use bytes::{Bytes, BytesMut};
use tokio::time::{Instant, Sleep};

use crate::error::Error;

pub(super) use body::AnswerBody;
use body::HeldBack;
use burst::BurstTiming;
use deadlines::Alarm;
pub(super) use source::AnswerSource;
pub(super) use watch::Watcher;

/// How often other tasks get their turn before a stream's first event leaves. Where the upstream has a burst ready, most
/// of it is there by then and leaves in the same write; where it has not, nobody else has much to do.
const TURNS: u32 = 2;
/// A burst is written when this much has been gathered; larger frames are forwarded without a copy.
const GATHER: usize = 16 << 10;

/// How long an upstream is waited for once all that matters of its answer is there: one that ends leaves a connection that
/// can be used again.
const REST: Duration = Duration::from_millis(100);

/// Sees every byte that goes to the client, and says how the answer ends.
pub(super) trait Watch: Send + Unpin + 'static {
    /// Bytes that are about to be forwarded. Returns how many of them may be.
    fn bytes(&mut self, bytes: &[u8]) -> usize;
    /// Whether what was seen may leave. Until then it is held back, so that another answer can still take its place.
    fn commits(&self) -> bool;
    /// Whether nothing that matters follows: the answer ends here, whether or not its connection does.
    fn is_over(&self) -> bool {
        false
    }
    /// Whether an error has come that the client must be told of, since it cannot read it as it came.
    fn must_tell(&self) -> bool {
        false
    }
    /// What keeps the client awake, where it may stand.
    fn heartbeat(&self) -> Option<&'static [u8]> {
        None
    }
    /// The upstream's part ended, in full or with this. `begun` says whether the answer is the client's already. Called
    /// once, but not when the client goes away first; then it is dropped.
    fn end(&mut self, how: Result<(), Broken>, begun: bool) -> Ending;
}

/// How an answer ends for its client.
pub(super) enum Ending {
    /// It is whole.
    Whole,
    /// It is not, and the connection says so. Before that the client is told in its dialect, where that can be.
    Broken(Broken, Option<Bytes>),
}

/// What can break an answer off.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Broken {
    /// The connection was lost.
    #[error("the upstream's answer broke off: {0}")]
    Lost(#[from] ReceiveError),
    /// It ended, but not with its dialect's last word.
    #[error("the upstream's answer broke off: it ended without saying that it is whole")]
    Cut,
    /// The upstream reported an error in words that the client does not know.
    #[error("the upstream reported an error")]
    Reported,
    /// Nothing came for too long.
    #[error("the upstream sent nothing for {} s", .0.as_secs_f32())]
    Idle(Duration),
    /// The whole took too long.
    #[error("the answer was not complete after {} s", .0.as_secs_f32())]
    Total(Duration),
    /// The client took nothing for too long.
    #[error("the client read nothing of the answer for {} s", .0.as_secs_f32())]
    Unread(Duration),
    /// The component's rewriter failed, or what it was given could not be rewritten.
    #[error("{0}")]
    Rewriting(Box<Error>),
    /// A list of which only a part is the client's, and that is too long to tell which.
    #[error("the list is too long to be looked through for what is yours. Ask for less of it, with `limit`")]
    LongList,
    /// The gateway ends.
    #[error("the gateway is stopping and the answer is cut off. Ask again in a moment")]
    Stopping,
}

/// An answer's source with everything that happens around the stages that follow it.
pub(super) struct Answer<W> {
    source: AnswerSource,
    scrub: Option<ScrubStream>,
    watch: Box<W>,
    /// Bytes of a burst as they came: they are scrubbed and watched in one go when they leave.
    gathered: BytesMut,
    /// The last of a burst, scrubbed and watched already, and what the client is told at the end.
    last_words: Option<Bytes>,
    /// What comes after the gathered bytes have left.
    then: Option<Then>,
    timing: BurstTiming,
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
    /// When the client was last shown something.
    shown: Instant,
    /// Until when the upstream is waited for, once its last word has passed.
    rest: Option<Instant>,
    alarm: Option<Pin<Box<Sleep>>>,
    /// The server's task, which is woken when the answer is ended from elsewhere.
    waker: Option<Waker>,
}

enum Then {
    Frame(Bytes),
    Broken(Broken),
    End,
}

impl<W: Watch> Answer<W> {
    /// Wraps a source; `started` is when the request was sent, `events` whether it is a stream of events.
    pub(super) fn new(
        source: AnswerSource,
        scrub: Option<ScrubStream>,
        watch: Box<W>,
        deadlines: Deadlines,
        started: Instant,
        events: bool,
    ) -> Self {
        Answer {
            source,
            scrub,
            watch,
            gathered: BytesMut::new(),
            last_words: None,
            then: None,
            timing: BurstTiming::new(),
            events,
            hold: None,
            holding: false,
            burst: false,
            begun: false,
            unwritten: false,
            deadlines,
            started,
            shown: started,
            rest: None,
            alarm: None,
            waker: None,
        }
    }

    /// Waits until the watch commits to the answer, and returns what was held back until then together with the rest: it
    /// leaves with the head, in one write instead of two. What breaks before that is returned with the watch, for there is
    /// still time for another answer.
    pub(super) async fn begin(mut self) -> Result<AnswerBody<W>, (Broken, Box<W>)> {
        let short = !self.events && self.source.length().is_some_and(|expected| expected <= GATHER as u64);
        let mut held = HeldBack::default();
        let close = loop {
            let before = self.timing.last();
            match std::future::poll_fn(|context| self.poll_next(context)).await {
                None => return Ok(AnswerBody::Whole { bytes: held, watch: self.watch }),
                Some(Ok(bytes)) => held.push(bytes),
                Some(Err(broken)) => return Err((broken, self.watch)),
            }
            // A short document of known length is sent with its length, in one piece. Events leave as they come.
            if !short && self.watch.commits() {
                break self.timing.follows(before);
            }
        };
        self.begun = true;
        if self.events {
            self.gather_what_follows(&mut held).await;
            self.burst |= close;
        }
        Ok(AnswerBody::stream(held, self))
    }

    /// Reads the answer to its end for what the watch makes of it.
    pub(super) async fn read(mut self) -> (Result<(), Broken>, Box<W>) {
        loop {
            match std::future::poll_fn(|context| self.poll_next(context)).await {
                None => return (Ok(()), self.watch),
                Some(Ok(_)) => {}
                Some(Err(broken)) => return (Err(broken), self.watch),
            }
        }
    }

    /// Adds what comes while other tasks have their turn.
    async fn gather_what_follows(&mut self, held: &mut HeldBack) {
        let before = held.length;
        for _ in 0..TURNS {
            tokio::task::yield_now().await;
            let next = std::future::poll_fn(|context| Poll::Ready(self.poll_next(context))).await;
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

    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Broken>>> {
        if std::mem::take(&mut self.burst) {
            self.gather();
        }
        if self.holding && self.then.is_none() {
            // Reading now would cost a system call for each event; the timer reads them all.
            if let Some(hold) = &mut self.hold
                && hold.as_mut().poll(context).is_pending()
            {
                return Poll::Pending;
            }
        }
        loop {
            if let Some(bytes) = self.last_words.take() {
                return Poll::Ready(Some(Ok(bytes)));
            }
            if self.then.is_some() {
                match self.release() {
                    Some(bytes) => return Poll::Ready(Some(Ok(bytes))),
                    None => match self.go_on(context) {
                        Some(next) => return next,
                        None => continue,
                    },
                }
            }
            if self.watch.is_over() && self.gathered.is_empty() {
                if self.begun && self.watch.must_tell() {
                    self.ended(Err(Broken::Reported));
                    continue;
                }
                self.rest.get_or_insert_with(|| Instant::now() + REST);
            }
            match self.source.poll(context) {
                Poll::Ready(Some(Ok(bytes))) => {
                    let burst = self.timing.comes(Instant::now());
                    if bytes.is_empty() {
                        continue;
                    }
                    if self.gathered.is_empty() && (!burst || !self.begun || !self.events || bytes.len() >= GATHER) {
                        match self.show(bytes) {
                            Some(bytes) => return Poll::Ready(Some(Ok(bytes))),
                            None => continue,
                        }
                    }
                    if bytes.len() >= GATHER {
                        self.then = Some(Then::Frame(bytes));
                    } else {
                        self.gathered.extend_from_slice(&bytes);
                        if self.gathered.len() >= GATHER {
                            self.holding = false;
                            if let Some(bytes) = self.release() {
                                return Poll::Ready(Some(Ok(bytes)));
                            }
                        }
                    }
                }
                Poll::Ready(Some(Err(broken))) => self.ended(Err(broken)),
                Poll::Ready(None) => self.ended(Ok(())),
                Poll::Pending if self.holding => {
                    self.holding = false;
                    self.burst = self.timing.gathered(self.gathered.len());
                    if let Some(bytes) = self.release() {
                        return Poll::Ready(Some(Ok(bytes)));
                    }
                }
                Poll::Pending if self.gathered.is_empty() => match self.poll_alarm(context) {
                    None => return Poll::Pending,
                    Some(Alarm::Idle) => self.ended(Err(Broken::Idle(self.deadlines.idle))),
                    Some(Alarm::Total(total)) => self.ended(Err(Broken::Total(total))),
                    Some(Alarm::Over) => self.ended(Ok(())),
                    Some(Alarm::Heartbeat) => {
                        self.shown = Instant::now();
                        if let Some(beat) = self.watch.heartbeat() {
                            return Poll::Ready(Some(Ok(Bytes::from_static(beat))));
                        }
                    }
                },
                Poll::Pending => {
                    if self.gather().poll(context).is_pending() {
                        return Poll::Pending;
                    }
                }
            }
        }
    }

    /// Lets what comes gather for a while; the timer that ends it.
    fn gather(&mut self) -> Pin<&mut Sleep> {
        let until = self.timing.until(Instant::now());
        let hold = self.hold.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(until)));
        hold.as_mut().reset(until);
        self.holding = true;
        // It would be woken for every event that comes.
        self.source.leave_alone();
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
        let mut bytes = match &mut self.scrub {
            Some(scrub) => scrub.push(bytes),
            None => bytes,
        };
        if bytes.is_empty() {
            return None;
        }
        bytes.truncate(self.watch.bytes(&bytes));
        if let Some(last) = self.timing.last() {
            self.shown = last;
        }
        (!bytes.is_empty()).then_some(bytes)
    }

    /// The one way to end: the upstream's call is over, and what the client is told follows what it has.
    fn ended(&mut self, how: Result<(), Broken>) {
        self.source = AnswerSource::Ended;
        self.holding = false;
        let gathered = self.release();
        let mut tail = match &mut self.scrub {
            // What breaks off may do so within a secret.
            Some(scrub) if how.is_ok() => scrub.finish(),
            _ => Bytes::new(),
        };
        if !tail.is_empty() {
            tail.truncate(self.watch.bytes(&tail));
        }
        let (then, told) = match self.watch.end(how, self.begun) {
            Ending::Whole => (Then::End, None),
            Ending::Broken(broken, told) => (Then::Broken(broken), told),
        };
        self.last_words = joined([gathered.unwrap_or_default(), tail, told.unwrap_or_default()]);
        self.then = Some(then);
    }

    /// The server has written all that it was given, and waits.
    fn waits(&mut self, context: &Context<'_>) {
        self.unwritten = false;
        match &mut self.waker {
            Some(waker) => waker.clone_from(context.waker()),
            waker => *waker = Some(context.waker().clone()),
        }
    }
}

fn joined(parts: [Bytes; 3]) -> Option<Bytes> {
    let mut parts = parts.into_iter().filter(|part| !part.is_empty());
    let first = parts.next()?;
    let Some(second) = parts.next() else { return Some(first) };
    let mut all = BytesMut::from(first);
    all.extend_from_slice(&second);
    parts.for_each(|part| all.extend_from_slice(&part));
    Some(all.freeze())
}

#[cfg(test)]
mod tests;
