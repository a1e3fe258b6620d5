//! How a target is chosen, and what becomes of the choice when it fails: addresses, who pays and in which order, failover as
//! a plan, cooldowns, and the windows of limits.
//!
//! The gateway asks for each request and reports each attempt. Nothing here sends anything, runs a component or knows
//! what a config looks like; of time it is told.

#![forbid(unsafe_code)]

pub mod address;
pub mod billing;
mod candidate;
pub mod choice;
pub mod conversation;
pub mod cooldown;
pub mod nearest;
pub mod order;
mod own;
pub mod plan;
pub mod requested_models;
mod skipped;
pub mod state;
pub mod verdict;
mod wanted;
mod windows;

pub use candidate::{Account, Candidate};
pub use choice::Choice;
pub use conversation::Conversation;
pub use cooldown::Cooldowns;
pub use order::Strategy;
pub use own::Own;
pub use plan::{Attempt, By, Passed, Plan};
pub use requested_models::{Addresses, RequestedModelsError};
pub use skipped::{Skipped, Why};
pub use state::{FileState, RouteState};
pub use verdict::{Ends, Meaning};
pub use wanted::Wanted;
pub use windows::{Window, Windows};
