//! The two fields of a multipart body that matter here: `model`, which routes, and `stream`.
//!
//! The rest of the form goes up as it came; only the bytes of the model's name are ever replaced. (A streaming parser
//! would not do: the model's place in the bytes is what is wanted.)

use std::ops::Range;

use bytes::Bytes;
use memchr::memmem;

use crate::error::Error;

/// What was found in a form.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Form {
    /// The model's address as the client wrote it.
    pub model: String,
    /// Where it stands in the body.
    pub at: Range<usize>,
    /// Whether a field `stream` says `true`.
    pub streaming: bool,
}

/// Looks through a form of at most `MAX_PARTS` parts.
pub(super) fn read(content_type: &str, body: &Bytes) -> Result<Form, Error> {
    let malformed = |problem: &str| Error::Multipart(problem.to_owned());
    let delimiter =
        format!("--{}", boundary(content_type).ok_or_else(|| malformed("its content type names no boundary"))?);
    let finder = memmem::Finder::new(&delimiter);
    let mut model = None;
    let mut streaming = false;
    let mut at = finder.find(body).ok_or_else(|| malformed("the boundary does not occur in it"))?;
    loop {
        at += delimiter.len();
        if body[at..].starts_with(b"--") {
            break;
        }
        let head_end =
            memmem::find(&body[at..], b"\r\n\r\n").ok_or_else(|| malformed("a part has no end of its head"))? + at;
        let start = head_end + 4;
        let next = finder.find(&body[start..]).ok_or_else(|| malformed("the last boundary is missing"))? + start;
        let end = if body[start..next].ends_with(b"\r\n") { next - 2 } else { next };
        match field_name(&body[at..head_end]).as_deref() {
            Some("model") if model.is_some() => return Err(malformed("it has two `model` fields")),
            Some("model") => {
                let text = std::str::from_utf8(&body[start..end]).map_err(|_| malformed("`model` is not UTF-8"))?;
                model = Some((text.to_owned(), start..end));
            }
            Some("stream") => streaming = &body[start..end] == b"true",
            _ => {}
        }
        at = next;
    }
    let (model, at) = model.filter(|(model, _)| !model.is_empty()).ok_or(Error::NoModel)?;
    Ok(Form { model, at, streaming })
}

/// RFC 2046: the boundary may be quoted.
fn boundary(content_type: &str) -> Option<&str> {
    content_type.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        let value = value.trim();
        let value = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value);
        (name.trim().eq_ignore_ascii_case("boundary") && !value.is_empty() && value.len() <= 70).then_some(value)
    })
}

/// The `name` of a part's `content-disposition`.
fn field_name(head: &[u8]) -> Option<String> {
    let head = std::str::from_utf8(head).ok()?;
    let disposition = head.split("\r\n").find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.trim().eq_ignore_ascii_case("content-disposition").then_some(value)
    })?;
    disposition.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("name").then(|| value.trim().trim_matches('"').to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TYPE: &str = "multipart/form-data; boundary=\"xyz\"";

    fn form(fields: &[(&str, &str)]) -> Bytes {
        let mut body = String::new();
        for (name, value) in fields {
            body += &format!("--xyz\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
        }
        (body + "--xyz--\r\n").into()
    }

    #[test]
    fn the_model_is_found_wherever_it_stands() {
        let body = form(&[("file", "model\r\n\r\nnot me"), ("model", "openai:whisper-1"), ("stream", "true")]);
        let found = read(TYPE, &body).unwrap();
        assert_eq!(found.model, "openai:whisper-1");
        assert_eq!(&body[found.at.clone()], b"openai:whisper-1");
        assert!(found.streaming);
    }

    #[test]
    fn a_form_without_model_or_with_two_is_refused() {
        assert!(matches!(read(TYPE, &form(&[("file", "x")])), Err(Error::NoModel)));
        let error = read(TYPE, &form(&[("model", "a"), ("model", "b")])).unwrap_err().to_string();
        assert!(error.contains("two `model` fields"), "{error}");
    }

    #[test]
    fn a_form_that_is_cut_off_is_refused_and_never_panics() {
        let body = form(&[("model", "a"), ("file", "0123456789")]);
        for length in 0..body.len() - 4 {
            assert!(read(TYPE, &body.slice(..length)).is_err(), "{length}");
        }
        assert!(read("multipart/form-data", &body).is_err());
    }
}
