//! Quarantines a component that is over its budget again and again, so that it stops costing everybody else CPU time.
//!
//! Only what a component does with a small body counts: a large one may be the client's doing, and one client's bodies must
//! not take a provider away from the others.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::instance::HookError;

/// Budget failures in a row before a component is quarantined.
const STRIKES: u32 = 5;
/// A failure of a hook that had more bytes than this to read is no strike.
const SMALL_BODY: usize = 16 << 10;
/// How long it is quarantined.
const QUARANTINED_FOR: Duration = Duration::from_secs(30);

/// One component's record.
#[derive(Default)]
pub(super) struct Quarantine(Mutex<Record>);

#[derive(Default)]
struct Record {
    strikes: u32,
    until: Option<Instant>,
    reason: String,
}

impl Quarantine {
    /// Refuses the hook while the component is quarantined.
    pub(super) fn check(&self) -> Result<(), HookError> {
        let record = self.lock();
        match record.until.and_then(|until| until.checked_duration_since(Instant::now())) {
            Some(left) => Err(HookError::Quarantined { left, reason: record.reason.clone() }),
            None => Ok(()),
        }
    }

    /// Why the component is quarantined, if it is.
    pub(super) fn reason(&self) -> Option<String> {
        self.check().err().map(|error| error.to_string())
    }

    /// Counts the outcome of a hook that had so many bytes to read. Only budget failures are strikes: an ordinary crash
    /// costs nobody else anything, and the wall clock says as much of the machine as of the component.
    pub(super) fn record<T>(&self, outcome: &Result<T, HookError>, size: usize) {
        if outcome.is_err() && size > SMALL_BODY {
            return;
        }
        let mut record = self.lock();
        match outcome {
            Err(error @ (HookError::Cpu(_) | HookError::Memory(_))) => {
                record.strikes += 1;
                if record.strikes >= STRIKES {
                    record.until = Some(Instant::now() + QUARANTINED_FOR);
                    record.reason = format!("it {error}, {STRIKES} times in a row");
                    record.strikes = 0;
                }
            }
            Err(_) => {}
            Ok(_) => record.strikes = 0,
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Record> {
        // A panic while the lock is held leaves nothing half done.
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_component_over_its_budget_five_times_in_a_row_is_quarantined() {
        let quarantine = Quarantine::default();
        for _ in 0..4 {
            quarantine.record::<()>(&Err(HookError::Stack), 0);
            quarantine.record::<()>(&Err(HookError::Cpu(Duration::from_millis(20))), SMALL_BODY);
        }
        assert!(quarantine.check().is_ok());
        quarantine.record::<()>(&Err(HookError::Cpu(Duration::from_millis(20))), SMALL_BODY);
        let error = quarantine.check().expect_err("in quarantine").to_string();
        assert!(error.contains("used up its 20 ms of CPU time, 5 times in a row"), "{error}");
    }

    #[test]
    fn one_good_answer_clears_the_record() {
        let quarantine = Quarantine::default();
        for _ in 0..20 {
            for _ in 0..4 {
                quarantine.record::<()>(&Err(HookError::Memory(64 << 20)), 0);
            }
            quarantine.record(&Ok(()), 0);
        }
        assert!(quarantine.check().is_ok());
    }

    #[test]
    fn what_takes_a_large_body_quarantines_nobody() {
        let quarantine = Quarantine::default();
        for size in [SMALL_BODY + 1, 204 << 10, 900 << 10, 60 << 20] {
            for _ in 0..20 {
                quarantine.record::<()>(&Err(HookError::Cpu(Duration::from_millis(20))), size);
                quarantine.record::<()>(&Err(HookError::Memory(64 << 20)), size);
                quarantine.record::<()>(&Err(HookError::Wall(Duration::from_secs(5))), 0);
            }
        }
        assert!(quarantine.check().is_ok());
    }
}
