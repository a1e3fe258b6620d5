//! Reads the messages of a Chat Completions request into turns, one for each, and their content into parts.

use super::{details, inside};
use crate::json::{self, Cursor};
use crate::translate::lost::Losses;
use crate::translate::media::{data_url, mime_of};
use crate::translate::request::{
    Arguments, Call, Json, Media, Output, OutputContent, Part, Reasoning, Role, Source, Turn, What,
};
use crate::translate::writer::Inside;

/// The members of one message.
#[derive(Default)]
struct Message<'a> {
    role: Json<'a>,
    content: Vec<Part<'a>>,
    refusal: Option<Json<'a>>,
    reasoning: Option<Json<'a>>,
    details: Option<Json<'a>>,
    calls: Vec<Part<'a>>,
    call_id: Option<Json<'a>>,
    name: Option<Json<'a>>,
    cache: Option<Json<'a>>,
}

/// Reads all messages, at which the walk stands.
pub(super) fn read<'a>(walk: &mut Cursor<'a>, turns: &mut Vec<Turn<'a>>, losses: &mut Losses<'a>) {
    let mut custom = Vec::new();
    walk.items(|walk| {
        let (message, raw) = Message::of(walk, losses);
        turns.extend(turn(message, raw, &mut custom, losses));
    });
}

fn turn<'a>(
    message: Message<'a>,
    raw: Json<'a>,
    custom: &mut Vec<Inside<'a>>,
    losses: &mut Losses<'a>,
) -> Option<Turn<'a>> {
    let role = match message.role {
        b"\"system\"" => Role::System,
        b"\"developer\"" => Role::Developer,
        b"\"user\"" => Role::User,
        b"\"assistant\"" => Role::Assistant,
        b"\"tool\"" | b"\"function\"" => {
            return Some(Turn { role: Role::User, parts: vec![output(message, raw, custom)], raw });
        }
        _ => {
            losses.dropped(raw);
            return None;
        }
    };
    losses.dropped_if(message.name);
    let mut parts = Vec::new();
    if role == Role::Assistant {
        reasoning(&message, &mut parts);
    }
    parts.extend(message.content);
    if let (Some(cache), Some(last)) = (message.cache, parts.last_mut()) {
        last.cache = last.cache.or(Some(cache));
    }
    if let Some((raw, refusal)) = message.refusal.and_then(|raw| Some((raw, inside(raw)?))) {
        parts.push(Part { what: What::Refusal(refusal), cache: None, raw });
    }
    for part in &message.calls {
        if let What::Call(Call { arguments: Arguments::Free(_), id: Some(id), .. }) = &part.what {
            custom.push(id.clone());
        }
    }
    parts.extend(message.calls);
    Some(Turn { role, parts, raw })
}

impl<'a> Message<'a> {
    /// Reads a message; the message and its text.
    fn of(walk: &mut Cursor<'a>, losses: &mut Losses<'a>) -> (Self, Json<'a>) {
        let mut message = Self::default();
        let raw = walk.members(|key, walk| {
            match key {
                b"content" => return content(walk, &mut message.content, losses),
                b"tool_calls" => {
                    walk.items(|walk| message.calls.push(call(walk, losses)));
                    return;
                }
                b"function_call" => return message.calls.extend(function_call(walk)),
                _ => {}
            }
            let value = walk.value();
            match key {
                b"role" => message.role = value,
                _ if json::is_blank(value) => {}
                b"refusal" => message.refusal = Some(value),
                b"reasoning_content" => message.reasoning = Some(value),
                b"reasoning" => message.reasoning = message.reasoning.or(Some(value)),
                b"reasoning_details" => message.details = Some(value),
                b"tool_call_id" => message.call_id = Some(value),
                b"name" => message.name = Some(value),
                b"cache_control" | b"prompt_cache_breakpoint" => message.cache = Some(value),
                // What SDKs add to an answer that is sent back, and ids that only name.
                b"parsed" | b"index" | b"id" | b"type" | b"status" | b"object" => {}
                _ => losses.dropped(value),
            }
        });
        (message, raw)
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

fn content<'a>(walk: &mut Cursor<'a>, parts: &mut Vec<Part<'a>>, losses: &mut Losses<'a>) {
    if walk.first() != Some(b'"') {
        walk.items(|walk| parts.push(part(walk, losses)));
        return;
    }
    let raw = walk.value();
    // An empty one beside calls is how some clients write none.
    if let Some(text) = inside(raw).filter(|text| !text.is_empty()) {
        parts.push(Part { what: What::Text(text), cache: None, raw });
    }
}

fn part<'a>(walk: &mut Cursor<'a>, losses: &mut Losses<'a>) -> Part<'a> {
    if walk.first() == Some(b'"') {
        let raw = walk.value();
        return Part { what: inside(raw).map_or(What::Own, What::Text), cache: None, raw };
    }
    let (mut what, mut cache, mut rest) = (None, None, Vec::new());
    let raw = walk.members(|key, walk| {
        match key {
            b"image_url" => return what = url(walk).map(What::Image),
            b"video_url" => return what = url(walk).map(What::Video),
            b"input_audio" => return what = audio(walk).map(What::Audio),
            b"file" => return what = file(walk).map(What::File),
            _ => {}
        }
        let value = walk.value();
        match key {
            _ if value == b"null" => {}
            b"text" | b"input_text" | b"output_text" => what = inside(value).map(What::Text),
            b"refusal" => what = inside(value).map(What::Refusal),
            b"thinking" => what = Some(thinking(value)),
            b"cache_control" | b"prompt_cache_breakpoint" => cache = Some(value),
            b"type" | b"index" => {}
            _ if json::is_blank(value) => {}
            _ => rest.push(value),
        }
    });
    if what.is_some() {
        rest.into_iter().for_each(|value| losses.dropped(value));
    }
    Part { what: what.unwrap_or(What::Own), cache, raw }
}

/// Mistral's way to say what the model thought: text parts within a part.
fn thinking(value: Json<'_>) -> What<'_> {
    let texts = json::items(value).filter_map(|item| json::get(item, "text"));
    let text = inside(value).into_iter().chain(texts.filter_map(inside)).collect();
    What::Reasoning(Reasoning { text, state: None })
}

/// `{"url", "detail"}`, or the URL alone.
fn url<'a>(walk: &mut Cursor<'a>) -> Option<Media<'a>> {
    let (mut url, mut detail) = (None, None);
    if walk.first() == Some(b'"') {
        url = json::inside(walk.value());
    } else {
        walk.members(|key, walk| match (key, walk.value()) {
            (b"url", value) => url = json::inside(value),
            (b"detail", value) => detail = Some(value).filter(|value| !matches!(*value, b"null" | b"\"auto\"")),
            _ => {}
        });
    }
    let (source, mime) = source_of(url?);
    Some(Media { source, mime, name: None, detail })
}

fn audio<'a>(walk: &mut Cursor<'a>) -> Option<Media<'a>> {
    let (mut data, mut mime): (_, &[u8]) = (None, b"");
    walk.members(|key, walk| match (key, walk.value()) {
        (b"data", value) => data = inside(value),
        (b"format", b"\"mp3\"") => mime = b"audio/mp3",
        (b"format", b"\"wav\"") => mime = b"audio/wav",
        _ => {}
    });
    Some(Media { source: Source::Base64(data?), mime: Inside::Borrowed(mime), name: None, detail: None })
}

fn file<'a>(walk: &mut Cursor<'a>) -> Option<Media<'a>> {
    let (mut name, mut id, mut data) = (None, None, None);
    walk.members(|key, walk| match (key, walk.value()) {
        (b"filename", value) => name = inside(value),
        (b"file_id", value) => id = inside(value),
        (b"file_data", value) => data = json::inside(value),
        _ => {}
    });
    if let Some(id) = id {
        return Some(Media { source: Source::Id(id), mime: Inside::default(), name, detail: None });
    }
    let (source, mut mime) = source_of(data?);
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

fn call<'a>(walk: &mut Cursor<'a>, losses: &mut Losses<'a>) -> Part<'a> {
    let (mut id, mut state, mut named) = (None, None, None);
    let raw = walk.members(|key, walk| {
        if matches!(key, b"function" | b"custom") {
            return named = self::named(walk).or(named.take());
        }
        let value = walk.value();
        match key {
            b"id" => id = inside(value).filter(|id| !id.is_empty()),
            b"extra_content" => state = details::thought_of_call(value),
            b"type" | b"index" => {}
            _ if json::is_blank(value) => {}
            _ => losses.dropped(value),
        }
    });
    let (name, arguments) = named.unwrap_or_else(|| (Inside::default(), Arguments::Text(Inside::default())));
    Part { what: What::Call(Call { id, name, namespace: None, arguments, state }), cache: None, raw }
}

/// The one call of `function_call`, which has no id.
fn function_call<'a>(walk: &mut Cursor<'a>) -> Option<Part<'a>> {
    let mut ahead = walk.clone();
    let raw = walk.value();
    let (name, arguments) = named(&mut ahead)?;
    let call = Call { id: None, name, namespace: None, arguments, state: None };
    Some(Part { what: What::Call(call), cache: None, raw })
}

/// Name and arguments of a call; none of what is no object.
fn named<'a>(walk: &mut Cursor<'a>) -> Option<(Inside<'a>, Arguments<'a>)> {
    let (mut name, mut arguments) = (Inside::default(), Arguments::Text(Inside::default()));
    let value = walk.members(|key, walk| match (key, walk.value()) {
        (b"name", value) => name = inside(value).unwrap_or_default(),
        (b"input", value) => arguments = Arguments::Free(inside(value).unwrap_or_default()),
        (b"arguments", value) if value.starts_with(b"{") => arguments = Arguments::Object(value),
        (b"arguments", value) => arguments = Arguments::Text(inside(value).unwrap_or_default()),
        // What openai-python adds.
        _ => {}
    });
    value.starts_with(b"{").then_some((name, arguments))
}

fn output<'a>(message: Message<'a>, raw: Json<'a>, custom: &[Inside<'a>]) -> Part<'a> {
    let id = message.call_id.and_then(inside);
    let what = What::Output(Output {
        custom: id.as_ref().is_some_and(|id| custom.contains(id)),
        id,
        name: message.name.and_then(inside),
        content: OutputContent::Parts(message.content),
        failed: false,
    });
    Part { what, cache: message.cache, raw }
}
