//! The telemetry step: where log lines go, the record that each request leaves, and what `status` knows of requests.
//!
//! Started by `serve`; the pipeline fills in a `RequestRecord` as it goes. Nothing secret is ever given to it.

mod errors;
mod in_flight;
mod lines;
mod logging;
mod record;
mod sink;

pub use errors::{LastError, LastErrors};
pub use in_flight::{Answering, InFlight, Phase, UnderWay};
pub use lines::{Lines, lines_dropped};
pub use logging::{LogOptions, start};
pub use record::{Outcome, RequestRecord, RequestUnderWay};
use sink::LogLine;
pub use sink::Sink;

/// The requests of a gateway, and who is told of them. It lives as long as the gateway, whatever is reloaded.
#[derive(Default)]
pub struct Requests {
    /// Those under way.
    pub in_flight: InFlight,
    /// The last that failed.
    pub errors: LastErrors,
    /// Who is told of each that has ended beside these and the log.
    pub sinks: Vec<Box<dyn Sink>>,
}

impl Sink for Requests {
    fn ended(&self, request: &RequestRecord) {
        let own: [&dyn Sink; 3] = [&self.in_flight, &LogLine, &self.errors];
        own.into_iter().chain(self.sinks.iter().map(|sink| &**sink)).for_each(|sink| sink.ended(request));
    }
}
