//! The time by the issuer's clock: ours, put right by what the issuer's answers say.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use bitrouter_files::Timestamp;

/// A clock that a wrong system clock does not mislead, once an issuer has answered.
#[derive(Debug)]
pub(super) struct Clock(Mutex<Reading>);

#[derive(Clone, Copy, Debug)]
struct Reading {
    /// What it was, and when that was in this process.
    known: Timestamp,
    at: Instant,
    /// What the system's clock is behind by, in seconds.
    behind: i64,
}

impl Clock {
    /// Goes by the system's clock until it is put right.
    pub(super) fn new() -> Self {
        Clock(Mutex::new(Reading { known: Timestamp::now(), at: Instant::now(), behind: 0 }))
    }

    /// Now. The later of two readings: the monotonic clock stands still while a machine sleeps, the system's clock may be
    /// set back; and an early refresh does no harm, a late one does.
    pub(super) fn now(&self) -> Timestamp {
        let reading = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let monotonic = reading.known.plus(reading.at.elapsed());
        monotonic.max(Timestamp::now().shifted(reading.behind))
    }

    /// It is this late, as an issuer says.
    pub(super) fn set(&self, now: Timestamp) {
        let behind = now.unix().saturating_sub(Timestamp::now().unix());
        let reading = Reading { known: now, at: Instant::now(), behind };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = reading;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn an_issuers_answer_puts_a_wrong_clock_right() {
        let clock = Clock::new();
        let system = clock.now();
        for right in [system.plus(Duration::from_secs(86_400)), system.minus(Duration::from_secs(86_400))] {
            clock.set(right);
            let now = clock.now();
            assert!(now >= right && now < right.plus(Duration::from_secs(3600)), "{now} {right}");
        }
    }
}
