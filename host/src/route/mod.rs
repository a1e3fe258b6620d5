//! The route step: from a model's address to the provider, model and account that serve it.
//!
//! The pipeline asks `Directory` for each request. `bitrouter route` prints the same decision.

pub mod address;
mod directory;
mod explain;
pub mod nearest;
mod provider;
mod resolve;
mod windows;

pub use directory::{Directory, ModelEntry, Providers};
pub use explain::{ExplainedTarget, Explanation};
pub use provider::{Listed, Provider};
pub use resolve::Target;
pub use windows::{Said, Unread, Window, Windows};
