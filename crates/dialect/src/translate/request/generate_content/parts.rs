//! Writes what parts consist of: words, arguments, media.

use std::borrow::Cow;

use crate::translate::lost::Losses;
use crate::translate::media::mime_of;
use crate::translate::request::{Arguments, Media, Part, Source, What};
use crate::translate::writer::{Inside, Writer, unescaped};

pub(super) fn text_part(text: &[u8], to: &mut Writer) {
    to.open(b'{');
    to.inside_member("text", text);
    to.close(b'}');
}

/// The words of a result, one line for each part.
pub(super) fn words<'r, 'a>(parts: &'r [Part<'a>], losses: &mut Losses<'a>) -> Inside<'r> {
    let mut words = Inside::Borrowed(&b""[..]);
    for part in parts {
        let text = match &part.what {
            What::Text(text) | What::Refusal(text) => Cow::Borrowed(text.as_ref()),
            What::File(Media { source: Source::Text(text), name, .. }) => titled(text, name.as_deref()),
            What::Image(_) | What::File(_) | What::Audio(_) | What::Video(_) => continue,
            _ => {
                losses.part(part);
                continue;
            }
        };
        if words.is_empty() {
            words = text;
        } else {
            let words = words.to_mut();
            words.extend_from_slice(b"\\n");
            words.extend_from_slice(&text);
        }
    }
    words
}

/// A document that is no file: its title, and its text.
fn titled<'r>(text: &'r [u8], title: Option<&[u8]>) -> Inside<'r> {
    match title {
        Some(title) if !title.is_empty() => Cow::Owned([title, b"\\n\\n", text].concat()),
        _ => Cow::Borrowed(text),
    }
}

/// An object, whatever the model wrote.
pub(super) fn arguments<'a>(arguments: &Arguments<'a>, part: &Part<'a>, to: &mut Writer, losses: &mut Losses<'a>) {
    let member = |name, inside: &[u8], to: &mut Writer| {
        to.open(b'{');
        to.inside_member(name, inside);
        to.close(b'}');
    };
    match arguments {
        Arguments::Object(object) if object.starts_with(b"{") => to.raw(object),
        Arguments::Object(_) => to.raw(b"{}"),
        Arguments::Free(text) => member("input", text, to),
        Arguments::Text(text) => match object_of(text) {
            Some(object) => to.raw(object.as_bytes()),
            None => {
                losses.approximated(part.raw);
                member("_raw", text, to);
            }
        },
    }
}

/// The object that a string's inside is the text of; `{}` for no text.
pub(crate) fn object_of(inside: &[u8]) -> Option<Cow<'_, str>> {
    let text = unescaped(inside)?;
    let trimmed = text.trim();
    if trimmed.is_empty() {
        return Some(Cow::Borrowed("{}"));
    }
    let is_object = trimmed.starts_with('{') && serde_json::from_str::<&serde_json::value::RawValue>(trimmed).is_ok();
    is_object.then_some(text)
}

/// A part of bytes or of a URL; the words of a document that is no file.
pub(super) fn media_part<'a>(media: &Media<'a>, part: &Part<'a>, to: &mut Writer, losses: &mut Losses<'a>) {
    let (place, name, value) = match &media.source {
        Source::Base64(data) => ("inlineData", "data", data),
        Source::Url(url) => ("fileData", "fileUri", url),
        Source::Text(text) if text.is_empty() => return,
        Source::Text(text) => return text_part(&titled(text, media.name.as_deref()), to),
        Source::Id(_) => return losses.part(part),
    };
    let Some(mime) = mime(media) else { return losses.part(part) };
    if media.detail.is_some_and(|detail| detail != b"\"auto\"") {
        losses.dropped_if(media.detail);
    }
    to.open(b'{');
    to.key(place);
    to.open(b'{');
    to.inside_member("mimeType", mime);
    to.inside_member(name, value);
    to.close(b'}');
    to.close(b'}');
}

/// The media type: as it was said, else by the bytes or by the end of the URL or of the name.
fn mime<'m>(media: &'m Media<'_>) -> Option<&'m [u8]> {
    if !media.mime.is_empty() {
        return Some(&media.mime);
    }
    let by_name = || media.name.as_deref().and_then(mime_of);
    let found = match &media.source {
        Source::Base64(data) => by_bytes(data).or_else(by_name),
        Source::Url(url) => mime_of(url).or_else(by_name),
        Source::Id(_) | Source::Text(_) => None,
    };
    found.map(str::as_bytes)
}

/// By how the base64 of a file of that kind begins.
fn by_bytes(data: &[u8]) -> Option<&'static str> {
    let heads: [(&[u8], &str); 5] = [
        (b"iVBORw0KGgo", "image/png"),
        (b"/9j/", "image/jpeg"),
        (b"R0lGOD", "image/gif"),
        (b"UklGR", "image/webp"),
        (b"JVBERi", "application/pdf"),
    ];
    heads.iter().find(|(head, _)| data.starts_with(head)).map(|(_, mime)| *mime)
}
