//! Cuts a byte stream into the frames of AWS's event stream (`application/vnd.amazon.eventstream`), in which Bedrock
//! answers: two lengths and their CRC-32, headers, a payload, and the CRC-32 of all of it. `EventReader` calls it. A frame
//! that lies in one chunk is not copied, and one that is not what its checksums say is an error, never an event.

use std::borrow::Cow;
use std::fmt;

use base64::prelude::{BASE64_STANDARD, Engine as _};

use crate::event::{Event, EventKind};
use crate::reader::Framed;

/// The length of the frame, that of its headers, and the checksum of both; four bytes each.
const PRELUDE: usize = 12;
/// The checksum of the frame, at its end.
const CHECKSUM: usize = 4;
/// The most bytes of headers that AWS's own readers take.
const HEADERS_LIMIT: usize = 128 * 1024;

/// The headers that name an event, an exception and an error.
const NAMES: [&str; 3] = [":event-type", ":exception-type", ":error-code"];

/// An incremental splitter for one stream.
#[derive(Debug)]
pub(crate) struct Frames {
    /// The beginning of a frame whose end has not come.
    carry: Vec<u8>,
    limit: usize,
    /// How much is still to come of a frame that is too long to be kept.
    skipping: usize,
    /// How many frames were before this one, and how many bytes.
    before: u64,
    offset: u64,
}

/// Why a stream is not in its framing. What follows cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FrameError {
    frame: u64,
    offset: u64,
    fault: Fault,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// The checksum that was sent, and that of what was sent.
    Prelude(u32, u32),
    Frame(u32, u32),
    /// The length of the frame and that of its headers.
    Lengths(u32, u32),
    Headers,
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "frame {} of the aws-event-stream, at byte {}, cannot be read: ", self.frame, self.offset)?;
        match self.fault {
            Fault::Prelude(said, is) => write!(f, "its lengths have the checksum {is:#010x}, not {said:#010x}"),
            Fault::Frame(said, is) => write!(f, "it has the checksum {is:#010x}, not {said:#010x}"),
            Fault::Lengths(all, headers) => write!(f, "{headers} bytes of headers in a frame of {all}"),
            Fault::Headers => f.write_str("its headers are not whole"),
        }
    }
}

impl std::error::Error for FrameError {}

impl Frames {
    /// One that gives up keeping a frame of more than `limit` bytes: its place is taken by an [`EventKind::Oversized`].
    pub(crate) fn with_limit(limit: usize) -> Self {
        Self { carry: Vec::new(), limit: limit.max(PRELUDE), skipping: 0, before: 0, offset: 0 }
    }

    /// Hands every frame that `chunk` completes to `on_event`, in order.
    pub(crate) fn feed(&mut self, chunk: &[u8], mut on_event: impl FnMut(Framed<'_>)) -> Result<(), FrameError> {
        let mut rest = chunk;
        while !rest.is_empty() {
            if self.skipping > 0 {
                let skipped = self.skipping.min(rest.len());
                self.skipping -= skipped;
                rest = &rest[skipped..];
                continue;
            }
            let begun = if self.carry.is_empty() { rest } else { &self.carry[..] };
            let wanted = self.length(begun)?;
            if wanted > self.limit {
                on_event(Framed::of(Event::oversized()));
                self.skip(wanted);
            } else if self.carry.is_empty() && wanted <= rest.len() {
                let (frame, after) = rest.split_at(wanted);
                on_event(self.read(frame)?);
                self.pass(wanted);
                rest = after;
            } else {
                let (more, after) = rest.split_at(rest.len().min(wanted - self.carry.len()));
                self.carry.extend_from_slice(more);
                rest = after;
                if self.carry.len() == PRELUDE {
                    // It says how long the frame is; what is wrong with that is said at once.
                    let length = self.length(&self.carry)?;
                    if length > self.limit {
                        on_event(Framed::of(Event::oversized()));
                        self.skip(length);
                    }
                } else if self.carry.len() == wanted {
                    on_event(self.read(&self.carry)?);
                    self.carry.clear();
                    self.pass(wanted);
                }
            }
        }
        Ok(())
    }

    /// Ends the stream: a frame that has begun is [`EventKind::Unfinished`], and nothing of it is told.
    pub(crate) fn finish(&mut self, mut on_event: impl FnMut(Framed<'_>)) {
        if !self.carry.is_empty() || self.skipping > 0 {
            on_event(Framed::of(Event { kind: EventKind::Unfinished, name: None, data: &[], raw: &self.carry }));
        }
        (self.carry, self.skipping) = (Vec::new(), 0);
    }

    /// Lets go of a frame of this length.
    fn skip(&mut self, frame: usize) {
        self.skipping = frame - self.carry.len();
        // A fresh Vec gives the memory back.
        self.carry = Vec::new();
        self.pass(frame);
    }

    fn pass(&mut self, frame: usize) {
        self.before += 1;
        self.offset += frame as u64;
    }

    fn error(&self, fault: Fault) -> FrameError {
        FrameError { frame: self.before + 1, offset: self.offset, fault }
    }

    /// How long a frame is that begins so; while that is not there, how long its prelude is.
    fn length(&self, begun: &[u8]) -> Result<usize, FrameError> {
        let Some(prelude) = begun.first_chunk::<PRELUDE>() else { return Ok(PRELUDE) };
        let (lengths, said) = prelude.split_at(8);
        let (all, headers) = lengths.split_at(4);
        let (all, headers, said, is) = (number(all), number(headers), number(said), crc32fast::hash(lengths));
        if said != is {
            return Err(self.error(Fault::Prelude(said, is)));
        }
        if headers as usize > HEADERS_LIMIT || (all as usize) < PRELUDE + headers as usize + CHECKSUM {
            return Err(self.error(Fault::Lengths(all, headers)));
        }
        Ok(all as usize)
    }

    /// A frame whose lengths were looked at.
    fn read<'f>(&self, frame: &'f [u8]) -> Result<Framed<'f>, FrameError> {
        let (checked, said) = frame.split_at(frame.len() - CHECKSUM);
        let (said, is) = (number(said), crc32fast::hash(checked));
        if said != is {
            return Err(self.error(Fault::Frame(said, is)));
        }
        let (headers, data) = checked[PRELUDE..].split_at(number(&frame[4..8]) as usize);
        let headers = read_headers(headers).ok_or_else(|| self.error(Fault::Headers))?;
        let name = NAMES.iter().find_map(|wanted| match headers.iter().find(|(name, _)| name == wanted)? {
            (_, Cow::Borrowed(text)) => Some(text.as_bytes()),
            // A number is no name.
            (_, Cow::Owned(_)) => None,
        });
        Ok(Framed { event: Event { kind: EventKind::Message, name, data, raw: frame }, headers })
    }
}

/// A number of four bytes, the first of which counts most.
fn number(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |number, byte| number << 8 | u32::from(*byte))
}

/// Headers with their values as text; none where they are not what they say.
fn read_headers(mut bytes: &[u8]) -> Option<Vec<(&str, Cow<'_, str>)>> {
    let mut headers = Vec::new();
    while let Some((length, rest)) = bytes.split_first() {
        let (name, rest) = rest.split_at_checked(usize::from(*length))?;
        let (kind, rest) = rest.split_first()?;
        let (value, rest) = read_value(*kind, rest)?;
        headers.push((std::str::from_utf8(name).ok()?, value));
        bytes = rest;
    }
    Some(headers)
}

/// A value of this type and what follows it: truth as a word, numbers and times (in milliseconds since 1970) in digits, bytes
/// in base64, a UUID as it is written.
fn read_value(kind: u8, bytes: &[u8]) -> Option<(Cow<'_, str>, &[u8])> {
    let owned = |text: String| Cow::Owned(text);
    Some(match kind {
        0 => ("true".into(), bytes),
        1 => ("false".into(), bytes),
        2 => bytes.split_first_chunk().map(|(value, rest)| (owned(i8::from_be_bytes(*value).to_string()), rest))?,
        3 => bytes.split_first_chunk().map(|(value, rest)| (owned(i16::from_be_bytes(*value).to_string()), rest))?,
        4 => bytes.split_first_chunk().map(|(value, rest)| (owned(i32::from_be_bytes(*value).to_string()), rest))?,
        5 | 8 => {
            bytes.split_first_chunk().map(|(value, rest)| (owned(i64::from_be_bytes(*value).to_string()), rest))?
        }
        6 | 7 => {
            let (length, rest) = bytes.split_first_chunk()?;
            let (value, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
            let value =
                if kind == 7 { std::str::from_utf8(value).ok()?.into() } else { owned(BASE64_STANDARD.encode(value)) };
            (value, rest)
        }
        9 => {
            let (value, rest) = bytes.split_first_chunk()?;
            let digits = format!("{:032x}", u128::from_be_bytes(*value));
            let parts = [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]];
            (owned(parts.join("-")), rest)
        }
        _ => return None,
    })
}
