//! The body of a call as a provider sees it. In a guest it wraps the handle that the host lends; natively, with the
//! feature `test-kit`, it wraps the host's own implementation, so that a test runs what production runs.

use std::borrow::Cow;

use crate::{Blob, Cell, Condition, Edit, Json, Kind, Matches, Patched, ReadError, Test, quote};

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

    /// The string at a pointer, decoded; none where there is none, or another value. `max_bytes` is of its JSON text.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn text(&self, pointer: &str, max_bytes: u32) -> Result<Option<String>, ReadError> {
        self.0.text(pointer, max_bytes)
    }

    /// Looks for what a pattern names: a pointer in which `*` stands for every item of an array and every member of an
    /// object. `document.find("/messages/*").only(at("/role").is("user")).rows(&["/content"], 4096)?`
    pub fn find<'d>(&'d self, pattern: &'d str) -> Find<'d> {
        Find { document: self.0, pattern, only: Vec::new(), limit: u32::MAX }
    }

    /// Makes the same edits on all that a pattern names.
    /// `document.each("/messages/*/name").patch(&[Edit::remove("")]).map_err(Failure::invalid)?`
    pub fn each<'d>(&'d self, pattern: &'d str) -> Each<'d> {
        Each { document: self.0, pattern, only: Vec::new(), named: 0 }
    }

    /// Applies all edits in their order, or none of them.
    ///
    /// # Errors
    /// Which edit failed, and why.
    pub fn patch(&self, edits: &[Edit]) -> Result<(), String> {
        self.0.patch(edits)
    }
}

/// What is looked for in a document; see [`Document::find`].
pub struct Find<'d> {
    document: &'d Inner,
    pattern: &'d str,
    only: Vec<Condition>,
    limit: u32,
}

impl Find<'_> {
    /// Only those that pass this condition, beside those said before. It costs nothing of the guest's: the host looks.
    pub fn only(mut self, condition: Condition) -> Self {
        self.only.push(condition);
        self
    }

    /// At most so many.
    pub fn limit(mut self, limit: u32) -> Self {
        self.limit = limit;
        self
    }

    /// The matches, each with its pointer and the values at these pointers below it; the empty one is the match itself.
    ///
    /// # Errors
    /// As [`Document::kind`]. A value over `max_bytes` is no error, it is [`Cell::Big`].
    pub fn rows(self, fields: &[&str], max_bytes: u32) -> Result<Matches, ReadError> {
        let fields: Vec<String> = fields.iter().map(|field| (*field).into()).collect();
        self.document.find(self.pattern, &self.only, &fields, max_bytes, self.limit)
    }

    /// The pointers of the matches.
    ///
    /// # Errors
    /// As [`Document::kind`].
    pub fn pointers(self) -> Result<Vec<String>, ReadError> {
        Ok(self.rows(&[], 0)?.rows.into_iter().map(|row| row.pointer).collect())
    }

    /// Whether there is any; the search ends at the first.
    ///
    /// # Errors
    /// As [`Document::kind`].
    pub fn any(self) -> Result<bool, ReadError> {
        Ok(!self.limit(1).rows(&[], 0)?.rows.is_empty())
    }
}

/// What is edited in a document, wherever it is; see [`Document::each`].
pub struct Each<'d> {
    document: &'d Inner,
    pattern: &'d str,
    only: Vec<Condition>,
    named: u32,
}

impl Each<'_> {
    /// Only those that pass this condition, beside those said before.
    pub fn only(mut self, condition: Condition) -> Self {
        self.only.push(condition);
        self
    }

    /// Names the first so many of what is edited, as a request's `dropped` wants it.
    pub fn named(mut self, named: u32) -> Self {
        self.named = named;
        self
    }

    /// Makes these edits on every match, or none. Their paths are below the match, and the empty one is the match itself.
    ///
    /// # Errors
    /// Which edit failed, and why. An edit of what is not there fails, as in [`Document::patch`].
    pub fn patch(self, edits: &[Edit]) -> Result<Patched, String> {
        self.document.patch_each(self.pattern, &self.only, edits, self.named)
    }
}

/// The value at a pointer below a match, to say what it must be: `at("/role").is("user")`, `at("/id").is_there().not()`.
pub fn at(pointer: &str) -> At<'_> {
    At(pointer)
}

/// A value that a condition looks at.
pub struct At<'a>(&'a str);

impl At<'_> {
    /// It is a string that reads so.
    pub fn is(self, text: &str) -> Condition {
        self.one_of(&[&quote(text)])
    }

    /// It is one of these scalars, in JSON.
    pub fn one_of(self, values: &[&str]) -> Condition {
        self.test(Test::OneOf(values.iter().map(|value| (*value).into()).collect()))
    }

    /// It is a string that begins with one of these texts.
    pub fn begins_with(self, texts: &[&str]) -> Condition {
        self.test(Test::BeginsWith(texts.iter().map(|text| (*text).into()).collect()))
    }

    /// It is of this kind.
    pub fn is_a(self, kind: Kind) -> Condition {
        self.test(Test::OfKind(vec![kind]))
    }

    /// It is there.
    pub fn is_there(self) -> Condition {
        self.test(Test::Present)
    }

    /// Its JSON text has more bytes.
    pub fn is_longer_than(self, bytes: u32) -> Condition {
        self.test(Test::LongerThan(bytes))
    }

    fn test(self, test: Test) -> Condition {
        Condition { at: self.0.into(), test, negated: false }
    }
}

impl Condition {
    /// The opposite. What is not there passes it, whatever the condition.
    #[allow(clippy::should_implement_trait, reason = "`at(…).is(…).not()` reads as it is said")]
    pub fn not(self) -> Self {
        Self { negated: !self.negated, ..self }
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
