//! When an answer's time is over: how long its upstream may be silent, how long the whole may take, when its client is kept
//! awake, and when what followed the last word is waited for no longer.
//!
//! One timer rings for all of them, as long as the answer is polled. A server does not poll the answer of a client that does
//! not read, so a task of `serve` looks at every answer from time to time.

use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::Instant;

use super::{Answer, Broken, Then, Watch};
use crate::telemetry::Answering;

/// How long a client reads nothing before it is told that the answer goes on. Proxies in between close what is silent for a
/// minute, clients often sooner.
pub(super) const HEARTBEAT_EVERY: Duration = Duration::from_secs(15);
/// An answer whose deadline has passed for so long is not polled: its client does not read.
const UNREAD: Duration = Duration::from_secs(2);

/// Why the alarm rings.
#[derive(Clone, Copy)]
pub(super) enum Alarm {
    Idle,
    Total(Duration),
    Heartbeat,
    Over,
}

impl<W: Watch> Answer<W> {
    /// One timer for a stream, moved only when it rings: setting it for each frame would cost more than the frame.
    pub(super) fn poll_alarm(&mut self, context: &mut Context<'_>) -> Option<Alarm> {
        let (due, alarm) = self.next_alarm();
        let timer = self.alarm.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(due)));
        // The first heartbeat and the end may come sooner than what the timer was set to; nothing else does.
        if timer.deadline() > due {
            timer.as_mut().reset(due);
        }
        loop {
            match timer.as_mut().poll(context) {
                Poll::Pending => return None,
                Poll::Ready(()) if Instant::now() < due => timer.as_mut().reset(due),
                Poll::Ready(()) => return Some(alarm),
            }
        }
    }

    fn next_alarm(&self) -> (Instant, Alarm) {
        if let Some(rest) = self.rest {
            return (rest, Alarm::Over);
        }
        let (mut due, mut alarm) = (self.idle_at(), Alarm::Idle);
        if let Some((at, total)) = self.total_at().filter(|(at, _)| *at <= due) {
            (due, alarm) = (at, Alarm::Total(total));
        }
        let beat = self.shown + HEARTBEAT_EVERY;
        if self.begun && self.events && beat < due {
            (due, alarm) = (beat, Alarm::Heartbeat);
        }
        (due, alarm)
    }

    fn idle_at(&self) -> Instant {
        self.timing.last().unwrap_or(self.started) + self.deadlines.idle
    }

    fn total_at(&self) -> Option<(Instant, Duration)> {
        self.deadlines.total.map(|total| (self.started + total, total))
    }

    /// Ends the answer from outside its server's task, and wakes that task so that it tells the client.
    fn end_from_elsewhere(&mut self, broken: Broken) {
        if matches!(self.then, None | Some(Then::Frame(_))) {
            self.then = None;
            self.ended(Err(broken));
            if let Some(waker) = self.waker.take() {
                waker.wake();
            }
        }
    }
}

impl<W: Watch> Answering for Answer<W> {
    fn look(&mut self) {
        let late = |at: Instant| at + UNREAD < Instant::now();
        if self.rest.is_some_and(late) {
            self.end_from_elsewhere(Broken::Unread(self.deadlines.idle));
        } else if let Some((_, total)) = self.total_at().filter(|(at, _)| late(*at)) {
            self.end_from_elsewhere(Broken::Total(total));
        } else if late(self.idle_at()) {
            self.end_from_elsewhere(Broken::Unread(self.deadlines.idle));
        }
    }

    fn stop(&mut self) {
        self.end_from_elsewhere(Broken::Stopping);
    }
}
