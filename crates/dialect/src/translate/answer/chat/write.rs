//! Writes pieces as the chunks of a stream of Chat Completions: the role, what is new, the finish reason, usage if it was
//! asked for, `[DONE]`. The finish reason waits for the end of the answer, so that one that breaks never looks finished.

use memchr::memmem;

use super::end::{owned, reason, write_error, write_usage};
use super::whole::{Message, add};
use crate::json;
use crate::translate::answer::span::characters;
use crate::translate::answer::{Citation, Naming, Piece, Stop, Write};
use crate::translate::request::chat::details;
use crate::translate::request::{Json, State};
use crate::translate::writer::{Inside, Writer};
use crate::usage::Usage;

/// How much of a text is kept to find the words of citations in.
const WORDS: usize = 256 * 1024;

/// Writes an answer.
#[derive(Debug)]
pub(in crate::translate::answer) struct AnswerWriter {
    naming: Naming,
    /// What each chunk begins with, up to its choices.
    head: Vec<u8>,
    candidates: Vec<Candidate>,
    /// The place of the candidate that the pieces are of.
    current: usize,
    calls: Vec<Call>,
    usage: Usage,
    /// Whether candidates are written as wholes.
    whole: bool,
}

/// What is known of a candidate.
#[derive(Debug)]
struct Candidate {
    index: u64,
    /// What each of its chunks begins with, up to the members of its delta.
    head: Vec<u8>,
    open: Open,
    /// Whether it has said what it thought before.
    thought: bool,
    refused: bool,
    calls: u64,
    /// How many states it has.
    states: u64,
    /// Its text, as far as citations are looked for in it.
    words: Vec<u8>,
    /// The characters of its text, and of that before the part that is open.
    text: u64,
    closed_text: u64,
    /// What the part of the text that is open rests on, without a word of it.
    citations: Vec<Vec<u8>>,
    stop: Option<Stop<'static>>,
    /// What it said, where it is written as a whole.
    whole: Option<Message>,
}

/// What was said last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Open {
    Nothing,
    Text,
    Reasoning,
}

#[derive(Debug)]
struct Call {
    number: u64,
    /// The place of its candidate.
    candidate: usize,
    /// Which of the candidate's calls it is.
    index: u64,
    custom: bool,
    /// Whether it has any arguments yet.
    any: bool,
}

impl AnswerWriter {
    pub(in crate::translate::answer) fn new(naming: Naming) -> Self {
        let mut head = Writer::default();
        head.frame(b"data: ");
        open("chat.completion.chunk", &naming, &mut head);
        let (head, usage) = (head.into_bytes(), Usage::default());
        Self { naming, head, candidates: Vec::new(), current: 0, calls: Vec::new(), usage, whole: false }
    }
}

/// Begins a chunk, or a document, up to its choices.
fn open(object: &str, naming: &Naming, to: &mut Writer) {
    to.open(b'{');
    to.text_member("id", &format!("chatcmpl-{}", naming.id));
    to.text_member("object", object);
    to.number_member("created", naming.created);
    to.text_member("model", &naming.model);
    to.key("choices");
    to.open(b'[');
}

impl Write for AnswerWriter {
    fn as_document(&mut self) {
        self.whole = true;
    }

    fn piece(&mut self, piece: Piece<'_>, to: &mut Writer) {
        match piece {
            Piece::Start => self.turn_to(0, to),
            Piece::Candidate(index) => self.turn_to(index, to),
            Piece::Usage(usage) => self.usage = usage,
            Piece::Arguments { call, text } => self.arguments(call, &text, to),
            Piece::CallEnd { call } => self.end_call(call, to),
            Piece::Error(error) => write_error(*error, to),
            Piece::End => self.end(to),
            Piece::Call { call, id, name, custom, state, .. } => {
                let Some(candidate) = self.candidates.get_mut(self.current) else { return };
                candidate.close(to);
                let index = candidate.calls;
                candidate.calls += 1;
                if self.naming.functions {
                    state.into_iter().for_each(|state| candidate.piece(Piece::State(state), to));
                    // There is no place for another.
                    if index == 0 {
                        self.calls.push(Call { number: call, candidate: self.current, index, custom, any: false });
                        candidate.function_call(&[("name", &name[..]), ("arguments", &[])], to);
                    }
                    return;
                }
                self.calls.push(Call { number: call, candidate: self.current, index, custom, any: false });
                let id = id.unwrap_or_else(|| {
                    Inside::Owned(format!("call_{}_{}", self.naming.id, self.calls.len()).into_bytes())
                });
                candidate.call(index, &id, &name, custom, state.as_ref(), to);
            }
            piece => {
                if let Some(candidate) = self.candidates.get_mut(self.current) {
                    candidate.piece(piece, to);
                }
            }
        }
    }
}

impl AnswerWriter {
    /// Goes to the candidate of that index, which begins with its role.
    fn turn_to(&mut self, index: u64, to: &mut Writer) {
        let known = self.candidates.iter().position(|candidate| candidate.index == index);
        self.current = known.unwrap_or_else(|| {
            let mut candidate = Candidate::new(index, &self.head);
            if self.whole {
                candidate.whole = Some(Message::default());
            } else {
                candidate.delta(to, |out| out.text_member("role", "assistant"));
            }
            self.candidates.push(candidate);
            self.candidates.len() - 1
        });
    }

    fn arguments(&mut self, number: u64, text: &[u8], to: &mut Writer) {
        let Some(call) = self.calls.iter_mut().rfind(|call| call.number == number) else { return };
        let Some(candidate) = self.candidates.get_mut(call.candidate) else { return };
        call.any |= !text.is_empty();
        if self.naming.functions {
            return candidate.function_call(&[("arguments", text)], to);
        }
        candidate.arguments(call, text, to);
    }

    fn end_call(&mut self, number: u64, to: &mut Writer) {
        let Some(call) = self.calls.iter_mut().rfind(|call| call.number == number) else { return };
        let Some(candidate) = self.candidates.get_mut(call.candidate) else { return };
        // No arguments are an object without members; clients parse what they get.
        if !call.custom && !std::mem::replace(&mut call.any, true) {
            if self.naming.functions {
                return candidate.function_call(&[("arguments", &b"{}"[..])], to);
            }
            candidate.arguments(call, b"{}", to);
        }
    }

    fn end(&mut self, to: &mut Writer) {
        if self.whole {
            return self.write_whole(to);
        }
        for candidate in &mut self.candidates {
            candidate.close(to);
            let reason = reason(candidate.stop.take(), candidate.refused, candidate.word_for_calls(&self.naming));
            to.frame(&candidate.head);
            to.frame(b"},\"finish_reason\":\"");
            to.frame(reason.as_bytes());
            to.frame(b"\"}]}\n\n");
        }
        if self.naming.usage && !self.usage.is_empty() {
            to.frame(&self.head);
            to.close(b']');
            to.key("usage");
            write_usage(&self.usage, to);
            to.frame(b"}\n\n");
        }
        to.frame(b"data: [DONE]\n\n");
    }

    fn write_whole(&mut self, to: &mut Writer) {
        open("chat.completion", &self.naming, to);
        self.candidates.sort_by_key(|candidate| candidate.index);
        for candidate in &mut self.candidates {
            candidate.close(to);
            to.open(b'{');
            to.number_member("index", candidate.index);
            to.key("message");
            candidate.whole.take().unwrap_or_default().write(to);
            let reason = reason(candidate.stop.take(), candidate.refused, candidate.word_for_calls(&self.naming));
            to.text_member("finish_reason", reason);
            to.close(b'}');
        }
        to.close(b']');
        if self.naming.usage && !self.usage.is_empty() {
            to.key("usage");
            write_usage(&self.usage, to);
        }
        to.close(b'}');
    }
}

impl Candidate {
    fn new(index: u64, head: &[u8]) -> Self {
        let head = [head, format!("{{\"index\":{index},\"delta\":{{").as_bytes()].concat();
        Self {
            index,
            head,
            open: Open::Nothing,
            thought: false,
            refused: false,
            calls: 0,
            states: 0,
            words: Vec::new(),
            text: 0,
            closed_text: 0,
            citations: Vec::new(),
            stop: None,
            whole: None,
        }
    }

    fn piece(&mut self, piece: Piece<'_>, to: &mut Writer) {
        match piece {
            Piece::Text(text) => {
                self.open(Open::Text, to);
                self.text += characters(&text);
                if self.words.len() + text.len() <= WORDS {
                    self.words.extend_from_slice(&text);
                }
                match &mut self.whole {
                    Some(whole) => add(&mut whole.content, &text),
                    None => self.delta(to, |out| out.inside_member("content", &text)),
                }
            }
            Piece::Refusal(text) => {
                self.close(to);
                self.refused = true;
                match &mut self.whole {
                    Some(whole) => add(&mut whole.refusal, &text),
                    None => self.delta(to, |out| out.inside_member("refusal", &text)),
                }
            }
            Piece::Reasoning(text) => {
                // All that a candidate thought is one text here; its paragraphs are told apart in it.
                let parted = self.thought && self.open != Open::Reasoning;
                self.open(Open::Reasoning, to);
                self.thought = true;
                if let Some(whole) = &mut self.whole {
                    add(&mut whole.reasoning, if parted { b"\\n\\n" } else { b"" });
                    return add(&mut whole.reasoning, &text);
                }
                self.delta(to, |out| {
                    out.key("reasoning_content");
                    out.frame(if parted { b"\"\\n\\n" } else { b"\"" });
                    out.frame(&text);
                    out.frame(b"\"");
                });
            }
            Piece::Break => self.close(to),
            Piece::State(state) => {
                self.close(to);
                let index = self.states;
                self.states += 1;
                if let Some(whole) = &mut self.whole {
                    return details::write_wrapped(&state.value, index, &mut whole.details);
                }
                self.delta(to, |out| {
                    out.key("reasoning_details");
                    out.open(b'[');
                    details::write_wrapped(&state.value, index, out);
                    out.close(b']');
                });
            }
            Piece::Citation(citation) => self.cite(&citation, to),
            Piece::Logprobs(logprobs) => self.logprobs(logprobs, to),
            Piece::Stop(stop) => {
                self.close(to);
                self.stop = Some(owned(stop));
            }
            _ => {}
        }
    }

    /// Writes a chunk whose delta has those members.
    fn delta(&self, to: &mut Writer, members: impl FnOnce(&mut Writer)) {
        to.frame(&self.head);
        members(to);
        to.frame(b"},\"finish_reason\":null}]}\n\n");
    }

    fn logprobs(&mut self, logprobs: Json<'_>, to: &mut Writer) {
        if let Some(whole) = &mut self.whole {
            return json::items(logprobs).for_each(|token| whole.logprobs.raw(token));
        }
        to.frame(&self.head);
        to.frame(b"},\"logprobs\":{\"content\":");
        to.frame(logprobs);
        to.frame(b"},\"finish_reason\":null}]}\n\n");
    }

    fn open(&mut self, open: Open, to: &mut Writer) {
        if self.open != open {
            self.close(to);
            self.open = open;
        }
    }

    /// Ends what is open. What a part of the text rests on is told now that its span is known.
    fn close(&mut self, to: &mut Writer) {
        self.open = Open::Nothing;
        let from = std::mem::replace(&mut self.closed_text, self.text);
        if self.citations.is_empty() {
            return;
        }
        let citations = std::mem::take(&mut self.citations);
        self.annotate(&citations, from, self.text, to);
    }

    /// A source: of the words that it names, or else of the part that is open.
    fn cite(&mut self, citation: &Citation<'_>, to: &mut Writer) {
        let found = citation.quote.as_deref().filter(|quote| !quote.is_empty()).and_then(|quote| {
            let from = characters(&self.words[..memmem::rfind(&self.words, quote)?]);
            Some((from, from + characters(quote)))
        });
        match found {
            Some((from, until)) => self.annotate(&[annotation(citation)], from, until, to),
            None => self.citations.push(annotation(citation)),
        }
    }

    fn annotate(&mut self, citations: &[Vec<u8>], from: u64, until: u64, to: &mut Writer) {
        let span = format!(",\"start_index\":{from},\"end_index\":{until}}}}}");
        if let Some(whole) = &mut self.whole {
            return citations.iter().for_each(|it| whole.annotations.raw(&[it, span.as_bytes()].concat()));
        }
        self.delta(to, |out| {
            out.key("annotations");
            out.open(b'[');
            citations.iter().for_each(|citation| out.raw(&[citation, span.as_bytes()].concat()));
            out.close(b']');
        });
    }

    fn call(&mut self, index: u64, id: &[u8], name: &[u8], custom: bool, state: Option<&State<'_>>, to: &mut Writer) {
        let (kind, input) = kind_of(custom);
        let members = |out: &mut Writer| {
            out.inside_member("id", id);
            out.text_member("type", kind);
            out.key(kind);
            out.open(b'{');
            out.inside_member("name", name);
            out.text_member(input, "");
        };
        if let Some(whole) = &mut self.whole {
            let (mut begin, mut end) = (Writer::default(), Writer::default());
            begin.open(b'{');
            members(&mut begin);
            // Arguments go between the quotes.
            begin.cut(1);
            end.frame(b"\"}");
            if let Some(state) = state {
                details::write_thought_of_call(state, &mut end);
            }
            end.close(b'}');
            return whole.begin_call(begin.into_bytes(), end.into_bytes());
        }
        self.delta(to, |out| {
            out.key("tool_calls");
            out.open(b'[');
            out.open(b'{');
            out.number_member("index", index);
            members(out);
            out.close(b'}');
            if let Some(state) = state {
                details::write_thought_of_call(state, out);
            }
            out.close(b'}');
            out.close(b']');
        });
    }

    /// A call as it was told before there were several.
    fn function_call(&mut self, members: &[(&str, &[u8])], to: &mut Writer) {
        if let Some(whole) = &mut self.whole {
            return members.iter().for_each(|(name, inside)| whole.function_call(name, inside));
        }
        self.delta(to, |out| {
            out.key("function_call");
            out.open(b'{');
            members.iter().for_each(|(name, inside)| out.inside_member(name, inside));
            out.close(b'}');
        });
    }

    /// What an answer with calls ends with, if it has any.
    fn word_for_calls(&self, naming: &Naming) -> Option<&'static str> {
        (self.calls > 0).then_some(if naming.functions { "function_call" } else { "tool_calls" })
    }

    fn arguments(&mut self, call: &Call, text: &[u8], to: &mut Writer) {
        if let Some(whole) = &mut self.whole {
            return whole.arguments(call.index, text);
        }
        let (kind, input) = kind_of(call.custom);
        self.delta(to, |out| {
            out.key("tool_calls");
            out.open(b'[');
            out.open(b'{');
            out.number_member("index", call.index);
            out.key(kind);
            out.open(b'{');
            out.inside_member(input, text);
            out.close(b'}');
            out.close(b'}');
            out.close(b']');
        });
    }
}

fn kind_of(custom: bool) -> (&'static str, &'static str) {
    if custom { ("custom", "input") } else { ("function", "arguments") }
}

/// A citation without its span, and without the brackets that close it.
fn annotation(citation: &Citation<'_>) -> Vec<u8> {
    let mut out = Writer::default();
    out.open(b'{');
    out.text_member("type", "url_citation");
    out.key("url_citation");
    out.open(b'{');
    out.inside_member("url", &citation.url);
    out.inside_member("title", citation.title.as_deref().unwrap_or_default());
    out.into_bytes()
}
