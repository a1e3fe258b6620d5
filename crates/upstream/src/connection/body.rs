//! Where an answer's body ends, and its bytes without the chunks around them (RFC 9112, sections 6 and 7).
//!
//! The connection hands over whatever one read brought. All of it is decoded in one pass: a burst of chunks leaves as one
//! piece. No I/O is done here, and nothing is kept but where the body stands.

use super::Fault;

/// The most bytes of chunk extensions, and of trailers, in one body. Both are skipped; real ones have a few dozen.
const MAX_SKIPPED: usize = 16 << 10;

/// The rest of a body.
#[derive(Debug)]
pub(super) enum Decoder {
    /// This many bytes: none once it is complete.
    Length(u64),
    /// Chunks up to the one that is empty.
    Chunked(Chunks),
    /// Everything until the connection is closed.
    UntilClose,
}

/// Where a chunked body stands.
#[derive(Debug)]
pub(super) struct Chunks {
    at: At,
    /// Bytes of the chunk that are still to come.
    left: u64,
    skipped: usize,
}

/// What the next byte is. The names follow the grammar of RFC 9112, section 7.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    /// The first digit of a chunk's size.
    Size,
    /// Another digit, or what follows the size.
    Digits,
    /// White space behind a size, which some servers pad it with.
    Padding,
    Extension,
    SizeLf,
    Data,
    DataCr,
    DataLf,
    /// The first byte of a trailer's line, or of the end.
    Line,
    Trailer,
    TrailerLf,
    EndLf,
    End,
}

impl Decoder {
    /// A body without bytes.
    pub(super) fn none() -> Self {
        Decoder::Length(0)
    }

    /// A chunked body of which nothing has come yet.
    pub(super) fn chunked() -> Self {
        Decoder::Chunked(Chunks { at: At::Size, left: 0, skipped: 0 })
    }

    /// Whether the body is complete.
    pub(super) fn is_complete(&self) -> bool {
        match self {
            Decoder::Length(left) => *left == 0,
            Decoder::Chunked(chunks) => chunks.at == At::End,
            Decoder::UntilClose => false,
        }
    }

    /// How many bytes are still to come, where that is known.
    pub(super) fn left(&self) -> Option<u64> {
        match self {
            Decoder::Length(left) => Some(*left),
            Decoder::Chunked(chunks) => (chunks.at == At::End).then_some(0),
            Decoder::UntilClose => None,
        }
    }

    /// Takes what was read and adds what it holds of the body to `body`, up to a fault. The number of bytes taken: all,
    /// unless the body is complete before.
    pub(super) fn decode(&mut self, input: &[u8], body: &mut Vec<u8>) -> Result<usize, Fault> {
        match self {
            Decoder::Length(left) => {
                let taken = within(*left, input);
                body.extend_from_slice(&input[..taken]);
                *left -= taken as u64;
                Ok(taken)
            }
            Decoder::Chunked(chunks) => chunks.decode(input, body),
            Decoder::UntilClose => {
                body.extend_from_slice(input);
                Ok(input.len())
            }
        }
    }

    /// The connection was closed: the end of a body without a length, too early for any other.
    pub(super) fn close(&mut self) -> Result<(), Fault> {
        match self {
            Decoder::UntilClose => {
                *self = Decoder::none();
                Ok(())
            }
            _ if self.is_complete() => Ok(()),
            _ => Err(Fault::Cut),
        }
    }
}

impl Chunks {
    fn decode(&mut self, input: &[u8], body: &mut Vec<u8>) -> Result<usize, Fault> {
        let mut taken = 0;
        while self.at != At::End
            && let Some(&byte) = input.get(taken)
        {
            if self.at == At::Data {
                let length = within(self.left, &input[taken..]);
                body.extend_from_slice(&input[taken..taken + length]);
                taken += length;
                self.left -= length as u64;
                if self.left == 0 {
                    self.at = At::DataCr;
                }
            } else {
                self.at = self.after(byte)?;
                taken += 1;
            }
        }
        Ok(taken)
    }

    /// What comes after a byte that is none of the body's.
    fn after(&mut self, byte: u8) -> Result<At, Fault> {
        let next = match (self.at, byte) {
            (At::Size | At::Digits, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => self.digit(byte)?,
            (At::Digits | At::Padding, b' ' | b'\t') => self.skip(At::Padding)?,
            (At::Digits | At::Padding, b';') => At::Extension,
            (At::Digits | At::Padding | At::Extension, b'\r') => At::SizeLf,
            (At::SizeLf, b'\n') if self.left == 0 => At::Line,
            (At::SizeLf, b'\n') => At::Data,
            (At::DataCr, b'\r') => At::DataLf,
            (At::DataLf, b'\n') => At::Size,
            (At::Line, b'\r') => At::EndLf,
            (At::Trailer, b'\r') => At::TrailerLf,
            (At::TrailerLf, b'\n') => At::Line,
            (At::EndLf, b'\n') => At::End,
            // A line feed alone ends a line for some and not for others, who would read another body.
            (At::Extension, byte) if byte != b'\n' => self.skip(At::Extension)?,
            (At::Line | At::Trailer, byte) if byte != b'\n' => self.skip(At::Trailer)?,
            (At::Size | At::Digits | At::Padding, _) => return Err(Fault::Chunk("a chunk's size is no number")),
            (At::DataCr | At::DataLf, _) => return Err(Fault::Chunk("a chunk is longer than its size")),
            _ => return Err(Fault::Chunk("a line of it does not end as it must")),
        };
        Ok(next)
    }

    fn digit(&mut self, byte: u8) -> Result<At, Fault> {
        let digit = char::from(byte).to_digit(16).map_or(0, u64::from);
        let size = self.left.checked_mul(16).and_then(|size| size.checked_add(digit));
        self.left = size.ok_or(Fault::Chunk("a chunk's size is beyond all bounds"))?;
        Ok(At::Digits)
    }

    fn skip(&mut self, next: At) -> Result<At, Fault> {
        self.skipped += 1;
        if self.skipped > MAX_SKIPPED {
            return Err(Fault::Chunk("its extensions and trailers are too long"));
        }
        Ok(next)
    }
}

/// How many of these bytes belong to what has `left` bytes to come.
fn within(left: u64, bytes: &[u8]) -> usize {
    usize::try_from(left).map_or(bytes.len(), |left| left.min(bytes.len()))
}

#[cfg(test)]
mod tests;
