//! Finds a few top-level members of a JSON answer that arrives in chunks. The tap uses it for answers that are
//! not streamed, which may be 10 MB of embeddings or images: it walks over what it does not want at the speed
//! of memchr, and keeps only the wanted members, 64 KiB of each at most.

use crate::json::{Skip, is_space};

/// The most that is kept of one wanted member.
pub(crate) const MEMBER_LIMIT: usize = 64 * 1024;

/// Longer keys than this are none of the wanted ones.
const KEY_LIMIT: usize = 32;

/// Where in the text the walk stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    Root,
    /// Between the objects of an array at the root, which is how Gemini streams without SSE.
    BetweenObjects,
    BeforeKey,
    InKey,
    AfterKey,
    BeforeValue,
    InValue,
    Closed,
    NotJson,
}

/// What the walk came upon.
pub(crate) enum WholeMember<'a> {
    /// The beginning of a member whose name is not wanted.
    Other,
    /// A wanted member, whole.
    Wanted { key: &'a [u8], value: &'a [u8] },
}

/// The walk over one answer.
#[derive(Debug)]
pub(crate) struct Whole {
    wanted: &'static [&'static str],
    at: At,
    in_array: bool,
    skip: Skip,
    key: Vec<u8>,
    keeping: bool,
    value: Vec<u8>,
}

/// Finds where a JSON document ends that arrives in chunks: an object, or an array of objects.
#[derive(Debug)]
pub struct DocumentEnd(Whole);

impl Default for DocumentEnd {
    fn default() -> Self {
        DocumentEnd(Whole::new(&[]))
    }
}

impl DocumentEnd {
    /// Looks at the next bytes; whether its end has come.
    pub fn feed(&mut self, bytes: &[u8]) -> bool {
        self.0.feed(bytes, |_| {});
        self.0.is_closed()
    }
}

impl Whole {
    pub(crate) fn new(wanted: &'static [&'static str]) -> Self {
        Self {
            wanted,
            at: At::Root,
            in_array: false,
            skip: Skip::Word,
            key: Vec::new(),
            keeping: false,
            value: Vec::new(),
        }
    }

    /// Whether the text came to its end.
    pub(crate) fn is_closed(&self) -> bool {
        self.at == At::Closed
    }

    pub(crate) fn feed(&mut self, chunk: &[u8], mut on_found: impl FnMut(WholeMember<'_>)) {
        let mut rest = chunk;
        while let Some(first) = rest.first() {
            match self.at {
                At::Closed | At::NotJson => return,
                At::InKey => {
                    let end = self.skip.run(rest);
                    let (part, after) = rest.split_at(end.unwrap_or(rest.len()));
                    keep(&mut self.key, part, KEY_LIMIT);
                    rest = after;
                    if end.is_some() {
                        self.at = At::AfterKey;
                    }
                }
                At::InValue => {
                    let end = self.skip.run(rest);
                    let (part, after) = rest.split_at(end.unwrap_or(rest.len()));
                    if self.keeping {
                        keep(&mut self.value, part, MEMBER_LIMIT);
                    }
                    rest = after;
                    if end.is_some() {
                        self.end_value(&mut on_found);
                    }
                }
                _ if is_space(*first) => rest = &rest[1..],
                _ => {
                    self.step(*first, &mut on_found);
                    rest = &rest[1..];
                }
            }
        }
    }

    /// One byte of structure.
    fn step(&mut self, byte: u8, on_found: &mut impl FnMut(WholeMember<'_>)) {
        self.at = match (self.at, byte) {
            (At::Root, b'[') => {
                self.in_array = true;
                At::BetweenObjects
            }
            (At::Root | At::BetweenObjects, b'{') => At::BeforeKey,
            (At::BetweenObjects, b',') => At::BetweenObjects,
            (At::BetweenObjects, b']') => At::Closed,
            (At::BeforeKey, b',') => At::BeforeKey,
            (At::BeforeKey, b'}') if self.in_array => At::BetweenObjects,
            (At::BeforeKey, b'}') => At::Closed,
            (At::BeforeKey, b'"') => {
                self.key.clear();
                self.skip = Skip::after(byte);
                At::InKey
            }
            (At::AfterKey, b':') => At::BeforeValue,
            (At::BeforeValue, _) => {
                self.begin_value(byte, on_found);
                At::InValue
            }
            _ => At::NotJson,
        };
    }

    fn begin_value(&mut self, first: u8, on_found: &mut impl FnMut(WholeMember<'_>)) {
        self.skip = Skip::after(first);
        let key = self.key.strip_suffix(b"\"").unwrap_or(&self.key);
        self.keeping = self.wanted.iter().any(|wanted| wanted.as_bytes() == key);
        self.value.clear();
        if self.keeping {
            self.value.push(first);
        } else {
            on_found(WholeMember::Other);
        }
    }

    fn end_value(&mut self, on_found: &mut impl FnMut(WholeMember<'_>)) {
        self.at = At::BeforeKey;
        if self.keeping {
            let key = self.key.strip_suffix(b"\"").unwrap_or(&self.key);
            on_found(WholeMember::Wanted { key, value: &self.value });
        }
    }
}

/// Appends what still fits.
fn keep(kept: &mut Vec<u8>, part: &[u8], limit: usize) {
    let room = limit.saturating_sub(kept.len());
    kept.extend_from_slice(&part[..part.len().min(room)]);
}
