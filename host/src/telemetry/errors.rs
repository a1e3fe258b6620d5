//! The last requests that failed, for `status`: a few of them, the newest last.
//!
//! Each is added at its end. What it is given was scrubbed on its way, as the log line is made of it too.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use super::{Outcome, RequestRecord, Sink};

/// How many are kept.
const MOST_ERRORS: usize = 20;
/// The longest sentence that is kept, in characters: what an upstream says may be a page.
const LONGEST_ERROR: usize = 500;

/// One request that failed.
#[derive(Clone, Debug)]
pub struct LastError {
    /// When it ended.
    pub at: SystemTime,
    /// The gateway's id of it.
    pub request: Arc<str>,
    /// The provider, empty where none was asked.
    pub provider: Arc<str>,
    /// The account's label.
    pub account: Arc<str>,
    /// The model, as far as it is known.
    pub model: String,
    /// The status that the client was sent.
    pub status: u16,
    /// What went wrong, in one sentence.
    pub error: String,
}

/// The last errors.
#[derive(Debug, Default)]
pub struct LastErrors(Mutex<VecDeque<LastError>>);

impl LastErrors {
    fn add(&self, mut error: LastError) {
        if let Some((end, _)) = error.error.char_indices().nth(LONGEST_ERROR) {
            error.error.truncate(end);
            error.error.push('…');
        }
        let mut kept = self.lock();
        if kept.len() == MOST_ERRORS {
            kept.pop_front();
        }
        kept.push_back(error);
    }

    /// Those kept, the newest last.
    pub fn list(&self) -> Vec<LastError> {
        self.lock().iter().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<LastError>> {
        // Nothing that runs under the lock leaves the list half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sink for LastErrors {
    fn ended(&self, request: &RequestRecord) {
        let Outcome::Failed(error) = &request.outcome else { return };
        self.add(LastError {
            at: SystemTime::now(),
            request: Arc::clone(&request.id),
            provider: Arc::clone(&request.provider),
            account: Arc::clone(&request.account),
            model: request.model.clone(),
            status: request.status,
            // One more than is kept tells that it was longer.
            error: error.chars().take(LONGEST_ERROR + 1).collect(),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(error: String) -> LastError {
        let nobody: Arc<str> = "".into();
        let (provider, account) = (Arc::clone(&nobody), Arc::clone(&nobody));
        let (at, model) = (SystemTime::now(), String::new());
        LastError { at, request: nobody, provider, account, model, status: 500, error }
    }

    #[test]
    fn the_last_twenty_are_kept_and_a_page_is_cut() {
        let errors = LastErrors::default();
        (0..50).for_each(|number| errors.add(failed(number.to_string())));
        let kept: Vec<String> = errors.list().into_iter().map(|error| error.error).collect();
        assert_eq!(kept, (30..50).map(|number| number.to_string()).collect::<Vec<_>>());
        errors.add(failed("ä".repeat(10_000)));
        assert_eq!(errors.list().pop().map(|error| error.error), Some("ä".repeat(500) + "…"));
    }
}
