//! Writes an answer as events of Responses: `answer::writer` makes it. The last events repeat all that was said, so it is
//! kept, up to a limit beyond which the answer fails: it must never end as a success that lacks a part.

use memchr::memmem;

use super::super::{Citation, Naming, Piece, Write};
use super::end::End;
use super::items::{CallKind, Calling, Part, PartKind, Place, Spoken, write_token};
use crate::error::{ErrorKind, ParsedError};
use crate::json;
use crate::translate::answer::span::characters;
use crate::translate::request::{Json, State};
use crate::translate::writer::{Inside, Writer};
use crate::usage::Usage;

/// The most of an answer that is kept: as much as a fold keeps, far more than any model writes.
const MOST_KEPT: usize = crate::DEFAULT_FOLD_LIMIT;
/// About what an item is beside its text.
const ITEM: usize = 256;

/// Writes an answer.
#[derive(Debug)]
pub(crate) struct AnswerWriter {
    pub(super) naming: Naming,
    pub(super) response: String,
    pub(super) sequence: u64,
    /// The items that are done, in their places; one that is not is empty.
    pub(super) output: Vec<Vec<u8>>,
    pub(super) spoken: Option<Spoken>,
    pub(super) calls: Vec<Calling>,
    pub(super) usage: Usage,
    pub(super) end: End,
    pub(super) kept: usize,
    pub(super) most: usize,
    pub(super) over: bool,
    /// How it ended, if it did not fail.
    pub(super) status: Option<&'static str>,
}

impl Write for AnswerWriter {
    fn piece(&mut self, piece: Piece<'_>, to: &mut Writer) {
        if self.over {
            return;
        }
        if self.sequence == 0 {
            self.start(to);
        }
        match piece {
            Piece::Start | Piece::Candidate(_) => {}
            Piece::Text(text) => self.say(PartKind::Text, &text, to),
            Piece::Refusal(text) => self.say(PartKind::Refusal, &text, to),
            Piece::Reasoning(text) => self.say(PartKind::Summary, &text, to),
            Piece::Break => self.end_part(to),
            Piece::State(state) => self.state(&state, to),
            Piece::Call { call, id, name, namespace, custom, search, state } => {
                if let Some(state) = state {
                    self.state(&state, to);
                }
                let kind = match (search, custom) {
                    (true, _) => CallKind::Search,
                    (false, true) => CallKind::Custom,
                    (false, false) => CallKind::Function,
                };
                self.call(call, kind, id, name, namespace, to);
            }
            Piece::Arguments { call, text } => self.arguments(call, &text, to),
            Piece::CallEnd { call } => {
                if let Some(at) = self.calls.iter().position(|calling| calling.call == call) {
                    self.end_call(at, "completed", to);
                }
            }
            Piece::Citation(citation) => self.cite(&citation, to),
            Piece::Logprobs(logprobs) => self.logprobs(logprobs, to),
            Piece::Usage(usage) => self.usage = usage,
            Piece::Stop(stop) => self.stop(stop),
            Piece::Error(error) => self.fail(&error, to),
            Piece::End => self.finish(to),
        }
        if self.kept > self.most && !self.over {
            let message = format!("the answer has more than {} MiB, which a response cannot repeat", self.most >> 20);
            self.fail(&ParsedError { kind: ErrorKind::Upstream, message, ..ParsedError::default() }, to);
        }
    }

    fn response(&self) -> Option<Vec<u8>> {
        let mut json = Writer::default();
        self.write_response(self.status?, None, &mut json);
        Some(json.into_bytes())
    }
}

impl AnswerWriter {
    pub(crate) fn new(naming: Naming) -> Self {
        Self {
            response: format!("resp_{}", naming.id),
            naming,
            sequence: 0,
            output: Vec::new(),
            spoken: None,
            calls: Vec::new(),
            usage: Usage::default(),
            end: End::Completed,
            kept: 0,
            most: MOST_KEPT,
            over: false,
            status: None,
        }
    }

    /// Begins an event; `close` ends it.
    pub(super) fn event(&mut self, kind: &str, to: &mut Writer) {
        to.frame(b"event: ");
        to.frame(kind.as_bytes());
        to.frame(b"\ndata: ");
        to.open(b'{');
        to.text_member("type", kind);
        to.number_member("sequence_number", self.sequence);
        self.sequence += 1;
    }

    fn start(&mut self, to: &mut Writer) {
        for kind in ["response.created", "response.in_progress"] {
            self.event(kind, to);
            to.key("response");
            self.write_response("in_progress", None, to);
            close(to);
        }
    }

    /// The place of the next item.
    fn place(&mut self, prefix: &str) -> Place {
        let index = self.output.len() as u64;
        self.output.push(Vec::new());
        self.kept += ITEM;
        Place { index, id: format!("{prefix}_{}_{index}", self.naming.id) }
    }

    /// Opens what the text is of, if it is not open, and says it.
    fn say(&mut self, kind: PartKind, text: &[u8], to: &mut Writer) {
        if text.is_empty() {
            return;
        }
        self.open(kind, to);
        let Some(spoken) = self.spoken.take() else { return };
        self.event(
            match kind {
                PartKind::Text => "response.output_text.delta",
                PartKind::Refusal => "response.refusal.delta",
                PartKind::Summary => "response.reasoning_summary_text.delta",
            },
            to,
        );
        part_of(&spoken, to);
        to.inside_member("delta", text);
        if kind == PartKind::Text {
            to.member("logprobs", b"[]");
        }
        close(to);
        self.spoken = Some(spoken);
        if let Some(part) = self.part() {
            part.text.extend_from_slice(text);
        }
        self.kept += text.len();
    }

    pub(super) fn part(&mut self) -> Option<&mut Part> {
        self.spoken.as_mut()?.part.as_mut()
    }

    fn open(&mut self, kind: PartKind, to: &mut Writer) {
        if self.spoken.as_ref().is_some_and(|spoken| spoken.thinking != kind.is_thinking()) {
            self.end_spoken("completed", None, to);
        }
        if self.part().is_some_and(|part| part.kind != kind) {
            self.end_part(to);
        }
        let mut spoken = match self.spoken.take() {
            Some(spoken) => spoken,
            None => self.open_item(kind.is_thinking(), to),
        };
        if spoken.part.is_none() {
            let part = Part::new(kind);
            let added = "response.reasoning_summary_part.added";
            self.event(if kind.is_thinking() { added } else { "response.content_part.added" }, to);
            part_of(&spoken, to);
            to.key("part");
            part.write(to);
            close(to);
            spoken.part = Some(part);
        }
        self.spoken = Some(spoken);
    }

    fn open_item(&mut self, thinking: bool, to: &mut Writer) -> Spoken {
        let spoken = Spoken::new(self.place(if thinking { "rs" } else { "msg" }), thinking);
        self.event("response.output_item.added", to);
        to.number_member("output_index", spoken.place.index);
        to.key("item");
        spoken.write(to, "in_progress", None);
        close(to);
        spoken
    }

    fn end_part(&mut self, to: &mut Writer) {
        let Some(mut spoken) = self.spoken.take() else { return };
        if let Some(part) = spoken.part.take() {
            let (text_done, part_done, member) = match part.kind {
                PartKind::Text => ("response.output_text.done", "response.content_part.done", "text"),
                PartKind::Refusal => ("response.refusal.done", "response.content_part.done", "refusal"),
                PartKind::Summary => {
                    ("response.reasoning_summary_text.done", "response.reasoning_summary_part.done", "text")
                }
            };
            self.event(text_done, to);
            part_of(&spoken, to);
            to.inside_member(member, &part.text);
            if part.kind == PartKind::Text {
                super::items::list(to, "logprobs", &part.logprobs);
            }
            close(to);
            self.event(part_done, to);
            part_of(&spoken, to);
            to.key("part");
            part.write(to);
            close(to);
            spoken.keep(&part);
        }
        self.spoken = Some(spoken);
    }

    pub(super) fn end_spoken(&mut self, status: &str, state: Option<&[u8]>, to: &mut Writer) {
        self.end_part(to);
        let Some(spoken) = self.spoken.take() else { return };
        let mut item = Writer::default();
        spoken.write(&mut item, status, state);
        self.done(&spoken.place, item, to);
    }

    /// An item is whole.
    fn done(&mut self, place: &Place, item: Writer, to: &mut Writer) {
        let item = item.into_bytes();
        self.event("response.output_item.done", to);
        to.number_member("output_index", place.index);
        to.member("item", &item);
        close(to);
        if let Some(slot) = usize::try_from(place.index).ok().and_then(|index| self.output.get_mut(index)) {
            *slot = item;
        }
    }

    /// Ends the thinking with its state; thinking without a word is an item too.
    fn state(&mut self, state: &State<'_>, to: &mut Writer) {
        if self.spoken.as_ref().is_none_or(|spoken| !spoken.thinking) {
            self.end_spoken("completed", None, to);
            self.spoken = Some(self.open_item(true, to));
        }
        self.kept += state.value.len();
        self.end_spoken("completed", Some(&state.value), to);
    }

    fn call(
        &mut self,
        call: u64,
        kind: CallKind,
        id: Option<Inside<'_>>,
        name: Inside<'_>,
        namespace: Option<Inside<'_>>,
        to: &mut Writer,
    ) {
        self.end_spoken("completed", None, to);
        let place = self.place(match kind {
            CallKind::Function => "fc",
            CallKind::Custom => "ctc",
            CallKind::Search => "tsc",
        });
        let own = || Inside::Owned(format!("call_{}_{}", self.naming.id, place.index).into_bytes());
        let call_id = id.filter(|id| !id.is_empty()).unwrap_or_else(own).into_owned();
        let (name, namespace) = (name.into_owned(), namespace.map(Inside::into_owned));
        let calling = Calling { call, place, kind, call_id, name, namespace, arguments: Vec::new() };
        self.event("response.output_item.added", to);
        to.number_member("output_index", calling.place.index);
        to.key("item");
        calling.write(to, "in_progress");
        close(to);
        self.kept += calling.name.len() + calling.call_id.len();
        self.calls.push(calling);
    }

    fn arguments(&mut self, call: u64, text: &[u8], to: &mut Writer) {
        let Some(at) = self.calls.iter().rposition(|calling| calling.call == call) else { return };
        if text.is_empty() {
            return;
        }
        if self.calls[at].kind != CallKind::Search {
            self.event(events_of(self.calls[at].kind).0, to);
            item_of(&self.calls[at].place, to);
            to.inside_member("delta", text);
            close(to);
        }
        self.calls[at].arguments.extend_from_slice(text);
        self.kept += text.len();
    }

    pub(super) fn end_call(&mut self, at: usize, status: &str, to: &mut Writer) {
        let kind = self.calls[at].kind;
        if kind == CallKind::Function && self.calls[at].arguments.is_empty() {
            let call = self.calls[at].call;
            self.arguments(call, b"{}", to);
        }
        let calling = self.calls.remove(at);
        if kind != CallKind::Search {
            self.event(events_of(kind).1, to);
            item_of(&calling.place, to);
            to.inside_member(calling.member(), &calling.arguments);
            close(to);
        }
        let mut item = Writer::default();
        calling.write(&mut item, status);
        self.done(&calling.place, item, to);
    }

    /// A source of the text that is open; without its words, or where they are not found, of all of it.
    fn cite(&mut self, citation: &Citation<'_>, to: &mut Writer) {
        let Some(spoken) = self.spoken.take() else { return };
        if let Some(part) = spoken.part.as_ref().filter(|part| part.kind == PartKind::Text) {
            let quote = citation.quote.as_deref().filter(|quote| !quote.is_empty());
            let found = quote.and_then(|quote| Some((memmem::rfind(&part.text, quote)?, quote)));
            let start = found.map_or(0, |(at, _)| characters(&part.text[..at]));
            let end = start + characters(found.map_or(&part.text, |(_, quote)| quote));
            let mut json = Writer::default();
            json.open(b'{');
            json.text_member("type", "url_citation");
            json.inside_member("url", &citation.url);
            json.inside_member("title", citation.title.as_deref().unwrap_or_default());
            json.number_member("start_index", start);
            json.number_member("end_index", end);
            json.close(b'}');
            self.event("response.output_text.annotation.added", to);
            part_of(&spoken, to);
            to.number_member("annotation_index", part.cited);
            to.member("annotation", json.bytes());
            close(to);
            self.kept += json.bytes().len();
            self.spoken = Some(spoken);
            if let Some(part) = self.part() {
                part.cited += 1;
                part.annotations.raw(json.bytes());
            }
            return;
        }
        self.spoken = Some(spoken);
    }

    /// The probabilities of what was said: a delta that adds nothing else.
    fn logprobs(&mut self, logprobs: Json<'_>, to: &mut Writer) {
        let tokens = json::get(logprobs, "content").unwrap_or(logprobs);
        let Some(spoken) = self.spoken.take() else { return };
        let is_text = spoken.part.as_ref().is_some_and(|part| part.kind == PartKind::Text);
        if is_text && tokens.starts_with(b"[") && !json::is_blank(tokens) {
            let mut list = Writer::default();
            json::items(tokens).for_each(|token| write_token(token, true, &mut list));
            self.event("response.output_text.delta", to);
            part_of(&spoken, to);
            to.text_member("delta", "");
            super::items::list(to, "logprobs", &list);
            close(to);
            self.kept += list.bytes().len();
            self.spoken = Some(spoken);
            if let Some(part) = self.part() {
                part.logprobs.raw(list.bytes());
            }
            return;
        }
        self.spoken = Some(spoken);
    }
}

pub(super) fn close(to: &mut Writer) {
    to.close(b'}');
    to.frame(b"\n\n");
}

fn item_of(place: &Place, to: &mut Writer) {
    to.text_member("item_id", &place.id);
    to.number_member("output_index", place.index);
}

fn part_of(spoken: &Spoken, to: &mut Writer) {
    item_of(&spoken.place, to);
    to.number_member(if spoken.thinking { "summary_index" } else { "content_index" }, spoken.count);
}

/// The events that bring what a call is called with, and that end it.
fn events_of(kind: CallKind) -> (&'static str, &'static str) {
    match kind {
        CallKind::Custom => ("response.custom_tool_call_input.delta", "response.custom_tool_call_input.done"),
        CallKind::Function | CallKind::Search => {
            ("response.function_call_arguments.delta", "response.function_call_arguments.done")
        }
    }
}
