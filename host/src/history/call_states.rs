//! Opaque state of calls that clients have no place for: kept beside the conversation, by account and by the call's id.
//!
//! The pipeline keeps what a translated answer brought and looks for it when the call comes back. It is bounded, is answered
//! from memory, and may forget at any time: what is not found is left out of the request, never made up.

use std::io;
use std::sync::Arc;

use bitrouter_dialect::translate::{Owner, States};

use super::texts::Texts;
use super::{CALL_STATES, TextStore};

/// The states of all accounts.
pub struct CallStates(Texts);

impl Default for CallStates {
    fn default() -> Self {
        CallStates(Texts::new(&CALL_STATES))
    }
}

impl CallStates {
    /// States that are kept there as well. Nothing is read yet: the first [`Self::exchange`] does that.
    pub fn persisted_in(store: Arc<dyn TextStore>) -> Self {
        CallStates(Texts::persisted_in(&CALL_STATES, store))
    }

    /// Whether the store is asked from now on; what it has stays there.
    pub fn keep_in_store(&self, keeps: bool) {
        self.0.keep_in_store(keeps);
    }

    /// Hands what is new to the store, and takes over what others have put there. Blocks. What could not be kept is tried
    /// again the next time.
    pub fn exchange(&self) -> io::Result<()> {
        self.0.exchange()
    }
}

impl States for CallStates {
    fn find(&self, owner: &Owner<'_>, call: &str) -> Option<String> {
        self.0.find(&key(owner, call)).map(|state| state.to_string())
    }

    fn keep(&self, owner: &Owner<'_>, call: &str, state: &str) {
        self.0.keep(key(owner, call), state);
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
}
