//! The telemetry step: where log lines go, and the one line that each request leaves.
//!
//! Started by `serve`; the pipeline fills in a `Finished` as it goes. Nothing secret is ever given to it.

mod finished;
mod lines;
mod logging;

pub use finished::{Finished, Outcome};
pub use lines::Lines;
pub use logging::{LogOptions, start};
