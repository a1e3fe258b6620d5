//! What is kept of conversations for clients that name it later, or that have no place for it: opaque state of tool calls,
//! the responses of Responses clients whose requests were translated, and who owns what providers keep under an id.
//!
//! The pipeline keeps and finds; nothing here knows a provider or a request. All of it is bounded and may forget.

mod call_states;
mod file;
mod items;
mod owners;
mod responses;
#[cfg(test)]
mod tests;
mod text_store;
mod texts;

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub use call_states::CallStates;
pub use file::FileTexts;
pub use owners::{ObjectOwner, Owners};
pub use responses::{OfOwner, ResponseOwner, Responses, is_own};
pub use text_store::{KeptText, TextStore};

/// For how long a conversation that nobody goes on with is kept.
const LASTS: Duration = days(7);

/// What holds for texts of one kind, in memory and in a file.
#[derive(Debug)]
pub struct Terms {
    /// What they are, as a file and a sentence say it.
    pub what: &'static str,
    /// What all of them may hold, in bytes.
    pub limit: usize,
    /// For how long one that nobody asks for is kept.
    pub lasts: Duration,
}

/// States of calls. One has a few kilobytes, so this is some thousand turns.
pub static CALL_STATES: Terms = Terms { what: "call states", limit: 32 << 20, lasts: LASTS };
/// Owners of responses: some thirty thousand. Vendors keep a response for 30 days; one that is gone on with may live longer.
pub static RESPONSE_OWNERS: Terms = Terms { what: "owners of responses", limit: 8 << 20, lasts: days(60) };
/// Owners of everything else: some thirty thousand. Vendors keep a file until it is deleted.
pub static OBJECT_OWNERS: Terms = Terms { what: "owners of objects", limit: 8 << 20, lasts: days(400) };

/// All that is kept. A clone is the same.
#[derive(Clone, Default)]
pub struct History {
    /// Opaque state of calls.
    pub call_states: Arc<CallStates>,
    /// Responses, by their ids.
    pub responses: Arc<Responses>,
    /// Who owns what providers keep.
    pub owners: Arc<Owners>,
}

impl History {
    /// Forgets what nobody asks for, hands what is new to the stores and takes over what others have put there. Blocks.
    pub fn exchange(&self) -> std::io::Result<()> {
        self.responses.forget_unused();
        self.owners.exchange().and(self.call_states.exchange())
    }
}

const fn days(days: u64) -> Duration {
    Duration::from_secs(days * 24 * 3600)
}

/// Seconds since 1970.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Whether something that was used then is forgotten by now.
fn is_over(used: u64, now: u64, lasts: Duration) -> bool {
    used.saturating_add(lasts.as_secs()) < now
}
