//! The body of a call as a provider sees it. In a guest it wraps the handle that the host lends; natively, with the
//! feature `test-kit`, it wraps the host's own implementation, so that a test runs what production runs.

use std::borrow::Cow;

use crate::{Blob, Cell, Edit, Json, Kind, ReadError};

impl Cell {
    /// The cell as the text that it holds, if that is a string: without its quotes, and with its escapes decoded.
    pub fn text(&self) -> Option<Cow<'_, str>> {
        self.json()?.text()
    }

    /// The cell's value, to read a number, an object or an array; none where there is none, or where it is too long.
    pub fn json(&self) -> Option<Json<'_>> {
        match self {
            Self::Value(value) => Some(Json::parse(value)),
            Self::Absent | Self::Big(_) => None,
        }
    }
}

/// The call's body.
pub enum Payload<'a> {
    /// A JSON object.
    Json(Document<'a>),
    /// Anything else (multipart audio and images): its bytes are never seen.
    Opaque(Blob),
    /// The call has no body.
    None,
}

impl<'a> Payload<'a> {
    /// The JSON body, if it is one.
    pub fn document(&self) -> Option<&Document<'a>> {
        match self {
            Self::Json(document) => Some(document),
            Self::Opaque(_) | Self::None => None,
        }
    }
}

// Without a host there is nothing to lend, so natively the handle is there for its type alone.
#[cfg(any(target_arch = "wasm32", not(feature = "test-kit")))]
type Inner = crate::bindings::bitrouter::host::document::Document;
#[cfg(all(not(target_arch = "wasm32"), feature = "test-kit"))]
type Inner = crate::golden::Lent;

/// The JSON body of one call. Its bytes stay in the host; a read costs as much as it selects. Pointers are RFC 6901, the
/// empty one is the whole body. Reading beyond what the body holds is no error: it answers `None`, or nothing.
pub struct Document<'a>(&'a Inner);

impl<'a> Document<'a> {
    /// Wraps what the host lends for one hook.
    #[cfg(any(target_arch = "wasm32", feature = "test-kit"))]
    pub(crate) fn lent(inner: &'a Inner) -> Self {
        Self(inner)
    }

    /// What the value is; none where there is no such value.
    ///
    /// # Errors
    /// [`ReadError::Invalid`] for a malformed pointer or body, here and below.
    pub fn kind(&self, pointer: &str) -> Result<Option<Kind>, ReadError> {
        self.0.kind(pointer)
    }

    /// The size of the value's text in bytes.
    ///
    /// # Errors
    /// As [`kind`](Self::kind).
    pub fn size(&self, pointer: &str) -> Result<Option<u32>, ReadError> {
        self.0.size(pointer)
    }

    /// The value's JSON text, of at most `max_bytes` bytes.
    ///
    /// # Errors
    /// As [`kind`](Self::kind), and [`ReadError::TooBig`] with the value's size.
    pub fn get(&self, pointer: &str, max_bytes: u32) -> Result<Option<String>, ReadError> {
        self.0.get(pointer, max_bytes)
    }

    /// The names of an object's members, in their order; empty for anything else.
    ///
    /// # Errors
    /// As [`kind`](Self::kind).
    pub fn keys(&self, pointer: &str) -> Result<Vec<String>, ReadError> {
        self.0.keys(pointer)
    }

    /// The named members of every item of an array: one row an item, one cell a field, both in order. The empty field
    /// name is the item itself. Empty where the pointer names no array.
    ///
    /// # Errors
    /// As [`kind`](Self::kind). A value over `max_bytes` is no error, it is [`Cell::Big`].
    pub fn select(&self, array: &str, fields: &[&str], max_bytes: u32) -> Result<Vec<Vec<Cell>>, ReadError> {
        let fields: Vec<String> = fields.iter().map(|field| (*field).into()).collect();
        self.0.select(array, &fields, max_bytes)
    }

    /// Applies all edits in their order, or none of them.
    ///
    /// # Errors
    /// Which edit failed, and why.
    pub fn patch(&self, edits: &[Edit]) -> Result<(), String> {
        self.0.patch(edits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_read_as_the_text_or_the_number_that_it_is() {
        let cell = |json: &str| Cell::Value(json.into());
        assert_eq!(cell(r#""us\"er\u00e9""#).text().as_deref(), Some("us\"eré"));
        assert_eq!(cell("7").text(), None);
        assert_eq!(cell("7.5").json().and_then(Json::number), Some(7.5));
        assert_eq!((Cell::Absent.text(), Cell::Big(9).text()), (None, None));
    }
}
