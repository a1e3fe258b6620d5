//! The fields of a multipart body that matter here: `model` or `models`, which route, and `stream`.
//!
//! The rest of the form goes up as it came; only the bytes of the model's name are ever replaced, and a list `models`
//! taken out. (A streaming parser would not do: the model's place in the bytes is what is wanted.)

use std::ops::Range;

use bitrouter_route::{Addresses, requested_models};
use bytes::{Bytes, BytesMut};
use memchr::memmem;

use crate::error::Error;

/// What was found in a form.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Form {
    /// The models' addresses as the client wrote them; none where it names no model, for which there is a place then.
    pub addresses: Option<Addresses>,
    /// The form without the list.
    pub bytes: Bytes,
    /// Where the model's name stands in it.
    pub at: Range<usize>,
    /// Whether a field `stream` says `true`.
    pub streaming: bool,
}

/// The list that replaces `model`, and the parts that hold it.
#[derive(Default)]
struct List {
    addresses: Vec<String>,
    /// From one delimiter to the next.
    parts: Vec<Range<usize>>,
}

/// Looks through a form. A list is one field `models` of JSON, or a field `models` or `models[]` for each address.
pub(super) fn read(content_type: &str, body: &Bytes) -> Result<Form, Error> {
    let malformed = |problem: &str| Error::Multipart(problem.to_owned());
    let delimiter =
        format!("--{}", boundary(content_type).ok_or_else(|| malformed("its content type names no boundary"))?);
    let finder = memmem::Finder::new(&delimiter);
    let text = |name: &str, at: Range<usize>| {
        let text = std::str::from_utf8(&body[at]).map(str::to_owned);
        text.map_err(|_| malformed(&format!("`{name}` is not UTF-8")))
    };
    let mut model = None;
    let mut list = List::default();
    let mut streaming = false;
    let first = finder.find(body).ok_or_else(|| malformed("the boundary does not occur in it"))?;
    let mut part = first;
    loop {
        let at = part + delimiter.len();
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
            Some("model") => model = Some((text("model", start..end)?, start..end)),
            Some("models" | "models[]") => {
                list.addresses.push(text("models", start..end)?);
                list.parts.push(part..next);
            }
            Some("stream") => streaming = &body[start..end] == b"true",
            _ => {}
        }
        part = next;
    }
    if !list.parts.is_empty() {
        let model_at = model.map(|(_, at)| at);
        return replaced(body, &delimiter, list, model_at, streaming);
    }
    match model {
        Some((model, at)) if model.is_empty() => Ok(Form { addresses: None, bytes: body.clone(), at, streaming }),
        Some((model, at)) => {
            let addresses = Some(Addresses::one(model)?);
            Ok(Form { addresses, bytes: body.clone(), at, streaming })
        }
        None => Ok(with_place(body, &delimiter, first, streaming)),
    }
}

/// A form that names no model, with a part for one before all others.
fn with_place(body: &Bytes, delimiter: &str, first: usize, streaming: bool) -> Form {
    let mut bytes = BytesMut::with_capacity(body.len() + delimiter.len() + MODEL_PART.len() + 2);
    bytes.extend_from_slice(&body[..first]);
    let at = put_place(&mut bytes, delimiter);
    bytes.extend_from_slice(&body[first..]);
    Form { addresses: None, bytes: bytes.freeze(), at, streaming }
}

const MODEL_PART: &[u8] = b"\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\n";

/// Writes a part for the model's name; answers where that goes.
fn put_place(bytes: &mut BytesMut, delimiter: &str) -> Range<usize> {
    bytes.extend_from_slice(delimiter.as_bytes());
    bytes.extend_from_slice(MODEL_PART);
    let at = bytes.len()..bytes.len();
    bytes.extend_from_slice(b"\r\n");
    at
}

/// A form with a list: the list's parts are taken out, and where there is no `model`, one is put in the first one's place.
fn replaced(
    body: &Bytes,
    delimiter: &str,
    list: List,
    model_at: Option<Range<usize>>,
    streaming: bool,
) -> Result<Form, Error> {
    let addresses = match &list.addresses[..] {
        [json] if json.trim_start().starts_with('[') => Addresses::parse_list(json)?,
        _ => requested_models::check(list.addresses)?,
    };
    let mut bytes = BytesMut::with_capacity(body.len());
    let mut at = model_at.clone();
    let mut kept = 0;
    for part in list.parts {
        bytes.extend_from_slice(&body[kept..part.start]);
        kept = part.end;
        match &mut at {
            Some(at) if model_at.as_ref().is_some_and(|model| model.start > part.start) => {
                *at = at.start - part.len()..at.end - part.len();
            }
            Some(_) => {}
            None => at = Some(put_place(&mut bytes, delimiter)),
        }
    }
    bytes.extend_from_slice(&body[kept..]);
    let at = at.ok_or(Error::NoModel)?;
    Ok(Form { addresses: Some(Addresses::Several(addresses)), bytes: bytes.freeze(), at, streaming })
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
        assert_eq!(**found.addresses.as_ref().unwrap(), ["openai:whisper-1"]);
        assert_eq!(found.bytes, body);
        assert_eq!(&body[found.at.clone()], b"openai:whisper-1");
        assert!(found.streaming);
    }

    #[test]
    fn a_form_without_a_model_gets_a_place_for_one() {
        let found = read(TYPE, &form(&[("file", "x")])).unwrap();
        assert_eq!((&found.addresses, found.at.is_empty()), (&None, true));
        assert_eq!(found.bytes, form(&[("model", ""), ("file", "x")]));
        assert!(found.bytes[..found.at.start].ends_with(b"name=\"model\"\r\n\r\n"));
        assert_eq!(read(TYPE, &form(&[("model", "")])).unwrap().addresses, None);
    }

    #[test]
    fn a_form_with_two_models_or_a_very_long_one_is_refused() {
        let error = read(TYPE, &form(&[("model", &"m".repeat(513))])).unwrap_err();
        assert!(error.to_string().contains("513 bytes long"), "{error}");
        let error = read(TYPE, &form(&[("model", "a"), ("model", "b")])).unwrap_err().to_string();
        assert!(error.contains("two `model` fields"), "{error}");
    }

    #[test]
    fn a_list_is_taken_out_wherever_it_stands() {
        let without = form(&[("file", "x"), ("model", "m"), ("language", "de")]);
        for fields in [
            [("models", "[\"a\", \"b\"]"), ("file", "x"), ("model", "m"), ("language", "de")].as_slice(),
            &[("file", "x"), ("model", "m"), ("language", "de"), ("models", "[\"a\",\"b\"]")],
            &[("models", "a"), ("file", "x"), ("model", "m"), ("models", "b"), ("language", "de")],
            &[("file", "x"), ("models[]", "a"), ("models[]", "b"), ("model", "m"), ("language", "de")],
        ] {
            let found = read(TYPE, &form(fields)).unwrap();
            assert_eq!(**found.addresses.as_ref().unwrap(), ["a", "b"], "{fields:?}");
            assert_eq!(found.bytes, without, "{fields:?}");
            assert_eq!(&found.bytes[found.at], b"m", "{fields:?}");
        }
    }

    #[test]
    fn a_list_without_a_model_leaves_a_place_for_one() {
        let found = read(TYPE, &form(&[("file", "x"), ("models", "a"), ("models", "b"), ("n", "1")])).unwrap();
        assert_eq!(found.bytes, form(&[("file", "x"), ("model", ""), ("n", "1")]));
        assert!(found.at.is_empty());
        assert!(found.bytes[..found.at.start].ends_with(b"name=\"model\"\r\n\r\n"));
    }

    #[test]
    fn a_list_that_is_empty_or_too_long_is_refused() {
        let nine: Vec<_> = (0..9).map(|_| ("models", "a")).collect();
        for (fields, problem) in [
            (vec![("models", "[]")], "is empty"),
            (vec![("models", "[1]")], "not a text"),
            (vec![("models", "[\"a\"")], "not a list of JSON"),
            (nine, "has 9 entries"),
        ] {
            let error = read(TYPE, &form(&fields)).unwrap_err().to_string();
            assert!(error.contains(problem), "{error}");
        }
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
