//! Who asks: whoever showed one of the gateway's own keys, or anybody where it has none.
//!
//! The guard makes a caller of each request that it lets in. It goes with the call to the record of the request, and what is
//! one caller's own is bound to it. It never shows the key.

use std::fmt;

use http::header::{HeaderMap, HeaderName, HeaderValue};
use sha2::{Digest, Sha256};

/// The headers that providers know an idempotency key by.
const IDEMPOTENCY_KEYS: [&str; 2] = ["idempotency-key", "x-idempotency-key"];

/// Who asks.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub enum Caller {
    /// Nobody known: the gateway has no keys, or the page is open to all.
    Anybody,
    /// Whoever holds this key of `server.keys`, told by its SHA-256. It is the same after a restart.
    Key([u8; 32]),
}

impl Caller {
    /// Binds the idempotency key of a request, if it has one, to its caller. A provider gives one answer to all requests of an
    /// account that have the same key, so where several callers share an account one would get the other's. Without keys of
    /// the gateway's own there is one caller, whose idempotency key goes up as it is.
    pub(crate) fn bind_idempotency_key(&self, headers: &mut HeaderMap) {
        let Caller::Key(digest) = self else { return };
        for name in IDEMPOTENCY_KEYS.map(HeaderName::from_static) {
            let bound = |value: &HeaderValue| {
                let text = hashed("bitrouter idempotency key", digest, value.as_bytes());
                HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static(""))
            };
            let said: Vec<_> = headers.get_all(&name).iter().map(bound).collect();
            headers.remove(&name);
            for value in said {
                headers.append(&name, value);
            }
        }
    }
}

impl Caller {
    /// Tells this caller from others in what is written down; the same after a restart.
    pub(crate) fn tag(&self) -> String {
        match self {
            Caller::Anybody => "-".to_owned(),
            Caller::Key(digest) => hashed("bitrouter owner of objects", digest, b""),
        }
    }
}

impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A short key could be found out from its digest.
        f.write_str(match self {
            Caller::Anybody => "Anybody",
            Caller::Key(_) => "Key(..)",
        })
    }
}

/// A value as it is for this caller and this use alone, in 40 hexadecimal digits. Of the caller's digest nothing can be told from
/// it.
fn hashed(usage: &str, caller: &[u8; 32], value: &[u8]) -> String {
    let mut digest = Sha256::new();
    digest.update(usage.as_bytes());
    digest.update(b"\0");
    digest.update(caller);
    digest.update(value);
    digest.finalize().iter().take(20).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(key: &str) -> Caller {
        Caller::Key(Sha256::digest(key).into())
    }

    fn sent(caller: Caller, name: &'static str, value: &'static str) -> String {
        let mut headers = HeaderMap::new();
        headers.insert(name, HeaderValue::from_static(value));
        caller.bind_idempotency_key(&mut headers);
        headers[name].to_str().unwrap().to_owned()
    }

    #[test]
    fn two_callers_with_the_same_idempotency_key_send_different_ones_and_each_always_the_same() {
        let (one, other) = (caller("first-key-of-the-gateway"), caller("other-key-of-the-gateway"));
        for name in IDEMPOTENCY_KEYS {
            let first = sent(one, name, "once");
            assert_eq!(first.len(), 40);
            assert_eq!(first, sent(caller("first-key-of-the-gateway"), name, "once"), "after a restart, too");
            assert_ne!(first, sent(other, name, "once"));
            assert_ne!(first, sent(one, name, "twice"));
        }
    }

    #[test]
    fn where_there_is_one_caller_the_key_goes_up_as_it_is() {
        assert_eq!(sent(Caller::Anybody, "idempotency-key", "once"), "once");
    }

    #[test]
    fn a_tag_tells_callers_apart_and_nothing_of_their_keys() {
        let (one, other) = (caller("first-key-of-the-gateway"), caller("other-key-of-the-gateway"));
        assert_eq!(one.tag(), caller("first-key-of-the-gateway").tag());
        assert_ne!(one.tag(), other.tag());
        assert_eq!((one.tag().len(), Caller::Anybody.tag()), (40, "-".to_owned()));
        let Caller::Key(digest) = one else { return };
        let plain: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        assert!(!plain.contains(&one.tag()));
    }

    #[test]
    fn debug_shows_nothing_of_a_key() {
        assert_eq!(format!("{:?} {:?}", caller("a-key-of-the-gateway"), Caller::Anybody), "Key(..) Anybody");
    }
}
