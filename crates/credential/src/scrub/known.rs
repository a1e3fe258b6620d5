//! The secrets that are in use, for what has no credential at hand: the log.
//!
//! Whoever makes a scrubber that is to be found in the log says so; it is forgotten when the scrubber is dropped.

use std::borrow::Cow;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError, RwLock, RwLockWriteGuard, Weak};

use bytes::Bytes;
use secrecy::ExposeSecret as _;

use super::Scrubber;

static KNOWN: RwLock<Known> = RwLock::new(Known { scrubbers: Vec::new(), all: None });

/// What the log has nothing of.
struct Known {
    scrubbers: Vec<Weak<Scrubber>>,
    /// One for the secrets of all of them, so that a line is looked through once however many there are. None where one has
    /// come or gone since it was made.
    all: Option<Arc<Scrubber>>,
}

fn change() -> RwLockWriteGuard<'static, Known> {
    KNOWN.write().unwrap_or_else(PoisonError::into_inner)
}

impl Scrubber {
    /// Has its secrets taken out of the log from now on.
    pub fn watch_the_log(self: Arc<Self>) -> Arc<Self> {
        if !self.secrets.is_empty() {
            self.in_log.store(true, Ordering::Relaxed);
            let mut known = change();
            known.scrubbers.retain(|scrubber| scrubber.strong_count() > 0);
            known.scrubbers.push(Arc::downgrade(&self));
            known.all = None;
        }
        self
    }
}

/// One that was in the log is gone, so nothing of its secrets is kept.
pub(super) fn forget() {
    change().all = None;
}

/// The text without any secret that is in use; the same bytes where there is none.
pub fn scrub_log(text: &[u8]) -> Cow<'_, [u8]> {
    // By itself: whoever makes one must wait for nobody who reads.
    let made = KNOWN.read().unwrap_or_else(PoisonError::into_inner).all.clone();
    let all = made.unwrap_or_else(all);
    match all.find(text, 0) {
        Some(_) => Cow::Owned(all.scrub_bytes(Bytes::copy_from_slice(text)).into()),
        None => Cow::Borrowed(text),
    }
}

/// One for the secrets of all, made now unless somebody else just did.
fn all() -> Arc<Scrubber> {
    let mut known = change();
    if let Some(all) = &known.all {
        return Arc::clone(all);
    }
    let scrubbers: Vec<Arc<Scrubber>> = known.scrubbers.iter().filter_map(Weak::upgrade).collect();
    let secrets = scrubbers.iter().flat_map(|scrubber| &scrubber.secrets);
    let all = Arc::new(Scrubber::new(secrets.map(|secret| secret.expose_secret())));
    known.all = Some(Arc::clone(&all));
    // One that has only been kept by this list meanwhile is forgotten as it goes, which takes the lock.
    drop(known);
    drop(scrubbers);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_has_no_secret_that_is_in_use() {
        let (one, other) = ("sk-canary-known-1", "sk-\"canary\"-known-2");
        let scrubbers = [one, other].map(|secret| Arc::new(Scrubber::new([secret])).watch_the_log());
        let line = format!("a {one} b {other} c {other:?}\n");
        assert_eq!(scrub_log(line.as_bytes()), "a [secret] b [secret] c \"[secret]\"\n".as_bytes());
        assert!(matches!(scrub_log(b"nothing"), Cow::Borrowed(_)));
        drop(scrubbers);
        assert_eq!(scrub_log(one.as_bytes()), one.as_bytes());
    }
}
