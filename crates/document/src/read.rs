//! Values as a reader gets them: UTF-8, and valid where they are scalars.
//! Nothing is looked at before it is asked for; what nobody reads may be as broken as it came.

use std::{borrow::Cow, str};

use crate::{
    Error, Kind,
    error::kept,
    limits,
    pointer::Pointer,
    text::{Span, Text},
    tree::{Node, Slot, Tree},
};

impl Tree {
    /// What a value is.
    pub(crate) fn kind(&self, node: Node) -> Result<Kind, Error> {
        match node {
            Node::Container(id) => Ok(self.container(id).kind),
            Node::Text(span) => {
                let start = self.text.trimmed(span).start;
                let kind = self.text.byte(start).and_then(Kind::of);
                kind.ok_or_else(|| Error::Syntax { expected: "a value", place: self.text.place(start) })
            }
        }
    }

    /// The size of a value's text without the white space around it.
    pub(crate) fn size(&self, node: Node) -> u32 {
        match (self.own_text(node), node) {
            (Some(span), _) | (None, Node::Text(span)) => self.text.trimmed(span).len() as u32,
            (None, Node::Container(id)) => {
                let outer = self.container(id).text;
                let space = outer.len() - self.text.trimmed(outer).len();
                (self.pieces(node).len - space) as u32
            }
        }
    }

    /// A value's text without the white space around it; borrowed unless an edit reached into the value.
    pub(crate) fn read(&self, node: Node) -> Result<Cow<'_, str>, Error> {
        if let Some(span) = self.own_text(node) {
            return self.text.read(self.text.trimmed(span)).map(Cow::Borrowed);
        }
        let pieces = self.pieces(node);
        let mut value = String::with_capacity(pieces.len);
        for &span in &pieces.spans {
            value.push_str(self.text.utf8(span)?);
        }
        let trimmed = value.trim_ascii();
        Ok(Cow::Owned(if trimmed.len() == value.len() { value } else { trimmed.to_owned() }))
    }

    /// The decoded names of an object's members.
    pub(crate) fn keys(&mut self, object: Pointer<'_>) -> Result<Vec<Cow<'_, str>>, Error> {
        let Some(at) = self.find(object)? else {
            return Ok(Vec::new());
        };
        match self.open(at, || kept(object.as_str()))? {
            Some(id) if self.container(id).kind == Kind::Object => {
                let bytes: usize = self.members(id).iter().map(|slot| slot.prefix.len()).sum();
                if bytes > limits::SELECTED {
                    return Err(Error::TooMuchSelected);
                }
                self.members(id).iter().map(|slot| self.name(slot)).collect()
            }
            _ => Ok(Vec::new()),
        }
    }

    /// How many members or items a container has; 0 if there is none.
    pub(crate) fn count(&mut self, pointer: Pointer<'_>) -> Result<usize, Error> {
        let Some(at) = self.find(pointer)? else {
            return Ok(0);
        };
        let id = self.open(at, || kept(pointer.as_str()))?;
        Ok(id.map_or(0, |id| self.members(id).len()))
    }

    pub(crate) fn name(&self, slot: &Slot) -> Result<Cow<'_, str>, Error> {
        let Span { start, end } = self.text.trimmed(slot.prefix);
        let key = self.text.trimmed(Span { start, end: end - 1 });
        self.text.string(key)
    }

    /// The string that a value holds; none if it is not a string.
    pub(crate) fn string(&self, node: Node) -> Result<Option<Cow<'_, str>>, Error> {
        match node {
            Node::Text(span) if self.kind(node)? == Kind::String => self.text.string(self.text.trimmed(span)).map(Some),
            _ => Ok(None),
        }
    }
}

impl Text {
    /// A value's text; `span` has no white space around it.
    #[inline]
    pub(crate) fn read(&self, span: Span) -> Result<&str, Error> {
        let value = self.utf8(span)?;
        match value.as_bytes() {
            [b'{' | b'[', ..] => Ok(value),
            [b'"', inner @ .., b'"'] if is_plain(inner) => Ok(value),
            bytes => match serde_json::from_slice::<serde::de::IgnoredAny>(bytes) {
                Ok(_) => Ok(value),
                Err(error) => Err(self.invalid(span, &error)),
            },
        }
    }

    /// A string without quotes and escapes; `span` is of a value that starts with a quote.
    pub(crate) fn string(&self, span: Span) -> Result<Cow<'_, str>, Error> {
        let value = self.utf8(span)?;
        if let Some(inner) = value.get(1..value.len() - 1)
            && is_plain(inner.as_bytes())
        {
            return Ok(Cow::Borrowed(inner));
        }
        serde_json::from_str(value).map(Cow::Owned).map_err(|error| self.invalid(span, &error))
    }

    fn invalid(&self, span: Span, error: &serde_json::Error) -> Error {
        // A scalar that is valid JSON holds no line break, so the column is the place.
        let at = span.start + error.column().saturating_sub(1) as u32;
        let expected = match self.byte(span.start) {
            Some(b'"') => "a string with valid escapes and no control characters",
            _ => "a number, true, false or null",
        };
        Error::Syntax { expected, place: self.place(at) }
    }

    #[inline]
    fn utf8(&self, span: Span) -> Result<&str, Error> {
        str::from_utf8(self.bytes(span))
            .map_err(|error| Error::NotUtf8 { place: self.place(span.start + error.valid_up_to() as u32) })
    }
}

/// True if a string's inside is certain to need no closer look: ASCII without control characters and backslashes.
/// Eight bytes at a time; most strings that are read are names and ids of 10 to 40 bytes.
#[inline]
fn is_plain(inner: &[u8]) -> bool {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const HIGH: u64 = u64::from_ne_bytes([0x80; 8]);
    let (words, rest) = inner.as_chunks::<8>();
    // What a subtraction borrows from a byte's neighbour can only make a plain byte look odd, never the reverse.
    let odd = words.iter().fold(0, |odd, word| {
        let word = u64::from_ne_bytes(*word);
        let control = word.wrapping_sub(ONES * 0x20);
        let backslash = (word ^ (ONES * u64::from(b'\\'))).wrapping_sub(ONES);
        odd | word | control | backslash
    });
    odd & HIGH == 0 && rest.iter().all(|byte| (0x20..0x80).contains(byte) && *byte != b'\\')
}
