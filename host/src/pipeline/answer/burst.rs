//! Tells the bursts of an upstream from single events, and how long a burst is gathered before it is written.
//!
//! `Answer` reports each arrival to it; it reads no clock.

use std::time::Duration;

use tokio::time::Instant;

/// Frames that follow each other faster than this belong to one burst: it is worth looking whether more are there.
const BURST: Duration = Duration::from_micros(300);
/// How long a burst of events is gathered before it is written: the runtime's shortest timer. The first event of a burst
/// leaves at once; a client cannot tell that those which follow within 0.3 ms came a millisecond later, and a write and a
/// read for each of them is what a burst costs.
const HOLD: Duration = Duration::from_millis(1);
/// While a burst goes on, it is gathered for longer and longer, up to this: what counts is how often it is written.
const LONGEST_HOLD: Duration = Duration::from_millis(4);
/// A burst goes on when this much came in a millisecond of it: several events, or one that is large.
const DENSE: u128 = 1 << 10;

/// When a stream last sent something, and how long its bursts are gathered.
pub(super) struct BurstTiming {
    /// When something came last.
    last: Option<Instant>,
    /// How long the next gathering lasts.
    span: Duration,
}

impl BurstTiming {
    /// Nothing has come yet.
    pub(super) fn new() -> Self {
        BurstTiming { last: None, span: HOLD }
    }

    /// Something comes now; whether it follows closely on what came before.
    pub(super) fn comes(&mut self, now: Instant) -> bool {
        let before = self.last.replace(now);
        self.follows(before)
    }

    /// Whether what came last followed closely on what came then.
    pub(super) fn follows(&self, before: Option<Instant>) -> bool {
        before.zip(self.last).is_some_and(|(before, last)| last.duration_since(before) < BURST)
    }

    /// When something came last.
    pub(super) fn last(&self) -> Option<Instant> {
        self.last
    }

    /// When a gathering that begins now is over.
    pub(super) fn until(&self, now: Instant) -> Instant {
        now + self.span
    }

    /// A gathering is over and brought this many bytes; whether the burst goes on.
    pub(super) fn gathered(&mut self, bytes: usize) -> bool {
        let dense = bytes as u128 >= DENSE * self.span.as_millis();
        self.span = if dense { LONGEST_HOLD.min(2 * self.span) } else { HOLD };
        dense
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spans(timing: &mut BurstTiming, gathered: &[usize]) -> Vec<(bool, u128)> {
        let now = Instant::now();
        let span = |timing: &BurstTiming| timing.until(now).duration_since(now).as_millis();
        gathered.iter().map(|&bytes| (timing.gathered(bytes), span(timing))).collect()
    }

    #[test]
    fn what_comes_first_or_by_itself_is_no_burst() {
        let (mut timing, start) = (BurstTiming::new(), Instant::now());
        for milliseconds in [0, 3, 6, 9] {
            assert!(!timing.comes(start + Duration::from_millis(milliseconds)));
        }
        assert!(timing.comes(start + Duration::from_micros(9_299)));
        assert!(!timing.comes(start + Duration::from_micros(9_599)), "300 µs are a pause");
    }

    #[test]
    fn a_burst_is_gathered_for_longer_while_it_goes_on() {
        let all = spans(&mut BurstTiming::new(), &[1 << 10, 2 << 10, 4 << 10, 4 << 10]);
        assert_eq!(all, [(true, 2), (true, 4), (true, 4), (true, 4)]);
    }

    #[test]
    fn once_a_burst_is_thin_it_is_over_and_the_next_begins_as_the_first() {
        let all = spans(&mut BurstTiming::new(), &[1 << 10, 2 << 10, (4 << 10) - 1, 1 << 10, 1 << 10, (1 << 10) - 1]);
        assert_eq!(all, [(true, 2), (true, 4), (false, 1), (true, 2), (false, 1), (false, 1)]);
    }

    #[test]
    fn events_that_pass_by_in_pairs_are_never_held_for_longer_than_the_shortest_time() {
        let all = spans(&mut BurstTiming::new(), &[300; 50]);
        assert!(all.iter().all(|&gathered| gathered == (false, 1)));
    }
}
