//! A request that finds out whether something that cools is over. While it is under way no other request does, for a
//! minute at most.

use std::sync::Arc;
use std::time::SystemTime;

use super::Shared;
use super::subject::Subject;

/// Held by the request that was let through. Dropped without success it leaves everything as it is: the next probe goes
/// when it is due.
#[must_use = "dropped, it counts as a probe that found out nothing"]
pub struct Probe {
    shared: Arc<Shared>,
    provider: String,
    subjects: Vec<Subject>,
    id: u64,
    since: SystemTime,
}

impl Probe {
    pub(super) fn new(
        shared: &Arc<Shared>,
        provider: &str,
        subjects: Vec<Subject>,
        id: u64,
        since: SystemTime,
    ) -> Self {
        Probe { shared: Arc::clone(shared), provider: provider.to_owned(), subjects, id, since }
    }

    /// What it is a probe of.
    pub fn subjects(&self) -> &[Subject] {
        &self.subjects
    }

    /// The request came to its first content: what it was a probe of is over. A limit that another request has met since
    /// this one was let through is not.
    pub fn succeeded(self) {
        self.shared.over(&self.provider, &self.subjects, self.since);
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        self.shared.release(&self.provider, self.id);
    }
}

impl std::fmt::Debug for Probe {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Probe").field("subjects", &self.subjects).field("id", &self.id).finish_non_exhaustive()
    }
}
