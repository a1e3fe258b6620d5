//! The route step: from a model's address to the provider, model and account that serve it.
//!
//! The pipeline asks `Directory` for each request. `bitrouter route` prints the same decision.

pub mod address;
pub mod conversation;
pub mod cooldown;
mod directory;
mod explain;
pub mod nearest;
pub mod order;
mod provider;
mod resolve;
mod windows;

pub use conversation::Conversation;
pub use cooldown::Cooldowns;
pub use directory::{Directory, ModelEntry, Providers};
pub use explain::{ExplainedTarget, Explanation};
pub use order::Strategy;
pub use provider::Provider;
pub use resolve::Target;
pub use windows::{Said, Unread, Window, Windows};
