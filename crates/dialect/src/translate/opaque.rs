//! Opaque state of reasoning: it goes back to the vendor, account and model family that made it, or nowhere.

use std::fmt;

/// Who made a state, and who alone gets it back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner<'a> {
    /// The provider's id.
    pub provider: &'a str,
    /// What tells the account from the provider's other accounts, without telling who it is.
    pub account: &'a str,
    /// The model, as the target calls it.
    pub model: &'a str,
}

/// States that the gateway keeps beside the conversation, for clients whose dialect has no place for them.
pub trait States: Send + Sync {
    /// The state that was kept for that call.
    fn find(&self, owner: &Owner<'_>, call: &str) -> Option<String>;
    /// Keeps the state of a call. May forget it at any time.
    fn keep(&self, owner: &Owner<'_>, call: &str, state: &str);
}

impl fmt::Debug for dyn States {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("States")
    }
}

/// Keeps nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoStates;

impl States for NoStates {
    fn find(&self, _owner: &Owner<'_>, _call: &str) -> Option<String> {
        None
    }

    fn keep(&self, _owner: &Owner<'_>, _call: &str, _state: &str) {}
}
