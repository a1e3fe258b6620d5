//! Cooldowns that heal: what rests, until when, and which request may probe whether it is over.
//!
//! The failover loop asks [`Cooldowns::admit`] before each attempt and tells what came of it; `status` lists and lifts
//! them. Nothing here waits or sends, and `now` is always the caller's wall clock, so a simulation drives this very code.

mod cooling;
mod persisted;
mod probe;
#[cfg(test)]
mod properties;
mod reason;
mod subject;
mod table;
#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bitrouter_files::Timestamp;
use serde::{Serialize, Serializer};
use tokio::sync::Notify;

use super::{Candidate, Window};
use cooling::Failure;
pub use persisted::Limit;
pub use probe::Probe;
pub use reason::Reason;
pub use subject::Subject;
use table::Table;

/// How often something is tried at most where all that could be tried cools down.
pub const LAST_RESORT_PAUSE: Duration = Duration::from_secs(10);

/// What cools down, for all requests of a gateway. A clone is the same one.
///
/// # What is tried when
///
/// - What does not cool is tried freely.
/// - A limit ends at the time that the provider tells, within bounds of its [`Reason`]. Meanwhile one request goes
///   through as a probe after 1 minute, and again after waits that double up to 15 minutes; each hour once it is a day old.
/// - An outage ends after 1 s, doubling up to 2 minutes while it goes on. Past its end one request at a time goes first,
///   until one has been answered. The others are sent to other targets; where there are none, they may go too.
/// - What may be one caller's own ([`Reason::may_be_a_requests_own`]) only puts a target off, and is kept from nobody, until
///   another caller has met it too and nobody has been answered for 10 s.
/// - Where all cool, [`Cooldowns::last_resort`] tries the one that ends first, one request at a time, one each 10 s.
///
/// # What the caller owes
///
/// - `sent` of [`Cooldowns::cool`] is when the failed request was sent: of a hundred requests that were under way to a
///   dead server one counts.
/// - [`Cooldowns::worked`] for each request that came to its first content, and [`Probe::succeeded`] beside it where the
///   request was a probe.
/// - [`Cooldowns::answered`] for each that was refused by a provider that is well, as with a 400.
#[derive(Clone, Default)]
pub struct Cooldowns(Arc<Shared>);

#[derive(Default)]
struct Shared {
    /// How many there are: while nothing cools, a request pays for one load.
    count: AtomicUsize,
    table: Mutex<Table>,
    /// Told when something changed that outlives the gateway.
    changed: Notify,
    kept: persisted::Exchange,
}

/// Whether a request may be sent.
#[derive(Debug)]
pub enum Admission {
    /// Nothing cools.
    Free,
    /// It cools, and this request may find out whether it is over.
    Probe(Probe),
    /// It cools: try another.
    Cooling {
        /// When it ends; never before now.
        until: SystemTime,
        /// Why it cools.
        reason: Reason,
    },
}

/// What to do where every candidate cools.
#[derive(Debug)]
pub enum LastResort {
    /// Send to the candidate of this index.
    Try {
        /// Which of the candidates.
        index: usize,
        /// To be told if it works.
        probe: Probe,
    },
    /// Answer from memory.
    Wait {
        /// Which of the candidates ends first.
        index: usize,
        /// When that is, for `Retry-After`; never before now.
        until: SystemTime,
        /// Why it cools.
        reason: Reason,
    },
}

/// One cooldown, for people and programs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Cooling {
    /// What cools down.
    #[serde(flatten)]
    pub subject: Subject,
    /// Why.
    pub reason: Reason,
    /// Since when.
    #[serde(serialize_with = "rfc3339")]
    pub since: SystemTime,
    /// Until when. Of an outage it may have passed: then it waits for a request that works.
    #[serde(serialize_with = "rfc3339")]
    pub until: SystemTime,
    /// From when on a request may go through as a probe.
    #[serde(serialize_with = "rfc3339")]
    pub next_probe: SystemTime,
    /// Whether a request is finding out.
    pub probing: bool,
}

impl Cooldowns {
    /// Whether a request may be sent to the candidate. Call it right before sending: what it answers may be a [`Probe`],
    /// which keeps others waiting.
    pub fn admit(&self, candidate: &Candidate, now: SystemTime) -> Admission {
        if self.0.is_empty() {
            return Admission::Free;
        }
        self.0.with(now, |table| table.admit(candidate, now, &self.0))
    }

    /// What [`Cooldowns::admit`] would answer, without making the request a probe: for `bitrouter route`, and for ordering.
    /// None where it would be let through.
    pub fn peek(&self, candidate: &Candidate, now: SystemTime) -> Option<(SystemTime, Reason)> {
        if self.0.is_empty() {
            return None;
        }
        self.0.with(now, |table| table.peek(candidate, now))
    }

    /// Whether the candidate is asked after all others, and kept from nobody: its account does not have the model, or it
    /// failed for one caller and maybe for that one alone.
    pub fn is_asked_last(&self, candidate: &Candidate, now: SystemTime) -> bool {
        !self.0.is_empty() && self.0.with(now, |table| table.is_asked_last(candidate, now))
    }

    /// Whether the candidate cools down because of the client's own headers, and may do without.
    pub fn closed_by_own(&self, candidate: &Candidate, now: SystemTime) -> bool {
        !self.0.is_empty() && self.0.with(now, |table| table.closed_by_own(candidate, now))
    }

    /// The same for a look ahead: what is tried there changes nothing here.
    pub(crate) fn copied(&self) -> Self {
        let table = self.0.table.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let count = AtomicUsize::new(table.len());
        Cooldowns(Arc::new(Shared { count, table: Mutex::new(table), ..Shared::default() }))
    }

    /// Whether nothing cools down.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// When the request was sent with which the candidate's credential was refused last, if it was.
    pub fn refused_since(&self, candidate: &Candidate, now: SystemTime) -> Option<SystemTime> {
        if self.0.is_empty() {
            return None;
        }
        self.0.with(now, |table| table.refused_since(candidate))
    }

    /// Something failed that had been asked at `sent`. `end` is what the provider reported of the end, if it did: see
    /// [`end`].
    pub fn cool(&self, subject: Subject, reason: Reason, end: Option<SystemTime>, sent: SystemTime, now: SystemTime) {
        self.0.with(now, |table| table.cool(subject, Failure { reason, reported: end, by: None, sent }, now));
    }

    /// The same of a request of this caller, who may have brought it about: only where the reason allows for that.
    pub fn cool_for(
        &self,
        subject: Subject,
        reason: Reason,
        by: u64,
        end: Option<SystemTime>,
        sent: SystemTime,
        now: SystemTime,
    ) {
        let by = reason.may_be_a_requests_own().then_some(by);
        self.0.with(now, |table| table.cool(subject, Failure { reason, reported: end, by, sent }, now));
    }

    /// A request to the candidate came to its first content: the account has the model, what was an outage is none, and what
    /// is over is forgotten. A limit stays, as the request may have begun before it was reached.
    pub fn worked(&self, candidate: &Candidate, now: SystemTime) {
        if !self.0.is_empty() {
            self.0.with(now, |table| {
                table.answered(candidate, now);
                table.offered(candidate);
            });
        }
    }

    /// The candidate answered, if only that it minds the request: what was an outage is none, and what is over is
    /// forgotten.
    pub fn answered(&self, candidate: &Candidate, now: SystemTime) {
        if !self.0.is_empty() {
            self.0.with(now, |table| table.answered(candidate, now));
        }
    }

    /// The provider reported windows of the candidate's account: if all that is reported has room, limits that became known
    /// before `reported_at` are over. `reported_at` is when the answer that said so began, not when it was read: the
    /// headers of the very answer that reached a limit often claim room.
    pub fn room(&self, candidate: &Candidate, windows: &[Window], reported_at: SystemTime, now: SystemTime) {
        if !self.0.is_empty() && has_room(windows) {
            self.0.with(now, |table| table.room(candidate, reported_at));
        }
    }

    /// What to do where each of the candidates cools; none if there are no candidates. Ask once for a request: if this
    /// one fails too, the request has failed.
    pub fn last_resort(&self, candidates: &[&Candidate], now: SystemTime) -> Option<LastResort> {
        self.0.with(now, |table| table.last_resort(candidates, now, &self.0))
    }

    /// Everything that cools down, in the order of the addresses.
    pub fn list(&self, now: SystemTime) -> Vec<Cooling> {
        self.0.with(now, |table| table.list(now))
    }

    /// Lifts cooldowns: all of them, those of a provider, or those of one of its accounts. Says how many. Also for an
    /// account whose credential has changed.
    pub fn clear(&self, provider: Option<&str>, label: Option<&str>, now: SystemTime) -> usize {
        self.0.with(now, |table| table.clear(provider, label, now))
    }
}

impl std::fmt::Debug for Cooldowns {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cooldowns").field("count", &self.0.count).finish_non_exhaustive()
    }
}

impl Shared {
    fn is_empty(&self) -> bool {
        // A request that comes at the same moment as a failure may be sent, as if it had come a moment before.
        self.count.load(Ordering::Relaxed) == 0
    }

    fn with<T>(self: &Arc<Self>, now: SystemTime, work: impl FnOnce(&mut Table) -> T) -> T {
        // A panic while the lock is held leaves at worst one cooldown more or less.
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        table.tidy(now);
        let done = work(&mut table);
        self.count.store(table.len(), Ordering::Relaxed);
        if table.take_changed() {
            self.changed.notify_one();
        }
        done
    }

    /// Gives back what a probe held.
    fn release(&self, provider: &str, id: u64) {
        self.table.lock().unwrap_or_else(PoisonError::into_inner).release(provider, id);
    }

    /// Forgets what a probe has found to be over.
    fn over(&self, provider: &str, subjects: &[Subject], since: SystemTime) {
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        table.over(provider, subjects, since);
        self.count.store(table.len(), Ordering::Relaxed);
        if table.take_changed() {
            self.changed.notify_one();
        }
    }
}

/// The end of a failure's limit as the provider reported it: the moment at which it resets where there is one, else the time
/// from now. `resets_at` is in seconds since 1970.
pub fn end(retry_after: Option<Duration>, resets_at: Option<u64>, now: SystemTime) -> Option<SystemTime> {
    let reset = resets_at.and_then(|seconds| UNIX_EPOCH.checked_add(Duration::from_secs(seconds)));
    reset.or_else(|| now.checked_add(retry_after?))
}

/// Whether windows say that there is room: at least one does, and none is used up.
fn has_room(windows: &[Window]) -> bool {
    let used_up = |window: &Window| window.used().is_some_and(|used| used >= 100.0) || window.remaining == Some(0);
    let says = |window: &Window| window.used().is_some() || window.remaining.is_some();
    windows.iter().any(says) && !windows.iter().any(used_up)
}

fn rfc3339<S: Serializer>(time: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&Timestamp::from(*time))
}
