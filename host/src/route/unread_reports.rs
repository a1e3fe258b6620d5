//! What answers reported of their accounts' limits and no hook has read yet. The pipeline puts it here and reads it, off the
//! client's path.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use bitrouter_plugin::contract::Field;

/// How many reports of one account may wait to be read.
const UNREAD: usize = 16;

/// What an answer reports of its account's limits.
#[derive(Clone, Debug)]
pub enum LimitReport {
    /// Its headers that are observed.
    Headers(Vec<Field>),
    /// An event that is observed.
    Event(String),
}

/// A report, and when its answer began.
pub type TimedReport = (SystemTime, LimitReport);

/// What answers reported and no hook has read yet, by account. Bounded: the oldest goes first, and headers take the place
/// of earlier ones, as each answer says them anew.
#[derive(Debug, Default)]
pub struct UnreadReports(Mutex<BTreeMap<Arc<str>, VecDeque<TimedReport>>>);

impl UnreadReports {
    /// Adds something; true if nobody reads this account's, so that the caller is to begin.
    pub fn put(&self, account: &Arc<str>, (at, report): TimedReport) -> bool {
        let mut unread = lock(&self.0);
        let begin = !unread.contains_key(account);
        let waiting = unread.entry(Arc::clone(account)).or_default();
        if matches!(report, LimitReport::Headers(_)) {
            waiting.retain(|(_, report)| !matches!(report, LimitReport::Headers(_)));
        }
        waiting.push_back((at, report));
        if waiting.len() > UNREAD {
            waiting.pop_front();
        }
        begin
    }

    /// Takes all that waits. None if nothing does: the reader ends, and the next to put begins.
    pub fn take(&self, account: &Arc<str>) -> Option<VecDeque<TimedReport>> {
        let mut unread = lock(&self.0);
        let waiting = unread.get_mut(account).map(std::mem::take).filter(|waiting| !waiting.is_empty());
        if waiting.is_none() {
            unread.remove(account);
        }
        waiting
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic while the lock is held leaves nothing half done.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_reader_at_a_time_gets_the_newest_headers_and_every_event() {
        let (unread, account) = (UnreadReports::default(), Arc::from("work"));
        let now = SystemTime::now();
        let headers = |value: &str| (now, LimitReport::Headers(vec![Field { name: "x".into(), value: value.into() }]));
        let event = (now, LimitReport::Event("{}".into()));
        assert!(unread.put(&account, headers("1")));
        assert!(!unread.put(&account, event.clone()));
        assert!(!unread.put(&account, headers("2")));
        assert!(unread.put(&Arc::from("home"), event.clone()));
        let waiting = unread.take(&account).unwrap();
        assert!(matches!(&waiting[0], (_, LimitReport::Event(event)) if event == "{}"), "{waiting:?}");
        assert!(matches!(&waiting[1], (_, LimitReport::Headers(fields)) if fields[0].value == "2"), "{waiting:?}");
        assert_eq!(waiting.len(), 2);
        assert!(!unread.put(&account, event.clone()), "the reader is still at work");
        assert!(unread.take(&account).is_some());
        assert!(unread.take(&account).is_none());
        assert!(unread.put(&account, event.clone()), "the reader has ended");
        for _ in 0..1000 {
            unread.put(&account, event.clone());
        }
        assert_eq!(unread.take(&account).map(|waiting| waiting.len()), Some(16));
    }
}
