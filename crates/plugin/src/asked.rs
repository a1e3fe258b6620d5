//! What a hook may ask of the call's document, and what it is told: the work behind `bitrouter:host/document`, as values.
//!
//! `document` asks on behalf of a guest; `prepare_cache` keeps what was asked, and asks again in a guest's place. Both do the same
//! work by the same bounds, so that they come to the same end.

use bitrouter_document::limits::STEPS;
use bitrouter_document::{Cell, Condition, Document, Edit, Error, Find, Kind, PatchEach, Test};

use super::contract::document as guest;

/// What makes work long enough, some milliseconds, not to be done where everybody is answered: the body's bytes, the
/// names of a list, the members that a search compares, the edits of a batch and the bytes of these. A coding agent's calls
/// stay far below.
const LONG_BODY: usize = 2 << 20;
const LONG_LIST: usize = 1 << 14;
const LONG_SEARCH: usize = 1 << 15;
const LONG_BATCH: usize = 1 << 11;
const LONG_EDITS: usize = 1 << 20;
/// The longest text that a guest may read at once.
const LONGEST_READ: u32 = 16 << 20;

/// One call of a function of `document`.
#[derive(Debug)]
pub(super) enum Asked {
    Kind(String),
    Size(String),
    Get(String, u32),
    Text(String, u32),
    Keys(String),
    Find { pattern: String, only: Vec<guest::Condition>, fields: Vec<String>, max_bytes: u32, limit: u32 },
    Patch(Vec<guest::Edit>),
    PatchEach { pattern: String, only: Vec<guest::Condition>, edits: Vec<guest::Edit>, named: u32 },
}

/// What it returned, where it did what it was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Said {
    Kind(Option<Kind>),
    Size(Option<u32>),
    Text(Option<String>),
    Keys(Vec<String>),
    /// It has so many bytes, which are more than were asked for.
    TooBig(u32),
    Found {
        rows: Vec<(String, Vec<SaidCell>)>,
        more: bool,
    },
    Patched {
        matches: u32,
        pointers: Vec<String>,
    },
}

/// One value of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum SaidCell {
    Absent,
    Value(String),
    Big(u32),
}

impl Asked {
    /// Does it where that is soon done; none where it is not, and the document may have been indexed further.
    pub(super) fn soon(&self, document: &mut Document) -> Option<Result<Said, Error>> {
        if document.body_len() > LONG_BODY {
            return None;
        }
        let bytes = |edits: &[guest::Edit]| edits.iter().map(|edit| text_of(edit, document.body_len())).sum::<usize>();
        match self {
            Asked::Patch(edits) if edits.len() > LONG_BATCH || bytes(edits) > LONG_EDITS => return None,
            Asked::Keys(pointer) => match document.count(pointer) {
                Ok(names) if names > LONG_LIST => return None,
                Ok(_) => {}
                Err(error) => return Some(Err(error)),
            },
            _ => {}
        }
        match self.done(document, LONG_SEARCH) {
            // What the first try has indexed stays, so little is done twice.
            Err(Error::TooManySteps) => None,
            done => Some(done),
        }
    }

    /// Does it, however long that takes.
    pub(super) fn now(&self, document: &mut Document) -> Result<Said, Error> {
        self.done(document, STEPS)
    }

    fn done(&self, document: &mut Document, steps: usize) -> Result<Said, Error> {
        let done = match self {
            Asked::Kind(pointer) => document.kind(pointer).map(Said::Kind),
            Asked::Size(pointer) => document.size(pointer).map(Said::Size),
            Asked::Get(pointer, max) => {
                document.get(pointer, *max.min(&LONGEST_READ)).map(|text| Said::Text(text.map(Into::into)))
            }
            Asked::Text(pointer, max) => {
                document.text(pointer, *max.min(&LONGEST_READ)).map(|text| Said::Text(text.map(Into::into)))
            }
            Asked::Keys(pointer) => {
                document.keys(pointer).map(|keys| Said::Keys(keys.into_iter().map(Into::into).collect()))
            }
            Asked::Find { pattern, only, fields, max_bytes, limit } => {
                let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
                let only: Vec<_> = only.iter().map(condition).collect();
                let limit = usize::try_from(*limit).unwrap_or(usize::MAX);
                let find = Find { pattern, only: &only, fields: &fields, max_bytes: *max_bytes, limit, steps };
                document.find(&find).map(|found| Said::Found {
                    rows: found.rows().map(|(pointer, cells)| (pointer.to_owned(), said(cells))).collect(),
                    more: found.more(),
                })
            }
            Asked::Patch(edits) => {
                let edits: Vec<_> = edits.iter().map(edit).collect();
                document.patch(&edits).map(|()| Said::Patched { matches: 1, pointers: Vec::new() })
            }
            Asked::PatchEach { pattern, only, edits, named } => {
                let edits: Vec<_> = edits.iter().map(edit).collect();
                let only: Vec<_> = only.iter().map(condition).collect();
                let named = usize::try_from(*named).unwrap_or(usize::MAX);
                document.patch_each(&PatchEach { pattern, only: &only, edits: &edits, named, steps }).map(|patched| {
                    let matches = u32::try_from(patched.matches).unwrap_or(u32::MAX);
                    Said::Patched { matches, pointers: patched.pointers }
                })
            }
        };
        match done {
            Err(Error::TooBig { size }) => Ok(Said::TooBig(size)),
            done => done,
        }
    }

    /// Bytes that keeping it takes.
    pub(super) fn bytes(&self) -> usize {
        let of_texts = |texts: &[String]| texts.iter().map(|text| size_of::<String>() + text.len()).sum::<usize>();
        let of_only = |only: &[guest::Condition]| -> usize {
            let of_one = |condition: &guest::Condition| {
                let test = match &condition.test {
                    guest::Test::Present | guest::Test::LongerThan(_) => 0,
                    guest::Test::OfKind(kinds) => size_of_val(kinds.as_slice()),
                    guest::Test::OneOf(texts) | guest::Test::BeginsWith(texts) => of_texts(texts),
                };
                size_of::<guest::Condition>() + condition.at.len() + test
            };
            only.iter().map(of_one).sum()
        };
        let of_edits = |edits: &[guest::Edit]| -> usize {
            edits.iter().map(|edit| size_of::<guest::Edit>() + text_of(edit, 0)).sum()
        };
        let inside = match self {
            Asked::Kind(pointer) | Asked::Size(pointer) | Asked::Keys(pointer) => pointer.len(),
            Asked::Get(pointer, _) | Asked::Text(pointer, _) => pointer.len(),
            Asked::Find { pattern, only, fields, .. } => pattern.len() + of_only(only) + of_texts(fields),
            Asked::Patch(edits) => of_edits(edits),
            Asked::PatchEach { pattern, only, edits, .. } => pattern.len() + of_only(only) + of_edits(edits),
        };
        size_of::<Self>() + inside
    }
}

impl PartialEq for Asked {
    fn eq(&self, other: &Self) -> bool {
        let same_edits = |one: &[guest::Edit], other: &[guest::Edit]| one.iter().map(edit).eq(other.iter().map(edit));
        let same_only = |one: &[guest::Condition], other: &[guest::Condition]| {
            one.iter().map(condition).eq(other.iter().map(condition))
        };
        match (self, other) {
            (Asked::Kind(one), Asked::Kind(other))
            | (Asked::Size(one), Asked::Size(other))
            | (Asked::Keys(one), Asked::Keys(other)) => one == other,
            (Asked::Get(one, max), Asked::Get(other, most)) | (Asked::Text(one, max), Asked::Text(other, most)) => {
                one == other && max == most
            }
            (
                Asked::Find { pattern, only, fields, max_bytes, limit },
                Asked::Find { pattern: p, only: o, fields: f, max_bytes: m, limit: l },
            ) => pattern == p && same_only(only, o) && fields == f && max_bytes == m && limit == l,
            (Asked::Patch(one), Asked::Patch(other)) => same_edits(one, other),
            (
                Asked::PatchEach { pattern, only, edits, named },
                Asked::PatchEach { pattern: p, only: o, edits: e, named: n },
            ) => pattern == p && same_only(only, o) && same_edits(edits, e) && named == n,
            _ => false,
        }
    }
}

impl Said {
    /// Bytes that keeping it takes.
    pub(super) fn bytes(&self) -> usize {
        let of_texts = |texts: &[String]| texts.iter().map(|text| size_of::<String>() + text.len()).sum::<usize>();
        let inside = match self {
            Said::Kind(_) | Said::Size(_) | Said::TooBig(_) => 0,
            Said::Text(text) => text.as_ref().map_or(0, String::len),
            Said::Keys(texts) | Said::Patched { pointers: texts, .. } => of_texts(texts),
            Said::Found { rows, .. } => {
                let of_cell = |cell: &SaidCell| match cell {
                    SaidCell::Value(text) => size_of::<SaidCell>() + text.len(),
                    SaidCell::Absent | SaidCell::Big(_) => size_of::<SaidCell>(),
                };
                let of_row = |(pointer, cells): &(String, Vec<SaidCell>)| {
                    size_of::<(String, Vec<SaidCell>)>() + pointer.len() + cells.iter().map(of_cell).sum::<usize>()
                };
                rows.iter().map(of_row).sum()
            }
        };
        size_of::<Self>() + inside
    }
}

fn said(cells: &[Cell<'_>]) -> Vec<SaidCell> {
    let one = |cell: &Cell<'_>| match cell {
        Cell::Absent => SaidCell::Absent,
        Cell::Value(text) => SaidCell::Value(text.to_string()),
        Cell::Big(size) => SaidCell::Big(*size),
    };
    cells.iter().map(one).collect()
}

fn edit(edit: &guest::Edit) -> Edit<'_> {
    match edit {
        guest::Edit::Add(set) => Edit::Add { path: &set.path, value: &set.value },
        guest::Edit::Remove(path) => Edit::Remove { path },
        guest::Edit::Replace(set) => Edit::Replace { path: &set.path, value: &set.value },
        guest::Edit::Move(pair) => Edit::Move { source: &pair.source, target: &pair.target },
        guest::Edit::Copy(pair) => Edit::Copy { source: &pair.source, target: &pair.target },
    }
}

fn texts(texts: &[String]) -> Vec<&str> {
    texts.iter().map(String::as_str).collect()
}

fn condition(condition: &guest::Condition) -> Condition<'_> {
    let kind = |kind: &guest::Kind| match kind {
        guest::Kind::Object => Kind::Object,
        guest::Kind::Array => Kind::Array,
        guest::Kind::String => Kind::String,
        guest::Kind::Number => Kind::Number,
        guest::Kind::Boolean => Kind::Boolean,
        guest::Kind::Null => Kind::Null,
    };
    let test = match &condition.test {
        guest::Test::Present => Test::Present,
        guest::Test::OfKind(kinds) => Test::OfKind(kinds.iter().map(kind).collect()),
        guest::Test::OneOf(values) => Test::OneOf(texts(values)),
        guest::Test::BeginsWith(starts) => Test::BeginsWith(texts(starts)),
        guest::Test::LongerThan(bytes) => Test::LongerThan(*bytes),
    };
    Condition { at: &condition.at, test, negated: condition.negated }
}

/// Bytes that have to be looked at for an edit, of a body of so many: what is copied may be all of it.
fn text_of(edit: &guest::Edit, body: usize) -> usize {
    match edit {
        guest::Edit::Add(set) | guest::Edit::Replace(set) => set.path.len() + set.value.len(),
        guest::Edit::Remove(path) => path.len(),
        guest::Edit::Move(pair) => pair.source.len() + pair.target.len(),
        guest::Edit::Copy(pair) => pair.source.len() + pair.target.len() + body,
    }
}
