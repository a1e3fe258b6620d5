//! One cooldown: when it ends, when a probe may go, and what one more failure does to it. Pure; the table holds many.
//!
//! A limit is over at its end. An outage is over when a request has been answered: past its end one request at a time
//! goes first, for as long as others have somewhere else to go. One that a single caller has met may be that caller's own:
//! until another has met it too, it only puts the target off.

use std::time::{Duration, SystemTime};

use super::LAST_RESORT_PAUSE;
use super::reason::{Reason, doubled};
use super::subject::Subject;

/// When the first probe may go, from the start. The wait doubles with each.
const FIRST_PROBE: Duration = Duration::from_secs(60);
/// How far that doubling goes.
const PROBE_WAIT: Duration = Duration::from_secs(15 * 60);
/// How old a cooldown is when probes become rare.
const OLD: Duration = Duration::from_secs(24 * 60 * 60);
/// How rare.
const OLD_PROBE_WAIT: Duration = Duration::from_secs(60 * 60);
/// How long others wait for one probe's outcome. A model may think for many minutes before it begins to answer, and an
/// address where nobody lives may stay silent for as long: neither may keep a target closed.
const PROBE_WITHIN: Duration = Duration::from_secs(60);
/// How long a cooldown that is over is remembered, so that the next failure of a row is not taken for a first one.
const MEMORY: Duration = Duration::from_secs(10 * 60);

/// For how long an answer that somebody got says that an outage is not everybody's.
const WELL: Duration = Duration::from_secs(10);

/// One failure, as far as it matters here.
#[derive(Clone, Copy, Debug)]
pub(super) struct Failure {
    pub reason: Reason,
    /// When it ends, as the provider reported it.
    pub reported: Option<SystemTime>,
    /// Who met it; none where it is nobody's own.
    pub by: Option<u64>,
    /// When its request was sent.
    pub sent: SystemTime,
}

/// One subject that cools down, or did so until lately.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Cooldown {
    pub subject: Subject,
    pub reason: Reason,
    /// When the row of failures began.
    pub since: SystemTime,
    /// When the newest of them was known.
    pub failed: SystemTime,
    /// When the request of the newest was sent.
    pub sent: SystemTime,
    pub until: SystemTime,
    /// Failures in a row, each of a request that was sent after the one before was known.
    strikes: u32,
    /// The only caller who has met it so far; none once it is everybody's.
    suspect: Option<u64>,
    /// When somebody was last answered while it was one caller's own.
    well: Option<SystemTime>,
    pub probes: u32,
    pub next_probe: SystemTime,
    /// The request that probes, by its number, and when it was let through.
    pub out: Option<(u64, SystemTime)>,
    /// When a request was last let through, as a probe or as the last resort.
    pub tried: Option<SystemTime>,
}

/// What a cooldown says to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stand {
    /// It is over.
    Over,
    /// One request may go as a probe.
    Due,
    /// Others are better.
    Closed,
}

impl Cooldown {
    /// The first failure.
    pub(crate) fn begin(subject: Subject, failure: Failure, now: SystemTime) -> Self {
        let Failure { reason, reported, by, sent } = failure;
        Cooldown {
            subject,
            reason,
            since: now,
            failed: now,
            sent,
            until: now + length(reason, 1, reported, now),
            strikes: 1,
            suspect: by,
            well: None,
            probes: 0,
            next_probe: now + FIRST_PROBE,
            out: None,
            tried: None,
        }
    }

    /// One more failure.
    pub(crate) fn again(&mut self, failure: Failure, now: SystemTime) {
        let Failure { reason, reported, by, sent } = failure;
        let reported = reported.filter(|end| *end > now);
        if let (Some(_), Some(by)) = (self.suspect, by)
            && (self.suspect == failure.by || self.is_well(now))
        {
            // Still one caller's own, or one's of several while others are answered.
            (self.reason, self.failed, self.sent, self.suspect) = (reason, now, sent, Some(by));
            self.until = now + length(reason, 1, reported, now);
            return;
        }
        let was_suspect = self.suspect.take().is_some();
        if sent < self.failed {
            // It was under way when the failure before became known, so it is the same failure once more. What it tells
            // of the end counts where that is later.
            let until = now + length(reason, 1, reported, now);
            if (reported.is_some() || was_suspect) && until > self.until {
                (self.reason, self.until) = (reason, until);
            }
            return;
        }
        let goes_on = reason.is_outage() == self.reason.is_outage();
        if !goes_on && reason.is_outage() && now < self.until {
            // A provider without accounts can have both at once. The outage will be found again when the limit is over.
            return;
        }
        self.strikes = if goes_on { self.strikes.saturating_add(1) } else { 1 };
        if !goes_on || (now >= self.until && !reason.is_outage()) {
            (self.since, self.probes, self.next_probe) = (now, 0, now + FIRST_PROBE);
        }
        self.reason = reason;
        (self.failed, self.sent) = (now, sent);
        self.until = now + length(reason, self.strikes, reported, now);
    }

    /// Somebody was answered: what one caller alone has met is over, and for a while it is not everybody's if it comes back.
    pub(crate) fn is_answered(&mut self, now: SystemTime) {
        if self.suspect.is_some() {
            (self.well, self.until) = (Some(now), self.until.min(now));
        }
    }

    /// Whether one caller alone has met it.
    pub(crate) fn is_one_callers(&self) -> bool {
        self.suspect.is_some()
    }

    fn is_well(&self, now: SystemTime) -> bool {
        self.well.is_some_and(|well| within(well, WELL, now))
    }

    /// Whether it is only asked after all others, and kept from nobody.
    pub(crate) fn only_puts_off(&self) -> bool {
        self.suspect.is_some() || self.reason.only_puts_off()
    }

    /// What it says to a request at this moment.
    pub(crate) fn stand(&self, now: SystemTime) -> Stand {
        let due = match (now < self.until, self.reason.is_outage()) {
            (false, false) => return Stand::Over,
            (false, true) if self.suspect.is_some() => return Stand::Over,
            (false, true) => true,
            // A last resort is as good as a probe.
            (true, false) => now >= self.next_probe && !self.was_tried(LAST_RESORT_PAUSE, now),
            // An outage ends so soon that its end is its probe.
            (true, true) => false,
        };
        if due && !self.is_being_probed(now) { Stand::Due } else { Stand::Closed }
    }

    /// Whether a request is under way that will tell more.
    pub(crate) fn is_being_probed(&self, now: SystemTime) -> bool {
        self.out.is_some_and(|(_, since)| within(since, PROBE_WITHIN, now))
    }

    /// Whether a request was let through less than `pause` ago.
    pub(crate) fn was_tried(&self, pause: Duration, now: SystemTime) -> bool {
        self.tried.is_some_and(|tried| within(tried, pause, now))
    }

    /// Lets a request through.
    pub(crate) fn let_through(&mut self, id: u64, now: SystemTime) {
        // Past the end of an outage more than one may be under way: the first of them keeps others from going first.
        if !self.is_being_probed(now) {
            self.out = Some((id, now));
        }
        self.tried = Some(now);
        if now >= self.next_probe {
            self.probes = self.probes.saturating_add(1);
            self.next_probe = now + self.probe_wait(now);
        }
    }

    fn probe_wait(&self, now: SystemTime) -> Duration {
        match self.is_old(now) {
            true => OLD_PROBE_WAIT,
            false => doubled(FIRST_PROBE, self.probes.saturating_add(1), PROBE_WAIT),
        }
    }

    fn is_old(&self, now: SystemTime) -> bool {
        now.duration_since(self.since).is_ok_and(|age| age >= OLD)
    }

    /// Whether nothing of it matters any more.
    pub(crate) fn is_forgotten(&self, now: SystemTime) -> bool {
        match self.well.filter(|well| *well >= self.failed) {
            Some(well) => !within(well, WELL, now),
            None => now.duration_since(self.until).is_ok_and(|since| since >= MEMORY),
        }
    }

    /// Brings what lies too far ahead within bounds: the machine's clock may have been set back, a file may say anything.
    pub(crate) fn bound(&mut self, now: SystemTime) {
        self.until = self.until.min(now + self.reason.most());
        self.failed = self.failed.min(now);
        self.sent = self.sent.min(now);
        self.since = self.since.min(now);
        self.next_probe = self.next_probe.min(now + if self.is_old(now) { OLD_PROBE_WAIT } else { PROBE_WAIT });
    }
}

/// How long it cools down: to the end that the provider tells, within bounds; else longer with each failure of a row.
/// An end that has passed is none.
fn length(reason: Reason, strikes: u32, reported: Option<SystemTime>, now: SystemTime) -> Duration {
    match reported.and_then(|end| end.duration_since(now).ok()).filter(|left| !left.is_zero()) {
        Some(left) => left.min(reason.most()).max(reason.floor(strikes)),
        None => doubled(reason.first(), strikes, reason.doubled_most()),
    }
}

/// Whether `now` is less than `pause` after `then`. A moment that lies ahead, because the clock was set back, is not.
fn within(then: SystemTime, pause: Duration, now: SystemTime) -> bool {
    now.duration_since(then).is_ok_and(|since| since < pause)
}
