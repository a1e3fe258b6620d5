//! The record of a request: what it was, who asked, which way it went, what it used and how it ended.
//!
//! The pipeline fills it in. Its sinks are told when it is dropped, so exactly once, also for a client that went away. As
//! long as it is there, the request is among those under way.

use std::sync::{Arc, Mutex, Weak};
use std::time::Instant;

use bitrouter_dialect::Usage;

use super::in_flight::{Answering, InFlightSlot, nobody};
use super::{Phase, Requests, Sink};
use crate::caller::Caller;

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
pub struct RequestRecord {
    /// The gateway's id of the request.
    pub id: Arc<str>,
    /// Who asked.
    pub caller: Caller,
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
    under_way: RequestUnderWay,
}

/// A request's slot among those under way; of use only as long as its record is there.
#[derive(Clone)]
pub struct RequestUnderWay {
    requests: Arc<Requests>,
    pub(super) slot: InFlightSlot,
}

impl RequestUnderWay {
    /// Registers the answer of this request, so that others than its client's server can end it.
    pub fn answers(&self, answer: Weak<Mutex<dyn Answering>>) {
        self.requests.in_flight.answers(self.slot, answer);
    }
}

impl RequestRecord {
    /// Starts the record of a request, which is among those under way from now on. It is boxed, as many functions pass it
    /// on.
    pub fn start(requests: &Arc<Requests>, id: Arc<str>, caller: Caller, dialect_in: &'static str) -> Box<Self> {
        let started = Instant::now();
        let slot = requests.in_flight.enter(&id, dialect_in, started);
        Box::new(RequestRecord {
            id,
            caller,
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
            under_way: RequestUnderWay { requests: Arc::clone(requests), slot },
        })
    }

    /// Shows the request as being in this phase, with the provider, account and model that the record has by now.
    pub fn enter(&self, phase: Phase) {
        let RequestUnderWay { requests, slot } = &self.under_way;
        requests.in_flight.update(*slot, |shown| {
            shown.phase = phase;
            shown.provider.clone_from(&self.provider);
            shown.account.clone_from(&self.account);
            shown.model.clone_from(&self.model);
            shown.attempts = self.attempts;
        });
    }

    /// The slot of this request among those under way.
    pub fn under_way(&self) -> &RequestUnderWay {
        &self.under_way
    }

    /// When the request came.
    pub fn started(&self) -> Instant {
        self.started
    }
}

impl Drop for RequestRecord {
    fn drop(&mut self) {
        self.under_way.requests.ended(self);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_under_way_until_its_record_is_dropped_and_remembered_if_it_failed() {
        let requests = Arc::<Requests>::default();
        let mut failing = RequestRecord::start(&requests, "req_1".into(), Caller::Anybody, "responses");
        let fine = RequestRecord::start(&requests, "req_2".into(), Caller::Anybody, "responses");
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
