//! How a provider says what went wrong. Providers and the default `explain` build these; what is tried next is the
//! host's decision.

use crate::{Failure, ReadError};

/// What a failure is: the documented values of [`Failure::kind`].
pub mod kind {
    /// Too many requests or tokens in a short time.
    pub const RATE_LIMITED: &str = "rate-limited";
    /// A plan's window is used up, and ends.
    pub const USAGE_LIMIT: &str = "usage-limit";
    /// The account has no money left: waiting does not help.
    pub const NO_CREDIT: &str = "no-credit";
    /// The upstream has too much to do.
    pub const OVERLOADED: &str = "overloaded";
    /// The upstream is broken or out of reach.
    pub const UNAVAILABLE: &str = "unavailable";
    /// The credential is not accepted.
    pub const UNAUTHORIZED: &str = "unauthorized";
    /// The account may not do this.
    pub const FORBIDDEN: &str = "forbidden";
    /// There is no such model, or not for this account.
    pub const MODEL_NOT_FOUND: &str = "model-not-found";
    /// The call holds more than the model takes.
    pub const CONTEXT_EXCEEDED: &str = "context-exceeded";
    /// A content filter refused the call.
    pub const CONTENT_FILTERED: &str = "content-filtered";
    /// The call itself is wrong.
    pub const INVALID_REQUEST: &str = "invalid-request";
    /// This provider cannot do it.
    pub const UNSUPPORTED: &str = "unsupported";
    /// None of the others.
    pub const OTHER: &str = "other";
}

/// What a failure concerns: the documented values of [`Failure::scope`].
pub mod scope {
    /// No other target would do better.
    pub const REQUEST: &str = "request";
    /// Another account may do better.
    pub const ACCOUNT: &str = "account";
    /// Another model may do better.
    pub const MODEL: &str = "model";
    /// Another provider may do better.
    pub const PROVIDER: &str = "provider";
}

impl Failure {
    /// A failure of one of the [`kind`]s, concerning one of the [`scope`]s, with one sentence for a person.
    pub fn new(kind: &str, scope: &str, message: impl Into<String>) -> Self {
        Self {
            kind: kind.into(),
            scope: scope.into(),
            message: message.into(),
            code: None,
            retry_after_ms: None,
            resets_at: None,
            status: None,
            more: String::new(),
        }
    }

    /// This provider cannot do what is asked; another one might.
    pub fn unsupported(message: impl Into<String>) -> Self {
        Self::new(kind::UNSUPPORTED, scope::PROVIDER, message)
    }

    /// The call itself is wrong.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(kind::INVALID_REQUEST, scope::REQUEST, message)
    }

    /// Says the HTTP status that a client is told, where the kind's own says too little.
    pub fn status(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }

    /// Says how long to wait before the next try, in milliseconds.
    pub fn retry_after_ms(mut self, wait: u64) -> Self {
        self.retry_after_ms = Some(wait);
        self
    }

    /// Adds the upstream's own code.
    pub fn code(mut self, code: impl Into<String>) -> Self {
        self.code = Some(code.into());
        self
    }
}

/// A body that cannot be read there is the caller's mistake, so `?` does for reads in `prepare`.
impl From<ReadError> for Failure {
    fn from(error: ReadError) -> Self {
        Self::invalid(match error {
            ReadError::TooBig(size) => ["a value of the body is too long: ", &size.to_string(), " bytes"].concat(),
            ReadError::Invalid(why) => why,
        })
    }
}
