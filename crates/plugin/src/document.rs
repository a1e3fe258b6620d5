//! The package `bitrouter:host` as a guest sees it: the call's body and the log.
//!
//! Called by guests through the linker. Everything here is pure memory work, which never sees a secret; it waits for nothing
//! but its turn, where it is long.

use bitrouter_document::limits::STEPS;
use bitrouter_document::{Cell, Condition, Document, Edit, Error as DocumentError, Find, Kind, PatchEach, Test};
use wasmtime::component::Resource;

use super::contract::document::{self as guest, ReadError};
use super::contract::log::{self, Level};
use super::instance::HookState;

/// The type behind the resource `document`. A hook has one body at most, which its state owns; the handle says nothing.
pub struct Body;

/// Log lines that one hook may write, beside what the component may over time.
const LOG_LINES: u32 = 32;
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
                Ok(size) if size > LONG_LIST => self.meter.work(|| read(document)).await,
                Ok(_) => read(document),
                Err(error) => Err(error),
            }
        };
        Ok(read.map_err(|error| self.refused(error)))
    }

    /// Searches the document: where everybody is answered if that is soon done, else from the start and away from there. What
    /// the first try has indexed stays, so little is done twice.
    async fn search<T: Send>(
        &mut self,
        search: impl Fn(&mut Document, usize) -> Result<T, DocumentError> + Send,
    ) -> wasmtime::Result<Result<T, DocumentError>> {
        self.untouched = false;
        let document = self.document.as_mut().ok_or_else(|| wasmtime::format_err!("the call has no document"))?;
        if document.body_len() <= LONG_BODY {
            match search(document, LONG_SEARCH) {
                Err(DocumentError::TooManySteps) => {}
                done => return Ok(done),
            }
        }
        Ok(self.meter.work(|| search(document, STEPS)).await)
    }

    /// What a guest is told of a read that failed; the client hears of it where its body is at fault.
    fn refused(&mut self, error: DocumentError) -> ReadError {
        match error {
            DocumentError::TooBig { size, .. } => ReadError::TooBig(size),
            other => {
                let message = other.to_string();
                if other.is_of_the_body() {
                    self.body_error.get_or_insert(other);
                }
                ReadError::Invalid(message)
            }
        }
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

    async fn text(
        &mut self,
        _: Resource<Body>,
        pointer: String,
        max: u32,
    ) -> wasmtime::Result<Result<Option<String>, ReadError>> {
        self.read(one, |document| Ok(document.text(&pointer, max.min(LONGEST_READ))?.map(|text| text.to_string())))
            .await
    }

    async fn find(
        &mut self,
        _: Resource<Body>,
        pattern: String,
        only: Vec<guest::Condition>,
        fields: Vec<String>,
        max: u32,
        limit: u32,
    ) -> wasmtime::Result<Result<guest::Matches, ReadError>> {
        let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
        let only: Vec<_> = only.iter().map(condition).collect();
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let found = self.search(|document, steps| {
            let find = Find { pattern: &pattern, only: &only, fields: &fields, max_bytes: max, limit, steps };
            let found = document.find(&find)?;
            let cell = |cell: &Cell<'_>| match cell {
                Cell::Absent => guest::Cell::Absent,
                Cell::Value(text) => guest::Cell::Value(text.to_string()),
                Cell::Big(size) => guest::Cell::Big(*size),
            };
            let row = |(pointer, cells): (&str, &[Cell<'_>])| guest::Row {
                pointer: pointer.to_owned(),
                cells: cells.iter().map(cell).collect(),
            };
            Ok(guest::Matches { rows: found.rows().map(row).collect(), more: found.more() })
        });
        Ok(found.await?.map_err(|error| self.refused(error)))
    }

    async fn patch(&mut self, _: Resource<Body>, edits: Vec<guest::Edit>) -> wasmtime::Result<Result<(), String>> {
        let edits: Vec<Edit<'_>> = edits.iter().map(edit).collect();
        self.untouched = false;
        let document = self.document.as_mut().ok_or_else(|| wasmtime::format_err!("the call has no document"))?;
        let body = document.body_len();
        let bytes = || edits.iter().map(|edit| text_of(edit, body)).sum::<usize>();
        let long = body > LONG_BODY || edits.len() > LONG_BATCH || bytes() > LONG_EDITS;
        let patched = if long { self.meter.work(|| document.patch(&edits)).await } else { document.patch(&edits) };
        Ok(patched.map_err(|error| error.to_string()))
    }

    async fn patch_each(
        &mut self,
        _: Resource<Body>,
        pattern: String,
        only: Vec<guest::Condition>,
        edits: Vec<guest::Edit>,
        named: u32,
    ) -> wasmtime::Result<Result<guest::Patched, String>> {
        let edits: Vec<Edit<'_>> = edits.iter().map(edit).collect();
        let only: Vec<_> = only.iter().map(condition).collect();
        let named = usize::try_from(named).unwrap_or(usize::MAX);
        let patched = self.search(|document, steps| {
            let each = PatchEach { pattern: &pattern, only: &only, edits: &edits, named, steps };
            let patched = document.patch_each(&each)?;
            let matches = u32::try_from(patched.matches).unwrap_or(u32::MAX);
            Ok(guest::Patched { matches, pointers: patched.pointers })
        });
        Ok(patched.await?.map_err(|error| error.to_string()))
    }

    fn drop(&mut self, _: Resource<Body>) -> wasmtime::Result<()> {
        // The guest only ever borrows it; the state owns the body.
        Ok(())
    }
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
