//! What the vendors' own codes and types mean. A word that two of them have means the same with both.

use bitrouter_contract::FailureKind::{self, *};

/// OpenAI's guide to error codes and the error events of its Responses streams.
const OPENAI: &[(&str, FailureKind)] = &[
    ("rate_limit_exceeded", RateLimited),
    ("too_many_requests", RateLimited),
    ("insufficient_quota", NoCredit),
    ("billing_hard_limit_reached", NoCredit),
    ("credit_balance_exhausted", NoCredit),
    ("billing_not_active", NoCredit),
    ("insufficient_balance", NoCredit),
    ("exceeded_current_quota_error", NoCredit),
    ("usage_limit_reached", UsageLimit),
    ("server_is_overloaded", Overloaded),
    ("slow_down", Overloaded),
    ("server_error", Unavailable),
    ("invalid_api_key", Unauthorized),
    ("model_not_found", ModelNotFound),
    ("context_length_exceeded", ContextExceeded),
    ("string_above_max_length", ContextExceeded),
    ("content_filter", ContentFiltered),
    ("content_policy_violation", ContentFiltered),
    ("invalid_prompt", ContentFiltered),
    ("invalid_request_error", InvalidRequest),
];

/// Anthropic's API errors.
const ANTHROPIC: &[(&str, FailureKind)] = &[
    ("rate_limit_error", RateLimited),
    ("billing_error", NoCredit),
    ("overloaded_error", Overloaded),
    ("api_error", Unavailable),
    ("timeout_error", Unavailable),
    ("authentication_error", Unauthorized),
    ("permission_error", Forbidden),
    ("not_found_error", ModelNotFound),
    ("request_too_large", ContextExceeded),
    ("model_context_window_exceeded", ContextExceeded),
];

/// Google's: the names of `google.rpc.Code`, and reasons of its `ErrorInfo`.
const GOOGLE: &[(&str, FailureKind)] = &[
    ("RESOURCE_EXHAUSTED", RateLimited),
    ("RATE_LIMIT_EXCEEDED", RateLimited),
    ("UNAVAILABLE", Overloaded),
    ("INTERNAL", Unavailable),
    ("UNKNOWN", Unavailable),
    ("DEADLINE_EXCEEDED", Unavailable),
    ("UNAUTHENTICATED", Unauthorized),
    ("API_KEY_INVALID", Unauthorized),
    ("PERMISSION_DENIED", Forbidden),
    ("NOT_FOUND", ModelNotFound),
    ("INVALID_ARGUMENT", InvalidRequest),
    ("ALREADY_EXISTS", InvalidRequest),
    ("OUT_OF_RANGE", InvalidRequest),
    // What is not as it has to be is the account's: no billing, or a country in which it is not offered.
    ("FAILED_PRECONDITION", Forbidden),
    ("ABORTED", Unavailable),
    ("CANCELLED", Unavailable),
    ("DATA_LOSS", Unavailable),
    ("UNIMPLEMENTED", Unsupported),
];

/// What a code or a type means, whatever its case. Google's are common words, which others write in small letters for something
/// of their own.
pub(super) fn kind(word: &str) -> Option<FailureKind> {
    let mut known = [OPENAI, ANTHROPIC].into_iter().flatten();
    let known = known.find(|(code, _)| code.eq_ignore_ascii_case(word));
    known.or_else(|| GOOGLE.iter().find(|(code, _)| *code == word)).map(|(_, kind)| *kind)
}
