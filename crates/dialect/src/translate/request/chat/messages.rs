//! Reads the messages of a Chat Completions request into turns, one for each, and their content into parts.

use super::{details, inside};
use crate::json;
use crate::translate::lost::Losses;
use crate::translate::media::{data_url, mime_of};
use crate::translate::request::{
    Arguments, Call, Json, Media, Output, OutputContent, Part, Reasoning, Role, Source, Turn, What,
};
use crate::translate::writer::Inside;

/// The members of one message.
#[derive(Default)]
struct Message<'a> {
    raw: Json<'a>,
    role: Json<'a>,
    content: Option<Json<'a>>,
    refusal: Option<Json<'a>>,
    reasoning: Option<Json<'a>>,
    details: Option<Json<'a>>,
    calls: Option<Json<'a>>,
    function_call: Option<Json<'a>>,
    call_id: Option<Json<'a>>,
    name: Option<Json<'a>>,
    cache: Option<Json<'a>>,
}

/// Reads all messages.
pub(super) fn read<'a>(messages: Json<'a>, turns: &mut Vec<Turn<'a>>, losses: &mut Losses<'a>) {
    let mut custom = Vec::new();
    for raw in json::items(messages) {
        let message = Message::of(raw, losses);
        let mut parts = Vec::new();
        let role = match message.role {
            b"\"system\"" => Role::System,
            b"\"developer\"" => Role::Developer,
            b"\"user\"" => Role::User,
            b"\"assistant\"" => Role::Assistant,
            b"\"tool\"" | b"\"function\"" => {
                parts.push(output(&message, &custom, losses));
                turns.push(Turn { role: Role::User, parts, raw });
                continue;
            }
            _ => {
                losses.dropped(raw);
                continue;
            }
        };
        losses.dropped_if(message.name);
        if role == Role::Assistant {
            reasoning(&message, &mut parts);
        }
        content(message.content, &mut parts, losses);
        if let (Some(cache), Some(last)) = (message.cache, parts.last_mut()) {
            last.cache = last.cache.or(Some(cache));
        }
        if let Some((raw, refusal)) = message.refusal.and_then(|raw| Some((raw, inside(raw)?))) {
            parts.push(Part { what: What::Refusal(refusal), cache: None, raw });
        }
        calls(&message, &mut parts, &mut custom, losses);
        turns.push(Turn { role, parts, raw });
    }
}

impl<'a> Message<'a> {
    fn of(raw: Json<'a>, losses: &mut Losses<'a>) -> Self {
        let mut message = Self { raw, ..Self::default() };
        for (key, value) in json::members(raw) {
            match key {
                b"role" => message.role = value,
                _ if value == b"null" => {}
                b"content" => message.content = Some(value),
                _ if json::is_blank(value) => {}
                b"refusal" => message.refusal = Some(value),
                b"reasoning_content" => message.reasoning = Some(value),
                b"reasoning" => message.reasoning = message.reasoning.or(Some(value)),
                b"reasoning_details" => message.details = Some(value),
                b"tool_calls" => message.calls = Some(value),
                b"function_call" => message.function_call = Some(value),
                b"tool_call_id" => message.call_id = Some(value),
                b"name" => message.name = Some(value),
                b"cache_control" | b"prompt_cache_breakpoint" => message.cache = Some(value),
                // What SDKs add to an answer that is sent back, and ids that only name.
                b"parsed" | b"index" | b"id" | b"type" | b"status" | b"object" => {}
                _ => losses.dropped(value),
            }
        }
        message
    }
}

/// What the model thought: the details where there are any, else the plain text.
fn reasoning<'a>(message: &Message<'a>, parts: &mut Vec<Part<'a>>) {
    let first = parts.len();
    let mut last_index = None;
    for raw in message.details.into_iter().flat_map(json::items) {
        let Some(detail) = details::read(raw) else { continue };
        let last = parts.get_mut(first..).and_then(<[Part<'a>]>::last_mut);
        // Fragments that a client kept apart: a text, and the signature that came behind it.
        if let Some(Part { what: What::Reasoning(known), .. }) = last
            && detail.index.is_some()
            && detail.index == last_index
            && known.state.is_none()
        {
            if let Some(text) = detail.text {
                match known.text.last_mut() {
                    Some(known) => known.to_mut().extend_from_slice(&text),
                    None => known.text.push(text),
                }
            }
            known.state = detail.state;
            continue;
        }
        last_index = detail.index;
        let what = What::Reasoning(Reasoning { text: detail.text.into_iter().collect(), state: detail.state });
        parts.push(Part { what, cache: None, raw });
    }
    let Some((raw, text)) = message.reasoning.and_then(|raw| Some((raw, inside(raw)?))) else { return };
    let said = |part: &Part<'_>| matches!(&part.what, What::Reasoning(it) if !it.text.is_empty());
    if parts.iter().skip(first).any(said) {
        return;
    }
    match parts.get_mut(first) {
        Some(part @ Part { what: What::Reasoning(_), .. }) => {
            if let What::Reasoning(reasoning) = &mut part.what {
                reasoning.text.push(text);
            }
            // What is visible of it is what may be lost.
            part.raw = raw;
        }
        _ => {
            let what = What::Reasoning(Reasoning { text: vec![text], state: None });
            parts.push(Part { what, cache: None, raw });
        }
    }
}

fn content<'a>(content: Option<Json<'a>>, parts: &mut Vec<Part<'a>>, losses: &mut Losses<'a>) {
    let Some(raw) = content else { return };
    if let Some(text) = inside(raw) {
        // An empty one beside calls is how some clients write none.
        if !text.is_empty() {
            parts.push(Part { what: What::Text(text), cache: None, raw });
        }
        return;
    }
    parts.extend(json::items(raw).map(|raw| part(raw, losses)));
}

fn part<'a>(raw: Json<'a>, losses: &mut Losses<'a>) -> Part<'a> {
    let mut part = Part { what: What::Own, cache: None, raw };
    if let Some(text) = inside(raw) {
        part.what = What::Text(text);
        return part;
    }
    let mut rest = Vec::new();
    for (key, value) in json::members(raw) {
        match key {
            _ if value == b"null" => {}
            b"text" | b"input_text" | b"output_text" => part.what = inside(value).map_or(What::Own, What::Text),
            b"refusal" => part.what = inside(value).map_or(What::Own, What::Refusal),
            b"thinking" => part.what = thinking(value),
            b"image_url" => part.what = url(value).map_or(What::Own, What::Image),
            b"video_url" => part.what = url(value).map_or(What::Own, What::Video),
            b"input_audio" => part.what = audio(value).map_or(What::Own, What::Audio),
            b"file" => part.what = file(value).map_or(What::Own, What::File),
            b"cache_control" | b"prompt_cache_breakpoint" => part.cache = Some(value),
            b"type" | b"index" => {}
            _ if json::is_blank(value) => {}
            _ => rest.push(value),
        }
    }
    if !matches!(part.what, What::Own) {
        rest.into_iter().for_each(|value| losses.dropped(value));
    }
    part
}

/// Mistral's way to say what the model thought: text parts within a part.
fn thinking(value: Json<'_>) -> What<'_> {
    let texts = json::items(value).filter_map(|item| json::get(item, "text"));
    let text = inside(value).into_iter().chain(texts.filter_map(inside)).collect();
    What::Reasoning(Reasoning { text, state: None })
}

/// `{"url", "detail"}`, or the URL alone.
fn url(value: Json<'_>) -> Option<Media<'_>> {
    let source = json::inside(value).or_else(|| json::inside(json::get(value, "url")?))?;
    let detail = json::get(value, "detail").filter(|detail| *detail != b"\"auto\"");
    let (source, mime) = source_of(source);
    Some(Media { source, mime, name: None, detail })
}

fn audio(value: Json<'_>) -> Option<Media<'_>> {
    let source = Source::Base64(json::get(value, "data").and_then(inside)?);
    let mime: &[u8] = match json::get(value, "format") {
        Some(b"\"mp3\"") => b"audio/mp3",
        Some(b"\"wav\"") => b"audio/wav",
        _ => b"",
    };
    Some(Media { source, mime: Inside::Borrowed(mime), name: None, detail: None })
}

fn file(value: Json<'_>) -> Option<Media<'_>> {
    let name = json::get(value, "filename").and_then(inside);
    if let Some(id) = json::get(value, "file_id").and_then(inside) {
        return Some(Media { source: Source::Id(id), mime: Inside::default(), name, detail: None });
    }
    let data = json::get(value, "file_data").and_then(json::inside)?;
    let (source, mut mime) = source_of(data);
    let source = match source {
        // Some servers take the data without the head of a data URL.
        Source::Url(data) if !data.starts_with(b"http") => {
            let ending = name.as_deref().and_then(mime_of).unwrap_or("application/pdf");
            mime = Inside::Borrowed(ending.as_bytes());
            Source::Base64(data)
        }
        source => source,
    };
    Some(Media { source, mime, name, detail: None })
}

/// The bytes of a data URL and their type, else the URL.
fn source_of(url: &[u8]) -> (Source<'_>, Inside<'_>) {
    match data_url(url) {
        Some((mime, data)) => (Source::Base64(data), mime),
        None => (Source::Url(Inside::Borrowed(url)), Inside::default()),
    }
}

fn calls<'a>(message: &Message<'a>, parts: &mut Vec<Part<'a>>, custom: &mut Vec<Inside<'a>>, losses: &mut Losses<'a>) {
    for raw in message.calls.into_iter().flat_map(json::items) {
        let call = call(raw, losses);
        if let (Arguments::Free(_), Some(id)) = (&call.arguments, &call.id) {
            custom.push(id.clone());
        }
        parts.push(Part { what: What::Call(call), cache: None, raw });
    }
    if let Some(raw) = message.function_call {
        let (name, arguments) = named(raw);
        let call = Call { id: None, name, namespace: None, arguments, state: None };
        parts.push(Part { what: What::Call(call), cache: None, raw });
    }
}

fn call<'a>(raw: Json<'a>, losses: &mut Losses<'a>) -> Call<'a> {
    let mut call = Call {
        id: None,
        name: Inside::default(),
        namespace: None,
        arguments: Arguments::Text(Inside::default()),
        state: None,
    };
    for (key, value) in json::members(raw) {
        match key {
            b"id" => call.id = inside(value).filter(|id| !id.is_empty()),
            b"function" | b"custom" if value.starts_with(b"{") => (call.name, call.arguments) = named(value),
            b"extra_content" => call.state = details::thought_of_call(value),
            b"type" | b"index" => {}
            _ if json::is_blank(value) => {}
            _ => losses.dropped(value),
        }
    }
    call
}

/// Name and arguments of a call.
fn named(value: Json<'_>) -> (Inside<'_>, Arguments<'_>) {
    let mut name = Inside::default();
    let mut arguments = Arguments::Text(Inside::default());
    for (key, value) in json::members(value) {
        match key {
            b"name" => name = inside(value).unwrap_or_default(),
            b"input" => arguments = Arguments::Free(inside(value).unwrap_or_default()),
            b"arguments" if value.starts_with(b"{") => arguments = Arguments::Object(value),
            b"arguments" => arguments = Arguments::Text(inside(value).unwrap_or_default()),
            // What openai-python adds.
            _ => {}
        }
    }
    (name, arguments)
}

fn output<'a>(message: &Message<'a>, custom: &[Inside<'a>], losses: &mut Losses<'a>) -> Part<'a> {
    let id = message.call_id.and_then(inside);
    let mut parts = Vec::new();
    content(message.content, &mut parts, losses);
    let what = What::Output(Output {
        custom: id.as_ref().is_some_and(|id| custom.contains(id)),
        id,
        name: message.name.and_then(inside),
        content: OutputContent::Parts(parts),
        failed: false,
    });
    Part { what, cache: message.cache, raw: message.raw }
}
