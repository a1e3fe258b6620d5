//! The package `bitrouter:host` as a guest sees it: the call's body and the log.
//!
//! Called by guests through the linker. Everything here is pure memory work, which never sees a secret; it waits for nothing
//! but its turn, where it is long.

use bitrouter_document::{Cell, Document, Edit, Error as DocumentError, Kind};
use wasmtime::component::Resource;

use super::contract::document::{self as guest, ReadError};
use super::contract::log::{self, Level};
use super::hook::HookState;

/// The type behind the resource `document`. A hook has one body at most, which its state owns; the handle says nothing.
pub struct Body;

/// Log lines that one hook may write, beside what the component may over time.
const LOG_LINES: u32 = 32;
/// What makes work long enough, some milliseconds, not to be done where everybody is answered: the body's bytes, the
/// values of a table or list, the edits of a batch and the bytes of these. A coding agent's calls stay far below.
const LONG_BODY: usize = 2 << 20;
const LONG_TABLE: usize = 1 << 14;
const LONG_BATCH: usize = 1 << 11;
const LONG_EDITS: usize = 1 << 20;
/// The longest text that a guest may read at once.
const LONGEST_READ: u32 = 16 << 20;

impl HookState {
    /// Reads the document; `size` says how many values that would be.
    async fn read<T: Send>(
        &mut self,
        size: impl FnOnce(&mut Document) -> Result<usize, DocumentError> + Send,
        read: impl FnOnce(&mut Document) -> Result<T, DocumentError> + Send,
    ) -> wasmtime::Result<Result<T, ReadError>> {
        self.untouched = false;
        let document = self.document.as_mut().ok_or_else(|| wasmtime::format_err!("the call has no document"))?;
        let read = if document.body_len() > LONG_BODY {
            self.meter.work(|| read(document)).await
        } else {
            match size(document) {
                Ok(size) if size > LONG_TABLE => self.meter.work(|| read(document)).await,
                Ok(_) => read(document),
                Err(error) => Err(error),
            }
        };
        Ok(read.map_err(|error| match error {
            DocumentError::TooBig { size, .. } => ReadError::TooBig(size),
            other => {
                let message = other.to_string();
                if other.is_of_the_body() {
                    self.body_error.get_or_insert(other);
                }
                ReadError::Invalid(message)
            }
        }))
    }
}

/// For reads of one value.
fn one(_: &mut Document) -> Result<usize, DocumentError> {
    Ok(1)
}

impl log::Host for HookState {
    fn log(&mut self, level: Level, message: String) -> wasmtime::Result<()> {
        self.untouched = false;
        self.log_lines += 1;
        if self.log_lines > LOG_LINES {
            return Ok(());
        }
        self.log.line(level, &message, self.scrubber.as_deref());
        Ok(())
    }
}

impl guest::HostDocument for HookState {
    async fn kind(
        &mut self,
        _: Resource<Body>,
        pointer: String,
    ) -> wasmtime::Result<Result<Option<guest::Kind>, ReadError>> {
        self.read(one, |document| {
            Ok(document.kind(&pointer)?.map(|kind| match kind {
                Kind::Object => guest::Kind::Object,
                Kind::Array => guest::Kind::Array,
                Kind::String => guest::Kind::String,
                Kind::Number => guest::Kind::Number,
                Kind::Boolean => guest::Kind::Boolean,
                Kind::Null => guest::Kind::Null,
            }))
        })
        .await
    }

    async fn size(&mut self, _: Resource<Body>, pointer: String) -> wasmtime::Result<Result<Option<u32>, ReadError>> {
        self.read(one, |document| document.size(&pointer)).await
    }

    async fn get(
        &mut self,
        _: Resource<Body>,
        pointer: String,
        max: u32,
    ) -> wasmtime::Result<Result<Option<String>, ReadError>> {
        self.read(one, |document| Ok(document.get(&pointer, max.min(LONGEST_READ))?.map(|text| text.to_string()))).await
    }

    async fn keys(&mut self, _: Resource<Body>, pointer: String) -> wasmtime::Result<Result<Vec<String>, ReadError>> {
        let size = |document: &mut Document| document.count(&pointer);
        self.read(size, |document| Ok(document.keys(&pointer)?.into_iter().map(|key| key.to_string()).collect())).await
    }

    async fn select(
        &mut self,
        _: Resource<Body>,
        array: String,
        fields: Vec<String>,
        max: u32,
    ) -> wasmtime::Result<Result<Vec<Vec<guest::Cell>>, ReadError>> {
        let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
        let size = |document: &mut Document| Ok(document.count(&array)? * fields.len());
        self.read(size, |document| {
            let table = document.select(&array, &fields, max)?;
            let cell = |cell: &Cell<'_>| match cell {
                Cell::Absent => guest::Cell::Absent,
                Cell::Value(text) => guest::Cell::Value(text.to_string()),
                Cell::Big(size) => guest::Cell::Big(*size),
            };
            Ok(table.rows().map(|row| row.iter().map(cell).collect()).collect())
        })
        .await
    }

    async fn patch(&mut self, _: Resource<Body>, edits: Vec<guest::Edit>) -> wasmtime::Result<Result<(), String>> {
        let edits: Vec<Edit<'_>> = edits
            .iter()
            .map(|edit| match edit {
                guest::Edit::Add(set) => Edit::Add { path: &set.path, value: &set.value },
                guest::Edit::Remove(path) => Edit::Remove { path },
                guest::Edit::Replace(set) => Edit::Replace { path: &set.path, value: &set.value },
                guest::Edit::Move(pair) => Edit::Move { source: &pair.source, target: &pair.target },
                guest::Edit::Copy(pair) => Edit::Copy { source: &pair.source, target: &pair.target },
            })
            .collect();
        self.untouched = false;
        let document = self.document.as_mut().ok_or_else(|| wasmtime::format_err!("the call has no document"))?;
        let body = document.body_len();
        let bytes = || edits.iter().map(|edit| text_of(edit, body)).sum::<usize>();
        let long = body > LONG_BODY || edits.len() > LONG_BATCH || bytes() > LONG_EDITS;
        let patched = if long { self.meter.work(|| document.patch(&edits)).await } else { document.patch(&edits) };
        Ok(patched.map_err(|error| error.to_string()))
    }

    fn drop(&mut self, _: Resource<Body>) -> wasmtime::Result<()> {
        // The guest only ever borrows it; the state owns the body.
        Ok(())
    }
}

/// Bytes that have to be looked at for an edit, of a body of so many: what is copied may be all of it.
fn text_of(edit: &Edit<'_>, body: usize) -> usize {
    match edit {
        Edit::Add { path, value } | Edit::Replace { path, value } => path.len() + value.len(),
        Edit::Remove { path } => path.len(),
        Edit::Move { source, target } => source.len() + target.len(),
        Edit::Copy { source, target } => source.len() + target.len() + body,
    }
}

impl guest::Host for HookState {}

impl super::contract::field::Host for HookState {}

impl super::contract::types::Host for HookState {}
