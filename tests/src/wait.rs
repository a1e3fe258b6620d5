//! Waiting for what happens beside a test. A condition that comes true ends the wait; the deadline only ends a failure.

use std::time::{Duration, Instant};

/// Long enough for a slow machine: no test passes because of it.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// True as soon as the condition is; false if it never was.
pub fn eventually(condition: impl FnMut() -> bool) -> bool {
    eventually_within(DEADLINE.as_secs(), condition)
}

/// The same, for what takes longer.
pub(crate) fn eventually_within(seconds: u64, mut condition: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + Duration::from_secs(seconds);
    while Instant::now() < end {
        if condition() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    condition()
}
