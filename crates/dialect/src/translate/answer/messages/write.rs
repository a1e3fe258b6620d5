//! Writes an answer of Messages as its clients need it: the Vercel AI SDK fails on any event or block that it does not
//! know, Claude Code loses calls whose block is not closed, Anthropic's own SDK wants usage in both places.

use super::super::{Citation, Naming, Piece, Stop, Write};
use super::whole::{Blocks, Delta};
use crate::dialect::Dialect;
use crate::error::ParsedError;
use crate::position::Position;
use crate::translate::error::api_error;
use crate::translate::request::State;
use crate::translate::run::{self, Run};
use crate::translate::writer::{Inside, Writer, escaped};
use crate::usage::Usage;

/// Writes an answer.
#[derive(Debug)]
pub(in crate::translate::answer) struct AnswerWriter {
    naming: Naming,
    /// The index of the next block.
    next: u64,
    open: Option<Open>,
    /// A paragraph of thinking has ended, and the next one goes into the same block: its state is of them all.
    paragraph: bool,
    calls: Vec<Call>,
    usage: Usage,
    /// Words of refusal were written.
    refused: bool,
    stop: Option<Ended>,
    over: bool,
    /// The blocks, where the message is written as a whole.
    whole: Option<Blocks>,
}

/// The block of text or thinking that is open. Calls are open beside it.
#[derive(Clone, Copy, Debug)]
struct Open {
    index: u64,
    kind: Kind,
    /// It is over, but for the event that says so.
    over: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    Thinking,
}

#[derive(Debug)]
struct Call {
    call: u64,
    index: u64,
    empty: bool,
}

/// Why it ended, in the dialect's words.
#[derive(Debug)]
struct Ended {
    reason: &'static str,
    /// The stop string, between quotes.
    sequence: Option<Vec<u8>>,
    /// Why it was refused, between quotes.
    explanation: Option<Vec<u8>>,
}

impl AnswerWriter {
    pub(in crate::translate::answer) fn new(naming: Naming) -> Self {
        Self {
            naming,
            next: 0,
            open: None,
            paragraph: false,
            calls: Vec::new(),
            usage: Usage::default(),
            refused: false,
            stop: None,
            over: false,
            whole: None,
        }
    }
}

impl Write for AnswerWriter {
    fn as_document(&mut self) {
        self.whole = Some(Blocks::default());
    }

    fn piece(&mut self, piece: Piece<'_>, to: &mut Writer) {
        if self.over {
            return;
        }
        match piece {
            Piece::Start => self.start(to),
            Piece::Text(text) => self.say(&text, to),
            Piece::Refusal(text) => {
                self.refused = true;
                self.say(&text, to);
            }
            Piece::Reasoning(text) => self.think(&text, to),
            Piece::Break => match self.open.map(|open| open.kind) {
                Some(Kind::Thinking) => self.paragraph = true,
                Some(Kind::Text) => self.close(to),
                None => {}
            },
            Piece::State(state) if self.open.is_some_and(|open| open.kind == Kind::Text) => {
                self.keep_behind(&state, to)
            }
            Piece::State(state) => self.keep(&state, to),
            Piece::Call { call, id, name, state, .. } => {
                if let Some(state) = state {
                    self.keep(&state, to);
                }
                self.call(call, id.as_ref(), &name, to);
            }
            Piece::Arguments { call, text } => self.arguments(call, &text, to),
            Piece::CallEnd { call } => {
                if let Some(at) = self.calls.iter().position(|open| open.call == call) {
                    let call = self.calls.remove(at);
                    self.end_call(&call, to);
                }
            }
            Piece::Ran(ran) => self.ran(&ran, to),
            Piece::Citation(citation) => self.cite(&citation, to),
            Piece::Usage(usage) => self.usage = usage,
            Piece::Stop(stop) => self.ended(stop),
            Piece::Error(error) => self.fail(&error, to),
            Piece::End => self.end(to),
            Piece::Candidate(_) | Piece::Logprobs(_) => {}
        }
    }
}

impl AnswerWriter {
    fn start(&self, to: &mut Writer) {
        if self.whole.is_some() {
            return;
        }
        to.frame(b"event: message_start\ndata: ");
        to.open(b'{');
        to.text_member("type", "message_start");
        to.key("message");
        self.open_message(to);
        to.member("content", b"[]");
        to.member("stop_reason", b"null");
        to.member("stop_sequence", b"null");
        self.write_usage(to);
        to.frame(b"}}\n\n");
    }

    fn open_message(&self, to: &mut Writer) {
        to.open(b'{');
        to.text_member("id", &format!("msg_{}", self.naming.id));
        to.text_member("type", "message");
        to.text_member("role", "assistant");
        to.text_member("model", &self.naming.model);
    }

    fn say(&mut self, text: &[u8], to: &mut Writer) {
        if text.is_empty() {
            return;
        }
        let index = self.block(Kind::Text, to);
        self.delta(index, Delta::Text, text, to);
    }

    fn think(&mut self, text: &[u8], to: &mut Writer) {
        if text.is_empty() {
            return;
        }
        let index = self.block(Kind::Thinking, to);
        if std::mem::take(&mut self.paragraph) {
            self.delta(index, Delta::Thinking, br"\n\n", to);
        }
        self.delta(index, Delta::Thinking, text, to);
    }

    /// The open block, which is one of that kind; its index.
    fn block(&mut self, kind: Kind, to: &mut Writer) -> u64 {
        if let Some(open) = self.open.filter(|open| open.kind == kind && !open.over) {
            return open.index;
        }
        self.close(to);
        let index = self.begin(to, |block| {
            block.frame(match kind {
                Kind::Text => b"{\"type\":\"text\",\"text\":\"\"}",
                Kind::Thinking => b"{\"type\":\"thinking\",\"thinking\":\"\",\"signature\":\"\"}",
            });
        });
        self.open = Some(Open { index, kind, over: false });
        index
    }

    /// Begins a new block; its index.
    fn begin(&mut self, to: &mut Writer, block: impl FnOnce(&mut Writer)) -> u64 {
        let index = self.next;
        self.next += 1;
        if let Some(whole) = &mut self.whole {
            let mut begin = Writer::default();
            block(&mut begin);
            whole.begin(begin.into_bytes());
            return index;
        }
        to.frame(b"event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":");
        to.number(index);
        to.frame(b",\"content_block\":");
        block(to);
        to.frame(b"}\n\n");
        index
    }

    /// Adds to a block.
    fn delta(&mut self, index: u64, delta: Delta, text: &[u8], to: &mut Writer) {
        match &mut self.whole {
            Some(whole) => whole.add(index, delta, text),
            None => write_delta(index, delta.head(), text, to),
        }
    }

    fn end_block(&self, index: u64, to: &mut Writer) {
        if self.whole.is_none() {
            to.frame(b"event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":");
            to.number(index);
            to.frame(b"}\n\n");
        }
    }

    fn end_call(&mut self, call: &Call, to: &mut Writer) {
        if call.empty {
            self.delta(call.index, Delta::Input, b"{}", to);
        }
        self.end_block(call.index, to);
    }

    fn close(&mut self, to: &mut Writer) {
        self.paragraph = false;
        if let Some(open) = self.open.take() {
            self.end_block(open.index, to);
        }
    }

    /// Puts a state that stands behind words into a block of its own, which ends before theirs does: Claude Code has a message of
    /// each block at its end, and what the last one says is what it reports.
    fn keep_behind(&mut self, state: &State<'_>, to: &mut Writer) {
        let words = self.open.take().filter(|open| open.kind == Kind::Text);
        self.keep(state, to);
        self.open = words.map(|open| Open { over: true, ..open });
    }

    /// Puts a state where clients keep it: into the thinking that it is of, else into a block of its own.
    fn keep(&mut self, state: &State<'_>, to: &mut Writer) {
        if let Some(Open { index, kind: Kind::Thinking, .. }) = self.open {
            self.delta(index, Delta::Signature, &state.value, to);
            return self.close(to);
        }
        self.close(to);
        let index = self.begin(to, |block| {
            block.open(b'{');
            block.text_member("type", "redacted_thinking");
            block.inside_member("data", &state.value);
            block.close(b'}');
        });
        self.end_block(index, to);
    }

    fn call(&mut self, call: u64, id: Option<&Inside<'_>>, name: &[u8], to: &mut Writer) {
        self.close(to);
        let made = id.is_none().then(|| format!("toolu_{}_{}", self.naming.id, self.next));
        let index = self.begin(to, |block| {
            block.open(b'{');
            block.text_member("type", "tool_use");
            match id {
                Some(id) => block.inside_member("id", id),
                None => block.text_member("id", made.as_deref().unwrap_or_default()),
            }
            block.inside_member("name", name);
            block.member("input", b"{}");
            block.close(b'}');
        });
        self.calls.push(Call { call, index, empty: true });
    }

    fn arguments(&mut self, call: u64, text: &[u8], to: &mut Writer) {
        if text.is_empty() {
            return;
        }
        if let Some(open) = self.calls.iter_mut().rev().find(|open| open.call == call) {
            open.empty = false;
            let index = open.index;
            self.delta(index, Delta::Input, text, to);
        }
    }

    /// What the vendor ran: the block of the call, and that of its result.
    fn ran(&mut self, ran: &Run<'_>, to: &mut Writer) {
        let Some((name, input)) = run::messages::input(ran) else { return };
        self.close(to);
        let id = run::messages::made_id(ran, &self.naming.id, self.next);
        let index = self.begin(to, |block| {
            block.open(b'{');
            block.text_member("type", "server_tool_use");
            block.inside_member("id", &id);
            block.text_member("name", name);
            block.member("input", b"{}");
            block.close(b'}');
        });
        self.delta(index, Delta::Input, &escaped(&String::from_utf8_lossy(&input)), to);
        self.end_block(index, to);
        let index = self.begin(to, |block| run::messages::write_result(ran, &id, block));
        self.end_block(index, to);
    }

    /// A source belongs to the text in whose block it stands. `encrypted_index` is Anthropic's own: what stands here says that it is not.
    fn cite(&mut self, citation: &Citation<'_>, to: &mut Writer) {
        let Some(Open { index, kind: Kind::Text, .. }) = self.open else { return };
        if let Some(whole) = &mut self.whole {
            let mut source = Writer::default();
            write_source(citation, &mut source);
            return whole.cite(index, source.bytes());
        }
        to.frame(b"event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":");
        to.number(index);
        to.frame(b",\"delta\":{\"type\":\"citations_delta\",\"citation\":");
        write_source(citation, to);
        to.frame(b"}}\n\n");
    }

    fn ended(&mut self, stop: Stop<'_>) {
        let mut ended = Ended { reason: "end_turn", sequence: None, explanation: None };
        ended.reason = match stop {
            Stop::Done if self.refused => "refusal",
            // What is broken has failed before it came here.
            Stop::Done | Stop::Broken(_) => "end_turn",
            Stop::Calls => "tool_use",
            Stop::StopString(string) => {
                ended.sequence = string.map(Inside::into_owned);
                "stop_sequence"
            }
            Stop::MaxTokens => "max_tokens",
            Stop::ContextFull => "model_context_window_exceeded",
            Stop::Refused => "refusal",
            Stop::Filter(words) => {
                ended.explanation = words.map(Inside::into_owned);
                "refusal"
            }
            Stop::Paused => "pause_turn",
        };
        self.stop = Some(ended);
    }

    /// The error ends the stream.
    fn fail(&mut self, error: &ParsedError, to: &mut Writer) {
        self.over = true;
        to.frame(&api_error(error).as_event(Dialect::Messages, &Position::default()));
    }

    fn end(&mut self, to: &mut Writer) {
        self.over = true;
        self.close(to);
        for call in std::mem::take(&mut self.calls) {
            self.end_call(&call, to);
        }
        let ended = self.stop.take().unwrap_or(Ended { reason: "end_turn", sequence: None, explanation: None });
        if let Some(whole) = self.whole.take() {
            self.open_message(to);
            to.key("content");
            whole.write(to);
            ended.write_stop(to);
            self.write_usage(to);
            ended.write_details(to);
            return to.close(b'}');
        }
        to.frame(b"event: message_delta\ndata: ");
        to.open(b'{');
        to.text_member("type", "message_delta");
        to.key("delta");
        to.open(b'{');
        ended.write_stop(to);
        ended.write_details(to);
        to.close(b'}');
        self.write_usage(to);
        to.frame(b"}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n");
    }

    /// Input from a cache and into one is counted beside the rest here, and all of it is required by some client.
    fn write_usage(&self, to: &mut Writer) {
        let Usage { input, output, cached_input, cache_write, reasoning, .. } = self.usage;
        let (cached, written) = (cached_input.unwrap_or_default(), cache_write.unwrap_or_default());
        to.key("usage");
        to.open(b'{');
        to.number_member("input_tokens", input.unwrap_or_default().saturating_sub(cached).saturating_sub(written));
        to.number_member("cache_creation_input_tokens", written);
        to.number_member("cache_read_input_tokens", cached);
        to.number_member("output_tokens", output.unwrap_or_default());
        if let Some(reasoning) = reasoning {
            to.key("output_tokens_details");
            to.open(b'{');
            to.number_member("thinking_tokens", reasoning);
            to.close(b'}');
        }
        to.close(b'}');
    }
}

impl Ended {
    fn write_stop(&self, to: &mut Writer) {
        to.text_member("stop_reason", self.reason);
        match &self.sequence {
            Some(sequence) => to.inside_member("stop_sequence", sequence),
            None => to.member("stop_sequence", b"null"),
        }
    }

    fn write_details(&self, to: &mut Writer) {
        if let Some(explanation) = &self.explanation {
            to.key("stop_details");
            to.open(b'{');
            to.text_member("type", "refusal");
            to.member("category", b"null");
            to.inside_member("explanation", explanation);
            to.close(b'}');
        }
    }
}

/// An event with a delta.
fn write_delta(index: u64, head: &[u8], text: &[u8], to: &mut Writer) {
    to.frame(b"event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":");
    to.number(index);
    to.frame(b",\"delta\":");
    to.frame(head);
    to.frame(text);
    to.frame(b"\"}}\n\n");
}

fn write_source(citation: &Citation<'_>, to: &mut Writer) {
    to.open(b'{');
    to.text_member("type", "web_search_result_location");
    to.inside_member("cited_text", citation.quote.as_deref().unwrap_or_default());
    to.inside_member("url", &citation.url);
    match &citation.title {
        Some(title) => to.inside_member("title", title),
        None => to.member("title", b"null"),
    }
    to.text_member("encrypted_index", run::messages::NO_STATE);
    to.close(b'}');
}
