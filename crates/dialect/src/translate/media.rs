//! Data URLs and media types, which Chat Completions and Responses write into one string and Messages and
//! generateContent into two members.

use memchr::memchr;

use super::writer::{Inside, escaped, unescaped};

/// No media type with its parameters is longer.
const LONGEST_HEAD: usize = 256;

/// The media type and the base64 of a data URL; none of any other URL, nor of a data URL that is not base64.
pub(crate) fn data_url<'a>(url: &'a [u8]) -> Option<(Inside<'a>, Inside<'a>)> {
    let head = url.get(..LONGEST_HEAD).unwrap_or(url);
    let (head, data) = url.split_at(memchr(b',', head)?);
    let head = unescaped(head)?;
    let mime = head.strip_prefix("data:")?.strip_suffix(";base64")?;
    let mime = mime.split(';').next().unwrap_or_default();
    let clean = url.get(5..5 + mime.len()).filter(|inside| *inside == mime.as_bytes());
    let mime = clean.map_or_else(|| Inside::Owned(escaped(mime)), Inside::Borrowed);
    Some((mime, Inside::Borrowed(data.get(1..)?)))
}

/// The media type that a name's ending stands for, whether it is a file's name or a URL.
pub(crate) fn mime_of(name: &[u8]) -> Option<&'static str> {
    let name = name.split(|byte| matches!(byte, b'?' | b'#')).next()?;
    let ending = name.rsplit(|byte| *byte == b'.').next()?.to_ascii_lowercase();
    Some(match &*ending {
        b"png" => "image/png",
        b"jpg" | b"jpeg" => "image/jpeg",
        b"gif" => "image/gif",
        b"webp" => "image/webp",
        b"heic" => "image/heic",
        b"heif" => "image/heif",
        b"pdf" => "application/pdf",
        b"txt" => "text/plain",
        b"md" => "text/markdown",
        b"csv" => "text/csv",
        b"html" | b"htm" => "text/html",
        b"json" => "application/json",
        b"wav" => "audio/wav",
        b"mp3" => "audio/mp3",
        b"ogg" => "audio/ogg",
        b"flac" => "audio/flac",
        b"mp4" => "video/mp4",
        b"mov" => "video/mov",
        b"webm" => "video/webm",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_data_url_is_its_type_and_its_base64() {
        let read = |url: &'static str| {
            let (mime, data) = data_url(url.as_bytes())?;
            Some((String::from_utf8(mime.into_owned()).unwrap(), String::from_utf8(data.into_owned()).unwrap()))
        };
        let png = |data: &str| Some(("image/png".to_owned(), data.to_owned()));
        assert_eq!(read("data:image/png;base64,iVB+/="), png("iVB+/="));
        assert_eq!(read("data:image/png;name=a;base64,iVB"), png("iVB"));
        assert_eq!(read(r"data:image\/png;base64,iVB\/"), png(r"iVB\/"));
        assert_eq!(read("data:;base64,"), Some((String::new(), String::new())));
        assert_eq!(read("data:text/plain,hello"), None);
        assert_eq!(read("https://a.example/x,y"), None);
    }

    #[test]
    fn the_ending_tells_the_type() {
        assert_eq!(mime_of(b"https://a.example/x.PDF?v=1.2"), Some("application/pdf"));
        assert_eq!(mime_of(b"README"), None);
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes: Vec<u8>) {
            let _ = data_url(&bytes);
            let _ = mime_of(&bytes);
        }
    }
}
