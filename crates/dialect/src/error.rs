//! Errors as clients see them: one kind, written in each dialect's words and read back from any of them.
//! The gateway makes them, the tap reads them; whether the next target may be tried is not decided here.

mod read;
mod words;
mod write;

use serde::{Deserialize, Serialize};

pub use read::{ParsedError, is_error_of, parse_error};
pub(crate) use read::{event_status, read_error, read_shape};

/// What went wrong, in the gateway's own words. Each dialect has its own for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// The request is wrong and would be wrong anywhere.
    InvalidRequest,
    /// The request is longer than the model can read.
    ContextWindow,
    /// The provider's filter refused the request or the answer.
    ContentFilter,
    /// No credential, or one that is not accepted.
    Unauthorized,
    /// The credential is good, but not for this.
    Forbidden,
    /// No such model or path.
    NotFound,
    /// The body is larger than is taken.
    PayloadTooLarge,
    /// The body's content type is not one that is taken.
    UnsupportedMediaType,
    /// Too many requests for now.
    RateLimited,
    /// A plan's or budget's limit is reached.
    UsageLimit,
    /// The model has no capacity for now.
    Overloaded,
    /// The service cannot be reached or does not serve now.
    Unavailable,
    /// No answer in time.
    Timeout,
    /// The upstream answered with something that is no answer.
    #[default]
    Upstream,
    /// Known, but not served here.
    NotImplemented,
    /// The server itself failed.
    Internal,
}

impl ErrorKind {
    /// All of them.
    pub const ALL: [Self; 16] = [
        Self::InvalidRequest,
        Self::ContextWindow,
        Self::ContentFilter,
        Self::Unauthorized,
        Self::Forbidden,
        Self::NotFound,
        Self::PayloadTooLarge,
        Self::UnsupportedMediaType,
        Self::RateLimited,
        Self::UsageLimit,
        Self::Overloaded,
        Self::Unavailable,
        Self::Timeout,
        Self::Upstream,
        Self::NotImplemented,
        Self::Internal,
    ];
}

/// An error to be answered to a client, in whichever dialect the client speaks.
///
/// `body` writes it as the body of an HTTP error, `as_event` as an event inside a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiError {
    /// The HTTP status; [`Self::status_in`] has the one to answer with.
    pub status: u16,
    /// What went wrong.
    pub kind: ErrorKind,
    /// The sentence for a person: the thing, the place and the next step.
    pub message: String,
    /// The machine-readable code, where it says more than the kind's own.
    pub code: Option<String>,
    /// The request's field that is at fault.
    pub param: Option<String>,
    /// Seconds after which to try again.
    pub retry_after: Option<u64>,
    /// Seconds since 1970 at which the limit is reset.
    pub resets_at: Option<u64>,
    /// The gateway's id of the request, which Anthropic's shape carries.
    pub request_id: Option<String>,
}

impl ApiError {
    /// An error of that kind, with the kind's own status and code.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            status: kind.status(),
            kind,
            message: message.into(),
            code: None,
            param: None,
            retry_after: None,
            resets_at: None,
            request_id: None,
        }
    }
}
