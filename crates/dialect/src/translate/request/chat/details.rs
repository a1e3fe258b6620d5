//! `reasoning_details`: opaque state of reasoning as OpenRouter writes it, the one place that Chat Completions has for it.
//! Requests and answers read and write it here; it must never be told apart by anything but type and format.

use super::inside;
use crate::json;
use crate::translate::request::{Json, State, StateKind};
use crate::translate::writer::{Inside, Writer};

/// One detail, or one fragment of it in a stream.
#[derive(Debug)]
pub(in crate::translate) struct Detail<'a> {
    /// Fragments of one index belong together.
    pub(in crate::translate) index: Option<u64>,
    /// What of it is visible.
    pub(in crate::translate) text: Option<Inside<'a>>,
    /// What only its owner can read.
    pub(in crate::translate) state: Option<State<'a>>,
}

/// Reads one; none if it says nothing.
pub(in crate::translate) fn read(detail: Json<'_>) -> Option<Detail<'_>> {
    let (mut text, mut signature, mut data, mut id, mut format, mut index) = (None, None, None, None, None, None);
    let said = |value| inside(value).filter(|text| !text.is_empty());
    for (key, value) in json::members(detail) {
        match key {
            b"text" | b"summary" => text = said(value),
            b"signature" => signature = said(value),
            b"data" => data = said(value),
            b"id" => id = said(value),
            b"format" => format = said(value),
            b"index" => index = json::count(value),
            _ => {}
        }
    }
    let state = match (signature, data) {
        (Some(value), _) => Some(State { kind: StateKind::Signature, value, id: None }),
        (None, Some(value)) => {
            let kind = kind_of(format.as_deref());
            // With an id, even an empty one, a thought's signature goes back to where it was: see `of_a_call`.
            let id = if kind == StateKind::Thought { Some(id.unwrap_or_default()) } else { id };
            Some(State { kind, value, id })
        }
        (None, None) => None,
    };
    (text.is_some() || state.is_some()).then_some(Detail { index, text, state })
}

/// What kind of state stands in `data`.
fn kind_of(format: Option<&[u8]>) -> StateKind {
    match format {
        Some(format) if format.starts_with(b"anthropic") => StateKind::Redacted,
        Some(format) if format.starts_with(b"google") => StateKind::Thought,
        _ => StateKind::Encrypted,
    }
}

/// Writes one. The text goes with a signature alone: it is what the signature is of.
pub(in crate::translate) fn write(state: &State<'_>, text: &[&[u8]], index: u64, out: &mut Writer) {
    out.open(b'{');
    if state.kind == StateKind::Signature {
        out.text_member("type", "reasoning.text");
        out.inside_member("text", &text.concat());
        out.inside_member("signature", &state.value);
    } else {
        out.text_member("type", "reasoning.encrypted");
        out.inside_member("data", &state.value);
        if let Some(id) = state.id.as_ref().filter(|id| !id.is_empty()) {
            out.inside_member("id", id);
        }
    }
    let format = match state.kind {
        StateKind::Signature | StateKind::Redacted | StateKind::Block => "anthropic-claude-v1",
        StateKind::Encrypted => "openai-responses-v1",
        StateKind::Thought => "google-gemini-v1",
        StateKind::Plain => "unknown",
    };
    out.text_member("format", format);
    out.number_member("index", index);
    out.close(b'}');
}

/// Writes one whose value the gateway has wrapped, so that its kind is within.
pub(in crate::translate) fn write_wrapped(value: &[u8], index: u64, out: &mut Writer) {
    out.open(b'{');
    out.text_member("type", "reasoning.encrypted");
    out.inside_member("data", value);
    out.text_member("format", "unknown");
    out.number_member("index", index);
    out.close(b'}');
}

/// The `thoughtSignature` of a call, in Google's own place for it.
pub(in crate::translate) fn thought_of_call(extra_content: Json<'_>) -> Option<State<'_>> {
    let google = json::get(extra_content, "google")?;
    let value = inside(json::get(google, "thought_signature")?).filter(|value| !value.is_empty())?;
    Some(State { kind: StateKind::Thought, value, id: None })
}

/// Whether a state was there: Google's own server knows no `reasoning_details`, and OpenRouter's no `extra_content`.
pub(in crate::translate) fn of_a_call(state: &State<'_>) -> bool {
    state.kind == StateKind::Thought && state.id.is_none()
}

/// Writes it there.
pub(in crate::translate) fn write_thought_of_call(state: &State<'_>, out: &mut Writer) {
    out.key("extra_content");
    out.open(b'{');
    out.key("google");
    out.open(b'{');
    out.inside_member("thought_signature", &state.value);
    out.close(b'}');
    out.close(b'}');
}
