//! Writes one part of a message of Chat Completions, and knows which there are. `turns` calls it.

use crate::translate::Facts;
use crate::translate::request::responses::breakpoint;
use crate::translate::request::{Media, Part, Source, What};
use crate::translate::writer::{Inside, Writer};

/// Writes a part of a message that can have it.
pub(super) fn write(part: &Part<'_>, facts: &Facts, out: &mut Writer) {
    out.open(b'{');
    match &part.what {
        What::Refusal(refusal) => {
            out.text_member("type", "refusal");
            out.inside_member("refusal", refusal);
        }
        What::Image(media) => {
            out.text_member("type", "image_url");
            out.key("image_url");
            out.open(b'{');
            match &media.source {
                Source::Base64(data) => data_url("url", &media.mime, data, out),
                Source::Url(url) | Source::Id(url) | Source::Text(url) => out.inside_member("url", url),
            }
            out.optional("detail", media.detail.and_then(detail_of));
            out.close(b'}');
        }
        What::File(Media { source: Source::Base64(data), mime, name, .. }) => {
            out.text_member("type", "file");
            out.key("file");
            out.open(b'{');
            out.inside_member("filename", name.as_deref().unwrap_or(name_for(mime)));
            data_url("file_data", mime, data, out);
            out.close(b'}');
        }
        What::Audio(Media { source: Source::Base64(data), mime, .. }) => {
            out.text_member("type", "input_audio");
            out.key("input_audio");
            out.open(b'{');
            out.inside_member("data", data);
            out.text_member("format", sound(mime).unwrap_or("wav"));
            out.close(b'}');
        }
        what => {
            out.text_member("type", "text");
            out.inside_member("text", &text_of(what));
        }
    }
    if let Some(marker) = part.cache.filter(|_| facts.cache_breakpoints) {
        out.member("prompt_cache_breakpoint", breakpoint(marker));
    }
    out.close(b'}');
}

/// Whether a message of the user's can have it.
pub(super) fn is_said_by_user(what: &What<'_>) -> bool {
    match what {
        What::Text(_) => true,
        What::Image(media) => matches!(media.source, Source::Base64(_) | Source::Url(_)),
        What::File(media) => matches!(media.source, Source::Base64(_) | Source::Text(_)),
        What::Audio(media) => matches!(media.source, Source::Base64(_)) && sound(&media.mime).is_some(),
        _ => false,
    }
}

/// Whether it is written as text.
pub(super) fn is_text(what: &What<'_>) -> bool {
    matches!(what, What::Text(_) | What::File(Media { source: Source::Text(_), .. }))
}

/// An image's detail in the words of this dialect, the nearest if it has no such word; none of another dialect's values.
pub(super) fn detail_of(value: &[u8]) -> Option<&[u8]> {
    match value {
        b"\"low\"" | b"\"high\"" | b"\"auto\"" => Some(value),
        // Of Responses.
        b"\"original\"" => Some(b"\"high\""),
        _ => None,
    }
}

/// The text of a part that is written as text: a document that is no file is told with its title.
pub(super) fn text_of<'a>(what: &'a What<'_>) -> Inside<'a> {
    match what {
        What::Text(text) => Inside::Borrowed(text),
        What::File(Media { source: Source::Text(text), name, .. }) => match name {
            Some(name) if !name.is_empty() => Inside::Owned([name, &b"\\n\\n"[..], text].concat()),
            _ => Inside::Borrowed(text),
        },
        _ => Inside::default(),
    }
}

/// A member with a data URL.
fn data_url(name: &str, mime: &[u8], data: &[u8], out: &mut Writer) {
    let mime = if mime.is_empty() { b"application/octet-stream" } else { mime };
    out.key(name);
    for piece in [&b"\"data:"[..], mime, b";base64,", data, b"\""] {
        out.frame(piece);
    }
}

/// A file has to have a name.
fn name_for(mime: &[u8]) -> &'static [u8] {
    match mime {
        b"application/pdf" => b"document.pdf",
        b"text/plain" => b"document.txt",
        b"text/markdown" => b"document.md",
        b"text/csv" => b"document.csv",
        b"text/html" => b"document.html",
        b"application/json" => b"document.json",
        _ => b"document",
    }
}

fn sound(mime: &[u8]) -> Option<&'static str> {
    match mime {
        b"audio/wav" | b"audio/x-wav" | b"audio/wave" => Some("wav"),
        b"audio/mp3" | b"audio/mpeg" => Some("mp3"),
        _ => None,
    }
}
