//! The host's own document behind the SDK's, for tests: what a case reads and edits is what production would. Only
//! `Document` calls it.

use std::cell::RefCell;

use bitrouter_document as host;

use crate::{Cell, Edit, Kind, ReadError};

/// A document as the host lends it.
pub(crate) struct Lent(RefCell<host::Document>);

impl Lent {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let document = host::Document::parse(text.to_owned()).map_err(|error| format!("body.json: {error}"))?;
        Ok(Self(RefCell::new(document)))
    }

    /// The body as it would leave.
    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.borrow().output().into_bytes()).into_owned()
    }

    pub(crate) fn kind(&self, pointer: &str) -> Result<Option<Kind>, ReadError> {
        let kind = self.0.borrow_mut().kind(pointer).map_err(refused)?;
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
        self.0.borrow_mut().size(pointer).map_err(refused)
    }

    pub(crate) fn get(&self, pointer: &str, max_bytes: u32) -> Result<Option<String>, ReadError> {
        let mut document = self.0.borrow_mut();
        Ok(document.get(pointer, max_bytes).map_err(refused)?.map(Into::into))
    }

    pub(crate) fn keys(&self, pointer: &str) -> Result<Vec<String>, ReadError> {
        let mut document = self.0.borrow_mut();
        Ok(document.keys(pointer).map_err(refused)?.into_iter().map(Into::into).collect())
    }

    pub(crate) fn select(&self, array: &str, fields: &[String], max_bytes: u32) -> Result<Vec<Vec<Cell>>, ReadError> {
        let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
        let mut document = self.0.borrow_mut();
        let table = document.select(array, &fields, max_bytes).map_err(refused)?;
        let cell = |cell: &host::Cell<'_>| match cell {
            host::Cell::Absent => Cell::Absent,
            host::Cell::Value(text) => Cell::Value(text.to_string()),
            host::Cell::Big(size) => Cell::Big(*size),
        };
        Ok(table.rows().map(|row| row.iter().map(cell).collect()).collect())
    }

    pub(crate) fn patch(&self, edits: &[Edit]) -> Result<(), String> {
        let edits: Vec<host::Edit<'_>> = edits
            .iter()
            .map(|edit| match edit {
                Edit::Add(set) => host::Edit::Add { path: &set.path, value: &set.value },
                Edit::Remove(path) => host::Edit::Remove { path },
                Edit::Replace(set) => host::Edit::Replace { path: &set.path, value: &set.value },
                Edit::Move(pair) => host::Edit::Move { source: &pair.source, target: &pair.target },
                Edit::Copy(pair) => host::Edit::Copy { source: &pair.source, target: &pair.target },
            })
            .collect();
        self.0.borrow_mut().patch(&edits).map_err(|error| error.to_string())
    }
}

fn refused(error: host::Error) -> ReadError {
    match error {
        host::Error::TooBig { size, .. } => ReadError::TooBig(size),
        other => ReadError::Invalid(other.to_string()),
    }
}
