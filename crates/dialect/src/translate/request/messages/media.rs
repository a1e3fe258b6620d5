//! Writes images and documents of Messages, as far as the dialect has them: four kinds of images, PDFs, texts.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::super::{Media, Source, What};
use crate::translate::writer::{Inside, Writer, escaped, unescaped};

/// What came of writing a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Written {
    /// The dialect has nothing like it.
    Nothing,
    /// A block, which is still open.
    Open,
}

/// What a part would be written as.
enum Shape<'m> {
    Image(&'m str),
    ImageUrl,
    Pdf,
    PdfUrl,
    /// A text, as it stands inside a string.
    Text(Inside<'m>),
}

/// Whether the dialect has anything for that part.
pub(super) fn can_be_shown(what: &What<'_>) -> bool {
    match what {
        What::Image(image) => of_image(image).is_some(),
        What::File(file) => of_file(file).is_some(),
        _ => false,
    }
}

/// Writes an image block, but for its end.
pub(super) fn write_image(image: &Media<'_>, out: &mut Writer) -> Written {
    of_image(image).map_or(Written::Nothing, |shape| write(&shape, image, out))
}

/// Writes a document block, but for its end.
pub(super) fn write_file(file: &Media<'_>, out: &mut Writer) -> Written {
    of_file(file).map_or(Written::Nothing, |shape| write(&shape, file, out))
}

fn of_image<'m>(image: &'m Media<'_>) -> Option<Shape<'m>> {
    match &image.source {
        Source::Base64(data) => image_type(&image.mime, data).map(Shape::Image),
        Source::Url(url) => is_on_the_web(url).then_some(Shape::ImageUrl),
        Source::Id(_) | Source::Text(_) => None,
    }
}

/// The image's type, as it was said or as its first bytes say.
fn image_type(said: &[u8], data: &[u8]) -> Option<&'static str> {
    let by_name = match said {
        b"image/png" => "image/png",
        b"image/jpeg" | b"image/jpg" => "image/jpeg",
        b"image/gif" => "image/gif",
        b"image/webp" => "image/webp",
        b"" | b"image/*" | b"application/octet-stream" => {
            return [
                (&b"iVBORw0K"[..], "image/png"),
                (b"/9j/", "image/jpeg"),
                (b"R0lGOD", "image/gif"),
                (b"UklGR", "image/webp"),
            ]
            .into_iter()
            .find_map(|(head, name)| data.starts_with(head).then_some(name));
        }
        _ => return None,
    };
    Some(by_name)
}

fn of_file<'m>(file: &'m Media<'_>) -> Option<Shape<'m>> {
    let mime = file.mime.split(|byte| *byte == b';').next().unwrap_or_default();
    match &file.source {
        Source::Text(text) => Some(Shape::Text(Inside::Borrowed(text))),
        Source::Id(_) => None,
        Source::Url(url) if !is_on_the_web(url) => None,
        Source::Url(_) if mime.starts_with(b"image/") => Some(Shape::ImageUrl),
        Source::Url(_) => matches!(mime, b"" | b"application/pdf").then_some(Shape::PdfUrl),
        Source::Base64(data) => match mime {
            b"application/pdf" => Some(Shape::Pdf),
            // The first bytes of every PDF.
            _ if data.starts_with(b"JVBERi0") => Some(Shape::Pdf),
            _ if mime.starts_with(b"image/") => image_type(mime, data).map(Shape::Image),
            _ if is_text(mime) => {
                let text = String::from_utf8(STANDARD.decode(unescaped(data)?.as_bytes()).ok()?).ok()?;
                Some(Shape::Text(Inside::Owned(escaped(&text))))
            }
            _ => None,
        },
    }
}

fn is_text(mime: &[u8]) -> bool {
    mime.starts_with(b"text/")
        || mime.ends_with(b"+json")
        || mime.ends_with(b"+xml")
        || matches!(mime, b"application/json" | b"application/xml" | b"application/javascript" | b"application/yaml")
}

fn is_on_the_web(url: &[u8]) -> bool {
    // Slashes may be escaped.
    url.starts_with(b"https:") || url.starts_with(b"http:")
}

fn write(shape: &Shape<'_>, media: &Media<'_>, out: &mut Writer) -> Written {
    let (Source::Base64(bytes) | Source::Url(bytes) | Source::Id(bytes) | Source::Text(bytes)) = &media.source;
    let is_image = matches!(shape, Shape::Image(_) | Shape::ImageUrl);
    out.open(b'{');
    out.text_member("type", if is_image { "image" } else { "document" });
    out.key("source");
    out.open(b'{');
    match shape {
        Shape::Image(mime) => base64(mime, bytes, out),
        Shape::Pdf => base64("application/pdf", bytes, out),
        Shape::ImageUrl | Shape::PdfUrl => {
            out.text_member("type", "url");
            out.inside_member("url", bytes);
        }
        Shape::Text(text) => {
            out.text_member("type", "text");
            out.text_member("media_type", "text/plain");
            out.inside_member("data", text);
        }
    }
    out.close(b'}');
    if let (Some(name), false) = (&media.name, is_image) {
        out.inside_member("title", name);
    }
    Written::Open
}

fn base64(mime: &str, data: &[u8], out: &mut Writer) {
    out.text_member("type", "base64");
    out.text_member("media_type", mime);
    out.inside_member("data", data);
}
