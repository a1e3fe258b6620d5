//! What is kept of conversations for clients that name it later, or that have no place for it: opaque state of tool calls, and
//! the responses of Responses clients whose requests were translated.
//!
//! The pipeline keeps and finds; nothing here knows a provider or a request. All of it is bounded and may forget.

mod call_states;
mod call_store;
mod file;
mod items;
mod responses;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub use call_states::CallStates;
pub use call_store::{CallStore, KeptCall};
pub use file::FileCalls;
pub use responses::{OfOwner, ResponseOwner, Responses, is_own};

/// For how long what nobody asks for is kept.
pub const LASTS: Duration = Duration::from_secs(7 * 24 * 3600);

/// All that is kept. A clone is the same.
#[derive(Clone, Default)]
pub struct History {
    /// Opaque state of calls.
    pub call_states: Arc<CallStates>,
    /// Responses, by their ids.
    pub responses: Arc<Responses>,
}

/// Seconds since 1970.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Whether something that was used then is forgotten by now.
fn is_over(used: u64, now: u64) -> bool {
    used.saturating_add(LASTS.as_secs()) < now
}
