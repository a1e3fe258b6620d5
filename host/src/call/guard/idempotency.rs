//! A client's idempotency key, made its own.
//!
//! A provider gives one answer to all requests of an account that have the same key. Where several callers share an account,
//! one would get the other's: so what goes up is bound to the gateway's key that the caller showed. The same caller's same
//! key stays the same, over restarts, too.

use http::header::{HeaderMap, HeaderName, HeaderValue};
use sha2::{Digest, Sha256};

use super::Guard;

/// The headers that providers know it by.
const NAMES: [&str; 2] = ["idempotency-key", "x-idempotency-key"];

impl Guard {
    /// Binds the idempotency key of a request, if it has one, to its caller. Without keys of the gateway's own there is one
    /// caller, whose key goes up as it is.
    pub(crate) fn bind_idempotency_key(&self, headers: &mut HeaderMap) {
        if self.keys.is_empty() || !NAMES.iter().any(|name| headers.contains_key(*name)) {
            return;
        }
        let Some(caller) = self.caller(headers) else { return };
        for name in NAMES.map(HeaderName::from_static) {
            let said: Vec<_> = headers.get_all(&name).iter().map(|value| bound(&caller, value)).collect();
            headers.remove(&name);
            for value in said {
                headers.append(&name, value);
            }
        }
    }
}

/// Of the caller's digest nothing can be told from it.
fn bound(caller: &[u8; 32], value: &HeaderValue) -> HeaderValue {
    let mut digest = Sha256::new();
    digest.update(b"bitrouter idempotency key\0");
    digest.update(caller);
    digest.update(value.as_bytes());
    let text: String = digest.finalize().iter().take(20).map(|byte| format!("{byte:02x}")).collect();
    HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Paths};

    fn guard(keys: &[&str]) -> Guard {
        let mut server = Config::defaults(&Paths::for_tests()).server;
        server.keys = keys.iter().map(|key| (*key).into()).collect();
        Guard::new(&server)
    }

    fn sent(guard: &Guard, key: &str, name: &'static str, value: &'static str) -> String {
        let mut headers = HeaderMap::new();
        headers.insert("x-api-key", key.parse().unwrap());
        headers.insert(name, HeaderValue::from_static(value));
        guard.bind_idempotency_key(&mut headers);
        headers[name].to_str().unwrap().to_owned()
    }

    #[test]
    fn two_callers_with_the_same_idempotency_key_send_different_ones_and_each_always_the_same() {
        let (one, other) = ("first-key-of-the-gateway", "other-key-of-the-gateway");
        let gateway = guard(&[one, other]);
        for name in ["idempotency-key", "x-idempotency-key"] {
            let first = sent(&gateway, one, name, "once");
            assert_eq!(first.len(), 40);
            assert_eq!(first, sent(&guard(&[one]), one, name, "once"), "after a restart, too");
            assert_ne!(first, sent(&gateway, other, name, "once"));
            assert_ne!(first, sent(&gateway, one, name, "twice"));
        }
    }

    #[test]
    fn where_there_is_one_caller_the_key_goes_up_as_it_is() {
        assert_eq!(sent(&guard(&[]), "whatever-it-shows", "idempotency-key", "once"), "once");
    }
}
