//! What can be wrong with a body, a pointer or an edit.
//! Every public function of this crate fails with [`Error`]; nothing else prints one. Messages name the thing and the
//! place, and never more of the body than a key.

use std::{error, fmt};

use crate::{Kind, limits};

/// Why a document could not be read or edited.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The body has 4 GiB or more, so that positions in it do not fit 32 bits.
    TooLarge {
        /// Bytes.
        size: usize,
    },
    /// The body starts with a UTF-8 byte order mark, which RFC 8259 section 8.1 forbids.
    ByteOrderMark,
    /// The body is JSON of another kind.
    NotObject {
        /// What it is.
        found: Kind,
        /// Where it starts.
        place: Location,
    },
    /// The text is not JSON here.
    Syntax {
        /// What should stand there.
        expected: &'static str,
        /// Where.
        place: Location,
    },
    /// Objects and arrays are nested deeper than [`limits::NESTING`].
    TooDeep {
        /// Where the limit was passed.
        place: Location,
    },
    /// More than [`limits::MEMBERS`] members and items would have to be indexed.
    TooMany,
    /// The edits add up to more bytes than [`limits::added`] allows.
    TooMuchAdded,
    /// A patch has more than [`limits::EDITS`] edits, or those of all matches are more than [`limits::EDITS_OF_EACH`].
    TooManyEdits {
        /// How many.
        edits: usize,
        /// How many there may be.
        most: usize,
    },
    /// A call has more than [`limits::CONDITIONS`] conditions.
    TooManyConditions {
        /// How many.
        conditions: usize,
    },
    /// What a condition compares with is no scalar in JSON.
    Condition {
        /// The condition's pointer.
        at: String,
        /// What it compares with.
        value: String,
    },
    /// A `find` names more than [`limits::FIELDS`] fields.
    TooManyFields {
        /// How many.
        fields: usize,
    },
    /// A `find` would answer more than [`limits::CELLS`] cells.
    TooManyCells {
        /// Matches.
        rows: usize,
        /// Fields of each.
        fields: usize,
    },
    /// The names that were asked for in one call have more than [`limits::SELECTED`] bytes.
    TooMuchSelected,
    /// Finding what was asked for takes more than [`limits::STEPS`] steps, or than the caller gave.
    TooManySteps,
    /// An object has the same key twice, however it is spelled. Two parsers would disagree on what it says.
    DuplicateKey {
        /// The key, decoded.
        key: String,
        /// The object's pointer.
        object: String,
    },
    /// The pointer is malformed, or names what an edit needs and the document has not.
    Pointer {
        /// The pointer as given.
        pointer: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The value is longer than the reader asked for.
    TooBig {
        /// Bytes of the value's text.
        size: u32,
    },
    /// A value that was read is not UTF-8.
    NotUtf8 {
        /// Where the first wrong byte is.
        place: Location,
    },
    /// A value is there and is of another kind than the reader needs.
    WrongKind {
        /// The value's pointer.
        pointer: String,
        /// What the reader needs.
        expected: Kind,
        /// What it is.
        found: Kind,
    },
    /// The new value of an edit is not JSON, or not of the kind that its place needs.
    NewValue {
        /// Where it should go.
        pointer: String,
        /// What is wrong with it.
        reason: String,
    },
    /// An edit of a patch failed; none of the patch was applied.
    Edit {
        /// Which one, from 0.
        index: usize,
        /// Its RFC 6902 name.
        operation: &'static str,
        /// Why.
        cause: Box<Error>,
    },
}

impl Error {
    /// Whether the body is at fault, and with it whoever sent it: not whoever reads or edits it.
    pub fn is_of_the_body(&self) -> bool {
        match self {
            Self::TooLarge { .. }
            | Self::ByteOrderMark
            | Self::NotObject { .. }
            | Self::Syntax { .. }
            | Self::TooDeep { .. }
            | Self::TooMany
            | Self::TooManyCells { .. }
            | Self::DuplicateKey { .. }
            | Self::NotUtf8 { .. } => true,
            Self::TooMuchAdded
            | Self::TooManyEdits { .. }
            | Self::TooManyConditions { .. }
            | Self::Condition { .. }
            | Self::TooManyFields { .. }
            | Self::TooMuchSelected
            | Self::TooManySteps
            | Self::Pointer { .. }
            | Self::TooBig { .. }
            | Self::WrongKind { .. }
            | Self::NewValue { .. } => false,
            Self::Edit { cause, .. } => cause.is_of_the_body(),
        }
    }
}

/// Bytes of a pointer or key that an error shows and keeps: both may be as long as a body.
const SHOWN: usize = 200;

/// A pointer or key as an error shows it. [`kept`] is longer by one byte at most, so that what is cut is seen to be.
fn short(text: &str) -> std::borrow::Cow<'_, str> {
    match text.len() > SHOWN {
        false => text.into(),
        true => [&text[..text.floor_char_boundary(SHOWN)], "…"].concat().into(),
    }
}

/// A pointer or key as an error keeps it.
pub(crate) fn kept(text: &str) -> String {
    text[..text.floor_char_boundary(SHOWN + 4)].to_owned()
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge { size } => write!(f, "the body has {size} bytes; send less than 4 GiB"),
            Self::ByteOrderMark => f.write_str("the body starts with a byte order mark; JSON has none"),
            Self::NotObject { found, place } => {
                write!(f, "the body is of kind {found} ({place}); a JSON object is needed")
            }
            Self::Syntax { expected, place } => {
                write!(f, "invalid JSON at {place}: expected {expected}")
            }
            Self::TooDeep { place } => {
                write!(f, "the body is nested deeper than {} levels at {place}", limits::NESTING)
            }
            Self::TooMany => {
                write!(f, "too many members to index: more than {} were asked for", limits::MEMBERS)
            }
            Self::TooMuchAdded => f.write_str(
                "the edits add more than 1 MiB and twice the body's size; replace less, or move instead of copying",
            ),
            Self::TooManyEdits { edits, most } => {
                write!(f, "the patch has {edits} edits; at most {most} are applied at once")
            }
            Self::TooManyFields { fields } => {
                write!(f, "{fields} fields were asked for; find reads at most {} at once", limits::FIELDS)
            }
            Self::TooManyConditions { conditions } => {
                write!(f, "there are {conditions} conditions; at most {} are looked at", limits::CONDITIONS)
            }
            Self::Condition { at, value } => {
                write!(
                    f,
                    "the condition on {:?} compares with {:?}, which is no scalar in JSON",
                    short(at),
                    short(value)
                )
            }
            Self::TooManyCells { rows, fields } => write!(
                f,
                "{fields} fields of {rows} matches, each with its pointer, are {} values; at most {} are read at once",
                rows.saturating_mul(*fields + 1),
                limits::CELLS
            ),
            Self::TooMuchSelected => {
                write!(f, "more than {} MiB of names were asked for at once", limits::SELECTED >> 20)
            }
            Self::TooManySteps => f.write_str(
                "finding this takes too long: more members would be compared than one call may; ask for less at once",
            ),
            Self::DuplicateKey { key, object } => {
                write!(f, "duplicate key {:?} in the object at {:?}; keep one of them", short(key), short(object))
            }
            Self::Pointer { pointer, reason } => write!(f, "pointer {:?}: {reason}", short(pointer)),
            Self::TooBig { size } => {
                write!(f, "the value has {size} bytes, more than were asked for")
            }
            Self::NotUtf8 { place } => write!(f, "invalid UTF-8 at {place}"),
            Self::WrongKind { pointer, expected, found } => {
                write!(f, "the value at {:?} is of kind {found}; {expected} is needed", short(pointer))
            }
            Self::NewValue { pointer, reason } => {
                write!(f, "the new value for {:?}: {reason}", short(pointer))
            }
            Self::Edit { index, operation, cause } => write!(f, "edit {index} ({operation}): {cause}"),
        }
    }
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Edit { cause, .. } => Some(cause.as_ref()),
            _ => None,
        }
    }
}

/// A place in the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Location {
    /// Line and column, both from 1; a column is a byte, as in serde_json.
    Body {
        /// The line.
        line: usize,
        /// The byte within the line.
        column: usize,
    },
    /// Inside a value that an edit added.
    Added,
}

impl Location {
    /// The place of a byte in a text.
    pub(crate) fn of(text: &[u8], at: usize) -> Self {
        let before = &text[..at.min(text.len())];
        let line_start = before.iter().rposition(|&byte| byte == b'\n').map_or(0, |newline| newline + 1);
        let line = before.iter().filter(|&&byte| byte == b'\n').count() + 1;
        Self::Body { line, column: before.len() - line_start + 1 }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Body { line, column } => write!(f, "line {line}, column {column}"),
            Self::Added => f.write_str("a value that an edit added"),
        }
    }
}
