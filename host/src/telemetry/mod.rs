//! The telemetry step: where log lines go, the one line that each request leaves, and what `status` knows of requests.
//!
//! Started by `serve`; the pipeline fills in a `Finished` as it goes. Nothing secret is ever given to it.

mod errors;
mod finished;
mod in_flight;
mod lines;
mod logging;

pub use errors::{LastError, LastErrors};
pub use finished::{Finished, Outcome, RequestUnderWay};
pub use in_flight::{Answering, InFlight, Phase, UnderWay};
pub use lines::{Lines, lines_dropped};
pub use logging::{LogOptions, start};

/// What is known of requests beside their lines in the log. It lives as long as the gateway, whatever is reloaded.
#[derive(Default)]
pub struct Requests {
    /// Those under way.
    pub in_flight: InFlight,
    /// The last that failed.
    pub errors: LastErrors,
}
