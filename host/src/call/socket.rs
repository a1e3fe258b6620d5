//! What the calls of one WebSocket share: whose its conversation is, which answers it was given, and the WebSocket to a provider
//! that goes on from them.
//!
//! The gateway makes one for each that a client opens; the pipeline looks at it.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bitrouter_upstream::WebSocket;
use http::HeaderMap;

use crate::history::ResponseOwner;

/// How many of its last answers a connection knows by their ids, whether or not they are still kept.
const KNOWN: usize = 64;

/// A client's WebSocket.
#[derive(Debug)]
pub struct Socket {
    number: u64,
    given: Mutex<VecDeque<Box<str>>>,
    link: Mutex<Option<Link>>,
}

/// A WebSocket to a provider, kept for this client's next turn.
#[derive(Debug)]
pub(crate) struct Link {
    /// Tells where, as whom and how it was opened from other ways.
    pub opened_as: u64,
    /// The WebSocket.
    pub socket: WebSocket,
    /// What its first answer has for headers.
    pub headers: HeaderMap,
    /// The response that the other side can go on from.
    pub last: Option<String>,
}

impl Default for Socket {
    /// One that was just opened.
    fn default() -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        Socket { number: COUNT.fetch_add(1, Ordering::Relaxed), given: Mutex::default(), link: Mutex::default() }
    }
}

impl Socket {
    /// Whose the responses are that are good on this connection alone.
    pub(crate) fn owner(&self) -> ResponseOwner {
        ResponseOwner::Connection(self.number)
    }

    /// Its client was given an answer of this id.
    pub(crate) fn gave(&self, id: &str) {
        let mut given = self.given();
        if given.len() == KNOWN {
            given.pop_front();
        }
        given.push_back(id.into());
    }

    /// Whether an answer of this id came from here: nobody else can be asked for it then.
    pub(crate) fn knows(&self, id: &str) -> bool {
        self.given().iter().any(|given| **given == *id)
    }

    /// The WebSocket to a provider, if one is open and not in use.
    pub(crate) fn take_link(&self) -> Option<Link> {
        self.link.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Keeps it for the next turn.
    pub(crate) fn put_link(&self, link: Link) {
        *self.link.lock().unwrap_or_else(PoisonError::into_inner) = Some(link);
    }

    fn given(&self) -> MutexGuard<'_, VecDeque<Box<str>>> {
        // Nothing that runs under the lock leaves the list half changed.
        self.given.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_knows_its_last_answers_and_no_others() {
        let (one, other) = (Socket::default(), Socket::default());
        assert_ne!(one.owner(), other.owner());
        (0..=KNOWN).for_each(|number| one.gave(&format!("resp_{number}")));
        assert!(one.knows("resp_1") && one.knows(&format!("resp_{KNOWN}")));
        assert!(!one.knows("resp_0") && !other.knows("resp_1"));
        assert_eq!(one.given().len(), KNOWN);
    }
}
