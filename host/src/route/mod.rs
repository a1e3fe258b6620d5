//! The route step: from a model's address to the provider, model and account that serve it.
//!
//! The pipeline asks `Directory` for each request. `bitrouter route` prints the same decision.

pub mod address;
pub mod asked;
mod directory;
mod explain;
mod names;
pub mod nearest;
mod provider;
mod resolve;
mod skipped;
mod windows;
#[cfg(test)]
mod world;

pub use asked::Addresses;
pub use directory::{Directory, ModelEntry, Providers};
pub use explain::{ExplainedSkip, ExplainedTarget, Explanation};
pub use names::Names;
pub use provider::Provider;
pub use resolve::{Target, Wanted};
pub use skipped::{Reason, Skipped};
pub use windows::{Said, Unread, Window, Windows};
