//! Where the records of requests go once these have ended: the log, the list of those under way, the last errors.
//!
//! A record tells all of them when it is dropped. What is to know of every request, such as a ledger or traces, is a sink.

use std::time::Instant;

use super::{Outcome, RequestRecord};

/// The longest sentence of an error that is logged, in bytes.
const LONGEST_ERROR: usize = 2000;

/// What is told of each request that has ended.
pub trait Sink: Send + Sync {
    /// Called exactly once for each request that was let in, answered or not, with its whole record; of one gateway's
    /// requests by many threads at a time and in no order. The client may be waiting for its last bytes, so it must not
    /// block: what writes to a disk or a network puts a copy into a queue.
    fn ended(&self, request: &RequestRecord);
}

/// The `request finished` line of the log: what a request was, which way it went, what it used and how long it took.
pub(super) struct LogLine;

impl Sink for LogLine {
    fn ended(&self, request: &RequestRecord) {
        let milliseconds = |instant: Instant| instant.duration_since(request.started()).as_micros() as f64 / 1000.0;
        let (outcome, error) = match &request.outcome {
            Outcome::ClientGone => ("client gone", None),
            Outcome::Complete => ("complete", None),
            // What an upstream or a client wrote may stand in it.
            Outcome::Failed(error) => ("failed", Some(&error[..error.floor_char_boundary(LONGEST_ERROR)])),
        };
        tracing::info!(
            request = &*request.id,
            provider = &*request.provider,
            account = &*request.account,
            model = request.model,
            dialect_in = request.dialect_in,
            dialect_out = request.dialect_out,
            status = request.status,
            attempts = request.attempts,
            input_tokens = request.usage.input,
            output_tokens = request.usage.output,
            cached_tokens = request.usage.cached_input,
            first_byte_ms = request.first_byte.map(milliseconds),
            total_ms = milliseconds(Instant::now()),
            outcome,
            error,
            "request finished"
        );
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::sync::{Arc, Mutex};

    use super::super::Requests;
    use super::*;
    use crate::caller::Caller;

    /// What each caller has used: as a ledger counts.
    #[derive(Default)]
    struct Ledger(Mutex<HashMap<Caller, (u32, u64)>>);

    impl Sink for Arc<Ledger> {
        fn ended(&self, request: &RequestRecord) {
            let mut callers = self.0.lock().unwrap();
            let (requests, tokens) = callers.entry(request.caller).or_default();
            *requests += 1;
            *tokens += request.usage.output.unwrap_or_default();
        }
    }

    #[test]
    fn a_sink_more_is_told_once_of_each_request_that_has_ended_and_of_its_caller() {
        let ledger = Arc::<Ledger>::default();
        let requests = Requests { sinks: vec![Box::new(Arc::clone(&ledger))], ..Requests::default() };
        let requests = Arc::new(requests);
        let (one, other) = (Caller::Key([1; 32]), Caller::Key([2; 32]));
        for (caller, tokens) in [(one, Some(7)), (one, None), (other, Some(5))] {
            let mut request = RequestRecord::start(&requests, "req".into(), caller, "responses");
            request.usage.output = tokens;
        }
        let under_way = RequestRecord::start(&requests, "req".into(), Caller::Anybody, "responses");
        assert_eq!(*ledger.0.lock().unwrap(), HashMap::from([(one, (2, 7)), (other, (1, 5))]));
        assert_eq!(requests.in_flight.list().len(), 1, "and so are those of the gateway's own");
        drop(under_way);
        assert_eq!(ledger.0.lock().unwrap()[&Caller::Anybody], (1, 0));
    }
}
