//! The bytes behind a document: the body as it came, and what edits have added to it.
//! Both share one space of 32-bit positions, so that a [`Span`] says which it means. Values are never moved in here.

use std::sync::Arc;

use bytes::Bytes;

use crate::{Error, error::Location, limits, scan::Marks};

/// A stretch of text, from `start` up to and without `end`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: u32,
    pub(crate) end: u32,
}

impl Span {
    pub(crate) fn len(self) -> usize {
        (self.end - self.start) as usize
    }
}

/// The body and the added text.
#[derive(Clone, Debug)]
pub(crate) struct Text {
    body: Bytes,
    marks: Arc<Marks>,
    /// Starts with a comma, for members that have none of their own.
    added: Vec<u8>,
    /// Bytes added so far, those that were rolled back or copied without being written included.
    spent: usize,
}

impl Text {
    /// Refuses a body whose positions would not fit.
    pub(crate) fn new(body: Bytes) -> Result<Self, Error> {
        // What edits may add must fit behind the body.
        if body.len() > u32::MAX as usize - 2 * limits::ADDED {
            return Err(Error::TooLarge { size: body.len() });
        }
        let marks = Arc::new(Marks::of(&body));
        Ok(Self { body, marks, added: vec![b','], spent: 0 })
    }

    pub(crate) fn body(&self) -> &Bytes {
        &self.body
    }

    pub(crate) fn marks(&self) -> &Marks {
        &self.marks
    }

    /// Where added text starts: one behind the body's end, so that no span runs from one into the other.
    fn border(&self) -> usize {
        self.body.len() + 1
    }

    pub(crate) fn is_added(&self, position: u32) -> bool {
        position as usize >= self.border()
    }

    pub(crate) fn comma(&self) -> Span {
        let start = self.border() as u32;
        Span { start, end: start + 1 }
    }

    #[inline]
    pub(crate) fn bytes(&self, span: Span) -> &[u8] {
        let (start, end) = (span.start as usize, span.end as usize);
        match start.checked_sub(self.border()) {
            None => &self.body[start..end],
            Some(start) => &self.added[start..end - self.border()],
        }
    }

    /// The byte at a position; none at either text's end.
    pub(crate) fn byte(&self, position: u32) -> Option<u8> {
        let position = position as usize;
        match position.checked_sub(self.border()) {
            None => self.body.get(position).copied(),
            Some(position) => self.added.get(position).copied(),
        }
    }

    /// The span without the white space around it.
    #[inline]
    pub(crate) fn trimmed(&self, span: Span) -> Span {
        let bytes = self.bytes(span);
        // Clients send no white space but for debugging.
        if let (Some(first), Some(last)) = (bytes.first(), bytes.last())
            && !is_space(*first)
            && !is_space(*last)
        {
            return span;
        }
        self.trimmed_slowly(span)
    }

    #[cold]
    fn trimmed_slowly(&self, span: Span) -> Span {
        let bytes = self.bytes(span);
        let lead = bytes.iter().take_while(|&&byte| is_space(byte)).count();
        let trail = bytes[lead..].iter().rev().take_while(|&&byte| is_space(byte)).count();
        Span { start: span.start + lead as u32, end: span.end - trail as u32 }
    }

    /// Writes new text, and answers where it is.
    pub(crate) fn add(&mut self, text: &[u8]) -> Result<Span, Error> {
        self.spend(text.len())?;
        let start = (self.border() + self.added.len()) as u32;
        self.added.extend_from_slice(text);
        Ok(Span { start, end: start + text.len() as u32 })
    }

    /// Counts bytes by which the output grows without any being written here.
    pub(crate) fn spend(&mut self, bytes: usize) -> Result<(), Error> {
        self.fits(bytes)?;
        self.spent += bytes;
        Ok(())
    }

    /// Whether so many bytes may still be added.
    pub(crate) fn fits(&self, bytes: usize) -> Result<(), Error> {
        let spent = self.spent.saturating_add(bytes);
        if spent > limits::added(self.body.len()) { Err(Error::TooMuchAdded) } else { Ok(()) }
    }

    /// What [`Text::roll_back`] needs to forget what is added from now on.
    pub(crate) fn state(&self) -> (usize, usize) {
        (self.added.len(), self.spent)
    }

    pub(crate) fn roll_back(&mut self, (added, spent): (usize, usize)) {
        self.added.truncate(added);
        self.spent = spent;
    }

    /// What an error says about a position.
    pub(crate) fn place(&self, position: u32) -> Location {
        if self.is_added(position) { Location::Added } else { Location::of(&self.body, position as usize) }
    }
}

/// RFC 8259 white space.
#[inline]
pub(crate) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\n' | b'\r' | b'\t')
}
