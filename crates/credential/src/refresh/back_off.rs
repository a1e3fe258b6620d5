//! How long an issuer is left alone after a failure that may pass: a minute, and twice as long with each failure more.
//!
//! It holds for all processes together: what one of them saw stands in the account's lock file for the next. Only the
//! holder of that lock asks here. A file that cannot be written is no error, for this process remembers by itself.

use std::time::{Duration, Instant};

use bitrouter_files::Timestamp;

use super::super::store::AccountLock;
use super::RefreshError;

/// The shortest time between two attempts of which the first failed, or did not help.
pub(super) const SHORTEST_WAIT: Duration = Duration::from_secs(60);
/// The longest.
const LONGEST_WAIT: Duration = Duration::from_secs(900);

/// The failures of one account, one after the other.
#[derive(Debug, Default)]
pub(super) struct BackOff {
    failures: u32,
    /// Not before this, and why.
    wait: Option<(Instant, String)>,
}

impl BackOff {
    /// Whether the issuer may be asked; the error says why not, and when.
    pub(super) fn allows(&mut self, lock: &dyn AccountLock) -> Result<(), RefreshError> {
        if let Some((failures, left, why)) = recorded(&lock.note()) {
            let until = Instant::now() + left;
            self.failures = self.failures.max(failures);
            if self.wait.as_ref().is_none_or(|(known, _)| *known < until) {
                self.wait = Some((until, why));
            }
        }
        let left = self.wait.as_ref().and_then(|(until, _)| until.checked_duration_since(Instant::now()));
        match (&self.wait, left) {
            (Some((_, why)), Some(left)) => {
                let seconds = left.as_secs() + 1;
                Err(RefreshError::Transient(format!("{why}; it is tried again in {seconds} s")))
            }
            _ => Ok(()),
        }
    }

    /// Begins or lengthens the wait.
    pub(super) fn failed(&mut self, why: String, lock: &dyn AccountLock) -> RefreshError {
        let wait = SHORTEST_WAIT.saturating_mul(1 << self.failures.min(8)).min(LONGEST_WAIT);
        self.failures = self.failures.saturating_add(1);
        self.wait = Some((Instant::now() + wait, why.clone()));
        lock.leave(&format!("{} {} {why}", self.failures, Timestamp::now().plus(wait).unix()));
        RefreshError::Transient(why)
    }

    /// Ends the wait: the issuer gave an answer.
    pub(super) fn ends(&mut self, lock: &dyn AccountLock) {
        *self = BackOff::default();
        if !lock.note().is_empty() {
            lock.leave("");
        }
    }
}

/// The failures, how long is to be waited still, and why. A wait that is longer than any was written by another clock.
fn recorded(note: &str) -> Option<(u32, Duration, String)> {
    let mut parts = note.splitn(3, ' ');
    let failures = parts.next()?.parse().ok()?;
    let until = Timestamp::from_unix(parts.next()?.parse().ok()?)?;
    let left = until.since(Timestamp::now()).filter(|left| (Duration::from_secs(1)..=LONGEST_WAIT).contains(left))?;
    Some((failures, left, parts.next()?.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_of_another_clock_or_another_hand_holds_nobody_up() {
        let at = |seconds: i64| format!("3 {} it failed", Timestamp::now().unix() + seconds);
        assert!(matches!(recorded(&at(100)), Some((3, left, why)) if left.as_secs() > 90 && why == "it failed"));
        for note in [at(-1), at(0), at(2 * 86_400), "x".into(), String::new(), "1 2".into(), format!("1 {}", i64::MAX)]
        {
            assert!(recorded(&note).is_none(), "{note}");
        }
    }

    #[test]
    fn each_failure_doubles_the_wait_up_to_a_quarter_of_an_hour_whoever_sees_it() {
        let folder = tempfile::tempdir().unwrap();
        let lock = bitrouter_files::FileLock::take(&folder.path().join("a.lock"), Duration::ZERO).unwrap();
        let error = || "auth.example answered 200 with something else than tokens".to_owned();
        for wait in [60, 120, 240, 480, 900, 900] {
            let mut process = BackOff::default();
            // Each is a process of its own, which comes when the wait is over.
            let note = lock.note();
            let (failures, rest) = note.split_once(' ').unwrap_or(("0", ""));
            process.failures = failures.parse().unwrap();
            lock.leave(&format!("{failures} 0 {rest}"));
            process.allows(&lock).unwrap();
            process.failed(error(), &lock);
            let (_, left, _) = recorded(&lock.note()).unwrap();
            assert!((wait - 1..=wait).contains(&left.as_secs()), "{left:?}");
            let said = BackOff::default().allows(&lock).unwrap_err().to_string();
            assert!(said.contains("auth.example") && said.contains("it is tried again in"), "{said}");
        }
        BackOff::default().ends(&lock);
        BackOff::default().allows(&lock).unwrap();
    }
}
