//! Reads errors in whatever shape an upstream writes them: the shapes tell themselves apart, so no dialect is
//! asked for. The tap calls it for error events, the host for the bodies of failed answers.

use std::borrow::Cow;

use crate::dialect::Dialect;
use crate::error::ErrorKind;
use crate::json;

/// What an upstream's error says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ParsedError {
    /// What it means: by its code, else its type, else its status.
    pub kind: ErrorKind,
    /// The code as written (`context_length_exceeded`; Google's `reason`); a number becomes text.
    pub code: Option<String>,
    /// The `type` as written (`rate_limit_error`), or Google's `status` (`RESOURCE_EXHAUSTED`).
    pub type_name: Option<String>,
    /// The sentence, empty if there is none.
    pub message: String,
    /// The request's field that is at fault.
    pub param: Option<String>,
    /// Seconds after which to try again, if the body says so.
    pub retry_after: Option<u64>,
    /// The same in milliseconds.
    pub retry_after_ms: Option<u64>,
    /// Seconds since 1970 at which the limit is reset, if the body says so.
    pub resets_at: Option<u64>,
}

/// Reads the body of an answer that failed with `status`; `None` if it has none of the known shapes.
///
/// Known are `{"error":{…}}` of OpenAI, Anthropic and Google (Google's also inside an array), `{"error":"…"}`
/// with or without OAuth's `error_description`, `{"detail":…}` as a string, an object or FastAPI's list, a bare
/// `{"message":…}`, and the `error` and `response.failed` events of Responses.
pub fn parse_error(status: u16, body: &[u8]) -> Option<ParsedError> {
    let mut error = read_shape(body)?;
    error.settle_kind(Some(status));
    Some(error)
}

/// Whether the body of a failed answer is an error as clients of that dialect read it.
///
/// OpenAI's clients look for an object `error` that says anything (the ChatGPT backend's has no message, and its code is
/// what the Codex CLI acts on), Anthropic's for the types beside it, Google's for its status.
pub fn is_error_of(dialect: Dialect, body: &[u8]) -> bool {
    let body = body.trim_ascii();
    if serde_json::from_slice::<serde::de::IgnoredAny>(body).is_err() {
        return false;
    }
    let within = if dialect == Dialect::GenerateContent { json::items(body).next().unwrap_or(body) } else { body };
    let Some(error) = json::get(within, "error").filter(|error| error.starts_with(b"{")) else { return false };
    let says = |name| json::get_text(error, name).is_some();
    match dialect {
        Dialect::ChatCompletions | Dialect::Responses => says("message") || says("type") || says("code"),
        Dialect::Messages => {
            json::get_text(body, "type").is_some_and(|kind| kind == "error") && says("type") && says("message")
        }
        Dialect::GenerateContent => says("status") && says("message"),
    }
}

/// Reads an error event, whose status, if it has any, is in its data.
pub(crate) fn read_error(data: &[u8]) -> Option<ParsedError> {
    let mut error = read_shape(data)?;
    error.settle_kind(event_status(data));
    Some(error)
}

/// The HTTP status that an error event names: OpenAI's beside the error, Google's and OpenRouter's as its code.
pub(crate) fn event_status(data: &[u8]) -> Option<u16> {
    let status = json::get(data, "status").or_else(|| json::get(json::get(data, "error")?, "code"));
    u16::try_from(json::count(status?)?).ok()
}

impl ParsedError {
    fn settle_kind(&mut self, status: Option<u16>) {
        let words = [self.code.as_deref(), self.type_name.as_deref()];
        let find = |read: fn(&str) -> Option<ErrorKind>| words.into_iter().flatten().find_map(read);
        let by_status = || status.filter(|status| *status >= 400).map(ErrorKind::from_status);
        self.kind = find(ErrorKind::from_word)
            .or_else(by_status)
            .or_else(|| find(ErrorKind::from_vague_word))
            .unwrap_or_default();
    }
}

pub(crate) fn read_shape(body: &[u8]) -> Option<ParsedError> {
    let body = body.trim_ascii();
    let body = json::items(body).next().unwrap_or(body);
    let failed = json::get(body, "response").and_then(|response| json::get(response, "error"));
    if let Some(error) = failed.or_else(|| json::get(body, "error")) {
        return read_value(error).map(|read| with_description(read, body));
    }
    if let Some(detail) = json::get(body, "detail") {
        return read_value(json::items(detail).next().unwrap_or(detail));
    }
    // A flat event; its type says no more than that it is an error.
    let mut flat = read_object(body)?;
    flat.type_name = flat.type_name.filter(|name| name != "error" && name != "response.failed");
    Some(flat)
}

fn read_value(error: &[u8]) -> Option<ParsedError> {
    match json::text(error) {
        Some(message) => Some(ParsedError { message: message.into_owned(), ..ParsedError::default() }),
        None => read_object(error),
    }
}

/// OAuth puts the code in `error` and the sentence beside it.
fn with_description(mut read: ParsedError, body: &[u8]) -> ParsedError {
    let beside = json::get_text(body, "error_description").or_else(|| json::get_text(body, "message"));
    match beside {
        Some(sentence) if read.code.is_none() && read.type_name.is_none() => {
            let code = std::mem::replace(&mut read.message, sentence.into_owned());
            read.code = Some(code).filter(|code| !code.is_empty());
        }
        _ => {}
    }
    read
}

fn read_object(error: &[u8]) -> Option<ParsedError> {
    let message = ["message", "msg", "detail"].into_iter().find_map(|name| json::get_text(error, name));
    let status_word = json::get_text(error, "status");
    let type_name = json::get_text(error, "type").or(status_word.clone());
    let detail =
        |name| json::get(error, "details").and_then(|all| json::items(all).find_map(|it| json::get_text(it, name)));
    let code = match json::get(error, "code") {
        Some(code) => match json::text(code) {
            Some(code) => Some(code),
            // Google's is the HTTP status once more.
            None if status_word.is_some() => detail("reason"),
            None => json::count(code).map(|code| Cow::Owned(code.to_string())),
        },
        None => detail("reason"),
    };
    if message.is_none() && type_name.is_none() && code.is_none() {
        return None;
    }
    let retry_after_ms = json::get(error, "resets_in_seconds")
        .and_then(|seconds| json::count(seconds)?.checked_mul(1000))
        .or_else(|| bitrouter_wait::milliseconds(&detail("retryDelay")?));
    Some(ParsedError {
        kind: ErrorKind::default(),
        code: code.map(Cow::into_owned),
        type_name: type_name.map(Cow::into_owned),
        message: message.map(Cow::into_owned).unwrap_or_default(),
        param: json::get_text(error, "param").map(Cow::into_owned),
        retry_after: retry_after_ms.map(|after| after.div_ceil(1000)),
        retry_after_ms,
        resets_at: json::get(error, "resets_at").and_then(json::count),
    })
}
