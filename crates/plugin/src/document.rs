//! The package `bitrouter:host` as a guest sees it: the call's body and the log.
//!
//! Called by guests through the linker. Everything here is pure memory work, which never sees a secret; it waits for nothing
//! but its turn, where it is long.

use bitrouter_document::{Error as DocumentError, Kind};
use wasmtime::component::Resource;

use super::asked::{Asked, Said, SaidCell};
use super::contract::document::{self as guest, ReadError};
use super::contract::log::{self, Level};
use super::instance::HookState;

/// The type behind the resource `document`. A hook has one body at most, which its state owns; the handle says nothing.
pub struct Body;

/// Log lines that one hook may write, beside what the component may over time.
const LOG_LINES: u32 = 32;

impl HookState {
    /// Asks the document: where everybody is answered if that is soon done, else away from there. What was asked in the
    /// component's place already is not asked again.
    async fn ask(&mut self, asked: Asked) -> wasmtime::Result<Result<Said, DocumentError>> {
        if let Some(said) = self.trace.told(&asked)? {
            return Ok(Ok(said));
        }
        let document = self.document.as_mut().ok_or_else(|| wasmtime::format_err!("the call has no document"))?;
        let said = match asked.soon(document) {
            Some(said) => said,
            None => self.meter.work(|| asked.now(document)).await,
        };
        match &said {
            Ok(said) => self.trace.note(asked, said),
            Err(_) => self.trace.forget(),
        }
        Ok(said)
    }

    /// Asks for what is read, which has one form.
    async fn read<T>(
        &mut self,
        asked: Asked,
        form: impl FnOnce(Said) -> Option<T>,
    ) -> wasmtime::Result<Result<T, ReadError>> {
        match self.ask(asked).await? {
            Ok(Said::TooBig(size)) => Ok(Err(ReadError::TooBig(size))),
            Ok(said) => form(said).map(Ok).ok_or_else(another_form),
            Err(error) => Ok(Err(self.refused(error))),
        }
    }

    /// What a guest is told of a read that failed; the client hears of it where its body is at fault.
    fn refused(&mut self, error: DocumentError) -> ReadError {
        let message = error.to_string();
        if error.is_of_the_body() {
            self.body_error.get_or_insert(error);
        }
        ReadError::Invalid(message)
    }

    /// Asks for edits: how many matches there were, and the pointers of some.
    async fn edit(&mut self, asked: Asked) -> wasmtime::Result<Result<guest::Patched, String>> {
        match self.ask(asked).await? {
            Ok(Said::Patched { matches, pointers }) => Ok(Ok(guest::Patched { matches, pointers })),
            Ok(Said::TooBig(size)) => Ok(Err(DocumentError::TooBig { size }.to_string())),
            Ok(_) => Err(another_form()),
            Err(error) => Ok(Err(error.to_string())),
        }
    }
}

/// Each function has one form of answer.
fn another_form() -> wasmtime::Error {
    wasmtime::format_err!("the document answered in the form of another function")
}

impl log::Host for HookState {
    fn log(&mut self, level: Level, message: String) -> wasmtime::Result<()> {
        self.trace.forget();
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
        let kind = |kind| match kind {
            Kind::Object => guest::Kind::Object,
            Kind::Array => guest::Kind::Array,
            Kind::String => guest::Kind::String,
            Kind::Number => guest::Kind::Number,
            Kind::Boolean => guest::Kind::Boolean,
            Kind::Null => guest::Kind::Null,
        };
        let form = |said| match said {
            Said::Kind(of) => Some(of.map(kind)),
            _ => None,
        };
        self.read(Asked::Kind(pointer), form).await
    }

    async fn size(&mut self, _: Resource<Body>, pointer: String) -> wasmtime::Result<Result<Option<u32>, ReadError>> {
        let form = |said| match said {
            Said::Size(size) => Some(size),
            _ => None,
        };
        self.read(Asked::Size(pointer), form).await
    }

    async fn get(
        &mut self,
        _: Resource<Body>,
        pointer: String,
        max: u32,
    ) -> wasmtime::Result<Result<Option<String>, ReadError>> {
        self.read(Asked::Get(pointer, max), text).await
    }

    async fn keys(&mut self, _: Resource<Body>, pointer: String) -> wasmtime::Result<Result<Vec<String>, ReadError>> {
        let form = |said| match said {
            Said::Keys(keys) => Some(keys),
            _ => None,
        };
        self.read(Asked::Keys(pointer), form).await
    }

    async fn text(
        &mut self,
        _: Resource<Body>,
        pointer: String,
        max: u32,
    ) -> wasmtime::Result<Result<Option<String>, ReadError>> {
        self.read(Asked::Text(pointer, max), text).await
    }

    async fn find(
        &mut self,
        _: Resource<Body>,
        pattern: String,
        only: Vec<guest::Condition>,
        fields: Vec<String>,
        max_bytes: u32,
        limit: u32,
    ) -> wasmtime::Result<Result<guest::Matches, ReadError>> {
        let cell = |cell| match cell {
            SaidCell::Absent => guest::Cell::Absent,
            SaidCell::Value(text) => guest::Cell::Value(text),
            SaidCell::Big(size) => guest::Cell::Big(size),
        };
        let row = |(pointer, cells): (String, Vec<SaidCell>)| guest::Row {
            pointer,
            cells: cells.into_iter().map(cell).collect(),
        };
        let form = |said| match said {
            Said::Found { rows, more } => Some(guest::Matches { rows: rows.into_iter().map(row).collect(), more }),
            _ => None,
        };
        self.read(Asked::Find { pattern, only, fields, max_bytes, limit }, form).await
    }

    async fn patch(&mut self, _: Resource<Body>, edits: Vec<guest::Edit>) -> wasmtime::Result<Result<(), String>> {
        Ok(self.edit(Asked::Patch(edits)).await?.map(drop))
    }

    async fn patch_each(
        &mut self,
        _: Resource<Body>,
        pattern: String,
        only: Vec<guest::Condition>,
        edits: Vec<guest::Edit>,
        named: u32,
    ) -> wasmtime::Result<Result<guest::Patched, String>> {
        self.edit(Asked::PatchEach { pattern, only, edits, named }).await
    }

    fn drop(&mut self, _: Resource<Body>) -> wasmtime::Result<()> {
        // The guest only ever borrows it; the state owns the body.
        Ok(())
    }
}

fn text(said: Said) -> Option<Option<String>> {
    match said {
        Said::Text(text) => Some(text),
        _ => None,
    }
}

impl guest::Host for HookState {}

impl super::contract::field::Host for HookState {}

impl super::contract::types::Host for HookState {}
