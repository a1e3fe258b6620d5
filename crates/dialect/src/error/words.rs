//! What the three vendors call each kind of error, and the way back from a vendor's word to the kind.
//! Writing and reading errors both look here, so that no word is known to one and not to the other.

use crate::dialect::Dialect;
use crate::error::{ApiError, ErrorKind};

impl ErrorKind {
    /// The HTTP status of this kind, where a dialect has none of its own.
    pub fn status(self) -> u16 {
        match self {
            Self::InvalidRequest | Self::ContextWindow | Self::ContentFilter => 400,
            Self::Unauthorized => 401,
            Self::Forbidden => 403,
            Self::NotFound => 404,
            Self::PayloadTooLarge => 413,
            Self::UnsupportedMediaType => 415,
            Self::RateLimited | Self::UsageLimit => 429,
            Self::Internal => 500,
            Self::NotImplemented => 501,
            Self::Upstream => 502,
            Self::Overloaded | Self::Unavailable => 503,
            Self::Timeout => 504,
        }
    }

    /// The kind that a status means when nothing else is known.
    pub fn from_status(status: u16) -> Self {
        match status {
            401 => Self::Unauthorized,
            402 => Self::UsageLimit,
            403 | 451 => Self::Forbidden,
            // What no body of a request brings about: there is nothing where, or as, it was asked.
            404 | 405 | 406 | 410 | 411 | 421 | 425 | 426 => Self::NotFound,
            407 | 424 | 499 => Self::Upstream,
            408 | 504 => Self::Timeout,
            413 => Self::PayloadTooLarge,
            415 => Self::UnsupportedMediaType,
            429 => Self::RateLimited,
            498 | 529 => Self::Overloaded,
            400..500 => Self::InvalidRequest,
            500 => Self::Internal,
            501 => Self::NotImplemented,
            503 => Self::Unavailable,
            _ => Self::Upstream,
        }
    }

    /// OpenAI's `type`. The Codex CLI stops on `usage_limit_reached` and tells its user when to come back;
    /// Chat Completions says `insufficient_quota` for the same.
    pub(super) fn openai_type(self, dialect: Dialect) -> &'static str {
        match self {
            Self::Unauthorized => "authentication_error",
            Self::Forbidden => "permission_error",
            Self::RateLimited => "rate_limit_error",
            Self::UsageLimit if dialect == Dialect::Responses => "usage_limit_reached",
            Self::UsageLimit => "insufficient_quota",
            Self::InvalidRequest
            | Self::ContextWindow
            | Self::ContentFilter
            | Self::NotFound
            | Self::PayloadTooLarge
            | Self::UnsupportedMediaType
            | Self::NotImplemented => "invalid_request_error",
            Self::Overloaded | Self::Unavailable | Self::Timeout | Self::Upstream | Self::Internal => "server_error",
        }
    }

    /// OpenAI's `code`, if the kind has one. These are what the Codex CLI reads out of `response.failed`.
    pub(super) fn openai_code(self) -> Option<&'static str> {
        match self {
            Self::ContextWindow => Some("context_length_exceeded"),
            Self::ContentFilter => Some("content_filter"),
            Self::PayloadTooLarge => Some("request_too_large"),
            Self::UnsupportedMediaType => Some("unsupported_media_type"),
            Self::RateLimited => Some("rate_limit_exceeded"),
            Self::UsageLimit => Some("insufficient_quota"),
            Self::Overloaded => Some("server_is_overloaded"),
            Self::Unavailable => Some("service_unavailable"),
            Self::Timeout => Some("timeout"),
            Self::Upstream => Some("bad_gateway"),
            Self::NotImplemented => Some("not_implemented"),
            Self::Internal => Some("server_error"),
            Self::InvalidRequest | Self::Unauthorized | Self::Forbidden | Self::NotFound => None,
        }
    }

    /// Anthropic's `type`.
    pub(super) fn anthropic_type(self) -> &'static str {
        match self {
            Self::InvalidRequest
            | Self::ContextWindow
            | Self::ContentFilter
            | Self::UnsupportedMediaType
            | Self::NotImplemented => "invalid_request_error",
            Self::Unauthorized => "authentication_error",
            Self::Forbidden => "permission_error",
            Self::NotFound => "not_found_error",
            Self::PayloadTooLarge => "request_too_large",
            Self::RateLimited | Self::UsageLimit => "rate_limit_error",
            Self::Overloaded => "overloaded_error",
            Self::Timeout => "timeout_error",
            Self::Unavailable | Self::Upstream | Self::Internal => "api_error",
        }
    }

    /// Google's `status`, the name of a google.rpc.Code.
    pub(super) fn google_status(self) -> &'static str {
        match self {
            Self::InvalidRequest
            | Self::ContextWindow
            | Self::ContentFilter
            | Self::PayloadTooLarge
            | Self::UnsupportedMediaType => "INVALID_ARGUMENT",
            Self::Unauthorized => "UNAUTHENTICATED",
            Self::Forbidden => "PERMISSION_DENIED",
            Self::NotFound => "NOT_FOUND",
            Self::RateLimited | Self::UsageLimit => "RESOURCE_EXHAUSTED",
            Self::Overloaded | Self::Unavailable | Self::Upstream => "UNAVAILABLE",
            Self::Timeout => "DEADLINE_EXCEEDED",
            Self::NotImplemented => "UNIMPLEMENTED",
            Self::Internal => "INTERNAL",
        }
    }

    /// The kind that one vendor's word means by itself, whatever the status.
    pub(super) fn from_word(word: &str) -> Option<Self> {
        Some(match word.to_ascii_lowercase().as_str() {
            "context_length_exceeded" | "model_context_window_exceeded" | "string_above_max_length" => {
                Self::ContextWindow
            }
            "content_filter" | "content_policy_violation" => Self::ContentFilter,
            "authentication_error" | "invalid_api_key" | "unauthenticated" | "api_key_invalid" => Self::Unauthorized,
            "permission_error" | "permission_denied" | "usage_not_included" => Self::Forbidden,
            "not_found_error" | "not_found" | "model_not_found" => Self::NotFound,
            "request_too_large" => Self::PayloadTooLarge,
            "unsupported_media_type" => Self::UnsupportedMediaType,
            "usage_limit_reached" | "insufficient_quota" | "billing_error" | "credit_balance_exhausted" => {
                Self::UsageLimit
            }
            "rate_limit_error" | "rate_limit_exceeded" | "resource_exhausted" | "too_many_requests" => {
                Self::RateLimited
            }
            "overloaded_error" | "server_is_overloaded" | "slow_down" => Self::Overloaded,
            "unavailable" | "service_unavailable" => Self::Unavailable,
            "timeout_error" | "deadline_exceeded" | "timeout" => Self::Timeout,
            "bad_gateway" => Self::Upstream,
            "unimplemented" | "not_implemented" => Self::NotImplemented,
            _ => return None,
        })
    }

    /// The kind of a word that vendors use for several statuses, when there is no status to go by.
    pub(super) fn from_vague_word(word: &str) -> Option<Self> {
        Some(match word.to_ascii_lowercase().as_str() {
            "invalid_request_error" | "invalid_argument" | "invalid_prompt" => Self::InvalidRequest,
            "failed_precondition" => Self::Forbidden,
            "server_error" | "internal" | "api_error" | "internal_error" => Self::Internal,
            _ => return None,
        })
    }
}

impl ApiError {
    /// The HTTP status to answer a client of that dialect with: Anthropic's clients know 529 for overloaded.
    pub fn status_in(&self, dialect: Dialect) -> u16 {
        match (dialect, self.kind, self.status) {
            (Dialect::Messages, ErrorKind::Overloaded, 503) => 529,
            (_, _, status) => status,
        }
    }
}
