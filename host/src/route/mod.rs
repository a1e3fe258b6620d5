//! The route step: from a model's address to the provider, model and account that serve it.
//!
//! The pipeline asks `Directory` for each request. `bitrouter route` prints the same decision.

pub mod address;
pub mod asked;
pub mod conversation;
pub mod cooldown;
mod directory;
mod explain;
pub mod journey;
mod names;
pub mod nearest;
pub mod order;
mod own;
mod provider;
mod resolve;
#[cfg(test)]
mod simulation;
mod skipped;
pub mod verdict;
mod windows;
#[cfg(test)]
mod world;

pub use asked::Addresses;
pub use conversation::Conversation;
pub use cooldown::Cooldowns;
pub use directory::{Directory, Learned, ModelEntry, Providers};
pub use explain::{ExplainedSkip, ExplainedTarget, Explanation};
pub use journey::{Account, By, Journey, Leg, Passed, Place};
pub use names::Names;
pub use order::Strategy;
pub use own::Own;
pub use provider::{Listed, Provider};
pub use resolve::{Target, Wanted};
pub use skipped::{Skipped, Why, words as billing_in_words};
pub use verdict::{Ends, Meaning};
pub use windows::{Heard, Said, Unread, Window, Windows};
