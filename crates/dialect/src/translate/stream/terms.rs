//! Brings the pieces of an answer to the client's terms: names as the client has them, ids for all calls, states wrapped for
//! their owner and put where the client can keep them, an end that says whether calls were made. Readers and writers know
//! nothing of one another; what is particular to neither stands here.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use super::input::Conversion;
use crate::dialect::Dialect;
use crate::error::ParsedError;
use crate::tap::{End, StreamError};
use crate::translate::Owner;
use crate::translate::answer::{Piece, Stop, Write};
use crate::translate::error::as_client_reads;
use crate::translate::ids::conforming;
use crate::translate::names::Names;
use crate::translate::normalize::places::key;
use crate::translate::opaque::Wrapping;
use crate::translate::request::{State, StateKind};
use crate::translate::writer::{Inside, Writer, unescaped};

/// How much of the thinking's text goes into a state, where a client may lose it: more than any model writes, since a
/// signature is of the whole.
const TEXT: usize = 1024 * 1024;

/// Who made the answer.
pub(super) struct Maker {
    pub(super) dialect: Dialect,
    pub(super) provider: String,
    pub(super) account: String,
    pub(super) model: String,
}

/// Brings pieces to the client's terms, and has them written.
pub(super) struct Terms {
    pub(super) client: Dialect,
    pub(super) maker: Maker,
    pub(super) names: Names,
    /// What tells this answer from all others.
    pub(super) id: String,
    pub(super) writer: Box<dyn Write>,
    pub(super) out: Writer,
    pub(super) end: Option<End>,
    /// States of calls, for whoever keeps them.
    pub(super) states: Vec<(String, String)>,
    progress: Progress,
}

#[derive(Default)]
struct Progress {
    started: bool,
    candidate: u64,
    /// Candidates that made calls, and those that have said why they ended.
    called: HashSet<u64>,
    stopped: HashSet<u64>,
    ids: HashSet<Vec<u8>>,
    conversions: HashMap<(u64, u64), Conversion>,
    /// Whether thinking was said that no state has ended, and its text.
    thinking: bool,
    text: Vec<u8>,
    /// Whether a part has ended, so that thinking that goes on does so in a paragraph of its own.
    paragraph: bool,
    /// How many calls were made, and those whose states are also kept by their places.
    calls: u64,
    placed: HashMap<u64, Placed>,
    /// States that came since the last call.
    kept: Wrapping,
    /// Those that wait for the call that they are put on.
    held: Wrapping,
    /// How many states of the maker's stand before the next.
    place: u64,
}

/// A call that a client may give no id when it comes back.
struct Placed {
    before: u64,
    name: Vec<u8>,
    arguments: Vec<u8>,
    state: String,
}

impl Terms {
    pub(super) fn new(client: Dialect, maker: Maker, names: Names, id: String, writer: Box<dyn Write>) -> Self {
        let progress = Progress { place: names.states, ..Progress::default() };
        let (out, states) = (Writer::default(), Vec::new());
        Self { client, maker, names, id, writer, out, end: None, states, progress }
    }

    pub(super) fn piece(&mut self, piece: Piece<'_>) {
        if self.end.is_some() {
            return;
        }
        if !matches!(piece, Piece::Start | Piece::Error(_)) && !self.progress.started {
            self.start();
        }
        if let Piece::Candidate(candidate) = piece {
            if std::mem::replace(&mut self.progress.candidate, candidate) != candidate && self.has_candidates() {
                self.write(piece);
            }
            return;
        }
        // Only the first candidate can be told to a client whose dialect has no other.
        let other = self.progress.candidate > 0 && !self.has_candidates();
        if other && !matches!(piece, Piece::Start | Piece::Usage(_) | Piece::Error(_) | Piece::End) {
            return;
        }
        match piece {
            Piece::Start => self.start(),
            Piece::Error(error) => self.fail(StreamError { error: *error, raw: String::new(), readable: true }),
            Piece::State(state) => {
                if let Some(shown) = self.state(&state) {
                    self.write(Piece::State(shown));
                }
            }
            Piece::Reasoning(text) => {
                if self.progress.candidate == 0 {
                    self.progress.thinking = true;
                    if std::mem::take(&mut self.progress.paragraph) && !self.progress.text.is_empty() {
                        self.progress.text.extend_from_slice(br"\n\n");
                    }
                    if self.progress.text.len() + text.len() <= TEXT {
                        self.progress.text.extend_from_slice(&text);
                    }
                }
                self.write(Piece::Reasoning(text));
            }
            Piece::Break => {
                self.progress.paragraph = self.progress.candidate == 0;
                self.write(piece);
            }
            Piece::Text(_) | Piece::Refusal(_) => {
                self.end_thinking();
                self.write(piece);
            }
            Piece::Call { .. } => self.call(piece),
            Piece::Arguments { call, text } => self.arguments(call, text),
            Piece::CallEnd { call } => self.call_end(call),
            Piece::Stop(stop) => self.stop(stop),
            Piece::End => {
                if !self.progress.stopped.contains(&self.progress.candidate) {
                    self.stop(Stop::Done);
                }
                self.end = Some(End::Complete);
                self.write(Piece::End);
            }
            piece => self.write(piece),
        }
    }

    /// The answer failed; the client is told in words that it acts on.
    pub(super) fn fail(&mut self, mut error: StreamError) {
        if self.end.is_some() {
            return;
        }
        as_client_reads(&mut error.error, self.maker.dialect, self.client);
        self.write(Piece::Error(Box::new(error.error.clone())));
        self.end = Some(End::Failed(Box::new(error)));
    }

    fn start(&mut self) {
        if !std::mem::replace(&mut self.progress.started, true) {
            self.write(Piece::Start);
        }
    }

    fn write(&mut self, piece: Piece<'_>) {
        self.writer.piece(piece, &mut self.out);
    }

    fn has_candidates(&self) -> bool {
        matches!(self.client, Dialect::ChatCompletions | Dialect::GenerateContent)
    }

    fn stop(&mut self, stop: Stop<'_>) {
        self.end_thinking();
        if !self.progress.held.is_empty() && self.progress.candidate == 0 {
            let value = self.progress.held.take(self.client);
            self.write(Piece::State(wrapped(StateKind::Thought, value)));
        }
        let called = self.progress.called.contains(&self.progress.candidate);
        self.progress.stopped.insert(self.progress.candidate);
        // What is no answer, or not all of one, is a failure to the client and in the record.
        let failure = match &stop {
            Stop::Broken(word) => {
                Some(format!("the model's answer is broken: {}", unescaped(word).unwrap_or_default()))
            }
            Stop::Paused if self.client != Dialect::Messages => {
                Some("the answer was paused for a tool of the provider's and not continued".to_owned())
            }
            _ => None,
        };
        if let (Some(message), 0) = (failure, self.progress.candidate) {
            let error = ParsedError { message, ..ParsedError::default() };
            return self.fail(StreamError { error, raw: String::new(), readable: true });
        }
        let stop = match stop {
            Stop::Done if called => Stop::Calls,
            Stop::Calls if !called => Stop::Done,
            other => other,
        };
        self.write(Piece::Stop(stop));
    }

    /// Thinking that no state has ended gets one of the gateway's own: clients keep thinking only with a state, and a
    /// vendor that checks them is to be able to tell that it is none of its own.
    fn end_thinking(&mut self) {
        if self.progress.thinking && self.progress.candidate == 0 {
            let shown = self.state(&State { kind: StateKind::Plain, value: Cow::Borrowed(b""), id: None });
            if let Some(shown) = shown {
                self.write(Piece::State(shown));
            }
        }
    }

    /// Wraps a state and keeps it; what the client is shown of it here. The thinking that it is of is over.
    fn state(&mut self, state: &State<'_>) -> Option<State<'static>> {
        if self.progress.candidate > 0 {
            return None;
        }
        let progress = &mut self.progress;
        let text = std::mem::take(&mut progress.text);
        progress.thinking = false;
        // A signature is of its text, which clients may lose; those of Messages and Responses have it beside the state.
        let signed = matches!(state.kind, StateKind::Signature | StateKind::Plain) && !text.is_empty();
        let text = signed.then_some(&text[..]);
        let place = (state.kind != StateKind::Plain).then_some(progress.place);
        progress.place += u64::from(place.is_some());
        let Maker { dialect, provider, account, model } = &self.maker;
        let owner = Owner { provider, account, model };
        progress.kept.add(&owner, *dialect, state, text, place);
        // Clients of Chat Completions keep no thinking that a state of ours would hold together.
        if self.client == Dialect::ChatCompletions && state.kind == StateKind::Plain {
            return None;
        }
        if self.client == Dialect::GenerateContent {
            progress.held.add(&owner, *dialect, state, text, place);
            return None;
        }
        let mut shown = Wrapping::default();
        shown.add(&owner, *dialect, state, text.filter(|_| self.client == Dialect::ChatCompletions), place);
        Some(wrapped(state.kind, shown.take(self.client)))
    }

    fn call(&mut self, piece: Piece<'_>) {
        let Piece::Call { call, id, name, namespace, custom, search: _, state } = piece else { return };
        let first = self.progress.candidate == 0;
        let mut on_call = None;
        match state.filter(|_| first).map(|state| self.state(&state)) {
            Some(shown) if self.client == Dialect::ChatCompletions => on_call = shown,
            Some(Some(shown)) => self.write(Piece::State(shown)),
            Some(None) => {}
            None => self.end_thinking(),
        }
        self.progress.called.insert(self.progress.candidate);
        let id = self.call_id(id);
        if first && !self.progress.kept.is_empty() {
            let state = self.progress.kept.take(Dialect::Messages);
            let id = unescaped(&id).unwrap_or_default().into_owned();
            if self.names.history.is_some() {
                let name = self.names.find(&name).map_or_else(|| name.to_vec(), |tool| tool.name.clone());
                let placed = Placed { before: self.progress.calls, name, arguments: Vec::new(), state: state.clone() };
                self.progress.placed.insert(call, placed);
            }
            self.states.push((id, state));
        }
        self.progress.calls += u64::from(first);
        if first && !self.progress.held.is_empty() {
            on_call = Some(wrapped(StateKind::Thought, self.progress.held.take(self.client)));
        }
        let named = self.names.find(&name).cloned();
        let takes_custom = matches!(self.client, Dialect::ChatCompletions | Dialect::Responses);
        let wanted = named.as_ref().map_or(custom && takes_custom, |tool| tool.custom);
        let conversion = match (custom, wanted) {
            (false, true) => Some(Conversion::to_text()),
            (true, false) => Some(Conversion::ToInput { begun: false }),
            _ => None,
        };
        if let Some(conversion) = conversion {
            self.progress.conversions.insert((self.progress.candidate, call), conversion);
        }
        let search = named.as_ref().is_some_and(|tool| tool.search);
        let (name, namespace) = match named {
            Some(tool) => (Cow::Owned(tool.name), tool.namespace.map(Cow::Owned)),
            None => (name, namespace),
        };
        self.write(Piece::Call { call, id: Some(id), name, namespace, custom: wanted, search, state: on_call });
    }

    /// The id as every client can send it back, unlike that of any other call of this answer.
    fn call_id(&mut self, id: Option<Inside<'_>>) -> Inside<'static> {
        let ids = &mut self.progress.ids;
        if let Some(id) = id.filter(|id| !id.is_empty()) {
            let id = conforming(&id).into_owned();
            if ids.insert(id.clone()) {
                return Cow::Owned(id);
            }
        }
        let id = format!("call_{}_{}", self.id, ids.len()).into_bytes();
        let id = conforming(&Cow::Owned(id)).into_owned();
        ids.insert(id.clone());
        Cow::Owned(id)
    }

    fn arguments(&mut self, call: u64, text: Inside<'_>) {
        if let Some(placed) = self.progress.placed.get_mut(&call).filter(|_| self.progress.candidate == 0) {
            placed.arguments.extend_from_slice(&text);
        }
        let Some(conversion) = self.progress.conversions.get_mut(&(self.progress.candidate, call)) else {
            return self.write(Piece::Arguments { call, text });
        };
        let mut out = Vec::new();
        conversion.feed(&text, &mut out);
        if !out.is_empty() {
            self.write(Piece::Arguments { call, text: Cow::Owned(out) });
        }
    }

    fn call_end(&mut self, call: u64) {
        if self.progress.candidate == 0
            && let (Some(placed), Some(history)) = (self.progress.placed.remove(&call), self.names.history)
        {
            let arguments = unescaped(&placed.arguments).unwrap_or_default();
            let arguments = if arguments.is_empty() { "{}" } else { &*arguments };
            let key = key(history, placed.before, &placed.name, arguments.as_bytes());
            self.states.push((key, placed.state));
        }
        if let Some(mut conversion) = self.progress.conversions.remove(&(self.progress.candidate, call)) {
            let mut out = Vec::new();
            conversion.finish(&mut out);
            if !out.is_empty() {
                self.write(Piece::Arguments { call, text: Cow::Owned(out) });
            }
        }
        self.write(Piece::CallEnd { call });
    }
}

fn wrapped(kind: StateKind, value: String) -> State<'static> {
    State { kind, value: Cow::Owned(value.into_bytes()), id: None }
}
