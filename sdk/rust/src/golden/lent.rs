//! The host's own document behind the SDK's, for tests: what a case reads and edits is what production would. Only
//! `Document` calls it.

use std::cell::RefCell;

use bitrouter_document as host;

use crate::{Cell, Condition, Edit, Kind, Matches, Patched, ReadError, Row, Test};

/// A document as the host lends it.
pub(crate) struct Lent {
    document: RefCell<host::Document>,
    /// What was wrong with the body itself when a hook read it, as a gateway would tell the client.
    refused: RefCell<Option<String>>,
}

impl Lent {
    pub(super) fn of(document: host::Document) -> Self {
        Self { document: RefCell::new(document), refused: RefCell::new(None) }
    }

    /// The body as the hook left it, and why a gateway would refuse it.
    pub(super) fn back(self) -> (host::Document, Option<String>) {
        (self.document.into_inner(), self.refused.into_inner())
    }

    fn refused(&self, error: host::Error) -> ReadError {
        match error {
            host::Error::TooBig { size, .. } => ReadError::TooBig(size),
            other => {
                let message = other.to_string();
                if other.is_of_the_body() {
                    self.refused.borrow_mut().get_or_insert_with(|| message.clone());
                }
                ReadError::Invalid(message)
            }
        }
    }

    pub(crate) fn kind(&self, pointer: &str) -> Result<Option<Kind>, ReadError> {
        let kind = self.document.borrow_mut().kind(pointer).map_err(|error| self.refused(error))?;
        Ok(kind.map(|kind| match kind {
            host::Kind::Object => Kind::Object,
            host::Kind::Array => Kind::Array,
            host::Kind::String => Kind::String,
            host::Kind::Number => Kind::Number,
            host::Kind::Boolean => Kind::Boolean,
            host::Kind::Null => Kind::Null,
        }))
    }

    pub(crate) fn size(&self, pointer: &str) -> Result<Option<u32>, ReadError> {
        self.document.borrow_mut().size(pointer).map_err(|error| self.refused(error))
    }

    pub(crate) fn get(&self, pointer: &str, max_bytes: u32) -> Result<Option<String>, ReadError> {
        let mut document = self.document.borrow_mut();
        Ok(document.get(pointer, max_bytes).map_err(|error| self.refused(error))?.map(Into::into))
    }

    pub(crate) fn keys(&self, pointer: &str) -> Result<Vec<String>, ReadError> {
        let mut document = self.document.borrow_mut();
        Ok(document.keys(pointer).map_err(|error| self.refused(error))?.into_iter().map(Into::into).collect())
    }

    pub(crate) fn text(&self, pointer: &str, max_bytes: u32) -> Result<Option<String>, ReadError> {
        let mut document = self.document.borrow_mut();
        Ok(document.text(pointer, max_bytes).map_err(|error| self.refused(error))?.map(Into::into))
    }

    pub(crate) fn find(
        &self,
        pattern: &str,
        only: &[Condition],
        fields: &[String],
        max_bytes: u32,
        limit: u32,
    ) -> Result<Matches, ReadError> {
        let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
        let only: Vec<_> = only.iter().map(condition).collect();
        let mut document = self.document.borrow_mut();
        let limit = limit as usize;
        let find = host::Find { only: &only, fields: &fields, max_bytes, limit, ..host::Find::all(pattern) };
        let found = document.find(&find).map_err(|error| self.refused(error))?;
        let cell = |cell: &host::Cell<'_>| match cell {
            host::Cell::Absent => Cell::Absent,
            host::Cell::Value(text) => Cell::Value(text.to_string()),
            host::Cell::Big(size) => Cell::Big(*size),
        };
        let row = |(pointer, cells): (&str, &[host::Cell<'_>])| Row {
            pointer: pointer.into(),
            cells: cells.iter().map(cell).collect(),
        };
        Ok(Matches { rows: found.rows().map(row).collect(), more: found.more() })
    }

    pub(crate) fn patch(&self, edits: &[Edit]) -> Result<(), String> {
        let edits: Vec<host::Edit<'_>> = edits.iter().map(edit).collect();
        self.document.borrow_mut().patch(&edits).map_err(|error| error.to_string())
    }

    pub(crate) fn patch_each(
        &self,
        pattern: &str,
        only: &[Condition],
        edits: &[Edit],
        named: u32,
    ) -> Result<Patched, String> {
        let edits: Vec<host::Edit<'_>> = edits.iter().map(edit).collect();
        let only: Vec<_> = only.iter().map(condition).collect();
        let each = host::PatchEach { only: &only, named: named as usize, ..host::PatchEach::all(pattern, &edits) };
        let patched = self.document.borrow_mut().patch_each(&each).map_err(|error| error.to_string())?;
        Ok(Patched { matches: patched.matches as u32, pointers: patched.pointers })
    }
}

fn edit(edit: &Edit) -> host::Edit<'_> {
    match edit {
        Edit::Add(set) => host::Edit::Add { path: &set.path, value: &set.value },
        Edit::Remove(path) => host::Edit::Remove { path },
        Edit::Replace(set) => host::Edit::Replace { path: &set.path, value: &set.value },
        Edit::Move(pair) => host::Edit::Move { source: &pair.source, target: &pair.target },
        Edit::Copy(pair) => host::Edit::Copy { source: &pair.source, target: &pair.target },
    }
}

fn condition(condition: &Condition) -> host::Condition<'_> {
    let kind = |kind: &Kind| match kind {
        Kind::Object => host::Kind::Object,
        Kind::Array => host::Kind::Array,
        Kind::String => host::Kind::String,
        Kind::Number => host::Kind::Number,
        Kind::Boolean => host::Kind::Boolean,
        Kind::Null => host::Kind::Null,
    };
    let test = match &condition.test {
        Test::Present => host::Test::Present,
        Test::OfKind(kinds) => host::Test::OfKind(kinds.iter().map(kind).collect()),
        Test::OneOf(values) => host::Test::OneOf(values.iter().map(String::as_str).collect()),
        Test::BeginsWith(texts) => host::Test::BeginsWith(texts.iter().map(String::as_str).collect()),
        Test::LongerThan(bytes) => host::Test::LongerThan(*bytes),
    };
    host::Condition { at: &condition.at, test, negated: condition.negated }
}
