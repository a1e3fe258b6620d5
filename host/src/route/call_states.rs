//! Opaque state of calls that clients have no place for: kept beside the conversation, by account and by the call's id.
//!
//! The pipeline keeps what a translated answer brought and looks for it when the call comes back. It is bounded, in memory,
//! and may forget at any time: what is not found is left out of the request, never made up.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, PoisonError};

use bitrouter_dialect::translate::{Owner, States};

/// What all states may hold. One of a call has a few kilobytes, so this is some thousand turns.
const LIMIT: usize = 32 << 20;
/// So many parts are locked apart.
const PARTS: usize = 16;

/// The states of all accounts.
#[derive(Debug)]
pub struct CallStates {
    parts: [Mutex<Part>; PARTS],
    hasher: RandomState,
}

#[derive(Debug, Default)]
struct Part {
    states: HashMap<String, String>,
    /// Oldest first.
    order: VecDeque<String>,
    bytes: usize,
}

impl Default for CallStates {
    fn default() -> Self {
        CallStates { parts: std::array::from_fn(|_| Mutex::default()), hasher: RandomState::new() }
    }
}

impl CallStates {
    fn part(&self, key: &str) -> &Mutex<Part> {
        &self.parts[self.hasher.hash_one(key) as usize % PARTS]
    }
}

impl States for CallStates {
    fn find(&self, owner: &Owner<'_>, call: &str) -> Option<String> {
        let key = key(owner, call);
        self.part(&key).lock().unwrap_or_else(PoisonError::into_inner).states.get(&key).cloned()
    }

    fn keep(&self, owner: &Owner<'_>, call: &str, state: &str) {
        let key = key(owner, call);
        let mut part = self.part(&key).lock().unwrap_or_else(PoisonError::into_inner);
        part.keep(key, state);
    }
}

impl Part {
    fn keep(&mut self, key: String, state: &str) {
        let size = key.len() + state.len();
        if size > LIMIT / PARTS {
            return;
        }
        self.bytes += size;
        match self.states.insert(key.clone(), state.to_owned()) {
            Some(old) => self.bytes -= key.len() + old.len(),
            None => self.order.push_back(key),
        }
        while self.bytes > LIMIT / PARTS
            && let Some(oldest) = self.order.pop_front()
        {
            let forgotten = self.states.remove(&oldest).map_or(0, |state| oldest.len() + state.len());
            self.bytes -= forgotten;
        }
    }
}

/// The state itself says its owner once more: a key that two would share brings nobody what is another's.
fn key(owner: &Owner<'_>, call: &str) -> String {
    [owner.provider, "\n", owner.account, "\n", call].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWNER: Owner<'_> = Owner { provider: "p", account: "a", model: "m" };

    #[test]
    fn a_state_is_found_by_its_account_alone() {
        let states = CallStates::default();
        states.keep(&OWNER, "call_1", "one");
        states.keep(&OWNER, "call_1", "two");
        assert_eq!(states.find(&OWNER, "call_1").as_deref(), Some("two"));
        assert_eq!(states.find(&Owner { account: "b", ..OWNER }, "call_1"), None);
        assert_eq!(states.find(&OWNER, "call_2"), None);
    }

    #[test]
    fn the_oldest_are_forgotten_and_what_is_held_stays_within_its_limit() {
        let states = CallStates::default();
        let long = "x".repeat(64 << 10);
        for call in 0..2000 {
            states.keep(&OWNER, &format!("call_{call}"), &long);
        }
        assert_eq!(states.find(&OWNER, "call_0"), None);
        assert!(states.find(&OWNER, "call_1999").is_some());
        for part in &states.parts {
            let part = part.lock().unwrap();
            let held: usize = part.states.iter().map(|(key, state)| key.len() + state.len()).sum();
            assert_eq!((part.bytes, part.order.len()), (held, part.states.len()));
            assert!(held <= LIMIT / PARTS);
        }
        states.keep(&OWNER, "huge", &"x".repeat(LIMIT));
        assert_eq!(states.find(&OWNER, "huge"), None);
    }
}
