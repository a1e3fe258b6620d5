//! What one event of a stream means for the gateway: preamble that may be held back, content that commits the
//! answer, an error, or the end. Failover and the tap ask; nothing here keeps state between events.
//! The tables follow "Commit at the first content event" in the routing rules.

use std::borrow::Cow;
use std::sync::LazyLock;

use memchr::memmem::Finder;

use crate::dialect::Dialect;
use crate::json;

/// What kind of frame a [`crate::Splitter`] hands out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// An event with at least one data line.
    Message,
    /// An error where clients do not look for one: in a field named `error` (llama.cpp's server), or as JSON without any
    /// field. The data is the error.
    Stray,
    /// A frame that clients do not see as an event: comments, stray blank lines, `id` or `retry` alone.
    Silent,
    /// An event longer than the limit, of which nothing was kept.
    Oversized,
    /// What the stream broke off in; the data may be the beginning of something longer.
    Unfinished,
}

/// One framed event, borrowed from the chunk it arrived in or from the splitter.
#[derive(Clone, Copy, Debug)]
pub struct Event<'a> {
    /// Which of the other fields say something.
    pub kind: EventKind,
    /// The `event:` field, if there is one and it is not empty.
    pub name: Option<&'a [u8]>,
    /// The `data:` lines, joined by LF; not checked to be UTF-8.
    pub data: &'a [u8],
    /// The bytes as they came, the blank line that ends the event included.
    pub raw: &'a [u8],
}

impl<'a> Event<'a> {
    pub(crate) fn oversized() -> Self {
        Self { kind: EventKind::Oversized, name: None, data: &[], raw: &[] }
    }

    /// The event's type: the `type` of its JSON, which is what clients dispatch on, else its `event:` name.
    pub fn type_name(&self) -> Option<Cow<'a, str>> {
        let name = || std::str::from_utf8(self.name?).ok().map(Cow::Borrowed);
        json::get_text(self.data, "type").or_else(name)
    }
}

/// What an event means for the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventClass {
    /// Nothing that a client could act on: it may be held back, and the next target may still be tried.
    Preamble,
    /// Anything that is in no table: from here on the answer belongs to this target.
    Content,
    /// The upstream reports a failure inside the stream.
    Error,
    /// The answer says that it is whole. More may follow: `[DONE]` after the last usage, or further chunks of
    /// a Gemini model that writes a finish reason on each.
    End,
}

/// What the event means in that dialect.
pub fn classify(dialect: Dialect, event: &Event<'_>) -> EventClass {
    match event.kind {
        EventKind::Silent => return EventClass::Preamble,
        EventKind::Oversized => return EventClass::Content,
        EventKind::Stray => return EventClass::Error,
        EventKind::Message | EventKind::Unfinished => {}
    }
    if event.name == Some(b"error") {
        return EventClass::Error;
    }
    match dialect {
        Dialect::ChatCompletions => chat(event.data),
        Dialect::Responses => typed(event, responses),
        Dialect::Messages => typed(event, messages),
        Dialect::GenerateContent => generate_content(event.data),
    }
}

/// Whether [`classify`] says that the event is an error, for those who need not know what else it may be.
pub(crate) fn is_error(dialect: Dialect, event: &Event<'_>) -> bool {
    match dialect {
        // Their chunks have no type; where the word does not occur, nothing has to be looked for.
        Dialect::ChatCompletions | Dialect::GenerateContent
            if matches!(event.kind, EventKind::Message | EventKind::Unfinished) =>
        {
            event.name == Some(b"error") || event.data != DONE && has_error(event.data)
        }
        _ => classify(dialect, event) == EventClass::Error,
    }
}

/// Whether a client of that dialect reads this error event as an error. Their SDKs look at the JSON's `error`, and in
/// Responses at its `type`; Anthropic's look at the event's name alone.
pub(crate) fn is_read_as_error(dialect: Dialect, event: &Event<'_>) -> bool {
    if event.kind == EventKind::Stray {
        return false;
    }
    let typed = || json::get_text(event.data, "type").is_some_and(|name| name == "error" || name == "response.failed");
    match dialect {
        Dialect::ChatCompletions | Dialect::GenerateContent => json::get(event.data, "error").is_some(),
        Dialect::Responses => json::get(event.data, "error").is_some() || typed(),
        Dialect::Messages => event.name == Some(b"error"),
    }
}

/// Whether the event surely tells the tap nothing once content has been seen: no usage, no error, no end.
/// Errs towards `false`, which costs a closer look.
pub(crate) fn is_quiet(dialect: Dialect, event: &Event<'_>) -> bool {
    if event.name == Some(b"error") || event.kind == EventKind::Stray {
        return false;
    }
    let data = event.data;
    let typed = |loud: fn(&str) -> bool| match event.type_name() {
        Some(name) => !loud(&name),
        None => !ERROR.is_set(data),
    };
    match dialect {
        Dialect::ChatCompletions => {
            data != DONE && !FINISH_REASON.is_set(data) && !USAGE.is_set(data) && !ERROR.occurs(data)
        }
        Dialect::Responses => typed(|name| matches!(responses(name), EventClass::End | EventClass::Error)),
        Dialect::Messages => typed(|name| matches!(name, "message_start" | "message_delta" | "message_stop" | "error")),
        // Its usage comes with every chunk; the tap keeps the last and reads that one alone.
        Dialect::GenerateContent => {
            !FINISH_REASON_CAMEL.is_set(data) && !PROMPT_FEEDBACK.is_set(data) && !ERROR.is_set(data)
        }
    }
}

/// Whether a generateContent chunk may carry usage.
pub(crate) fn mentions_usage_metadata(data: &[u8]) -> bool {
    USAGE_METADATA.is_set(data)
}

/// Whether a chat chunk ends a choice. It is content all the same: some servers put the last text beside it.
pub(crate) fn finishes_choice(data: &[u8]) -> bool {
    FINISH_REASON.is_set(data)
        && json::get(data, "choices")
            .is_some_and(|choices| json::items(choices).any(|choice| json::get(choice, "finish_reason").is_some()))
}

pub(crate) const DONE: &[u8] = b"[DONE]";

static USAGE: LazyLock<Key> = LazyLock::new(|| Key::new(b"\"usage\""));
static USAGE_METADATA: LazyLock<Key> = LazyLock::new(|| Key::new(b"\"usageMetadata\""));
static FINISH_REASON: LazyLock<Key> = LazyLock::new(|| Key::new(b"\"finish_reason\""));
static FINISH_REASON_CAMEL: LazyLock<Key> = LazyLock::new(|| Key::new(b"\"finishReason\""));
static PROMPT_FEEDBACK: LazyLock<Key> = LazyLock::new(|| Key::new(b"\"promptFeedback\""));
static ERROR: LazyLock<Key> = LazyLock::new(|| Key::new(b"\"error\""));

/// A key searched as bytes. Inside JSON text that travels in a string its closing quote would be escaped, so
/// a model that writes about usage does not set it off.
struct Key(Finder<'static>);

impl Key {
    fn new(quoted: &'static [u8]) -> Self {
        Self(Finder::new(quoted))
    }

    /// Whether it stands anywhere, as a key or as a value.
    fn occurs(&self, data: &[u8]) -> bool {
        self.0.find(data).is_some()
    }

    /// Whether the key stands anywhere with a value other than `null`.
    fn is_set(&self, data: &[u8]) -> bool {
        self.0.find_iter(data).any(|at| {
            let value = data[at + self.0.needle().len()..].trim_ascii_start();
            value.strip_prefix(b":").is_some_and(|value| !value.trim_ascii_start().starts_with(b"null"))
        })
    }
}

/// Whether an object reports an error: in a member of that name, or, as old vLLM does, by being one.
pub(crate) fn has_error(data: &[u8]) -> bool {
    let is_one = |member| json::get(data, member) == Some(b"\"error\"");
    ERROR.occurs(data) && (json::get(data, "error").is_some() || is_one("object") || is_one("type"))
}

/// What an event means in a stream of an endpoint that has no dialect: a transcript, speech, images. `last` are the
/// types of the events that say that it is whole.
pub(crate) fn classify_plain(event: &Event<'_>, last: Option<&str>) -> EventClass {
    match event.kind {
        EventKind::Silent => return EventClass::Preamble,
        EventKind::Oversized => return EventClass::Content,
        EventKind::Stray => return EventClass::Error,
        EventKind::Message | EventKind::Unfinished => {}
    }
    if event.name == Some(b"error") || has_error(event.data) {
        return EventClass::Error;
    }
    let says_last = last.is_some() && event.type_name().as_deref() == last;
    if says_last || event.data == DONE { EventClass::End } else { EventClass::Content }
}

fn typed(event: &Event<'_>, table: fn(&str) -> EventClass) -> EventClass {
    match event.type_name() {
        Some(name) => table(&name),
        None if has_error(event.data) => EventClass::Error,
        None => EventClass::Content,
    }
}

/// Responses, by the event's type. `keepalive` is what the API writes while a model thinks for long.
fn responses(name: &str) -> EventClass {
    match name {
        "response.created" | "response.queued" | "response.in_progress" | "response.output_item.added" => {
            EventClass::Preamble
        }
        "codex.rate_limits" | "keepalive" | "ping" => EventClass::Preamble,
        "response.completed" | "response.incomplete" | "response.cancelled" => EventClass::End,
        "response.failed" | "error" => EventClass::Error,
        _ => EventClass::Content,
    }
}

/// Messages, by the event's type.
fn messages(name: &str) -> EventClass {
    match name {
        "message_start" | "ping" => EventClass::Preamble,
        "message_stop" => EventClass::End,
        "error" => EventClass::Error,
        _ => EventClass::Content,
    }
}

/// Chat Completions, whose chunks have no type: a chunk is preamble if no choice says anything but its role.
/// A chunk without choices says nothing either (Azure's first, with the prompt's filter results; usage).
fn chat(data: &[u8]) -> EventClass {
    if data == DONE {
        return EventClass::End;
    }
    if has_error(data) {
        return EventClass::Error;
    }
    let Some(choices) = json::get(data, "choices").filter(|choices| choices.starts_with(b"[")) else {
        return EventClass::Content;
    };
    if json::items(choices).all(choice_says_nothing) { EventClass::Preamble } else { EventClass::Content }
}

fn choice_says_nothing(choice: &[u8]) -> bool {
    json::members(choice).all(|(key, value)| match key {
        b"index" => true,
        b"delta" if value.starts_with(b"{") => {
            json::members(value).all(|(key, value)| key == b"role" || json::is_blank(value))
        }
        _ => json::is_blank(value),
    })
}

/// generateContent: a finish reason or a blocked prompt ends it; a candidate without parts says nothing.
fn generate_content(data: &[u8]) -> EventClass {
    if has_error(data) {
        return EventClass::Error;
    }
    let blocked = json::get(data, "promptFeedback").is_some_and(|it| json::get(it, "blockReason").is_some());
    let Some(candidates) = json::get(data, "candidates").filter(|candidates| candidates.starts_with(b"[")) else {
        return if blocked { EventClass::End } else { EventClass::Content };
    };
    if blocked || json::items(candidates).any(|candidate| json::get(candidate, "finishReason").is_some()) {
        return EventClass::End;
    }
    if json::items(candidates).all(candidate_says_nothing) { EventClass::Preamble } else { EventClass::Content }
}

fn candidate_says_nothing(candidate: &[u8]) -> bool {
    json::members(candidate).all(|(key, value)| match key {
        b"index" => true,
        b"content" if value.starts_with(b"{") => json::members(value).all(|(key, value)| match key {
            b"role" => true,
            b"parts" if value.starts_with(b"[") => json::items(value).all(part_says_nothing),
            _ => json::is_blank(value),
        }),
        _ => json::is_blank(value),
    })
}

fn part_says_nothing(part: &[u8]) -> bool {
    part.starts_with(b"{") && json::members(part).all(|(_, value)| json::is_blank(value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(bitrouter_fuzz::cases(256)))]

        #[test]
        fn an_error_is_what_is_classified_as_one(data in prop_oneof![
            ".{0,20}",
            Just(r#"{"error":{"message":"x"}}"#.to_owned()),
            Just(r#"{"error":null,"object":"error"}"#.to_owned()),
            Just(r#"{"choices":[{"delta":{"content":"\"error\""}}]}"#.to_owned()),
            Just(r#"{"candidates":[{"finishReason":"STOP"}],"error":null}"#.to_owned()),
            Just("[DONE]".to_owned()),
        ], named: bool, kind in 0_usize..5) {
            let kinds =
                [EventKind::Message, EventKind::Stray, EventKind::Silent, EventKind::Oversized, EventKind::Unfinished];
            let (data, name) = (data.as_bytes(), named.then_some(&b"error"[..]));
            let event = Event { kind: kinds[kind], name, data, raw: data };
            for dialect in Dialect::ALL {
                prop_assert_eq!(is_error(dialect, &event), classify(dialect, &event) == EventClass::Error);
            }
        }
    }
}
