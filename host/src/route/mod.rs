//! The route step: from a model's address to the provider, model and account that serve it. How one is chosen is the crate
//! `bitrouter-route`'s; here are the providers that it is chosen among.
//!
//! The pipeline asks `Directory` for each request. `bitrouter route` prints the same decision.

mod directory;
mod explain;
mod names;
mod payers;
mod provider;
pub mod query_cache;
mod resolve;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod test_providers;
mod unread_reports;

pub use directory::{Directory, Learned, ModelEntry, Providers};
pub use explain::{ExplainedSkip, ExplainedTarget, Explanation};
pub use names::Names;
pub use payers::choose;
pub use provider::{FactSource, Known, Listed, Provider};
pub use resolve::Target;
pub use unread_reports::{LimitReport, TimedReport, UnreadReports};
