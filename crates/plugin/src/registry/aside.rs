//! Components that take longer to load than a reload waits: they go on being compiled, and the next reload finds them.
//!
//! Whatever else has changed, such as an acceptance that was taken back, does not wait for a component that takes minutes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::time::Instant;

use super::{Candidate, Refused, load};
use crate::cache::Digest;
use crate::load::Loader;
use crate::{Origin, Plugin};

/// What became of one: which bytes, and where from.
type Key = (Digest, String);
type Loaded = Result<Vec<Arc<Plugin>>, Refused>;

/// What is being loaded beside all reloads.
#[derive(Clone, Default)]
pub(super) struct Aside(Arc<Mutex<HashMap<Key, Option<Loaded>>>>);

impl Aside {
    /// Loads a component, or says that it is not done yet at this moment.
    pub(super) async fn load(&self, loader: &Loader, candidate: &Candidate, until: Instant) -> Loaded {
        let key = (candidate.digest.clone(), candidate.file.clone());
        let not_yet = || {
            let id = (candidate.origin == Origin::BuiltIn).then(|| candidate.file.clone());
            let reason = "it is still being compiled, and taken as soon as it is".to_owned();
            Err(Refused { file: candidate.file.clone(), id, reason })
        };
        match self.with(|all| all.get(&key).cloned()) {
            Some(Some(done)) => {
                self.with(|all| all.remove(&key));
                return done;
            }
            Some(None) => return not_yet(),
            None => {}
        }
        self.with(|all| all.insert(key.clone(), None));
        let (loader, whole, this, of) = (loader.clone(), candidate.clone(), self.clone(), key.clone());
        let task = tokio::spawn(async move {
            let done = load(&loader, &whole).await;
            this.with(|all| all.get_mut(&of).map(|kept| *kept = Some(done)));
        });
        match tokio::time::timeout_at(until, task).await {
            Ok(_) => self.with(|all| all.remove(&key)).flatten().unwrap_or_else(not_yet),
            Err(_) => not_yet(),
        }
    }

    /// Whether one was loaded that nobody has taken.
    pub(super) fn has_news(&self) -> bool {
        self.with(|all| all.values().any(Option::is_some))
    }

    /// Forgets what was loaded and not taken: its file is another by now.
    pub(super) fn forget_done(&self) {
        self.with(|all| all.retain(|_, kept| kept.is_none()));
    }

    fn with<T>(&self, with: impl FnOnce(&mut HashMap<Key, Option<Loaded>>) -> T) -> T {
        with(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
