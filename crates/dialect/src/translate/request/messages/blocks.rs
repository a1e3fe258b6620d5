//! Reads content blocks of Messages into parts of the view. A block of which the view knows nothing stays as it is, for
//! the writer to report.

use super::super::{
    Arguments, Call, Json, Media, Output, OutputContent, Part, Reasoning, Source, State, StateKind, What,
};
use super::read::string;
use crate::json::{self, Cursor};
use crate::translate::lost::Losses;
use crate::translate::media::data_url;
use crate::translate::run::messages as run;
use crate::translate::writer::{Inside, escaped};

/// The members of a block, of whatever type it is.
#[derive(Default)]
struct Block<'a> {
    kind: &'a [u8],
    text: Option<Json<'a>>,
    source: Option<Json<'a>>,
    content: Option<Json<'a>>,
    title: Option<Json<'a>>,
    context: Option<Json<'a>>,
    citations: Option<Json<'a>>,
    cache: Option<Json<'a>>,
    thinking: Option<Json<'a>>,
    signature: Option<Json<'a>>,
    data: Option<Json<'a>>,
    id: Option<Json<'a>>,
    name: Option<Json<'a>>,
    input: Option<Json<'a>>,
    failed: bool,
    /// Members that no type of the view has.
    others: Vec<Json<'a>>,
}

impl<'a> Block<'a> {
    /// The block that the walk stands before, and all of it.
    fn of(walk: &mut Cursor<'a>) -> (Self, Json<'a>) {
        let mut read = Self::default();
        let raw = walk.members(|key, walk| {
            let value = walk.value();
            if value == b"null" {
                return;
            }
            let place = match key {
                b"type" => {
                    read.kind = value;
                    return;
                }
                b"is_error" => {
                    read.failed = value == b"true";
                    return;
                }
                b"text" => &mut read.text,
                b"source" => &mut read.source,
                b"content" => &mut read.content,
                b"title" => &mut read.title,
                b"context" => &mut read.context,
                b"citations" => &mut read.citations,
                b"cache_control" => &mut read.cache,
                b"thinking" => &mut read.thinking,
                b"signature" => &mut read.signature,
                b"data" => &mut read.data,
                b"id" | b"tool_use_id" => &mut read.id,
                b"name" | b"tool_name" => &mut read.name,
                b"input" => &mut read.input,
                // The model itself called, not code of its own.
                b"caller" if json::get(value, "type") == Some(b"\"direct\"") => return,
                _ => {
                    if !json::is_blank(value) {
                        read.others.push(value);
                    }
                    return;
                }
            };
            *place = Some(value);
        });
        (read, raw)
    }
}

/// Reads a block of a message.
pub(super) fn read<'a>(walk: &mut Cursor<'a>, parts: &mut Vec<Part<'a>>, losses: &mut Losses<'a>) {
    read_block(walk, parts, losses, false);
}

fn read_block<'a>(walk: &mut Cursor<'a>, parts: &mut Vec<Part<'a>>, losses: &mut Losses<'a>, in_result: bool) {
    let (block, raw) = Block::of(walk);
    let cache = block.cache;
    if !in_result && read_run(&block, raw, parts) {
        return;
    }
    let what = match block.kind {
        b"\"tool_result\"" if in_result => None,
        b"\"tool_result\"" => Some(What::Output(Output {
            id: block.id.and_then(string),
            name: None,
            content: OutputContent::Parts(read_result(block.content, losses)),
            failed: block.failed,
            custom: false,
        })),
        b"\"document\"" => {
            losses.dropped_if(block.context);
            losses.dropped_if(block.citations.filter(|citations| json::get(citations, "enabled") == Some(b"true")));
            read_document(&block, raw, parts)
        }
        b"\"search_result\"" => {
            losses.dropped_if(block.source);
            losses.dropped_if(block.citations.filter(|citations| json::get(citations, "enabled") == Some(b"true")));
            let media = |source| media(source, Inside::default(), block.title.and_then(string));
            Some(What::File(media(Source::Text(texts(block.content.unwrap_or_default())))))
        }
        b"\"tool_reference\"" => block.name.and_then(string).map(|name| {
            losses.approximated(raw);
            What::Text(Inside::Owned([b"Loaded tool: ", &name[..]].concat()))
        }),
        b"\"compaction\"" => block.content.and_then(string).map(|summary| {
            losses.approximated(raw);
            What::Text(summary)
        }),
        _ => read_simple(&block),
    };
    let Some(what) = what else {
        parts.push(Part { what: What::Own, cache, raw });
        return;
    };
    if matches!(what, What::Text(_)) {
        losses.dropped_if(block.citations.filter(|citations| !json::is_blank(citations)));
    }
    block.others.into_iter().for_each(|other| losses.dropped(other));
    parts.push(Part { what, cache, raw });
}

/// A block of a server tool: with its result it is something that was run, without it nothing that others could read.
/// Whether it was one that is told.
fn read_run<'a>(block: &Block<'a>, raw: Json<'a>, parts: &mut [Part<'a>]) -> bool {
    let kind = json::inside(block.kind).unwrap_or_default();
    if !run::is_result(kind) {
        return false;
    }
    let Some(id) = block.id.and_then(json::inside) else { return false };
    let begun =
        parts.iter_mut().rev().find(|part| matches!(part.what, What::Own) && member(part.raw, "id") == Some(id));
    let Some(part) = begun.filter(|part| member(part.raw, "type") == Some(b"server_tool_use")) else { return false };
    let input = json::get(part.raw, "input").unwrap_or(b"{}");
    let Some(mut ran) = run::begun(Some(id), member(part.raw, "name").unwrap_or_default(), input) else { return false };
    run::ended(&mut ran, block.content.unwrap_or_default());
    ran.result = Some(raw);
    part.what = What::Ran(ran);
    true
}

fn member<'a>(block: Json<'a>, name: &str) -> Option<&'a [u8]> {
    json::get(block, name).and_then(json::inside)
}

/// Blocks that are one part and lose nothing.
fn read_simple<'a>(block: &Block<'a>) -> Option<What<'a>> {
    Some(match block.kind {
        b"\"text\"" => What::Text(block.text.and_then(string)?),
        b"\"image\"" => {
            let (source, mime) = read_source(block.source?)?;
            What::Image(media(source, mime, None))
        }
        b"\"thinking\"" => What::Reasoning(Reasoning {
            text: block.thinking.and_then(string).filter(|text| !text.is_empty()).into_iter().collect(),
            state: state(StateKind::Signature, block.signature),
        }),
        b"\"redacted_thinking\"" => {
            What::Reasoning(Reasoning { text: Vec::new(), state: state(StateKind::Redacted, block.data) })
        }
        b"\"tool_use\"" => What::Call(Call {
            id: block.id.and_then(string),
            name: block.name.and_then(string)?,
            namespace: None,
            arguments: match block.input {
                Some(input) if input.starts_with(b"{") => Arguments::Object(input),
                Some(input) => string(input).map_or(Arguments::Object(b"{}"), Arguments::Text),
                None => Arguments::Object(b"{}"),
            },
            state: None,
        }),
        _ => return None,
    })
}

fn state<'a>(kind: StateKind, value: Option<Json<'a>>) -> Option<State<'a>> {
    let value = value.and_then(string).filter(|value| !value.is_empty())?;
    Some(State { kind, value, id: None })
}

/// What a tool answered: a text, blocks, or, against the dialect, any other JSON, which then is its own text.
fn read_result<'a>(content: Option<Json<'a>>, losses: &mut Losses<'a>) -> Vec<Part<'a>> {
    let Some(content) = content else { return Vec::new() };
    if content.starts_with(b"[") {
        let mut parts = Vec::new();
        Cursor::new(content).items(|walk| read_block(walk, &mut parts, losses, true));
        return parts;
    }
    let text = string(content).unwrap_or_else(|| Inside::Owned(escaped(&String::from_utf8_lossy(content))));
    vec![Part { what: What::Text(text), cache: None, raw: content }]
}

/// A document. One of several blocks becomes a text for each run of texts, with its images between them; the last of
/// them is returned, so that a cache marker stays behind all.
fn read_document<'a>(block: &Block<'a>, raw: Json<'a>, parts: &mut Vec<Part<'a>>) -> Option<What<'a>> {
    let source = block.source?;
    let title = || block.title.and_then(string);
    if json::get(source, "type") != Some(b"\"content\"") {
        let (source, mime) = read_source(source)?;
        return Some(What::File(media(source, mime, title())));
    }
    let content = json::get(source, "content")?;
    let has_images = json::items(content).any(|item| json::get(item, "type") == Some(b"\"image\""));
    if !has_images {
        return Some(What::File(media(Source::Text(texts(content)), Inside::default(), title())));
    }
    let mut last = None;
    for item in json::items(content) {
        let (item, _) = Block::of(&mut Cursor::new(item));
        let what = match item.kind {
            b"\"text\"" => {
                item.text.and_then(string).map(|text| What::File(media(Source::Text(text), Inside::default(), title())))
            }
            _ => read_simple(&item),
        };
        if let Some(before) = what.and_then(|what| last.replace(what)) {
            parts.push(Part { what: before, cache: None, raw });
        }
    }
    last
}

/// The text of a string or of all text blocks, by lines.
fn texts(content: Json<'_>) -> Inside<'_> {
    if let Some(text) = string(content) {
        return text;
    }
    let mut all = json::items(content).filter_map(|block| json::get(block, "text").and_then(string));
    let Some(first) = all.next() else { return Inside::default() };
    all.fold(first, |before, next| Inside::Owned([&before[..], br"\n", &next[..]].concat()))
}

fn media<'a>(source: Source<'a>, mime: Inside<'a>, name: Option<Inside<'a>>) -> Media<'a> {
    Media { source, mime, name, detail: None }
}

/// Where the bytes of an image or a document are, and their type.
fn read_source(source: Json<'_>) -> Option<(Source<'_>, Inside<'_>)> {
    let (mut kind, mut mime) = (&b""[..], Inside::default());
    let (mut data, mut url, mut id) = (None, None, None);
    for (key, value) in json::members(source) {
        match key {
            b"type" => kind = value,
            b"media_type" => mime = string(value).unwrap_or_default(),
            b"data" => data = string(value),
            b"url" => url = json::inside(value),
            b"file_id" => id = string(value),
            _ => {}
        }
    }
    Some(match kind {
        b"\"base64\"" => (Source::Base64(data?), mime),
        b"\"text\"" => (Source::Text(data?), mime),
        b"\"url\"" => match data_url(url?) {
            Some((mime, data)) => (Source::Base64(data), mime),
            None => (Source::Url(Inside::Borrowed(url?)), mime),
        },
        b"\"file\"" => (Source::Id(id?), mime),
        _ => return None,
    })
}
