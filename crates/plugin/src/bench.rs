//! Benching a component that is over its budget again and again, so that it stops costing everybody else CPU time.
//!
//! Only what a component does with little is its own doing: with a large body it may be the client's, and one client's
//! bodies must not take a provider away from the others.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::hook::HookError;

/// Budget failures in a row before a component is benched.
const STRIKES: u32 = 5;
/// What goes wrong in a hook that had more bytes than this to read is no strike.
const SMALL: usize = 16 << 10;
/// How long it is benched.
const BENCHED: Duration = Duration::from_secs(30);

/// One component's record.
#[derive(Default)]
pub(super) struct Bench(Mutex<Record>);

#[derive(Default)]
struct Record {
    strikes: u32,
    until: Option<Instant>,
    reason: String,
}

impl Bench {
    /// Refuses the hook while the component is benched.
    pub(super) fn check(&self) -> Result<(), HookError> {
        let record = self.lock();
        match record.until.and_then(|until| until.checked_duration_since(Instant::now())) {
            Some(left) => Err(HookError::Benched { left, reason: record.reason.clone() }),
            None => Ok(()),
        }
    }

    /// Why the component is benched, if it is.
    pub(super) fn reason(&self) -> Option<String> {
        self.check().err().map(|error| error.to_string())
    }

    /// Counts the outcome of a hook that had so many bytes to read. Only budget failures are strikes: an ordinary crash
    /// costs nobody else anything, and the wall clock says as much of the machine as of the component.
    pub(super) fn record<T>(&self, outcome: &Result<T, HookError>, size: usize) {
        if outcome.is_err() && size > SMALL {
            return;
        }
        let mut record = self.lock();
        match outcome {
            Err(error @ (HookError::Cpu(_) | HookError::Memory(_))) => {
                record.strikes += 1;
                if record.strikes >= STRIKES {
                    record.until = Some(Instant::now() + BENCHED);
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
    fn a_component_over_its_budget_five_times_in_a_row_is_benched() {
        let bench = Bench::default();
        for _ in 0..4 {
            bench.record::<()>(&Err(HookError::Stack), 0);
            bench.record::<()>(&Err(HookError::Cpu(Duration::from_millis(20))), SMALL);
        }
        assert!(bench.check().is_ok());
        bench.record::<()>(&Err(HookError::Cpu(Duration::from_millis(20))), SMALL);
        let error = bench.check().expect_err("benched").to_string();
        assert!(error.contains("used up its 20 ms of CPU time, 5 times in a row"), "{error}");
    }

    #[test]
    fn one_good_answer_clears_the_record() {
        let bench = Bench::default();
        for _ in 0..20 {
            for _ in 0..4 {
                bench.record::<()>(&Err(HookError::Memory(64 << 20)), 0);
            }
            bench.record(&Ok(()), 0);
        }
        assert!(bench.check().is_ok());
    }

    #[test]
    fn what_takes_a_large_body_benches_nobody() {
        let bench = Bench::default();
        for size in [SMALL + 1, 204 << 10, 900 << 10, 60 << 20] {
            for _ in 0..20 {
                bench.record::<()>(&Err(HookError::Cpu(Duration::from_millis(20))), size);
                bench.record::<()>(&Err(HookError::Memory(64 << 20)), size);
                bench.record::<()>(&Err(HookError::Wall(Duration::from_secs(5))), 0);
            }
        }
        assert!(bench.check().is_ok());
    }
}
