//! Writes what the model reads: the parts of messages, and what tools gave, which may be a string or a list of them.

use std::borrow::Cow;

use crate::json;
use crate::translate::lost::Losses;
use crate::translate::request::{Json, Media, Output, OutputContent, Part, Source, What};
use crate::translate::writer::{Inside, Writer};

/// How results are written.
#[derive(Clone, Copy)]
pub(super) struct Form {
    /// Parts may end a prompt cache. Then a result is a list in any case: its form must not change when a marker moves
    /// on, or the cache would not be hit.
    pub(super) cache: bool,
}

impl Form {
    /// Whether a message or a result can hold it.
    pub(super) fn can_say(what: &What<'_>) -> bool {
        match what {
            What::Text(_) | What::Refusal(_) => true,
            What::Image(media) | What::File(media) => !matches!(media.source, Source::Id(_)),
            _ => false,
        }
    }
}

/// Writes a part of which `can_say` is true.
pub(super) fn write_media<'a>(part: &Part<'a>, marker: Option<Json<'a>>, json: &mut Writer, losses: &mut Losses<'a>) {
    json.open(b'{');
    match &part.what {
        What::Image(media) => image(media, json, losses),
        What::File(media) => file(media, json, losses),
        What::Text(text) | What::Refusal(text) => {
            json.text_member("type", "input_text");
            json.inside_member("text", text);
        }
        _ => {}
    }
    if let Some(marker) = marker {
        json.member("prompt_cache_breakpoint", breakpoint(marker));
    }
    json.close(b'}');
}

/// The nearest of the two times that OpenAI has: 30 minutes for the usual five, 12 hours for one.
pub(crate) fn breakpoint(marker: Json<'_>) -> &[u8] {
    if json::get(marker, "mode").is_some() {
        return marker;
    }
    match json::get(marker, "ttl") {
        Some(b"\"1h\"") => br#"{"mode":"explicit","ttl":"12h"}"#,
        _ => br#"{"mode":"explicit","ttl":"30m"}"#,
    }
}

fn image<'a>(media: &Media<'a>, json: &mut Writer, losses: &mut Losses<'a>) {
    json.text_member("type", "input_image");
    match &media.source {
        Source::Base64(data) => {
            json.key("image_url");
            data_url(&media.mime, b"image/png", data, json);
        }
        Source::Url(url) | Source::Id(url) | Source::Text(url) => json.inside_member("image_url", url),
    }
    match media.detail {
        Some(detail @ (b"\"low\"" | b"\"high\"" | b"\"original\"")) => json.member("detail", detail),
        detail => {
            losses.dropped_if(detail.filter(|detail| *detail != b"\"auto\""));
            json.text_member("detail", "auto");
        }
    }
}

fn file<'a>(media: &Media<'a>, json: &mut Writer, losses: &mut Losses<'a>) {
    match &media.source {
        Source::Text(text) => {
            let title = media.name.as_ref().map(|name| [name, &br"\n\n"[..]].concat()).unwrap_or_default();
            json.text_member("type", "input_text");
            json.inside_member("text", &[&title, &text[..]].concat());
            return losses.dropped_if(media.detail);
        }
        Source::Base64(data) => {
            json.text_member("type", "input_file");
            json.inside_member("filename", &filename(media));
            json.key("file_data");
            data_url(&media.mime, b"application/pdf", data, json);
        }
        // A URL has its own name, and the API takes only one of the two.
        Source::Url(url) | Source::Id(url) => {
            json.text_member("type", "input_file");
            json.inside_member("file_url", url);
        }
    }
    match media.detail {
        Some(detail @ (b"\"low\"" | b"\"high\"")) => json.member("detail", detail),
        detail => losses.dropped_if(detail.filter(|detail| *detail != b"\"auto\"")),
    }
}

/// The file's name, which the API wants of every file; it may be a title without an ending.
fn filename<'m>(media: &'m Media<'_>) -> Cow<'m, [u8]> {
    let ending = match &*media.mime {
        b"application/pdf" | b"" => "pdf",
        b"text/plain" => "txt",
        b"text/markdown" => "md",
        b"text/csv" => "csv",
        b"text/html" => "html",
        b"application/json" => "json",
        _ => "",
    };
    let name = media.name.as_deref().filter(|name| !name.is_empty());
    match name {
        Some(name) => Cow::Borrowed(name),
        None if ending.is_empty() => Cow::Borrowed(b"file"),
        None => Cow::Owned(format!("document.{ending}").into_bytes()),
    }
}

fn data_url(mime: &[u8], default: &[u8], data: &[u8], json: &mut Writer) {
    let mime = if mime.is_empty() { default } else { mime };
    // In one piece, without a copy of the data: a string cannot be written in parts.
    json.raw(b"\"data:");
    json.frame(mime);
    json.frame(b";base64,");
    json.frame(data);
    json.frame(b"\"");
}

/// Writes what a tool gave.
pub(super) fn write_output<'a>(
    output: &Output<'a>,
    part: &Part<'a>,
    form: Form,
    json: &mut Writer,
    losses: &mut Losses<'a>,
) {
    json.open(b'{');
    json.text_member("type", if output.custom { "custom_tool_call_output" } else { "function_call_output" });
    json.inside_member("call_id", output.id.as_deref().unwrap_or_default());
    json.key("output");
    match &output.content {
        OutputContent::Object(object) => json.text(&String::from_utf8_lossy(object)),
        OutputContent::Parts(parts) => match alone(parts) {
            Some(text) if !form.cache => json.inside(text),
            _ => list(parts, form, part.cache, json, losses),
        },
    }
    json.close(b'}');
    if output.failed {
        // There is no flag for it; the words of the result tell it.
        match json::get(part.raw, "is_error") {
            Some(flag) => losses.dropped(flag),
            None => losses.approximated(part.raw),
        }
    }
}

/// The one text that the result consists of; none at all is an empty one.
fn alone<'p>(parts: &'p [Part<'_>]) -> Option<&'p Inside<'p>> {
    const NOTHING: &Inside<'static> = &Cow::Borrowed(b"");
    match parts {
        [] => Some(NOTHING),
        [Part { what: What::Text(text), .. }] => Some(text),
        _ => None,
    }
}

fn list<'a>(parts: &[Part<'a>], form: Form, marker: Option<Json<'a>>, json: &mut Writer, losses: &mut Losses<'a>) {
    if !parts.iter().any(|part| Form::can_say(&part.what)) {
        parts.iter().for_each(|part| losses.part(part));
        return json.text("");
    }
    json.open(b'[');
    for (at, part) in parts.iter().enumerate() {
        if !Form::can_say(&part.what) {
            losses.part(part);
            continue;
        }
        let last = marker.filter(|_| at + 1 == parts.len());
        write_media(part, last.or(part.cache).filter(|_| form.cache), json, losses);
    }
    json.close(b']');
}
