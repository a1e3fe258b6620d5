//! The secrets that are in use, for what has no credential at hand: the log.
//!
//! Whoever makes a scrubber that is to be found in the log says so; it is forgotten when the scrubber is dropped.

use std::borrow::Cow;
use std::sync::{Arc, PoisonError, RwLock, Weak};

use bytes::Bytes;

use super::Scrubber;

static KNOWN: RwLock<Vec<Weak<Scrubber>>> = RwLock::new(Vec::new());

impl Scrubber {
    /// Has its secrets taken out of the log from now on.
    pub fn watch_the_log(self: Arc<Self>) -> Arc<Self> {
        if self.heads.is_some() {
            let mut known = KNOWN.write().unwrap_or_else(PoisonError::into_inner);
            known.retain(|scrubber| scrubber.strong_count() > 0);
            known.push(Arc::downgrade(&self));
        }
        self
    }
}

/// The text without any secret that is in use; the same bytes where there is none.
pub fn scrub_log(text: &[u8]) -> Cow<'_, [u8]> {
    let mut clean = Cow::Borrowed(text);
    for scrubber in KNOWN.read().unwrap_or_else(PoisonError::into_inner).iter().filter_map(Weak::upgrade) {
        if scrubber.find(&clean, 0).is_some() {
            clean = Cow::Owned(scrubber.scrub_bytes(Bytes::copy_from_slice(&clean)).into());
        }
    }
    clean
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
