//! Writes an answer for Google's clients, which fail on anything but `data:` lines. A call goes out when its arguments are
//! whole, calls in the order in which they began; the last part waits, so that the finish reason has one to ride on.

use std::collections::{BTreeMap, VecDeque};

use super::parts::Parts;
use super::write_sources::Sources;
use crate::dialect::Dialect;
use crate::json;
use crate::position::Position;
use crate::translate::answer::{Naming, Piece, Stop, Write};
use crate::translate::error::api_error;
use crate::translate::request::object_of;
use crate::translate::run::{Ran, Run, generate_content as run};
use crate::translate::writer::{Inside, Writer, escaped};
use crate::usage::Usage;

/// Writes an answer.
#[derive(Debug)]
pub(in crate::translate::answer) struct AnswerWriter {
    /// The members that end each chunk.
    tail: Vec<u8>,
    current: u64,
    candidates: BTreeMap<u64, Candidate>,
    usage: Option<Usage>,
    /// Whether one chunk has all parts.
    whole: bool,
}

#[derive(Debug, Default)]
struct Candidate {
    calls: VecDeque<Call>,
    /// The parts so far, where one chunk has them all.
    parts: Parts,
    /// A part that waits for the finish reason, or for another part.
    held: Option<Vec<u8>>,
    signature: Option<Vec<u8>>,
    /// Whether a new paragraph of thinking begins.
    paragraph: bool,
    thought: bool,
    /// Whether it said words, and whether they are a refusal.
    texted: bool,
    refused: bool,
    sources: Sources,
    /// Items of `chosenCandidates` and `topCandidates`.
    chosen: Vec<u8>,
    top: Vec<u8>,
    stop: Option<(&'static str, Option<Vec<u8>>)>,
}

#[derive(Debug)]
struct Call {
    call: u64,
    id: Option<Vec<u8>>,
    name: Vec<u8>,
    arguments: Vec<u8>,
    signature: Option<Vec<u8>>,
    whole: bool,
}

impl AnswerWriter {
    pub(in crate::translate::answer) fn new(naming: Naming) -> Self {
        let Naming { id, model, .. } = naming;
        let mut tail = b",\"modelVersion\":\"".to_vec();
        tail.extend_from_slice(&escaped(&model));
        tail.extend_from_slice(b"\",\"responseId\":\"");
        tail.extend_from_slice(&escaped(&id));
        tail.extend_from_slice(b"\"}\n\n");
        Self { tail, current: 0, candidates: BTreeMap::new(), usage: None, whole: false }
    }
}

impl Write for AnswerWriter {
    fn as_document(&mut self) {
        self.whole = true;
    }

    fn piece(&mut self, piece: Piece<'_>, to: &mut Writer) {
        match piece {
            Piece::Start => {}
            Piece::Candidate(index) => self.current = index,
            Piece::Usage(usage) => self.usage = Some(usage),
            Piece::Error(error) => {
                self.flush_all(to);
                to.frame(&api_error(&error).as_event(Dialect::GenerateContent, &Position::default()));
            }
            Piece::End => self.end(to),
            piece => {
                let index = self.current;
                let candidate = self.candidates.entry(index).or_default();
                let mut chunks = Chunks { to, index, tail: &self.tail, whole: self.whole };
                candidate.piece(piece, &mut chunks);
            }
        }
    }
}

/// Where the chunks of one candidate go.
struct Chunks<'w> {
    to: &'w mut Writer,
    index: u64,
    tail: &'w [u8],
    whole: bool,
}

impl Chunks<'_> {
    fn part(&mut self, part: &[&[u8]]) {
        let to = &mut *self.to;
        to.frame(b"data: {\"candidates\":[{\"content\":{\"parts\":[");
        part.iter().for_each(|bytes| to.frame(bytes));
        to.frame(b"],\"role\":\"model\"},\"index\":");
        if self.index == 0 {
            to.frame(b"0")
        } else {
            to.frame(self.index.to_string().as_bytes())
        }
        to.frame(b"}]");
        to.frame(self.tail);
    }
}

impl Candidate {
    fn piece(&mut self, piece: Piece<'_>, to: &mut Chunks<'_>) {
        match piece {
            Piece::Text(text) if !text.is_empty() => self.text(b"", &text, to),
            Piece::Refusal(text) if !text.is_empty() => {
                // Here a refusal is text as any other: it begins a paragraph behind what was said before.
                let seam: &[u8] = if self.texted && !self.refused { b"\\n\\n" } else { b"" };
                self.refused = true;
                self.text(seam, &text, to);
            }
            Piece::Reasoning(text) if !text.is_empty() => {
                self.flush(to);
                if !self.thought {
                    self.sources.passed();
                }
                let seam: &[u8] = if self.paragraph && self.thought { b"\\n\\n" } else { b"" };
                (self.paragraph, self.thought) = (false, true);
                self.words(&[seam, &text], true, to);
            }
            Piece::Break => self.paragraph = true,
            Piece::State(state) => self.signature = Some(state.value.into_owned()),
            Piece::Call { call, id, name, namespace, state, .. } => {
                self.flush(to);
                self.thought = false;
                let name = match namespace {
                    Some(namespace) if !namespace.is_empty() => [&namespace, &b"__"[..], &name].concat(),
                    _ => name.into_owned(),
                };
                self.calls.push_back(Call {
                    call,
                    id: id.map(Inside::into_owned),
                    name,
                    arguments: Vec::new(),
                    signature: state.map(|state| state.value.into_owned()),
                    whole: false,
                });
            }
            Piece::Arguments { call, text } => {
                if let Some(open) = self.calls.iter_mut().find(|open| open.call == call) {
                    open.arguments.extend_from_slice(&text);
                }
            }
            Piece::CallEnd { call } => {
                if let Some(open) = self.calls.iter_mut().find(|open| open.call == call) {
                    open.whole = true;
                }
                self.send_calls(to);
            }
            Piece::Ran(ran) => self.ran(ran, to),
            Piece::Citation(citation) => self.sources.cite(citation),
            Piece::Logprobs(logprobs) => self.logprobs(logprobs),
            Piece::Stop(stop) => {
                // What the limit cut off is told as far as it came.
                self.calls.iter_mut().for_each(|call| call.whole = true);
                self.send_calls(to);
                self.stop = Some(finish_reason(stop));
            }
            _ => {}
        }
    }

    fn text(&mut self, seam: &[u8], text: &[u8], to: &mut Chunks<'_>) {
        self.flush(to);
        (self.thought, self.texted) = (false, true);
        self.sources.said(seam);
        self.sources.said(text);
        self.words(&[seam, text], false, to);
    }

    /// A part of words.
    fn words(&mut self, text: &[&[u8]; 2], thought: bool, to: &mut Chunks<'_>) {
        if to.whole {
            return self.parts.text(text, thought);
        }
        let end: &[u8] = if thought { b"\",\"thought\":true}" } else { b"\"}" };
        to.part(&[b"{\"text\":\"", text[0], text[1], end]);
    }

    /// Code and images are parts; searches and pages are told at the end.
    fn ran(&mut self, ran: Run<'_>, to: &mut Chunks<'_>) {
        for part in run::parts(&ran) {
            self.flush(to);
            self.sources.passed();
            (self.thought, self.texted) = (false, true);
            self.held = Some(part);
        }
        match ran.what {
            Ran::Search { queries, found } => self.sources.searched(queries, found),
            Ran::Fetch { url } => self.sources.read(&url, !ran.failed),
            Ran::Code { .. } | Ran::Image { .. } => {}
        }
    }

    fn flush(&mut self, to: &mut Chunks<'_>) {
        match self.held.take() {
            Some(part) if to.whole => self.parts.other(&part),
            Some(part) => to.part(&[&part]),
            None => {}
        }
    }

    /// Sends the calls that are whole, but the last of them.
    fn send_calls(&mut self, to: &mut Chunks<'_>) {
        while self.calls.front().is_some_and(|call| call.whole) {
            if let Some(call) = self.calls.pop_front() {
                self.flush(to);
                self.sources.passed();
                self.held = Some(call.part());
            }
        }
    }

    /// Keeps log probabilities, a list of tokens in the form of Chat Completions, for the end.
    fn logprobs(&mut self, logprobs: &[u8]) {
        let list = if logprobs.starts_with(b"{") { json::get(logprobs, "content") } else { Some(logprobs) };
        let token = |token: &[u8]| {
            let mut out = Writer::default();
            out.open(b'{');
            out.optional("token", json::get(token, "token"));
            out.optional("logProbability", json::get(token, "logprob"));
            out.close(b'}');
            out.into_bytes()
        };
        for item in list.into_iter().flat_map(json::items) {
            let comma: &[u8] = if self.chosen.is_empty() { b"" } else { b"," };
            self.chosen.extend_from_slice(&[comma, &token(item)].concat());
            let others = json::get(item, "top_logprobs").into_iter().flat_map(json::items).map(token);
            let others = others.collect::<Vec<_>>().join(&b","[..]);
            self.top.extend_from_slice(&[comma, b"{\"candidates\":[", &others, b"]}"].concat());
        }
    }

    /// The last chunk's candidate.
    fn finish(mut self, index: u64, to: &mut Writer) {
        let mut parts = std::mem::take(&mut self.parts);
        let held = self.held.take();
        if let Some(part) = &held {
            parts.other(part);
        }
        // Clients lose an answer whose last chunk has no part.
        match &self.signature {
            Some(signature) => {
                parts.other(&[b"{\"text\":\"\",\"thoughtSignature\":\"", &signature[..], b"\"}"].concat())
            }
            None if held.is_none() => parts.text(&[], false),
            None => {}
        }
        to.open(b'{');
        to.key("content");
        to.open(b'{');
        to.key("parts");
        to.open(b'[');
        to.frame(parts.list.bytes());
        to.close(b']');
        to.text_member("role", "model");
        to.close(b'}');
        let (reason, message) = self.stop.take().unwrap_or(("STOP", None));
        to.text_member("finishReason", reason);
        if let Some(message) = message {
            to.inside_member("finishMessage", &message);
        }
        to.number_member("index", index);
        self.sources.write(to);
        if !self.chosen.is_empty() {
            to.key("logprobsResult");
            to.open(b'{');
            to.member("chosenCandidates", &[b"[", &self.chosen[..], b"]"].concat());
            to.member("topCandidates", &[b"[", &self.top[..], b"]"].concat());
            to.close(b'}');
        }
        to.close(b'}');
    }
}

impl Call {
    fn part(self) -> Vec<u8> {
        let mut to = Writer::with_capacity(self.arguments.len() + self.name.len() + 128);
        to.open(b'{');
        to.key("functionCall");
        to.open(b'{');
        if let Some(id) = &self.id {
            to.inside_member("id", id);
        }
        to.inside_member("name", &self.name);
        to.key("args");
        match object_of(&self.arguments) {
            Some(object) => to.raw(&one_line(object.as_bytes())),
            None => {
                to.open(b'{');
                to.inside_member("_raw", &self.arguments);
                to.close(b'}');
            }
        }
        to.close(b'}');
        if let Some(signature) = &self.signature {
            to.inside_member("thoughtSignature", signature);
        }
        to.close(b'}');
        to.into_bytes()
    }
}

/// JSON on one line: a line's end within an event's data would end its line. In JSON it stands between values alone.
fn one_line(json: &[u8]) -> Vec<u8> {
    json.iter().map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { *byte }).collect()
}

/// Google's word, and what is said of it.
fn finish_reason(stop: Stop<'_>) -> (&'static str, Option<Vec<u8>>) {
    match stop {
        Stop::Done | Stop::Calls | Stop::StopString(_) => ("STOP", None),
        Stop::MaxTokens | Stop::ContextFull => ("MAX_TOKENS", None),
        Stop::Filter(message) => ("SAFETY", message.map(Inside::into_owned)),
        Stop::Refused => ("SAFETY", None),
        Stop::Paused => ("OTHER", None),
        Stop::Broken(word) => ("OTHER", Some(word.into_owned())),
    }
}

impl AnswerWriter {
    fn flush_all(&mut self, to: &mut Writer) {
        for (index, candidate) in &mut self.candidates {
            candidate.flush(&mut Chunks { to, index: *index, tail: &self.tail, whole: self.whole });
        }
    }

    fn end(&mut self, to: &mut Writer) {
        let mut candidates = std::mem::take(&mut self.candidates);
        if candidates.is_empty() {
            candidates.insert(0, Candidate::default());
        }
        if !self.whole {
            to.frame(b"data: ");
        }
        to.open(b'{');
        to.key("candidates");
        to.open(b'[');
        for (index, candidate) in candidates {
            candidate.finish(index, to);
        }
        to.close(b']');
        if let Some(usage) = self.usage.filter(|usage| !usage.is_empty()) {
            usage_metadata(&usage, to);
        }
        // The blank line is of an event.
        to.frame(if self.whole { self.tail.trim_ascii_end() } else { &self.tail[..] });
    }
}

/// Google counts thoughts beside the candidates.
fn usage_metadata(usage: &Usage, to: &mut Writer) {
    let candidates = usage.output.map(|output| output.saturating_sub(usage.reasoning.unwrap_or_default()));
    let counts = [
        ("promptTokenCount", usage.input),
        ("cachedContentTokenCount", usage.cached_input),
        ("candidatesTokenCount", candidates),
        ("thoughtsTokenCount", usage.reasoning),
        ("totalTokenCount", usage.total),
    ];
    to.key("usageMetadata");
    to.open(b'{');
    for (name, count) in counts {
        if let Some(count) = count {
            to.number_member(name, count);
        }
    }
    to.close(b'}');
}
