//! The bytes that go up as a request's body: the call's own, or what the component made of parts of it. An attempt asks once
//! the component is done with the body; nothing is sent here.

use base64::Engine;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bitrouter_plugin::HookBody;
use bitrouter_plugin::contract::Request;
use bitrouter_plugin::contract::types::{Body, Content as Described, Part};
use bitrouter_upstream::Outgoing;
use bytes::Bytes;
use http::HeaderValue;

/// A body and its content type. A clone shares the bytes.
#[derive(Clone, Default)]
pub(super) struct Content {
    pub content_type: Option<HeaderValue>,
    pub bytes: Outgoing,
}

/// Why there is no such body.
#[derive(Debug, thiserror::Error)]
pub(super) enum BodyError {
    /// The component asks for what is not there, or describes what cannot be.
    #[error("{0}")]
    Described(String),
    /// A value of the client's is not what its place asks for.
    #[error("the value at `{0}` is not base64: encode it anew")]
    Value(String),
}

/// The body of a request.
pub(super) fn of(request: &Request, body: &mut HookBody) -> Result<Content, BodyError> {
    let json = Some(HeaderValue::from_static("application/json"));
    Ok(match &request.body {
        Body::Forward => match body {
            HookBody::Json(document) => {
                Content { content_type: json, bytes: Outgoing::new(document.output().into_chunks()) }
            }
            HookBody::Opaque { blob, pieces } => Content {
                content_type: HeaderValue::from_str(&blob.content_type).ok(),
                bytes: Outgoing::new(pieces.clone()),
            },
            HookBody::None => Content::default(),
        },
        Body::Json(text) => Content { content_type: json, bytes: Bytes::from(text.clone()).into() },
        Body::Form(fields) => {
            let pairs = fields.iter().map(|field| (&field.name, &field.value));
            let text = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
            let form = HeaderValue::from_static("application/x-www-form-urlencoded");
            Content { content_type: Some(form), bytes: Bytes::from(text).into() }
        }
        Body::Multipart(parts) => multipart(parts, body)?,
        Body::Content(content) => Content { content_type: None, bytes: bytes(content, body)?.into() },
        Body::Empty => Content::default(),
    })
}

/// What a part holds.
fn bytes(content: &Described, body: &mut HookBody) -> Result<Bytes, BodyError> {
    let (pointer, is_base64) = match content {
        Described::Text(text) => return Ok(text.clone().into()),
        Described::Value(pointer) => (pointer, false),
        Described::Base64(pointer) => (pointer, true),
    };
    let shown = || bitrouter_contract::cut::word(pointer.clone());
    let HookBody::Json(document) = body else {
        return Err(BodyError::Described(format!("it takes `{}` out of a call that has no JSON body", shown())));
    };
    let unread = |error: bitrouter_document::Error| BodyError::Described(format!("its value `{}`: {error}", shown()));
    let text = document.text(pointer, u32::MAX).map_err(unread)?.map(|text| text.into_owned());
    match (text, is_base64) {
        (Some(text), false) => Ok(text.into()),
        (Some(text), true) => decoded(&text).ok_or_else(|| BodyError::Value(shown())),
        (None, _) => match document.get(pointer, u32::MAX).map_err(unread)? {
            Some(json) if !is_base64 => Ok(json.into_owned().into()),
            Some(_) => Err(BodyError::Value(shown())),
            None => Err(BodyError::Described(format!("the body has no value at `{}`", shown()))),
        },
    }
}

/// Base64 of either alphabet, padded or not, as it is or as a `data:` URL.
fn decoded(text: &str) -> Option<Bytes> {
    const LENIENT: GeneralPurposeConfig =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let text = match text.strip_prefix("data:") {
        Some(url) => url.split_once(";base64,")?.1,
        None => text,
    };
    let alphabet = if text.contains(['-', '_']) { URL_SAFE } else { STANDARD };
    let text: String = text.split_ascii_whitespace().collect();
    GeneralPurpose::new(&alphabet, LENIENT).decode(text).ok().map(Bytes::from)
}

/// A form with files, as RFC 7578 and the WHATWG standard write it.
fn multipart(parts: &[Part], body: &mut HookBody) -> Result<Content, BodyError> {
    let contents = parts.iter().map(|part| bytes(&part.content, body)).collect::<Result<Vec<_>, _>>()?;
    let boundary = boundary(&contents);
    let mut form = Vec::with_capacity(contents.iter().map(|content| content.len() + 256).sum());
    for (Part { name, filename, content_type, content: _ }, content) in parts.iter().zip(&contents) {
        form.extend_from_slice(
            format!("--{boundary}\r\ncontent-disposition: form-data; name=\"{}\"", quoted(name)).as_bytes(),
        );
        if let Some(filename) = filename {
            form.extend_from_slice(format!("; filename=\"{}\"", quoted(filename)).as_bytes());
        }
        if let Some(content_type) = content_type {
            let content_type = HeaderValue::from_str(content_type).map_err(|_| {
                let shown = bitrouter_contract::cut::word(content_type.clone());
                BodyError::Described(format!("`{}` is no content type of a part", shown.escape_debug()))
            })?;
            form.extend_from_slice(b"\r\ncontent-type: ");
            form.extend_from_slice(content_type.as_bytes());
        }
        form.extend_from_slice(b"\r\n\r\n");
        form.extend_from_slice(content);
        form.extend_from_slice(b"\r\n");
    }
    form.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    let content_type = HeaderValue::from_str(&format!("multipart/form-data; boundary={boundary}"));
    Ok(Content { content_type: content_type.ok(), bytes: Bytes::from(form).into() })
}

/// A line that is in none of the parts.
fn boundary(contents: &[Bytes]) -> String {
    let is_in =
        |boundary: &str| contents.iter().any(|content| memchr::memmem::find(content, boundary.as_bytes()).is_some());
    let mut number = contents.len();
    loop {
        let boundary = format!("bitrouter-part-{number:08x}");
        if !is_in(&boundary) {
            return boundary;
        }
        number += 1;
    }
}

fn quoted(text: &str) -> String {
    text.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A")
}

#[cfg(test)]
mod tests {
    use bitrouter_document::Document;

    use super::*;

    fn body() -> HookBody {
        let body =
            r#"{"prompt":"a \"cat\"","n":2,"image":"data:image/png;base64,iVBORw0KGgo=","raw":"_-8","odd":"a*b"}"#;
        HookBody::Json(Document::parse(body).unwrap())
    }

    fn content(content: Described) -> Result<Vec<u8>, String> {
        bytes(&content, &mut body()).map(|bytes| bytes.to_vec()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_value_is_what_it_says_and_base64_the_bytes_that_it_holds() {
        for (described, expected) in [
            (Described::Text("x".into()), Ok(b"x".to_vec())),
            (Described::Value("/prompt".into()), Ok(b"a \"cat\"".to_vec())),
            (Described::Value("/n".into()), Ok(b"2".to_vec())),
            (Described::Base64("/image".into()), Ok(b"\x89PNG\r\n\x1a\n".to_vec())),
            (Described::Base64("/raw".into()), Ok(b"\xff\xef".to_vec())),
            (Described::Base64("/odd".into()), Err("the value at `/odd` is not base64: encode it anew".to_owned())),
            (Described::Base64("/n".into()), Err("the value at `/n` is not base64: encode it anew".to_owned())),
            (Described::Value("/none".into()), Err("the body has no value at `/none`".to_owned())),
        ] {
            assert_eq!(content(described.clone()), expected, "{described:?}");
        }
        let nothing = bytes(&Described::Value("/n".into()), &mut HookBody::None).unwrap_err();
        assert_eq!(nothing.to_string(), "it takes `/n` out of a call that has no JSON body");
    }

    #[test]
    fn a_form_with_files_holds_each_part_as_it_is_and_no_name_ends_its_line() {
        let part =
            |name: &str, content: Described| Part { name: name.into(), filename: None, content_type: None, content };
        let image = Part {
            filename: Some("a\"\r\n.png".into()),
            content_type: Some("image/png".into()),
            ..part("image", Described::Base64("/image".into()))
        };
        let parts = [part("prompt", Described::Value("/prompt".into())), image];
        let form = multipart(&parts, &mut body()).unwrap();
        assert_eq!(form.content_type.unwrap(), "multipart/form-data; boundary=bitrouter-part-00000002");
        let text: Vec<u8> = form.bytes.pieces().flat_map(|piece| piece.to_vec()).collect();
        let expected = [
            &b"--bitrouter-part-00000002\r\ncontent-disposition: form-data; name=\"prompt\"\r\n\r\na \"cat\"\r\n"[..],
            b"--bitrouter-part-00000002\r\ncontent-disposition: form-data; name=\"image\"; filename=\"a%22%0D%0A.png\"",
            b"\r\ncontent-type: image/png\r\n\r\n\x89PNG\r\n\x1a\n\r\n--bitrouter-part-00000002--\r\n",
        ];
        assert_eq!(text, expected.concat());
        let bad = Part { content_type: Some("a\r\nb: c".into()), ..part("x", Described::Text("y".into())) };
        assert!(matches!(multipart(&[bad], &mut body()), Err(BodyError::Described(_))));
        let clash = [part("a", Described::Text("--bitrouter-part-00000001".into()))];
        assert_eq!(
            multipart(&clash, &mut body()).unwrap().content_type.unwrap(),
            "multipart/form-data; boundary=bitrouter-part-00000002"
        );
    }
}
