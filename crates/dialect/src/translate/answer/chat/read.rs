//! Reads the chunks of a stream of Chat Completions, or a whole answer, into pieces. Why a candidate ended is said only
//! once the stream says that nothing follows, since servers put usage, text and even calls behind a finish reason.

use super::call::{self, Call, Fragment, Seen};
use crate::dialect::Dialect;
use crate::event::{DONE, Event};
use crate::json::{self, Cursor};
use crate::translate::answer::span::slice;
use crate::translate::answer::{Citation, Piece, Read, Stop};
use crate::translate::request::chat::details;
use crate::translate::request::{Json, State};
use crate::translate::writer::Inside;
use crate::usage::Counts;

/// How much of a text is kept to find the words of citations in.
const WORDS: usize = 256 * 1024;

/// Reads an answer.
#[derive(Debug, Default)]
pub(in crate::translate::answer) struct Reader {
    candidates: Vec<Candidate>,
    /// The index of the candidate that the pieces are of.
    current: u64,
    seen: Seen,
    over: bool,
}

/// What is known of a candidate.
#[derive(Debug, Default)]
struct Candidate {
    index: u64,
    calls: Vec<Call>,
    refused: bool,
    /// Whether it has said anything.
    said: bool,
    stop: Option<Stop<'static>>,
    /// State of reasoning that may have more fragments, with its index.
    state: Option<(Option<u64>, State<'static>)>,
    /// The index of the detail that spoke last.
    detail: Option<u64>,
    /// Its text, as far as citations are looked for in it.
    words: Vec<u8>,
}

/// The members of a choice that say something.
#[derive(Default)]
struct Choice<'a> {
    index: Option<u64>,
    delta: Option<Delta<'a>>,
    message: Option<Delta<'a>>,
    finish_reason: Option<Json<'a>>,
    /// The string that stopped it, as vLLM and SGLang tell it.
    stop_string: Option<Json<'a>>,
    logprobs: Option<Json<'a>>,
    usage: Option<Json<'a>>,
}

/// The members of a delta, or of a whole message, that say something.
#[derive(Default)]
struct Delta<'a> {
    content: Option<Json<'a>>,
    refusal: Option<&'a [u8]>,
    reasoning: Option<&'a [u8]>,
    details: Option<Json<'a>>,
    tool_calls: Option<Json<'a>>,
    function_call: Option<Json<'a>>,
    annotations: Option<Json<'a>>,
}

impl Read for Reader {
    fn event(&mut self, event: &Event<'_>, to: &mut dyn FnMut(Piece<'_>)) {
        let data = event.data.trim_ascii();
        if self.over {
            return;
        }
        if data == DONE {
            return self.end(to);
        }
        self.chunk(data, false, to);
    }

    fn document(&mut self, document: Json<'_>, to: &mut dyn FnMut(Piece<'_>)) {
        self.chunk(document, true, to);
        self.end(to);
    }

    fn finish(&mut self, to: &mut dyn FnMut(Piece<'_>)) {
        // Servers exist that leave out `[DONE]`.
        if self.candidates.iter().all(|candidate| candidate.stop.is_some()) {
            self.end(to);
        }
    }
}

impl Reader {
    fn chunk(&mut self, chunk: Json<'_>, whole: bool, to: &mut dyn FnMut(Piece<'_>)) {
        let (mut usage, mut place) = (None, 0);
        Cursor::new(chunk).members(|key, walk| match key {
            b"choices" => {
                to(Piece::Start);
                walk.items(|walk| {
                    let choice = Choice::of(walk);
                    // Moonshot's place for it.
                    usage = usage.or(choice.usage);
                    let at = self.turn_to(choice.index.unwrap_or(place), to);
                    place += 1;
                    if let Some(candidate) = self.candidates.get_mut(at) {
                        candidate.choice(choice, whole, &mut self.seen, to);
                    }
                });
            }
            b"usage" => usage = Some(walk.value()),
            // Groq's place for it in a stream.
            b"x_groq" => usage = usage.or(json::get(walk.value(), "usage")),
            _ => {}
        });
        let used = usage.map(|usage| {
            let mut counts = Counts::default();
            counts.read(usage);
            counts.usage(Dialect::ChatCompletions)
        });
        if let Some(used) = used.filter(|used| !used.is_empty()) {
            to(Piece::Usage(used));
            // This was the last but `[DONE]`.
            let ended = !self.candidates.is_empty() && self.candidates.iter().all(|it| it.stop.is_some());
            if place == 0 && ended {
                self.end(to);
            }
        }
    }

    /// Goes to the candidate of that index, and its place.
    fn turn_to(&mut self, index: u64, to: &mut dyn FnMut(Piece<'_>)) -> usize {
        if self.current != index {
            self.current = index;
            to(Piece::Candidate(index));
        }
        let known = self.candidates.iter().position(|candidate| candidate.index == index);
        known.unwrap_or_else(|| {
            self.candidates.push(Candidate { index, ..Candidate::default() });
            self.candidates.len() - 1
        })
    }

    /// Says what was held back. An answer without a candidate is none.
    fn end(&mut self, to: &mut dyn FnMut(Piece<'_>)) {
        if self.over || self.candidates.is_empty() {
            return;
        }
        self.over = true;
        for mut candidate in std::mem::take(&mut self.candidates) {
            if self.current != candidate.index {
                self.current = candidate.index;
                to(Piece::Candidate(candidate.index));
            }
            candidate.end(to);
        }
        to(Piece::End);
    }
}

impl<'a> Choice<'a> {
    fn of(walk: &mut Cursor<'a>) -> Self {
        let mut found = Self::default();
        walk.members(|key, walk| {
            match key {
                b"delta" => return found.delta = Delta::of(walk),
                b"message" => return found.message = Delta::of(walk),
                _ => {}
            }
            let value = walk.value();
            match key {
                _ if value == b"null" => {}
                b"index" => found.index = json::count(value),
                b"finish_reason" if value != b"\"\"" => found.finish_reason = Some(value),
                b"stop_reason" | b"matched_stop" if is_stop_string(value) => found.stop_string = Some(value),
                b"logprobs" => found.logprobs = json::get(value, "content").filter(|content| !json::is_blank(content)),
                b"usage" => found.usage = Some(value),
                _ => {}
            }
        });
        found
    }
}

impl<'a> Delta<'a> {
    /// Reads one; none of what is no object.
    fn of(walk: &mut Cursor<'a>) -> Option<Self> {
        let mut found = Self::default();
        let raw = walk.members(|key, walk| {
            let value = walk.value();
            match key {
                b"role" => {}
                _ if json::is_blank(value) => {}
                b"content" => found.content = Some(value),
                b"refusal" => found.refusal = json::inside(value),
                // Some servers write both, with the same in them.
                b"reasoning_content" => found.reasoning = json::inside(value),
                b"reasoning" => found.reasoning = found.reasoning.or(json::inside(value)),
                b"reasoning_details" => found.details = Some(value),
                b"tool_calls" => found.tool_calls = Some(value),
                b"function_call" => found.function_call = Some(value),
                b"annotations" => found.annotations = Some(value),
                _ => {}
            }
        });
        raw.starts_with(b"{").then_some(found)
    }
}

impl Candidate {
    fn choice(&mut self, choice: Choice<'_>, whole: bool, seen: &mut Seen, to: &mut dyn FnMut(Piece<'_>)) {
        match (choice.delta, choice.message) {
            (Some(delta), _) => self.delta(delta, whole, seen, to),
            // A server that ends a stream with the whole message repeats itself.
            (None, Some(message)) if !self.said => self.delta(message, true, seen, to),
            _ => {}
        }
        if let Some(logprobs) = choice.logprobs {
            to(Piece::Logprobs(logprobs));
        }
        if let Some(reason) = choice.finish_reason {
            let stop = stop_of(reason, choice.stop_string);
            // Some servers say `stop` on every chunk that follows.
            if !(stop == Stop::Done && self.stop.is_some()) {
                self.stop = Some(stop);
            }
        }
    }

    fn delta(&mut self, delta: Delta<'_>, whole: bool, seen: &mut Seen, to: &mut dyn FnMut(Piece<'_>)) {
        let Delta { content, refusal, reasoning, details, tool_calls, function_call, annotations } = delta;
        if let Some(text) = reasoning {
            self.reasoning(text, to);
        }
        for detail in details.into_iter().flat_map(json::items) {
            self.detail(detail, reasoning.is_some(), to);
        }
        if let Some(content) = content {
            self.content(content, to);
        }
        if let Some(text) = refusal {
            self.refused = true;
            self.speak(to);
            to(Piece::Refusal(Inside::Borrowed(text)));
        }
        for annotation in annotations.into_iter().flat_map(json::items) {
            if let Some(citation) = citation(annotation, &self.words) {
                to(Piece::Citation(citation));
            }
        }
        let mut fresh = 0;
        let fragments = tool_calls.into_iter().flat_map(json::items).map(Fragment::of);
        for fragment in fragments.chain(function_call.map(Fragment::of_function_call)) {
            self.speak(to);
            fragment.say(&mut self.calls, &mut fresh, whole, seen, to);
        }
    }

    /// Something that is no reasoning, or begins other reasoning, follows: the state that was held is whole.
    fn speak(&mut self, to: &mut dyn FnMut(Piece<'_>)) {
        self.said = true;
        if let Some((_, state)) = self.state.take() {
            to(Piece::State(state));
        }
    }

    fn reasoning(&mut self, text: &[u8], to: &mut dyn FnMut(Piece<'_>)) {
        self.speak(to);
        to(Piece::Reasoning(Inside::Borrowed(text)));
    }

    /// A fragment of `reasoning_details`: its text is the reasoning's once more, unless that has none of its own.
    fn detail(&mut self, detail: Json<'_>, has_text: bool, to: &mut dyn FnMut(Piece<'_>)) {
        let Some(detail) = details::read(detail) else { return };
        if let Some(text) = detail.text.filter(|_| !has_text) {
            self.speak(to);
            if detail.index != self.detail {
                to(Piece::Break);
            }
            to(Piece::Reasoning(text));
        }
        self.detail = detail.index;
        let Some(state) = detail.state else { return };
        match &mut self.state {
            Some((index, known)) if index.is_some() && *index == detail.index && known.kind == state.kind => {
                if known.value.len() + state.value.len() > crate::DEFAULT_EVENT_LIMIT {
                    return call::fail("the state of the upstream's reasoning has no end", to);
                }
                known.value.to_mut().extend_from_slice(&state.value);
            }
            _ => {
                self.speak(to);
                let id = state.id.map(|id| Inside::Owned(id.into_owned()));
                let state = State { kind: state.kind, value: Inside::Owned(state.value.into_owned()), id };
                self.state = Some((detail.index, state));
            }
        }
    }

    fn text(&mut self, text: &[u8], to: &mut dyn FnMut(Piece<'_>)) {
        self.speak(to);
        if self.words.len() + text.len() <= WORDS {
            self.words.extend_from_slice(text);
        }
        to(Piece::Text(Inside::Borrowed(text)));
    }

    /// Text, or parts of it as Mistral writes them, thinking among them.
    fn content(&mut self, content: Json<'_>, to: &mut dyn FnMut(Piece<'_>)) {
        if let Some(text) = json::inside(content) {
            return self.text(text, to);
        }
        for part in json::items(content) {
            for (key, value) in json::members(part) {
                match (key, json::inside(value)) {
                    (_, Some(b"")) => {}
                    (b"text", Some(text)) => self.text(text, to),
                    (b"refusal", Some(text)) => {
                        self.refused = true;
                        self.speak(to);
                        to(Piece::Refusal(Inside::Borrowed(text)));
                    }
                    (b"thinking", Some(text)) => self.reasoning(text, to),
                    (b"thinking", None) => {
                        for text in json::items(value).filter_map(|it| json::inside(json::get(it, "text")?)) {
                            if !text.is_empty() {
                                self.reasoning(text, to);
                            }
                        }
                    }
                    _ => {}
                }
            }
        }
    }

    fn end(&mut self, to: &mut dyn FnMut(Piece<'_>)) {
        self.speak(to);
        self.calls.iter_mut().for_each(|call| call.end(to));
        // `[DONE]` alone says that an answer is whole, too.
        let stop = match self.stop.take().unwrap_or(Stop::Done) {
            Stop::Done if self.refused => Stop::Refused,
            stop => stop,
        };
        to(Piece::Stop(stop));
    }
}

/// A source on the web, with the words that rest on it.
fn citation<'a>(annotation: Json<'a>, words: &'a [u8]) -> Option<Citation<'a>> {
    let within = json::get(annotation, "url_citation").unwrap_or(annotation);
    let text = |name| json::get(within, name).and_then(json::inside).map(Inside::Borrowed);
    let place = |name| json::get(within, name).and_then(json::count);
    let quote = place("start_index").zip(place("end_index")).and_then(|(start, end)| slice(words, start, end));
    Some(Citation { url: text("url")?, title: text("title"), quote: quote.map(Inside::Borrowed) })
}

/// Whether it is a string that stopped the answer, not a token's number nor another word for why it ended.
fn is_stop_string(value: Json<'_>) -> bool {
    let words =
        ["stop", "eos", "eos_token", "end_turn", "length", "max_tokens", "tool_calls", "tool_use", "stop_sequence"];
    json::inside(value).is_some_and(|value| !value.is_empty() && words.iter().all(|word| value != word.as_bytes()))
}

/// What a finish reason means, in OpenAI's words and in those of servers that have more.
fn stop_of(reason: Json<'_>, stop_string: Option<Json<'_>>) -> Stop<'static> {
    let named = || stop_string.and_then(json::inside).map(|text| Inside::Owned(text.to_vec()));
    match json::inside(reason).unwrap_or_default() {
        b"tool_calls" | b"function_call" | b"tool_use" => Stop::Calls,
        b"length" | b"max_tokens" | b"MAX_TOKENS" => Stop::MaxTokens,
        b"model_context_window_exceeded" | b"model_length" => Stop::ContextFull,
        b"content_filter" | b"sensitive" | b"SAFETY" => Stop::Filter(None),
        b"refusal" => Stop::Refused,
        b"pause_turn" => Stop::Paused,
        b"stop_sequence" => Stop::StopString(named()),
        word @ (b"error"
        | b"abort"
        | b"network_error"
        | b"insufficient_system_resource"
        | b"malformed_function_call"
        | b"MALFORMED_FUNCTION_CALL") => Stop::Broken(Inside::Owned(word.to_vec())),
        _ if stop_string.is_some() => Stop::StopString(named()),
        _ => Stop::Done,
    }
}
