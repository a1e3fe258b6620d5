//! The `host` interface as a guest sees it: the call's body and the log.
//!
//! Called by guests through the linker. Everything here is pure memory work; it never waits and never sees a secret.

use bitrouter_document::{Cell, Document, Edit, Error as DocumentError, Kind};
use wasmtime::component::Resource;

use super::contract::imports::{self, Cell as GuestCell, Edit as GuestEdit, Kind as GuestKind, Level, ReadError};
use super::hook::HookState;

/// The type behind the resource `document`. A hook has one body at most, which its state owns; the handle says nothing.
pub struct Body;

/// Log lines that one hook may write, and how long one may be.
const LOG_LINES: u32 = 32;
const LOG_BYTES: usize = 1024;

impl HookState {
    fn read<T>(
        &mut self,
        read: impl FnOnce(&mut Document) -> Result<T, DocumentError>,
    ) -> wasmtime::Result<Result<T, ReadError>> {
        self.untouched = false;
        let document = self.document.as_mut().ok_or_else(|| wasmtime::format_err!("the call has no document"))?;
        Ok(read(document).map_err(|error| match error {
            DocumentError::TooBig { size, .. } => ReadError::TooBig(size),
            other => {
                let message = other.to_string();
                self.body_error.get_or_insert(other);
                ReadError::Invalid(message)
            }
        }))
    }
}

impl imports::Host for HookState {
    fn log(&mut self, level: Level, message: String) -> wasmtime::Result<()> {
        self.untouched = false;
        self.log_lines += 1;
        if self.log_lines > LOG_LINES {
            return Ok(());
        }
        let end = message.floor_char_boundary(LOG_BYTES);
        let message =
            self.scrubber.as_ref().map_or(message[..end].into(), |scrubber| scrubber.scrub_text(&message[..end]));
        let message = message.escape_debug();
        let provider = &*self.provider;
        match level {
            Level::Error => tracing::error!(target: "bitrouter::guest", provider, "{message}"),
            Level::Warn => tracing::warn!(target: "bitrouter::guest", provider, "{message}"),
            Level::Info => tracing::info!(target: "bitrouter::guest", provider, "{message}"),
            Level::Debug => tracing::debug!(target: "bitrouter::guest", provider, "{message}"),
        }
        Ok(())
    }
}

impl imports::HostDocument for HookState {
    fn kind(&mut self, _: Resource<Body>, pointer: String) -> wasmtime::Result<Result<Option<GuestKind>, ReadError>> {
        self.read(|document| {
            Ok(document.kind(&pointer)?.map(|kind| match kind {
                Kind::Object => GuestKind::Object,
                Kind::Array => GuestKind::Array,
                Kind::String => GuestKind::String,
                Kind::Number => GuestKind::Number,
                Kind::Boolean => GuestKind::Boolean,
                Kind::Null => GuestKind::Null,
            }))
        })
    }

    fn size(&mut self, _: Resource<Body>, pointer: String) -> wasmtime::Result<Result<Option<u32>, ReadError>> {
        self.read(|document| document.size(&pointer))
    }

    fn get(
        &mut self,
        _: Resource<Body>,
        pointer: String,
        max: u32,
    ) -> wasmtime::Result<Result<Option<String>, ReadError>> {
        self.read(|document| Ok(document.get(&pointer, max)?.map(|text| text.to_string())))
    }

    fn keys(&mut self, _: Resource<Body>, pointer: String) -> wasmtime::Result<Result<Vec<String>, ReadError>> {
        self.read(|document| Ok(document.keys(&pointer)?.into_iter().map(|key| key.to_string()).collect()))
    }

    fn select(
        &mut self,
        _: Resource<Body>,
        array: String,
        fields: Vec<String>,
        max: u32,
    ) -> wasmtime::Result<Result<Vec<Vec<GuestCell>>, ReadError>> {
        let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
        self.read(|document| {
            let table = document.select(&array, &fields, max)?;
            let cell = |cell: &Cell<'_>| match cell {
                Cell::Absent => GuestCell::Absent,
                Cell::Value(text) => GuestCell::Value(text.to_string()),
                Cell::Big(size) => GuestCell::Big(*size),
            };
            Ok(table.rows().map(|row| row.iter().map(cell).collect()).collect())
        })
    }

    fn patch(&mut self, _: Resource<Body>, edits: Vec<GuestEdit>) -> wasmtime::Result<Result<(), String>> {
        let edits: Vec<Edit<'_>> = edits
            .iter()
            .map(|edit| match edit {
                GuestEdit::Add(set) => Edit::Add { path: &set.path, value: &set.value },
                GuestEdit::Remove(path) => Edit::Remove { path },
                GuestEdit::Replace(set) => Edit::Replace { path: &set.path, value: &set.value },
                GuestEdit::Move(pair) => Edit::Move { source: &pair.source, target: &pair.target },
                GuestEdit::Copy(pair) => Edit::Copy { source: &pair.source, target: &pair.target },
            })
            .collect();
        self.untouched = false;
        let document = self.document.as_mut().ok_or_else(|| wasmtime::format_err!("the call has no document"))?;
        Ok(document.patch(&edits).map_err(|error| error.to_string()))
    }

    fn drop(&mut self, _: Resource<Body>) -> wasmtime::Result<()> {
        // The guest only ever borrows it; the state owns the body.
        Ok(())
    }
}

impl super::contract::types::Host for HookState {}
