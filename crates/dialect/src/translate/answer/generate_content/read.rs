//! Reads an answer. A finish reason does not end it: some models write one on every chunk, and words follow. So the end is
//! said when the stream is over.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::partial::Partial;
use super::read_sources::{fetched, grounding, searched, sources};
use super::stop_of;
use crate::dialect::Dialect;
use crate::error::read_error;
use crate::event::Event;
use crate::json::{self, Cursor};
use crate::translate::answer::{Piece, Read, Stop};
use crate::translate::request::{Json, State, StateKind};
use crate::translate::run::generate_content as run;
use crate::translate::writer::{Writer, compact};
use crate::usage::Counts;

/// What Google takes for a signature where there is none; proxies in between may write it too.
const NO_SIGNATURE: &[u8] = b"skip_thought_signature_validator";

/// Reads an answer.
#[derive(Debug, Default)]
pub(in crate::translate::answer) struct Reader {
    started: bool,
    over: bool,
    /// The last usage, which is read once: each chunk has a larger one.
    usage: Vec<u8>,
    /// Why the prompt was refused.
    blocked: Option<Vec<u8>>,
    candidates: BTreeMap<u64, Candidate>,
    current: u64,
    calls: u64,
}

#[derive(Debug, Default)]
struct Candidate {
    /// Whether it said anything.
    said: bool,
    reason: Option<Vec<u8>>,
    message: Option<Vec<u8>>,
    grounding: Vec<u8>,
    citations: Vec<u8>,
    /// `urlContextMetadata`.
    pages: Vec<u8>,
    /// Code that Google runs, of which the result has not come.
    code: Vec<u8>,
    partial: Option<Partial>,
}

impl Read for Reader {
    fn event(&mut self, event: &Event<'_>, to: &mut dyn FnMut(Piece<'_>)) {
        self.chunk(event.data, to);
    }

    fn document(&mut self, document: Json<'_>, to: &mut dyn FnMut(Piece<'_>)) {
        if document.starts_with(b"[") {
            json::items(document).for_each(|chunk| self.chunk(chunk, to));
        } else {
            self.chunk(document, to);
        }
        self.finish(to);
    }

    fn finish(&mut self, to: &mut dyn FnMut(Piece<'_>)) {
        let ended = self.blocked.is_some() || self.candidates.values().any(|candidate| candidate.reason.is_some());
        if !ended || std::mem::replace(&mut self.over, true) {
            return;
        }
        self.tell_usage(to);
        for (index, candidate) in std::mem::take(&mut self.candidates) {
            self.turn_to(index, to);
            let blocked = self.blocked.as_deref();
            candidate.finish(blocked, to);
            self.blocked = None;
        }
        if let Some(reason) = self.blocked.take() {
            to(Piece::Stop(Stop::Filter(Some(Cow::Owned(reason)))));
        }
        to(Piece::End);
    }
}

impl Reader {
    fn chunk(&mut self, chunk: &[u8], to: &mut dyn FnMut(Piece<'_>)) {
        let (mut found, mut error) = (Vec::new(), false);
        Cursor::new(chunk).members(|key, walk| match key {
            b"candidates" => drop(walk.items(|walk| found.push(Found::of(walk)))),
            b"usageMetadata" | b"usage_metadata" => {
                self.usage.clear();
                self.usage.extend_from_slice(walk.value());
            }
            b"promptFeedback" | b"prompt_feedback" => self.feedback(walk.value()),
            b"error" => error |= walk.value() != b"null",
            _ => {}
        });
        if error {
            self.over = true;
            return to(Piece::Error(Box::new(read_error(chunk).unwrap_or_default())));
        }
        if !std::mem::replace(&mut self.started, true) {
            to(Piece::Start);
            self.tell_usage(to);
        }
        for candidate in found {
            self.candidate(candidate, to);
        }
    }

    fn feedback(&mut self, feedback: &[u8]) {
        let (mut reason, mut message) = (None, None);
        for (key, value) in json::members(feedback) {
            match key {
                b"blockReason" | b"block_reason" => reason = json::inside(value),
                b"blockReasonMessage" | b"block_reason_message" => message = json::inside(value),
                _ => {}
            }
        }
        if let Some(reason) = reason {
            self.blocked = Some(message.filter(|it| !it.is_empty()).unwrap_or(reason).to_vec());
        }
    }

    fn tell_usage(&mut self, to: &mut dyn FnMut(Piece<'_>)) {
        if !self.usage.is_empty() {
            let mut counts = Counts::default();
            counts.read(&self.usage);
            to(Piece::Usage(counts.usage(Dialect::GenerateContent)));
        }
    }

    fn turn_to(&mut self, index: u64, to: &mut dyn FnMut(Piece<'_>)) {
        if std::mem::replace(&mut self.current, index) != index {
            to(Piece::Candidate(index));
        }
    }

    fn candidate(&mut self, found: Found<'_>, to: &mut dyn FnMut(Piece<'_>)) {
        self.turn_to(found.index, to);
        let candidate = self.candidates.entry(found.index).or_default();
        let unsaid: [&[u8]; 2] = [b"", b"FINISH_REASON_UNSPECIFIED"];
        if let Some(reason) = found.reason.filter(|reason| !unsaid.contains(reason)) {
            // Several chunks may say STOP; whatever else one of them says is what happened.
            if candidate.reason.as_deref().is_none_or(|before| before == b"STOP") {
                candidate.reason = Some(reason.to_vec());
                candidate.message = found.message.filter(|it| !it.is_empty()).map(<[u8]>::to_vec);
            }
        }
        if let Some(grounding) = found.grounding {
            candidate.grounding = grounding.to_vec();
        }
        if let Some(citations) = found.citations {
            candidate.citations = citations.to_vec();
        }
        if let Some(pages) = found.pages {
            candidate.pages = pages.to_vec();
        }
        for part in found.parts {
            candidate.part(part, &mut self.calls, to);
        }
        if let Some(logprobs) = found.logprobs.and_then(chat_logprobs) {
            to(Piece::Logprobs(&logprobs));
        }
    }
}

/// What a chunk has of a candidate. Its index may stand behind its parts.
#[derive(Default)]
struct Found<'e> {
    index: u64,
    parts: Vec<Part<'e>>,
    reason: Option<&'e [u8]>,
    message: Option<&'e [u8]>,
    grounding: Option<&'e [u8]>,
    citations: Option<&'e [u8]>,
    pages: Option<&'e [u8]>,
    logprobs: Option<&'e [u8]>,
}

/// A part of its content.
#[derive(Default)]
struct Part<'e> {
    text: Option<&'e [u8]>,
    thought: bool,
    signature: Option<&'e [u8]>,
    call: Option<&'e [u8]>,
    /// Code that Google ran, what it printed, and an image.
    code: Option<&'e [u8]>,
    printed: Option<&'e [u8]>,
    image: Option<&'e [u8]>,
    /// Whether it is of another kind than words and calls.
    own: bool,
}

impl<'e> Found<'e> {
    fn of(walk: &mut Cursor<'e>) -> Self {
        let mut found = Self::default();
        walk.members(|key, walk| {
            if key == b"content" {
                walk.members(|key, walk| {
                    if key == b"parts" {
                        walk.items(|walk| found.parts.push(Part::of(walk)));
                    }
                });
                return;
            }
            let value = walk.value();
            match key {
                b"index" => found.index = json::count(value).unwrap_or_default(),
                b"finishReason" | b"finish_reason" => found.reason = json::inside(value),
                b"finishMessage" | b"finish_message" => found.message = json::inside(value),
                b"groundingMetadata" | b"grounding_metadata" if !json::is_blank(value) => {
                    found.grounding = Some(value);
                }
                b"citationMetadata" | b"citation_metadata" if !json::is_blank(value) => found.citations = Some(value),
                b"urlContextMetadata" | b"url_context_metadata" if !json::is_blank(value) => found.pages = Some(value),
                b"logprobsResult" | b"logprobs_result" => found.logprobs = Some(value),
                _ => {}
            }
        });
        found
    }
}

impl<'e> Part<'e> {
    fn of(walk: &mut Cursor<'e>) -> Self {
        let mut part = Self::default();
        walk.members(|key, walk| {
            let value = walk.value();
            match key {
                b"text" => part.text = json::inside(value),
                b"thought" => part.thought = value == b"true",
                b"thoughtSignature" | b"thought_signature" => {
                    part.signature = json::inside(value).filter(|it| !it.is_empty() && *it != NO_SIGNATURE);
                }
                b"functionCall" | b"function_call" => part.call = Some(value).filter(|value| value.starts_with(b"{")),
                b"partMetadata" | b"part_metadata" | b"videoMetadata" | b"video_metadata" => {}
                _ if value.starts_with(b"{") => {
                    part.own = true;
                    match key {
                        b"executableCode" | b"executable_code" => part.code = Some(value),
                        b"codeExecutionResult" | b"code_execution_result" => part.printed = Some(value),
                        b"inlineData" | b"inline_data" => part.image = Some(value),
                        _ => {}
                    }
                }
                _ => {}
            }
        });
        part
    }
}

impl Candidate {
    fn part(&mut self, part: Part<'_>, calls: &mut u64, to: &mut dyn FnMut(Piece<'_>)) {
        if part.own {
            // The words on either side of what Google ran or drew are not one text.
            to(Piece::Break);
            self.run(&part, to);
        }
        let state = part.signature.map(|it| State { kind: StateKind::Thought, value: Cow::Borrowed(it), id: None });
        if let Some(call) = part.call {
            return self.call(call, state, calls, to);
        }
        if let Some(text) = part.text.filter(|text| !text.is_empty()) {
            self.said = true;
            let text = Cow::Borrowed(text);
            to(if part.thought { Piece::Reasoning(text) } else { Piece::Text(text) });
        }
        if let Some(state) = state {
            to(Piece::State(state));
        }
    }

    /// What Google ran is told with its result, or without one once something else follows.
    fn run(&mut self, part: &Part<'_>, to: &mut dyn FnMut(Piece<'_>)) {
        let code = std::mem::take(&mut self.code);
        if let Some(mut run) = run::begun(&code) {
            part.printed.into_iter().for_each(|printed| run::ended(&mut run, printed));
            to(Piece::Ran(run));
        }
        self.code = part.code.unwrap_or_default().to_vec();
        if let Some(image) = part.image.filter(|_| !part.thought).and_then(run::image) {
            self.said = true;
            to(Piece::Ran(image));
        }
    }

    fn call(&mut self, value: &[u8], state: Option<State<'_>>, calls: &mut u64, to: &mut dyn FnMut(Piece<'_>)) {
        let (mut id, mut name, mut args, mut partial, mut continues) = (None, None, None, None, false);
        for (key, value) in json::members(value) {
            match key {
                b"id" => id = json::inside(value).filter(|id| !id.is_empty()),
                b"name" => name = json::inside(value).filter(|name| !name.is_empty()),
                b"args" => args = Some(value).filter(|args| *args != b"null"),
                b"partialArgs" | b"partial_args" => partial = Some(value),
                b"willContinue" | b"will_continue" => continues = value == b"true",
                _ => {}
            }
        }
        if let Some(name) = name {
            self.end_partial(to);
            self.said = true;
            let call = *calls;
            *calls += 1;
            let (id, name) = (id.map(Cow::Borrowed), Cow::Borrowed(name));
            to(Piece::Call { call, id, name, namespace: None, custom: false, search: false, state });
            if continues || partial.is_some() {
                self.partial = Some(Partial::new(call));
            } else {
                tell_arguments(call, args.unwrap_or(b"{}"), to);
            }
        }
        if let Some(open) = &mut self.partial {
            json::items(partial.unwrap_or(b"[]")).for_each(|piece| open.add(piece));
            if !continues {
                self.end_partial(to);
            }
        }
    }

    fn end_partial(&mut self, to: &mut dyn FnMut(Piece<'_>)) {
        if let Some(partial) = self.partial.take() {
            tell_arguments(partial.call(), &partial.into_arguments(), to);
        }
    }

    fn finish(mut self, blocked: Option<&[u8]>, to: &mut dyn FnMut(Piece<'_>)) {
        self.end_partial(to);
        self.run(&Part::default(), to);
        grounding(&self.grounding, to);
        sources(&self.citations, to);
        searched(&self.grounding, to);
        fetched(&self.pages, to);
        let stop = match (&self.reason, blocked) {
            (Some(reason), _) => {
                let message = self.message.as_deref().map(Cow::Borrowed);
                stop_of(reason, message).unwrap_or(if self.said {
                    Stop::Done
                } else {
                    Stop::Broken(Cow::Borrowed(reason.as_slice()))
                })
            }
            (None, Some(blocked)) => Stop::Filter(Some(Cow::Borrowed(blocked))),
            (None, None) => Stop::Done,
        };
        to(Piece::Stop(stop));
    }
}

fn tell_arguments(call: u64, object: &[u8], to: &mut dyn FnMut(Piece<'_>)) {
    to(Piece::Arguments { call, text: Cow::Owned(compact(object)) });
    to(Piece::CallEnd { call });
}

/// Log probabilities as Chat Completions has them: a list of tokens. Google does not tell their bytes.
fn chat_logprobs(result: &[u8]) -> Option<Vec<u8>> {
    let either = |camel: &str, snake: &str| json::get(result, camel).or_else(|| json::get(result, snake));
    let mut top = either("topCandidates", "top_candidates").into_iter().flat_map(json::items);
    let mut out = Writer::default();
    out.open(b'[');
    let mut any = false;
    for chosen in json::items(either("chosenCandidates", "chosen_candidates")?) {
        any = true;
        out.open(b'{');
        token(chosen, &mut out);
        out.key("top_logprobs");
        out.open(b'[');
        for candidate in top.next().and_then(|it| json::get(it, "candidates")).into_iter().flat_map(json::items) {
            out.open(b'{');
            token(candidate, &mut out);
            out.close(b'}');
        }
        out.close(b']');
        out.close(b'}');
    }
    out.close(b']');
    any.then(|| out.into_bytes())
}

fn token(candidate: &[u8], out: &mut Writer) {
    out.member("token", json::get(candidate, "token").unwrap_or(b"\"\""));
    let logprob = json::get(candidate, "logProbability").or_else(|| json::get(candidate, "log_probability"));
    out.member("logprob", logprob.unwrap_or(b"0"));
    out.member("bytes", b"null");
}
