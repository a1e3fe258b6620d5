//! Reads the history and the tools of a request. A model's contents that stand side by side are one turn: SDKs keep one
//! for each chunk of a stream. Nothing here pairs calls with results, or gives ids: that is `normalize`'s.

use std::borrow::Cow;

use super::read_tools::{tool, tool_config};
use super::response::Response;
use super::{NO_SIGNATURE, read_settings};
use crate::json::{self, Cursor};
use crate::translate::lost::Losses;
use crate::translate::media::mime_of;
use crate::translate::request::{
    Arguments, Call, Json, Media, Output, OutputContent, Part, Reasoning, Request, Role, Source, State, StateKind,
    Turn, What,
};
use crate::translate::run;
use crate::translate::writer::{Inside, escape};
use crate::translate::{Target, Untranslatable};

/// How a state that the gateway wrapped begins in this dialect: `br1.` in base64.
const WRAPPED: &[u8] = b"YnIxL";

pub(crate) fn read<'a>(
    body: Json<'a>,
    _target: &Target<'_>,
    losses: &mut Losses<'a>,
) -> Result<Request<'a>, Untranslatable> {
    let mut request = Request::default();
    let mut system = None;
    Cursor::new(body).members(|key, walk| {
        if key == b"contents" {
            return contents(walk, &mut request.turns, losses);
        }
        let value = walk.value();
        match key {
            _ if value == b"null" => {}
            b"systemInstruction" | b"system_instruction" => system = system_turn(value),
            b"tools" => each(value, |value| tool(value, &mut request.tools, losses)),
            b"toolConfig" | b"tool_config" => tool_config(value, &mut request.choice, losses),
            b"generationConfig" | b"generation_config" => read_settings::read(value, &mut request.settings, losses),
            b"labels" => request.settings.metadata = Some(value),
            b"serviceTier" | b"service_tier" => read_settings::service(value, &mut request.settings, losses),
            b"model" | b"stream" => {}
            b"store" if value == b"false" => {}
            b"safetySettings" | b"safety_settings" if json::is_blank(value) => {}
            _ => losses.dropped(value),
        }
    });
    if let Some(system) = system {
        request.turns.insert(0, system);
    }
    Ok(request)
}

/// The members that say anything.
pub(super) fn said(object: Json<'_>) -> impl Iterator<Item = (&[u8], &[u8])> {
    json::members(object).filter(|(_, value)| *value != b"null")
}

/// The items of an array, or the value alone.
pub(super) fn each<'a>(value: Json<'a>, mut of: impl FnMut(Json<'a>)) {
    if value.starts_with(b"[") { json::items(value).for_each(of) } else { of(value) }
}

/// The same where the walk stands.
fn each_of<'a>(walk: &mut Cursor<'a>, mut of: impl FnMut(&mut Cursor<'a>)) {
    if walk.first() == Some(b'[') {
        walk.items(of);
    } else {
        of(walk);
    }
}

/// A string's inside.
pub(super) fn inside(value: Json<'_>) -> Option<Inside<'_>> {
    json::inside(value).map(Cow::Borrowed)
}

/// `systemInstruction`: a content, its parts, one part, or a string. Its role says nothing.
fn system_turn(value: Json<'_>) -> Option<Turn<'_>> {
    let mut parts = Vec::new();
    if let Some(text) = inside(value) {
        parts.push(Part { what: What::Text(text), cache: None, raw: value });
    }
    let within = json::get(value, "parts").unwrap_or(value);
    each(within, |part| match json::get(part, "text").and_then(inside) {
        Some(text) => parts.push(Part { what: What::Text(text), cache: None, raw: part }),
        None if part.starts_with(b"{") => parts.push(Part { what: What::Own, cache: None, raw: part }),
        None => {}
    });
    parts.retain(|part| !matches!(&part.what, What::Text(text) if text.is_empty()));
    (!parts.is_empty()).then_some(Turn { role: Role::System, parts, raw: value })
}

fn contents<'a>(walk: &mut Cursor<'a>, turns: &mut Vec<Turn<'a>>, losses: &mut Losses<'a>) {
    if walk.first() == Some(b'"') {
        let value = walk.value();
        let parts = Vec::from_iter(inside(value).map(|text| Part { what: What::Text(text), cache: None, raw: value }));
        turns.push(Turn { role: Role::User, parts, raw: value });
        return;
    }
    let mut raw_parts = Vec::new();
    each_of(walk, |walk| {
        let mut role = Role::User;
        // Who said the parts may stand behind them.
        raw_parts.clear();
        let content = walk.members(|key, walk| {
            if key == b"parts" {
                return each_of(walk, |walk| raw_parts.push(raw_part(walk, losses, false)));
            }
            match (key, walk.value()) {
                (_, b"null") => {}
                (b"role", b"\"model\"" | b"\"assistant\"") => role = Role::Assistant,
                (b"role", _) => {}
                (_, value) => losses.dropped(value),
            }
        });
        if role == Role::Assistant {
            if !matches!(turns.last(), Some(turn) if turn.role == Role::Assistant) {
                turns.push(Turn { role, parts: Vec::new(), raw: content });
            }
            if let Some(turn) = turns.last_mut() {
                raw_parts.drain(..).for_each(|(raw, part)| model_part(raw, part, &mut turn.parts));
            }
        } else {
            let mut turn = Turn { role, parts: Vec::with_capacity(raw_parts.len()), raw: content };
            raw_parts.drain(..).for_each(|(raw, part)| user_part(raw, part, &mut turn.parts));
            turns.push(turn);
        }
    });
    turns.retain(|turn| !turn.parts.is_empty());
}

/// A part before it is known who said it.
#[derive(Default)]
struct Raw<'a> {
    text: Option<Inside<'a>>,
    thought: bool,
    signature: Option<Inside<'a>>,
    call: Option<Call<'a>>,
    output: Option<Output<'a>>,
    media: Option<Media<'a>>,
    /// Code that Google ran, and what it printed.
    code: Option<Json<'a>>,
    printed: Option<Json<'a>>,
    own: bool,
}

/// The part that the walk stands before, and all of it. What lies in a result has no result of its own.
fn raw_part<'a>(walk: &mut Cursor<'a>, losses: &mut Losses<'a>, in_result: bool) -> (Raw<'a>, Json<'a>) {
    let mut raw = Raw::default();
    let mut detail = None;
    let part = walk.members(|key, walk| {
        match key {
            b"functionCall" | b"function_call" if walk.first() == Some(b'{') => {
                raw.call = Some(call(walk, losses));
                return;
            }
            b"functionResponse" | b"function_response" if walk.first() == Some(b'{') && !in_result => {
                raw.output = Some(output(walk, losses));
                return;
            }
            _ => {}
        }
        let value = walk.value();
        match key {
            _ if value == b"null" => {}
            b"text" => raw.text = inside(value),
            b"thought" => raw.thought = value == b"true",
            b"thoughtSignature" | b"thought_signature" => {
                raw.signature = inside(value).filter(|it| !it.is_empty() && it.as_ref() != NO_SIGNATURE);
            }
            b"inlineData" | b"inline_data" | b"fileData" | b"file_data" => raw.media = media(value),
            b"videoMetadata" | b"video_metadata" | b"mediaResolution" | b"media_resolution" => match detail {
                None => detail = Some(value),
                Some(_) => losses.dropped(value),
            },
            // The Python SDK sends back what it was told; it says nothing to the model.
            b"partMetadata" | b"part_metadata" => {}
            b"executableCode" | b"executable_code" => raw.code = Some(value),
            b"codeExecutionResult" | b"code_execution_result" => raw.printed = Some(value),
            _ => raw.own = true,
        }
    });
    match (&mut raw.media, detail) {
        (Some(media), _) => media.detail = detail,
        (None, detail) => losses.dropped_if(detail),
    }
    (raw, part)
}

fn model_part<'a>(raw: Raw<'a>, part: Json<'a>, parts: &mut Vec<Part<'a>>) {
    let signature = raw.signature.map(|value| State { kind: StateKind::Thought, value, id: None });
    if let Some(mut call) = raw.call {
        match signature {
            Some(state) if is_wrapped(&state) => put_states(state, part, parts),
            state => call.state = state,
        }
        parts.push(Part { what: What::Call(call), cache: None, raw: part });
        return;
    }
    if let Some(text) = raw.text {
        if raw.thought {
            thought(text, part, parts);
        } else {
            said_text(text, part, parts);
        }
        match signature {
            Some(state) if is_wrapped(&state) => put_states(state, part, parts),
            Some(state) => {
                let reasoning = Reasoning { text: Vec::new(), state: Some(state) };
                parts.push(Part { what: What::Reasoning(reasoning), cache: None, raw: part });
            }
            None => {}
        }
        return;
    }
    if let Some(run) = raw.code.and_then(run::generate_content::begun) {
        parts.push(Part { what: What::Ran(run), cache: None, raw: part });
        return;
    }
    if let (Some(printed), Some(Part { what: What::Ran(run), .. })) = (raw.printed, parts.last_mut())
        && run.result.is_none()
    {
        run::generate_content::ended(run, printed);
        run.result = Some(part);
        return;
    }
    let own = raw.own || raw.code.is_some() || raw.printed.is_some();
    match raw.media {
        Some(media) if !raw.thought => parts.push(Part { what: kind_of(media), cache: None, raw: part }),
        _ if own || raw.media.is_some() || raw.output.is_some() => {
            parts.push(Part { what: What::Own, cache: None, raw: part });
        }
        _ => {}
    }
}

/// Words of the model: they go on where the last ones ended, as chunks of one text.
fn said_text<'a>(text: Inside<'a>, part: Json<'a>, parts: &mut Vec<Part<'a>>) {
    match parts.last_mut() {
        Some(Part { what: What::Text(before), .. }) => before.to_mut().extend_from_slice(&text),
        _ if text.is_empty() => {}
        _ => parts.push(Part { what: What::Text(text), cache: None, raw: part }),
    }
}

fn thought<'a>(text: Inside<'a>, part: Json<'a>, parts: &mut Vec<Part<'a>>) {
    match parts.last_mut() {
        Some(Part { what: What::Reasoning(Reasoning { text: before, state: None }), .. }) => match before.last_mut() {
            Some(before) => before.to_mut().extend_from_slice(&text),
            None => before.push(text),
        },
        _ if text.is_empty() => {}
        _ => {
            let reasoning = Reasoning { text: vec![text], state: None };
            parts.push(Part { what: What::Reasoning(reasoning), cache: None, raw: part });
        }
    }
}

fn is_wrapped(state: &State<'_>) -> bool {
    state.value.starts_with(WRAPPED)
}

/// What the gateway wrapped is the state of another vendor's reasoning, which stood before the words of this step. A client
/// may have echoed its visible part or not.
fn put_states<'a>(state: State<'a>, part: Json<'a>, parts: &mut Vec<Part<'a>>) {
    let step = parts
        .iter()
        .rposition(|part| match &part.what {
            What::Text(_) => false,
            What::Reasoning(reasoning) => reasoning.state.is_some(),
            _ => true,
        })
        .map_or(0, |last| last + 1);
    let echoed = parts.iter_mut().skip(step).rev().find_map(|part| match &mut part.what {
        What::Reasoning(reasoning) => Some(reasoning),
        _ => None,
    });
    match echoed {
        Some(reasoning) => reasoning.state = Some(state),
        None => {
            let reasoning = Reasoning { text: Vec::new(), state: Some(state) };
            parts.insert(step, Part { what: What::Reasoning(reasoning), cache: None, raw: part });
        }
    }
}

fn call<'a>(walk: &mut Cursor<'a>, losses: &mut Losses<'a>) -> Call<'a> {
    let mut call =
        Call { id: None, name: Cow::Borrowed(b""), namespace: None, arguments: Arguments::Object(b"{}"), state: None };
    walk.members(|key, walk| {
        let value = walk.value();
        match key {
            _ if value == b"null" => {}
            b"id" => call.id = inside(value).filter(|id| !id.is_empty()),
            b"name" => call.name = inside(value).unwrap_or_default(),
            b"args" if value.starts_with(b"{") => call.arguments = Arguments::Object(value),
            b"args" if value.starts_with(b"\"") => {
                call.arguments = Arguments::Text(inside(value).unwrap_or_default());
            }
            b"willContinue" | b"will_continue" if value == b"false" => {}
            _ => losses.dropped(value),
        }
    });
    call
}

fn user_part<'a>(raw: Raw<'a>, part: Json<'a>, parts: &mut Vec<Part<'a>>) {
    let what = if let Some(output) = raw.output {
        What::Output(output)
    } else if let Some(media) = raw.media {
        let media = Part { what: kind_of(media), cache: None, raw: part };
        // An image that follows a result is a part of it: Gemini CLI sends those of its tools so.
        if let Some(Part { what: What::Output(output), .. }) = parts.last_mut() {
            return add_media(output, media);
        }
        media.what
    } else if let Some(text) = raw.text {
        match raw.thought || text.is_empty() {
            true => return,
            false => What::Text(text),
        }
    } else if raw.own || raw.call.is_some() || raw.code.is_some() || raw.printed.is_some() {
        What::Own
    } else {
        return;
    };
    parts.push(Part { what, cache: None, raw: part });
}

/// What a tool answered: `response` is an object by rule, of which the names are each client's own.
fn output<'a>(walk: &mut Cursor<'a>, losses: &mut Losses<'a>) -> Output<'a> {
    let (mut id, mut name, mut response, mut media) = (None, None, None, None);
    walk.members(|key, walk| {
        if key == b"response" {
            response = Some(Response::of(walk));
            return;
        }
        let value = walk.value();
        match key {
            _ if value == b"null" => {}
            b"id" => id = inside(value).filter(|id| !id.is_empty()),
            b"name" => name = inside(value).filter(|name| !name.is_empty()),
            b"parts" => media = Some(value),
            b"willContinue" | b"will_continue" if value == b"false" => {}
            b"scheduling" => {}
            _ => losses.dropped(value),
        }
    });
    let (content, failed) = response.map_or((OutputContent::Parts(Vec::new()), false), |it| it.content(&name));
    let mut output = Output { id, name, content, failed, custom: false };
    each_of(&mut Cursor::new(media.unwrap_or(b"[]")), |walk| {
        let (raw, part) = raw_part(walk, losses, true);
        match raw.media {
            Some(media) => add_media(&mut output, Part { what: kind_of(media), cache: None, raw: part }),
            None if part.starts_with(b"{") => losses.dropped(part),
            None => {}
        }
    });
    output
}

fn add_media<'a>(output: &mut Output<'a>, media: Part<'a>) {
    if let OutputContent::Object(object) = output.content {
        let mut text = Vec::new();
        escape(&String::from_utf8_lossy(object), &mut text);
        let text = Part { what: What::Text(Cow::Owned(text)), cache: None, raw: object };
        output.content = OutputContent::Parts(vec![text]);
    }
    if let OutputContent::Parts(parts) = &mut output.content {
        parts.push(media);
    }
}

/// `inlineData` or `fileData`.
fn media(value: Json<'_>) -> Option<Media<'_>> {
    let (mut source, mut mime, mut name) = (None, None, None);
    for (key, value) in said(value) {
        match key {
            b"data" => source = inside(value).map(|data| Source::Base64(usual_base64(data))),
            b"fileUri" | b"file_uri" => source = inside(value).map(file),
            b"mimeType" | b"mime_type" => mime = inside(value),
            b"displayName" | b"display_name" => name = inside(value),
            _ => {}
        }
    }
    let source = source?;
    let mime = mime.filter(|mime| !mime.is_empty());
    let by_name = || if let Source::Url(url) = &source { mime_of(url) } else { None };
    let mime = mime.or_else(|| by_name().map(|mime| Cow::Borrowed(mime.as_bytes()))).unwrap_or_default();
    Some(Media { source, mime, name, detail: None })
}

/// Google takes either alphabet, and its Python SDK writes the one that is safe in URLs; nobody else reads it.
fn usual_base64(data: Inside<'_>) -> Inside<'_> {
    if memchr::memchr2(b'-', b'_', &data).is_none() {
        return data;
    }
    let usual = |byte: &u8| match byte {
        b'-' => b'+',
        b'_' => b'/',
        other => *other,
    };
    Cow::Owned(data.iter().map(usual).collect())
}

/// A file at Google is no other vendor's; anything else on the web is a URL.
fn file(uri: Inside<'_>) -> Source<'_> {
    let own: [&[u8]; 4] =
        [b"gs://", b"https://generativelanguage.googleapis.com/", b"files/", b"https://storage.mtls."];
    if own.iter().any(|own| uri.starts_with(own)) { Source::Id(uri) } else { Source::Url(uri) }
}

/// What a media type makes of it.
fn kind_of(media: Media<'_>) -> What<'_> {
    let film = || matches!(&media.source, Source::Url(url) if is_film(url));
    match media.mime.split(|byte| *byte == b'/').next() {
        Some(b"image") => What::Image(media),
        Some(b"audio") => What::Audio(media),
        Some(b"video") => What::Video(media),
        Some(b"") if film() => What::Video(media),
        _ => What::File(media),
    }
}

/// Google takes a film of YouTube without a media type.
fn is_film(url: &[u8]) -> bool {
    let heads: [&[u8]; 4] =
        [b"https://www.youtube.com/", b"https://youtube.com/", b"https://youtu.be/", b"https://m.youtube.com/"];
    heads.iter().any(|head| url.starts_with(head))
}
