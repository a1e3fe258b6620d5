//! How an answer of Chat Completions ends: the finish reason, what was used, or what went wrong.

use crate::dialect::Dialect;
use crate::error::{ApiError, ParsedError};
use crate::position::Position;
use crate::translate::answer::Stop;
use crate::translate::writer::{Inside, Writer};
use crate::usage::Usage;

/// Why a candidate ended that refused, or made calls, for which there is this word.
pub(super) fn reason(stop: Option<Stop<'static>>, refused: bool, called: Option<&'static str>) -> &'static str {
    match stop.unwrap_or(Stop::Done) {
        Stop::MaxTokens | Stop::ContextFull => "length",
        Stop::Filter(_) => "content_filter",
        Stop::Refused if !refused => "content_filter",
        // Of the first candidate these are failures, which do not come here.
        Stop::Broken(_) | Stop::Paused => "error",
        // A call decides, not the upstream's word.
        Stop::Done | Stop::Calls | Stop::StopString(_) | Stop::Refused => called.unwrap_or("stop"),
    }
}

/// A stop without what Chat Completions does not tell of it.
pub(super) fn owned(stop: Stop<'_>) -> Stop<'static> {
    match stop {
        Stop::Done => Stop::Done,
        Stop::Calls => Stop::Calls,
        Stop::StopString(_) => Stop::StopString(None),
        Stop::MaxTokens => Stop::MaxTokens,
        Stop::ContextFull => Stop::ContextFull,
        Stop::Filter(_) => Stop::Filter(None),
        Stop::Refused => Stop::Refused,
        Stop::Paused => Stop::Paused,
        Stop::Broken(_) => Stop::Broken(Inside::default()),
    }
}

/// Writes what was used.
pub(super) fn write_usage(usage: &Usage, out: &mut Writer) {
    let (input, output) = (usage.input.unwrap_or_default(), usage.output.unwrap_or_default());
    out.open(b'{');
    out.number_member("prompt_tokens", input);
    out.number_member("completion_tokens", output);
    out.number_member("total_tokens", usage.total.unwrap_or_else(|| input.saturating_add(output)));
    if usage.cached_input.is_some() || usage.cache_write.is_some() {
        out.key("prompt_tokens_details");
        out.open(b'{');
        out.number_member("cached_tokens", usage.cached_input.unwrap_or_default());
        if let Some(written) = usage.cache_write {
            out.number_member("cache_write_tokens", written);
        }
        out.close(b'}');
    }
    if let Some(reasoning) = usage.reasoning {
        out.key("completion_tokens_details");
        out.open(b'{');
        out.number_member("reasoning_tokens", reasoning);
        out.close(b'}');
    }
    out.close(b'}');
}

/// The error as a chunk, after which nothing comes.
pub(super) fn write_error(error: ParsedError, to: &mut Writer) {
    let error = ApiError {
        code: error.code,
        param: error.param,
        retry_after: error.retry_after,
        resets_at: error.resets_at,
        ..ApiError::new(error.kind, error.message)
    };
    to.frame(&error.as_event(Dialect::ChatCompletions, &Position::default()));
}
