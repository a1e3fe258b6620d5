//! The `request finished` line: what one request was, which way it went, what it used and how long it took.
//!
//! Written when the value is dropped, so that it is written exactly once, also for a client that went away. As long as it
//! is there, the request is among those under way.

use std::sync::{Arc, Mutex, Weak};
use std::time::{Instant, SystemTime};

use bitrouter_dialect::Usage;

use super::in_flight::{Answering, Place, nobody};
use super::{LastError, Phase, Requests};

/// The longest sentence of an error that is logged, in bytes.
const LONGEST: usize = 2000;

/// How a request ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Outcome {
    /// The client left, or the gateway stopped, before the end.
    #[default]
    ClientGone,
    /// In full.
    Complete,
    /// With an error, in one sentence.
    Failed(String),
}

/// One request's record.
pub struct Finished {
    /// The gateway's id of the request.
    pub id: Arc<str>,
    started: Instant,
    /// The provider that answered.
    pub provider: Arc<str>,
    /// The account's label.
    pub account: Arc<str>,
    /// The provider's own name of the model.
    pub model: String,
    /// The client's dialect.
    pub dialect_in: &'static str,
    /// The provider's dialect.
    pub dialect_out: &'static str,
    /// The status that the client was sent.
    pub status: u16,
    /// Targets tried.
    pub attempts: u32,
    /// Tokens.
    pub usage: Usage,
    /// When the first byte of the answer was there.
    pub first_byte: Option<Instant>,
    /// How it ended.
    pub outcome: Outcome,
    requests: Arc<Requests>,
    place: Place,
}

/// A request's place among those under way; of use only as long as its record is there.
pub struct RequestUnderWay {
    requests: Arc<Requests>,
    place: Place,
}

impl RequestUnderWay {
    /// As [`Finished::answers`], for who does not have the record.
    pub fn answers(&self, answer: Weak<Mutex<dyn Answering>>) {
        self.requests.in_flight.answers(self.place, answer);
    }
}

impl Finished {
    /// Starts the record of a request, which is among those under way from now on. It is boxed, for it goes through many hands.
    pub fn start(requests: &Arc<Requests>, id: Arc<str>, dialect_in: &'static str) -> Box<Self> {
        let started = Instant::now();
        let place = requests.in_flight.enter(&id, dialect_in, started);
        Box::new(Finished {
            id,
            started,
            provider: Arc::clone(nobody()),
            account: Arc::clone(nobody()),
            model: String::new(),
            dialect_in,
            dialect_out: "",
            status: 0,
            attempts: 0,
            usage: Usage::default(),
            first_byte: None,
            outcome: Outcome::ClientGone,
            requests: Arc::clone(requests),
            place,
        })
    }

    /// Shows the request as being in this phase, with the provider, account and model that the record has by now.
    pub fn enter(&self, phase: Phase) {
        self.requests.in_flight.update(self.place, |shown| {
            shown.phase = phase;
            shown.provider.clone_from(&self.provider);
            shown.account.clone_from(&self.account);
            shown.model.clone_from(&self.model);
            shown.attempts = self.attempts;
        });
    }

    /// The place of this request among those under way.
    pub fn under_way(&self) -> RequestUnderWay {
        RequestUnderWay { requests: Arc::clone(&self.requests), place: self.place }
    }

    /// The answer of this request is under way, and may have to be ended by somebody else than its client's server.
    pub fn answers(&self, answer: Weak<Mutex<dyn Answering>>) {
        self.requests.in_flight.answers(self.place, answer);
    }

    /// When the request came.
    pub fn started(&self) -> Instant {
        self.started
    }
}

impl Drop for Finished {
    fn drop(&mut self) {
        self.requests.in_flight.leave(self.place);
        let milliseconds = |instant: Instant| instant.duration_since(self.started).as_micros() as f64 / 1000.0;
        let (outcome, error) = match &self.outcome {
            Outcome::ClientGone => ("client gone", None),
            Outcome::Complete => ("complete", None),
            // What an upstream or a client wrote may stand in it.
            Outcome::Failed(error) => ("failed", Some(&error[..error.floor_char_boundary(LONGEST)])),
        };
        tracing::info!(
            request = &*self.id,
            provider = &*self.provider,
            account = &*self.account,
            model = self.model,
            dialect_in = self.dialect_in,
            dialect_out = self.dialect_out,
            status = self.status,
            attempts = self.attempts,
            input_tokens = self.usage.input,
            output_tokens = self.usage.output,
            cached_tokens = self.usage.cached_input,
            first_byte_ms = self.first_byte.map(milliseconds),
            total_ms = milliseconds(Instant::now()),
            outcome,
            error,
            "request finished"
        );
        if let Outcome::Failed(error) = &mut self.outcome {
            self.requests.errors.add(LastError {
                at: SystemTime::now(),
                request: Arc::clone(&self.id),
                provider: Arc::clone(&self.provider),
                account: Arc::clone(&self.account),
                model: std::mem::take(&mut self.model),
                status: self.status,
                error: std::mem::take(error),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_under_way_until_its_record_is_dropped_and_remembered_if_it_failed() {
        let requests = Arc::<Requests>::default();
        let mut failing = Finished::start(&requests, "req_1".into(), "responses");
        let fine = Finished::start(&requests, "req_2".into(), "responses");
        failing.provider = "openai".into();
        failing.model = "gpt-5".into();
        failing.enter(Phase::Waiting);
        let shown = requests.in_flight.list();
        assert_eq!((shown.len(), &*shown[0].provider, shown[0].model.as_str()), (2, "openai", "gpt-5"));
        assert_eq!((shown[0].phase, shown[1].phase), (Phase::Waiting, Phase::Preparing));
        failing.outcome = Outcome::Failed("it broke".into());
        drop(failing);
        drop(fine);
        assert!(requests.in_flight.list().is_empty());
        let errors = requests.errors.list();
        assert_eq!((errors.len(), &*errors[0].request, errors[0].error.as_str()), (1, "req_1", "it broke"));
        assert_eq!((&*errors[0].provider, errors[0].model.as_str()), ("openai", "gpt-5"));
    }
}
