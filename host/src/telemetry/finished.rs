//! The `request finished` line: what one request was, which way it went, what it used and how long it took.
//!
//! Written when the value is dropped, so that it is written exactly once, also for a client that went away.

use std::sync::Arc;
use std::time::Instant;

use bitrouter_dialect::Usage;

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
}

impl Finished {
    /// Starts the record of a request.
    pub fn start(id: Arc<str>, dialect_in: &'static str) -> Self {
        Finished {
            id,
            started: Instant::now(),
            provider: "".into(),
            account: "".into(),
            model: String::new(),
            dialect_in,
            dialect_out: "",
            status: 0,
            attempts: 0,
            usage: Usage::default(),
            first_byte: None,
            outcome: Outcome::ClientGone,
        }
    }

    /// When the request came.
    pub fn started(&self) -> Instant {
        self.started
    }
}

impl Drop for Finished {
    fn drop(&mut self) {
        let milliseconds = |instant: Instant| instant.duration_since(self.started).as_micros() as f64 / 1000.0;
        let (outcome, error) = match &self.outcome {
            Outcome::ClientGone => ("client gone", None),
            Outcome::Complete => ("complete", None),
            Outcome::Failed(error) => ("failed", Some(error.as_str())),
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
    }
}
