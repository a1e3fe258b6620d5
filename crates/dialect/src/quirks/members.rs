//! Which members servers of a dialect know, and which of a body are others. Some refuse a whole request for one that they do
//! not know.

use std::collections::BTreeSet;

use bitrouter_document::{Document, Error, Find};

/// Members of a Chat Completions body that nearly every server knows.
pub(super) const OF_CHAT: &[&str] = &[
    "model",
    "messages",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "response_format",
    "stream",
    "stream_options",
    "max_tokens",
    "max_completion_tokens",
    "temperature",
    "top_p",
    "stop",
    "seed",
    "n",
    "presence_penalty",
    "frequency_penalty",
    "logit_bias",
    "logprobs",
    "top_logprobs",
    "reasoning_effort",
    "user",
];

/// The same of its messages.
pub(super) const OF_MESSAGES: &[&str] =
    &["role", "content", "name", "tool_calls", "tool_call_id", "reasoning_content", "reasoning"];

/// The pointers of an object's members that have none of these names.
pub(super) fn others(document: &mut Document, object: &str, names: &[&str]) -> Result<Vec<String>, Error> {
    let all = document.keys(object)?;
    let others = all.iter().filter(|name| !names.contains(&name.as_ref()));
    Ok(others.map(|name| format!("{object}/{}", name.replace('~', "~0").replace('/', "~1"))).collect())
}

/// The names of members of a list's items that are none of these, as tokens of a pointer. One that is `*` is not among them:
/// a pattern would take it for all.
pub(super) fn strangers(document: &mut Document, list: &str, names: &[&str]) -> Result<BTreeSet<String>, Error> {
    let pattern = format!("{list}/*/*");
    let found = document.find(&Find::all(&pattern))?;
    let tokens = found.rows().filter_map(|(pointer, _)| pointer.rsplit('/').next());
    Ok(tokens.filter(|token| *token != "*" && !names.contains(token)).map(str::to_owned).collect())
}
