//! Reads an answer of Messages: the events of a stream, or a whole message, which is read as if its blocks came in events.
//! What the view has no piece for (blocks and deltas that newer models write) is passed over.

use super::super::{Citation, Piece, Read, Stop};
use crate::dialect::Dialect;
use crate::error::{ErrorKind, ParsedError, read_error};
use crate::event::Event;
use crate::json;
use crate::translate::request::{Json, State, StateKind};
use crate::translate::run::messages as run;
use crate::translate::writer::{Inside, escaped, unescaped};
use crate::usage::Counts;

/// Reads an answer.
#[derive(Debug, Default)]
pub(in crate::translate::answer) struct Reader {
    /// Blocks that have begun and not ended; seldom more than one.
    open: Vec<Block>,
    /// What the last block was, if it could be mistaken for one that follows.
    last: Option<Kind>,
    counts: Counts,
    /// What server tools are running: their blocks, of which the results have not come.
    running: Vec<Vec<u8>>,
    /// `stop_reason`, `stop_sequence` and `stop_details.explanation`, between quotes.
    reason: Option<Vec<u8>>,
    sequence: Option<Vec<u8>>,
    explanation: Option<Vec<u8>>,
    /// Bytes of blocks that were kept until these ended.
    kept: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    Thinking,
    Call,
    /// A block of a tool that Anthropic runs, or of its result.
    Server,
    /// Nothing of it is told.
    Other,
}

#[derive(Debug)]
struct Block {
    index: u64,
    kind: Kind,
    /// The signature of thinking.
    signature: Vec<u8>,
    /// The input that a call began with, and whether it came in deltas after all; the whole block of a server tool.
    input: Vec<u8>,
    streamed: bool,
    /// The input of a server tool, as it came in deltas.
    deltas: Vec<u8>,
    /// The sources of a text, which are told behind it, and that text: all of it rests on them.
    citations: Vec<Vec<u8>>,
    cited: Option<Vec<u8>>,
}

/// The most that is kept of blocks, and about what one is beside that: far more than any answer has.
const MOST_KEPT: usize = crate::DEFAULT_FOLD_LIMIT;
const BLOCK: usize = 256;

/// Of longer texts it is not told which words rest on a source.
const CITED: usize = 16 * 1024;

type To<'t> = &'t mut dyn FnMut(Piece<'_>);

impl Read for Reader {
    fn event(&mut self, event: &Event<'_>, to: To<'_>) {
        let (mut kind, mut index, mut body) = (None, None, None);
        for (key, value) in json::members(event.data) {
            match key {
                b"type" => kind = json::inside(value),
                b"index" => index = json::count(value),
                b"delta" | b"content_block" | b"message" => body = Some(value),
                b"usage" => self.counts.read(value),
                _ => {}
            }
        }
        let body = body.unwrap_or_default();
        match kind.or(event.name).unwrap_or_default() {
            b"content_block_delta" => self.delta(index, body, to),
            b"content_block_start" => {
                let index = index.unwrap_or_else(|| self.open.last().map_or(0, |last| last.index.saturating_add(1)));
                self.start(index, body, to);
            }
            b"content_block_stop" => self.stop(index, to),
            b"message_start" => {
                if let Some(usage) = json::get(body, "usage") {
                    self.counts.read(usage);
                }
                to(Piece::Start);
                to(Piece::Usage(self.counts.usage(Dialect::Messages)));
            }
            b"message_delta" => self.end_of_message(body),
            b"message_stop" => self.whole(to),
            b"error" => to(Piece::Error(Box::new(error(event.data)))),
            _ => {}
        }
    }

    fn document(&mut self, document: Json<'_>, to: To<'_>) {
        if json::get(document, "type") == Some(b"\"error\"") {
            return to(Piece::Error(Box::new(error(document))));
        }
        let mut content = None;
        for (key, value) in json::members(document) {
            match key {
                b"content" => content = Some(value),
                b"usage" => self.counts.read(value),
                _ => {}
            }
        }
        let Some(content) = content else { return };
        to(Piece::Start);
        for (index, block) in (0..).zip(json::items(content)) {
            self.start(index, block, to);
            self.stop(Some(index), to);
        }
        self.end_of_message(document);
        self.whole(to);
    }

    /// What has not said `message_stop` is not whole.
    fn finish(&mut self, _to: To<'_>) {}
}

impl Block {
    /// Keeps a text that may rest on sources.
    fn cites(&mut self, text: &[u8]) {
        if let Some(cited) = self.cited.as_mut().filter(|cited| cited.len() <= CITED) {
            cited.extend_from_slice(text);
        }
    }
}

impl Reader {
    fn start(&mut self, index: u64, raw: Json<'_>, to: To<'_>) {
        // Some servers do not say that a block has ended: signed thinking has, once another begins.
        let is_over = |open: &Block| open.index == index || !open.signature.is_empty();
        while let Some(at) = self.open.iter().position(is_over) {
            let block = self.open.remove(at);
            self.close(&block, to);
        }
        let (mut kind, mut text, mut id, mut name) = (&b""[..], None, None, None);
        let (mut signature, mut data, mut input, mut citations) = (None, None, None, None);
        for (key, value) in json::members(raw) {
            match key {
                b"type" => kind = value,
                b"text" | b"thinking" => text = json::inside(value),
                b"id" => id = json::inside(value),
                b"name" => name = json::inside(value),
                b"signature" => signature = json::inside(value),
                b"data" => data = json::inside(value),
                b"input" => input = Some(value),
                b"citations" => citations = Some(value),
                _ => {}
            }
        }
        let kind = match kind {
            b"\"text\"" => Kind::Text,
            b"\"thinking\"" => Kind::Thinking,
            b"\"tool_use\"" => Kind::Call,
            b"\"redacted_thinking\"" => {
                if let Some(data) = data {
                    to(Piece::State(state(StateKind::Redacted, data)));
                    self.last = None;
                }
                Kind::Other
            }
            b"\"server_tool_use\"" | b"\"mcp_tool_use\"" => Kind::Server,
            kind if run::is_result(kind.trim_ascii_end().strip_suffix(b"\"").unwrap_or_default()) => Kind::Server,
            _ => Kind::Other,
        };
        if self.last == Some(kind) && matches!(kind, Kind::Text | Kind::Thinking) {
            to(Piece::Break);
        }
        if !matches!(kind, Kind::Other | Kind::Server) {
            self.last = Some(kind);
        }
        let mut block = Block {
            index,
            kind,
            signature: signature.unwrap_or_default().to_vec(),
            input: Vec::new(),
            streamed: false,
            deltas: Vec::new(),
            citations: citations.into_iter().flat_map(json::items).map(<[u8]>::to_vec).collect(),
            // A text that is to have sources begins with none.
            cited: citations.filter(|citations| citations.starts_with(b"[")).map(|_| Vec::new()),
        };
        match kind {
            Kind::Text | Kind::Thinking => {
                block.cites(text.unwrap_or_default());
                say(kind, text.unwrap_or_default(), to);
            }
            Kind::Call => {
                block.input = input.unwrap_or_default().to_vec();
                to(Piece::Call {
                    call: index,
                    id: id.filter(|id| !id.is_empty()).map(Inside::Borrowed),
                    name: Inside::Borrowed(name.unwrap_or_default()),
                    namespace: None,
                    custom: false,
                    search: false,
                    state: None,
                });
            }
            Kind::Server => block.input = raw.to_vec(),
            Kind::Other => {}
        }
        self.keep(BLOCK + block.signature.len() + block.input.len(), to);
        self.open.push(block);
    }

    /// Counts what is kept; too much of it is an error.
    fn keep(&mut self, bytes: usize, to: To<'_>) {
        self.kept += bytes;
        if self.kept > MOST_KEPT {
            self.open.clear();
            let message = format!("the upstream's answer has more than {} MiB that have to be kept", MOST_KEPT >> 20);
            let error = ParsedError { kind: ErrorKind::Upstream, message, ..ParsedError::default() };
            to(Piece::Error(Box::new(error)));
        }
    }

    fn delta(&mut self, index: Option<u64>, delta: Json<'_>, to: To<'_>) {
        let block = match index {
            Some(index) => self.open.iter_mut().rev().find(|block| block.index == index),
            None => self.open.last_mut(),
        };
        let Some(block) = block else { return };
        let mut kept = 0;
        for (key, value) in json::members(delta) {
            match (key, block.kind) {
                (b"text", Kind::Text) | (b"thinking", Kind::Thinking) => {
                    let text = json::inside(value).unwrap_or_default();
                    block.cites(text);
                    say(block.kind, text, to);
                }
                (b"partial_json", Kind::Call) => {
                    let text = json::inside(value).unwrap_or_default();
                    if !text.is_empty() {
                        block.streamed = true;
                        to(Piece::Arguments { call: block.index, text: Inside::Borrowed(text) });
                    }
                }
                (b"partial_json", Kind::Server) => {
                    block.deltas.extend_from_slice(json::inside(value).unwrap_or_default());
                }
                (b"signature", Kind::Thinking) => block.signature = json::inside(value).unwrap_or_default().to_vec(),
                (b"citation", Kind::Text) => {
                    kept += BLOCK + value.len();
                    block.citations.push(value.to_vec());
                }
                _ => {}
            }
        }
        if kept > 0 {
            self.keep(kept, to);
        }
    }

    fn stop(&mut self, index: Option<u64>, to: To<'_>) {
        let place = match index {
            Some(index) => self.open.iter().position(|block| block.index == index),
            None => self.open.len().checked_sub(1),
        };
        if let Some(place) = place {
            let block = self.open.remove(place);
            self.close(&block, to);
        }
    }

    fn close(&mut self, block: &Block, to: To<'_>) {
        match block.kind {
            Kind::Thinking if !block.signature.is_empty() => {
                to(Piece::State(state(StateKind::Signature, &block.signature)));
                self.last = None;
            }
            Kind::Call => {
                if !block.streamed {
                    // The input came whole, or there is none.
                    let input = std::str::from_utf8(&block.input).ok().filter(|input| input.starts_with('{'));
                    let text = Inside::Owned(escaped(input.unwrap_or("{}")));
                    to(Piece::Arguments { call: block.index, text });
                }
                to(Piece::CallEnd { call: block.index });
            }
            Kind::Text => block.citations.iter().for_each(|citation| cite(citation, block.cited.as_deref(), to)),
            Kind::Server => self.ran(block, to),
            Kind::Thinking | Kind::Other => {}
        }
    }

    /// A block of a server tool is a state, since it is sealed and thinking is bound to it; with its result it is something
    /// that was run.
    fn ran(&mut self, block: &Block, to: To<'_>) {
        let sealed = run::as_state(&block.input, &block.deltas);
        to(Piece::State(state(StateKind::Block, &sealed)));
        let Some(whole) = unescaped(&sealed) else { return };
        let whole = whole.as_bytes();
        let Some(of) = text(whole, "tool_use_id") else { return self.running.push(whole.to_vec()) };
        let Some(at) = self.running.iter().position(|running| text(running, "id") == Some(of)) else { return };
        let begun = self.running.remove(at);
        let name = text(&begun, "name").unwrap_or_default();
        let input = json::get(&begun, "input").unwrap_or(b"{}");
        if let Some(mut ran) = run::begun(text(&begun, "id"), name, input) {
            run::ended(&mut ran, json::get(whole, "content").unwrap_or_default());
            to(Piece::Ran(ran));
        }
    }

    /// Takes in why it ended, which `message_delta` and a whole message say alike.
    fn end_of_message(&mut self, message: Json<'_>) {
        for (key, value) in json::members(message) {
            let text = || json::inside(value).map(<[u8]>::to_vec);
            match key {
                b"stop_reason" => self.reason = text().or(self.reason.take()),
                b"stop_sequence" => self.sequence = text().or(self.sequence.take()),
                b"stop_details" => {
                    self.explanation = json::get(value, "explanation").and_then(json::inside).map(<[u8]>::to_vec);
                }
                _ => {}
            }
        }
    }

    fn whole(&mut self, to: To<'_>) {
        for block in std::mem::take(&mut self.open) {
            self.close(&block, to);
        }
        to(Piece::Usage(self.counts.usage(Dialect::Messages)));
        if let (Some(b"refusal"), Some(words)) = (self.reason.as_deref(), &self.explanation) {
            to(Piece::Refusal(Inside::Borrowed(words)));
        }
        to(Piece::Stop(match self.reason.as_deref().unwrap_or_default() {
            b"tool_use" => Stop::Calls,
            b"max_tokens" => Stop::MaxTokens,
            b"stop_sequence" => Stop::StopString(self.sequence.as_deref().map(Inside::Borrowed)),
            b"model_context_window_exceeded" => Stop::ContextFull,
            b"refusal" => Stop::Refused,
            b"pause_turn" => Stop::Paused,
            // `end_turn`, and whatever newer models end with.
            _ => Stop::Done,
        }));
        to(Piece::End);
    }
}

fn text<'a>(of: Json<'a>, name: &str) -> Option<&'a [u8]> {
    json::get(of, name).and_then(json::inside)
}

fn say(kind: Kind, text: &[u8], to: To<'_>) {
    if !text.is_empty() {
        let text = Inside::Borrowed(text);
        to(if kind == Kind::Text { Piece::Text(text) } else { Piece::Reasoning(text) });
    }
}

fn state(kind: StateKind, value: &[u8]) -> State<'_> {
    State { kind, value: Inside::Borrowed(value), id: None }
}

/// Of the five kinds of citations, what is on the web. `cited_text` is the source's, not the answer's.
fn cite(citation: &[u8], cited: Option<&[u8]>, to: To<'_>) {
    let (mut url, mut title) = (None, None);
    for (key, value) in json::members(citation) {
        match key {
            b"url" | b"source" => url = json::inside(value),
            b"title" => title = json::inside(value),
            _ => {}
        }
    }
    let Some(url) = url.filter(|url| url.starts_with(b"http")) else { return };
    to(Piece::Citation(Citation {
        url: Inside::Borrowed(url),
        title: title.filter(|title| !title.is_empty()).map(Inside::Borrowed),
        quote: cited.filter(|cited| (1..=CITED).contains(&cited.len())).map(Inside::Borrowed),
    }));
}

fn error(data: &[u8]) -> ParsedError {
    read_error(data).unwrap_or_else(|| {
        let message = unescaped(data).unwrap_or_default().into_owned();
        ParsedError { message, ..ParsedError::default() }
    })
}
