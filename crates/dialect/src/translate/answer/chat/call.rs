//! Which call a fragment of `tool_calls` belongs to. OpenAI gives each call an index, and its id and name once; other
//! servers leave out the index or the id, repeat the name, or give all calls of an answer the same index.

use crate::error::{ErrorKind, ParsedError};
use crate::json;
use crate::translate::answer::Piece;
use crate::translate::request::chat::details;
use crate::translate::request::{Json, State};
use crate::translate::writer::{Inside, escape};

/// The index of the one call of `function_call`, which came before `tool_calls` and has none.
const OLD: u64 = u64::MAX;

/// The most that is kept of arguments whose calls have no names yet, and the most calls: far more than any answer has.
const MOST_EARLY: usize = crate::DEFAULT_EVENT_LIMIT;
const MOST_CALLS: u64 = 65_536;

/// What has come of an answer's calls.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// How many have begun.
    calls: u64,
    /// Bytes of arguments that came before their names.
    early: usize,
}

/// What one fragment says.
#[derive(Debug, Default)]
pub(super) struct Fragment<'a> {
    index: Option<u64>,
    id: &'a [u8],
    name: &'a [u8],
    arguments: Inside<'a>,
    custom: bool,
    state: Option<State<'a>>,
}

/// A call of which something has come.
#[derive(Debug)]
pub(super) struct Call {
    number: u64,
    index: Option<u64>,
    id: Vec<u8>,
    name: Vec<u8>,
    custom: bool,
    /// Arguments that came before the name.
    early: Vec<u8>,
}

impl<'a> Fragment<'a> {
    /// Reads one item of `tool_calls`.
    pub(super) fn of(item: Json<'a>) -> Self {
        let mut fragment = Self::default();
        for (key, value) in json::members(item) {
            match key {
                b"index" => fragment.index = json::count(value),
                b"id" => fragment.id = json::inside(value).unwrap_or_default(),
                b"function" => fragment.named(value),
                b"custom" => {
                    fragment.custom = true;
                    fragment.named(value);
                }
                b"type" => fragment.custom |= value == b"\"custom\"",
                b"extra_content" => fragment.state = details::thought_of_call(value),
                _ => {}
            }
        }
        fragment
    }

    /// Reads a `function_call`.
    pub(super) fn of_function_call(value: Json<'a>) -> Self {
        let mut fragment = Self { index: Some(OLD), ..Self::default() };
        fragment.named(value);
        fragment
    }

    fn named(&mut self, value: Json<'a>) {
        for (key, value) in json::members(value) {
            match key {
                b"name" => self.name = json::inside(value).unwrap_or_default(),
                b"arguments" | b"input" => {
                    self.arguments = match json::inside(value) {
                        Some(text) => Inside::Borrowed(text),
                        // An object where there should be its text.
                        None if value.starts_with(b"{") => {
                            let mut text = Vec::with_capacity(value.len() + value.len() / 8);
                            escape(&String::from_utf8_lossy(value), &mut text);
                            Inside::Owned(text)
                        }
                        None => Inside::default(),
                    }
                }
                _ => {}
            }
        }
    }

    /// The place among `calls` of the call that this goes on with; none if it begins another. `fresh` are the calls, at
    /// the end, of which this very list of fragments has spoken.
    fn call(&self, calls: &[Call], fresh: usize) -> Option<usize> {
        let same_id = |call: &Call| !self.id.is_empty() && call.id == self.id;
        let Some(index) = self.index else {
            return match (self.id, self.name) {
                (b"", b"") => calls.len().checked_sub(1),
                // Without an index or an id, a name is what begins a call.
                (b"", _) => None,
                _ => calls.iter().rposition(same_id),
            };
        };
        let place = calls.iter().rposition(|call| call.index == Some(index))?;
        let call = &calls[place];
        if self.name.is_empty() || same_id(call) || call.name.is_empty() {
            return Some(place);
        }
        let other_id = !self.id.is_empty() && !call.id.is_empty();
        let other_name = call.name != self.name;
        let whole_before = place >= calls.len().saturating_sub(fresh);
        if other_id || other_name || whole_before { None } else { Some(place) }
    }

    /// Says what is new, and how many calls this list has spoken of by now.
    pub(super) fn say(
        self,
        calls: &mut Vec<Call>,
        fresh: &mut usize,
        whole: bool,
        seen: &mut Seen,
        to: &mut dyn FnMut(Piece<'_>),
    ) {
        let place = if whole { None } else { self.call(calls, *fresh) };
        if place.is_none() && self.id.is_empty() && self.name.is_empty() && self.arguments.is_empty() {
            return;
        }
        if place.is_none() && seen.calls == MOST_CALLS {
            return fail("the upstream's answer has too many calls", to);
        }
        let place = place.unwrap_or_else(|| {
            calls.push(Call {
                number: seen.calls,
                index: self.index,
                id: Vec::new(),
                name: Vec::new(),
                custom: false,
                early: Vec::new(),
            });
            seen.calls += 1;
            *fresh += 1;
            calls.len() - 1
        });
        let Some(call) = calls.get_mut(place) else { return };
        if call.id.is_empty() {
            call.id = self.id.to_vec();
        }
        call.custom |= self.custom;
        if call.name.is_empty() {
            if self.name.is_empty() {
                seen.early += self.arguments.len();
                if seen.early > MOST_EARLY {
                    return fail("a call of the upstream's answer has no name", to);
                }
                call.early.extend_from_slice(&self.arguments);
                return;
            }
            call.name = self.name.to_vec();
            call.begin(self.state, to);
        }
        if !self.arguments.is_empty() {
            to(Piece::Arguments { call: call.number, text: self.arguments });
        }
    }
}

pub(super) fn fail(message: &str, to: &mut dyn FnMut(Piece<'_>)) {
    let error = ParsedError { kind: ErrorKind::Upstream, message: message.to_owned(), ..ParsedError::default() };
    to(Piece::Error(Box::new(error)));
}

impl Call {
    fn begin(&mut self, state: Option<State<'_>>, to: &mut dyn FnMut(Piece<'_>)) {
        to(Piece::Call {
            call: self.number,
            id: (!self.id.is_empty()).then(|| Inside::Borrowed(&*self.id)),
            name: Inside::Borrowed(&self.name),
            namespace: None,
            custom: self.custom,
            search: false,
            state,
        });
        let early = std::mem::take(&mut self.early);
        if !early.is_empty() {
            to(Piece::Arguments { call: self.number, text: Inside::Owned(early) });
        }
    }

    /// Says that it is whole. A call that never got a name is said too: what became of it is the client's to see.
    pub(super) fn end(&mut self, to: &mut dyn FnMut(Piece<'_>)) {
        if self.name.is_empty() {
            self.begin(None, to);
        }
        to(Piece::CallEnd { call: self.number });
    }
}
