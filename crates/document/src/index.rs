//! One level of an object or array: where its members are, and nothing of what they hold.
//! `tree` calls it for the body when it arrives, and for a container inside when something asks for it.

use std::{borrow::Cow, collections::HashSet};

use crate::{
    error::kept,
    limits,
    scan::Marks,
    text::{Span, is_space},
    tree::{Node, Slot},
};

/// Up to this many keys are compared with each other; more are hashed.
const FEW_KEYS: usize = 64;

/// A text to index.
#[derive(Clone, Copy)]
pub(crate) struct IndexedText<'a> {
    pub(crate) text: &'a [u8],
    pub(crate) marks: &'a Marks,
    /// What the text's first byte is called in the spans.
    pub(crate) base: u32,
    /// True if brackets are already known to balance and match.
    pub(crate) balanced: bool,
}

/// What is known of a container besides its members.
pub(crate) struct Level {
    /// The position behind the closing bracket.
    pub(crate) end: usize,
    /// True if a key holds a backslash.
    pub(crate) escaped: bool,
}

/// Why a level could not be indexed; positions are the source's own.
#[derive(Debug)]
pub(crate) enum Fault {
    Syntax { at: usize, expected: &'static str },
    TooDeep { at: usize },
    TooMany,
    Duplicate { key: String },
}

impl<'a> IndexedText<'a> {
    /// Appends the members of the container that opens at `open` to `slots`.
    pub(crate) fn level(&self, open: usize, slots: &mut Vec<Slot>) -> Result<Level, Fault> {
        let object = self.text[open] == b'{';
        let (close, next) = if object { (b'}', "a comma or `}`") } else { (b']', "a comma or `]`") };
        let mut keys = Keys { source: *self, first: slots.len(), seen: 0, escaped: false };
        let mut at = open + 1;
        let inner = self.skip_space(at);
        if self.text.get(inner) == Some(&close) {
            return Ok(Level { end: inner + 1, escaped: false });
        }
        loop {
            let start = at;
            if object {
                at = keys.key(at, slots)?;
            }
            let colon = at;
            at = self.skip_space(self.value(at)?);
            if slots.len() >= limits::MEMBERS {
                return Err(Fault::TooMany);
            }
            let value = Node::Text(self.span(colon, at));
            slots.push(Slot { prefix: self.span(start, colon), value });
            match self.text.get(at) {
                Some(b',') => at += 1,
                Some(&byte) if byte == close => {
                    if object {
                        keys.compare_all(slots)?;
                    }
                    return Ok(Level { end: at + 1, escaped: keys.escaped });
                }
                _ => return Err(Fault::Syntax { at, expected: next }),
            }
        }
    }

    #[inline]
    fn span(&self, start: usize, end: usize) -> Span {
        Span { start: self.base + start as u32, end: self.base + end as u32 }
    }

    #[inline]
    pub(crate) fn skip_space(&self, mut at: usize) -> usize {
        while self.text.get(at).is_some_and(|&byte| is_space(byte)) {
            at += 1;
        }
        at
    }

    /// The end of the value at `at` or behind the white space there.
    #[inline]
    fn value(&self, at: usize) -> Result<usize, Fault> {
        let at = self.skip_space(at);
        match self.text.get(at) {
            Some(b'"') => self.string(at, "a value"),
            Some(b'{' | b'[') if self.balanced => Ok(self.close(at)),
            Some(b'{' | b'[') => self.matching_close(at),
            _ => self.scalar(at),
        }
    }

    /// The end of the string that opens at `at`.
    #[inline]
    fn string(&self, at: usize, expected: &'static str) -> Result<usize, Fault> {
        if !self.marks.is_quote(at) {
            return Err(Fault::Syntax { at, expected });
        }
        match self.marks.quote(at + 1) {
            Some(close) => Ok(close + 1),
            None => Err(Fault::Syntax { at, expected: "a string that ends" }),
        }
    }

    /// The end of anything that is not a string or container; what it holds is looked at when it is read.
    fn scalar(&self, at: usize) -> Result<usize, Fault> {
        let rest = &self.text[at.min(self.text.len())..];
        let ends = |byte: &u8| is_space(*byte) || matches!(byte, b',' | b':' | b'"' | b'{' | b'}' | b'[' | b']');
        match rest.iter().position(ends).unwrap_or(rest.len()) {
            0 => Err(Fault::Syntax { at, expected: "a value" }),
            length => Ok(at + length),
        }
    }

    /// The end of a container whose brackets are known to balance.
    #[inline]
    fn close(&self, open: usize) -> usize {
        let mut depth = 0_usize;
        for at in self.marks.brackets(open) {
            if opens(self.text[at]) {
                depth += 1;
            } else {
                depth -= 1;
                if depth == 0 {
                    return at + 1;
                }
            }
        }
        self.text.len()
    }

    /// The end of a container whose brackets nobody has looked at yet.
    fn matching_close(&self, open: usize) -> Result<usize, Fault> {
        let mut objects = [false; limits::NESTING];
        // The body's own object is the first level.
        let mut depth = 1;
        for at in self.marks.brackets(open) {
            let byte = self.text[at];
            if opens(byte) {
                *objects.get_mut(depth).ok_or(Fault::TooDeep { at })? = byte == b'{';
                depth += 1;
            } else {
                depth -= 1;
                let expected = if objects[depth] { "`}`" } else { "`]`" };
                if objects[depth] != (byte == b'}') {
                    return Err(Fault::Syntax { at, expected });
                }
                if depth == 1 {
                    return Ok(at + 1);
                }
            }
        }
        Err(Fault::Syntax { at: self.text.len(), expected: "an end of every object, array and string" })
    }
}

/// In `{` and `[` the second bit is set, in `}` and `]` it is not.
#[inline]
fn opens(bracket: u8) -> bool {
    bracket & 2 != 0
}

/// The keys of one object, looked at for duplicates.
struct Keys<'a> {
    source: IndexedText<'a>,
    /// The object's first slot.
    first: usize,
    /// One bit for each key so far; a key that finds its bit set may be a duplicate.
    seen: u64,
    escaped: bool,
}

impl Keys<'_> {
    /// Reads the key at `at` or behind the white space there, and answers what stands behind its colon.
    #[inline]
    fn key(&mut self, at: usize, slots: &[Slot]) -> Result<usize, Fault> {
        let start = self.source.skip_space(at);
        let end = self.source.string(start, "a key in quotes")?;
        let colon = self.source.skip_space(end);
        if self.source.text.get(colon) != Some(&b':') {
            return Err(Fault::Syntax { at: colon, expected: "a colon" });
        }
        let key = &self.source.text[start + 1..end - 1];
        self.escaped |= key.contains(&b'\\');
        let bit = 1 << bucket(key);
        if self.seen & bit != 0 && slots.len() - self.first <= FEW_KEYS {
            let same = |slot: &Slot| self.of(slot) == key;
            if slots[self.first..].iter().any(same) {
                return Err(duplicate(key));
            }
        }
        self.seen |= bit;
        Ok(colon + 1)
    }

    /// What the quick comparison above cannot tell: keys with escapes, and a great many keys.
    fn compare_all(&self, slots: &[Slot]) -> Result<(), Fault> {
        let members = &slots[self.first..];
        if !self.escaped && members.len() <= FEW_KEYS {
            return Ok(());
        }
        let mut seen = HashSet::with_capacity(members.len());
        for slot in members {
            let key = self.of(slot);
            let at = (slot.prefix.start - self.source.base) as usize;
            let decoded = decoded_key(key).ok_or(Fault::Syntax { at, expected: "a key with valid escapes" })?;
            if let Some(again) = seen.replace(decoded) {
                return Err(duplicate(&again));
            }
        }
        Ok(())
    }

    fn of(&self, slot: &Slot) -> &[u8] {
        let (start, end) = (slot.prefix.start - self.source.base, slot.prefix.end - self.source.base);
        key_of(&self.source.text[start as usize..end as usize])
    }
}

fn duplicate(key: &[u8]) -> Fault {
    Fault::Duplicate { key: kept(&String::from_utf8_lossy(key)) }
}

/// One of 64 places for a key, from its length and its outermost bytes: cheap, and good enough for a dozen keys.
#[inline]
fn bucket(key: &[u8]) -> u32 {
    let (first, last) = (key.first().copied().unwrap_or(0), key.last().copied().unwrap_or(0));
    (key.len() as u32).wrapping_mul(31).wrapping_add(u32::from(first).wrapping_mul(7)).wrapping_add(u32::from(last))
        % 64
}

/// The key inside what stands before a member's value: white space, the key in quotes, white space and a colon.
#[inline]
pub(crate) fn key_of(prefix: &[u8]) -> &[u8] {
    match prefix {
        [b'"', key @ .., b'"', b':'] => key,
        [padded @ .., b':'] => {
            let text = padded.trim_ascii();
            text.get(1..text.len().saturating_sub(1)).unwrap_or_default()
        }
        _ => &[],
    }
}

/// A key without its escapes; none if they are not valid.
pub(crate) fn decoded_key(key: &[u8]) -> Option<Cow<'_, [u8]>> {
    if !key.contains(&b'\\') {
        return Some(Cow::Borrowed(key));
    }
    let quoted = [b"\"", key, b"\""].concat();
    serde_json::from_slice::<String>(&quoted).ok().map(|key| Cow::Owned(key.into_bytes()))
}
