//! Reads an answer of Responses into pieces, from a stream's events or a whole document: `answer::reader` makes it. What
//! deltas have said is not said again by what repeats it; what they left out is.

use std::borrow::Cow;

use super::super::{Citation, Piece, Read, Stop};
use super::members::{Members, SEED, Said, Spot, hash};
use crate::dialect::Dialect;
use crate::error::{ParsedError, read_error};
use crate::event::Event;
use crate::json;
use crate::translate::answer::span::slice;
use crate::translate::request::{Json, State, StateKind};
use crate::translate::run;
use crate::translate::writer::{Inside, escaped};
use crate::usage::Counts;

/// The most that is kept of arguments whose call has no name yet, and the most items: far more than any answer has.
const MOST_EARLY: usize = crate::DEFAULT_EVENT_LIMIT;
const MOST_ITEMS: usize = 65_536;
/// The most sources that are kept of a part before it is whole.
const MOST_SOURCES: usize = 1024;

type To<'t> = &'t mut dyn FnMut(Piece<'_>);

/// Reads an answer.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    items: Vec<Item>,
    /// What was said last: the item, and which of its texts.
    last: Option<(u64, Spot)>,
}

/// What is known of an item.
#[derive(Debug, Default)]
struct Item {
    index: Option<u64>,
    id: Option<Vec<u8>>,
    /// Its place among the items as they came, which is what names a call in pieces.
    place: u64,
    texts: Vec<Said>,
    /// The last part of which the sources, and the probabilities, were said.
    cited: Option<u64>,
    logged: Option<u64>,
    noted: Vec<Vec<u8>>,
    call: Calling,
    /// Arguments that came before the call had a name.
    early: Vec<u8>,
}

/// How far a call is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Calling {
    #[default]
    Not,
    Begun,
    Ended,
}

impl Read for Reader {
    fn event(&mut self, event: &Event<'_>, to: To<'_>) {
        let members = Members::read(event);
        let kind = members.kind.unwrap_or_default();
        let Some(kind) = kind.strip_prefix(b"response.") else {
            if kind == b"error" || json::get(event.data, "error").is_some() {
                to(Piece::Error(Box::new(read_error(event.data).unwrap_or_default())));
            }
            return;
        };
        if self.items.len() > MOST_ITEMS {
            return fail("the upstream's answer has too many items", to);
        }
        match kind {
            b"created" => to(Piece::Start),
            b"output_item.added" => self.added(&members, to),
            b"output_item.done" => self.done(&members, to),
            b"content_part.done" | b"reasoning_summary_part.done" => self.part_done(kind, &members, to),
            b"output_text.annotation.added" => self.annotation(&members),
            b"completed" | b"incomplete" | b"failed" | b"cancelled" => {
                self.response(members.response.unwrap_or_default(), Some(kind), event.data, to);
            }
            _ => self.text(kind, &members, to),
        }
    }

    fn document(&mut self, document: Json<'_>, to: To<'_>) {
        to(Piece::Start);
        self.response(document, None, document, to);
    }

    fn finish(&mut self, to: To<'_>) {
        // The last event is the one that says that the answer is whole.
        let _ = to;
    }
}

impl Reader {
    /// The item that an event is of: by its place, else by its id, else the last.
    fn find(&mut self, index: Option<u64>, id: Option<&[u8]>) -> usize {
        let by_id = |item: &Item| id.is_some() && item.id.as_deref() == id;
        let found = match index {
            Some(_) => self.items.iter().rposition(|item| item.index == index),
            None if id.is_some() => self.items.iter().rposition(by_id),
            None => self.items.len().checked_sub(1),
        };
        found.unwrap_or_else(|| self.begin(index, id))
    }

    fn begin(&mut self, index: Option<u64>, id: Option<&[u8]>) -> usize {
        let place = self.items.len();
        let id = id.map(<[u8]>::to_vec);
        self.items.push(Item { index, id, place: place as u64, ..Item::default() });
        place
    }

    /// The deltas and the ends of texts.
    fn text(&mut self, kind: &[u8], members: &Members<'_>, to: To<'_>) {
        let (name, done) = match (kind.strip_suffix(b".delta"), kind.strip_suffix(b".done")) {
            (Some(name), _) => (name, false),
            (_, Some(name)) => (name, true),
            _ => return,
        };
        let spot = match name {
            b"output_text" => Spot::Text(members.part),
            b"refusal" => Spot::Refusal(members.part),
            b"reasoning_summary_text" => Spot::Summary(members.part),
            b"reasoning_text" => Spot::Thought(members.part),
            b"function_call_arguments" | b"custom_tool_call_input" => Spot::Arguments,
            _ => return,
        };
        let item = self.find(members.index, members.id);
        match (done, members.whole, members.delta) {
            (true, Some(whole), _) => self.rest(item, spot, whole, to),
            (false, _, Some(delta)) => self.say(item, spot, delta, to),
            _ => {}
        }
        if let (Some(logprobs), false) = (members.logprobs, done) {
            to(Piece::Logprobs(logprobs));
            if let Some(item) = self.items.get_mut(item) {
                item.logged = Some(members.part);
            }
        }
    }

    /// Says what is new of a text.
    fn say(&mut self, item: usize, spot: Spot, text: &[u8], to: To<'_>) {
        let Some(item) = self.items.get_mut(item) else { return };
        // A server that shows both the thinking and its summary says the same twice.
        let twice = |said: &Said| {
            matches!((said.spot, spot), (Spot::Summary(_), Spot::Thought(_)) | (Spot::Thought(_), Spot::Summary(_)))
        };
        if text.is_empty() || item.call == Calling::Ended || item.texts.iter().any(twice) {
            return;
        }
        if spot == Spot::Arguments && item.call == Calling::Not {
            if item.early.len() + text.len() > MOST_EARLY {
                return fail("a call of the upstream's answer has no name", to);
            }
            item.early.extend_from_slice(text);
            return;
        }
        match item.texts.iter_mut().rfind(|said| said.spot == spot) {
            Some(said) => said.add(text),
            None => item.texts.push(Said { spot, bytes: text.len(), hash: hash(SEED, text) }),
        }
        let here = Some((item.place, spot));
        if spot != Spot::Arguments && self.last != here {
            let like = |last: Spot| std::mem::discriminant(&last) == std::mem::discriminant(&spot);
            if self.last.is_some_and(|(_, last)| like(last)) {
                to(Piece::Break);
            }
            self.last = here;
        }
        let inside = Cow::Borrowed(text);
        to(match spot {
            Spot::Text(_) => Piece::Text(inside),
            Spot::Refusal(_) => Piece::Refusal(inside),
            Spot::Summary(_) | Spot::Thought(_) => Piece::Reasoning(inside),
            Spot::Arguments => Piece::Arguments { call: item.place, text: inside },
        });
    }

    /// Says what the deltas left out of a text; nothing if it is not what they began.
    fn rest(&mut self, item: usize, spot: Spot, whole: &[u8], to: To<'_>) {
        let Some(known) = self.items.get(item) else { return };
        let (bytes, said) = match known.texts.iter().rfind(|said| said.spot == spot) {
            Some(said) => (said.bytes, said.hash),
            None if spot == Spot::Arguments => (known.early.len(), hash(SEED, &known.early)),
            None => (0, SEED),
        };
        let Some((begun, rest)) = whole.split_at_checked(bytes) else { return };
        if hash(SEED, begun) == said {
            self.say(item, spot, rest, to);
        }
    }

    fn added(&mut self, members: &Members<'_>, to: To<'_>) {
        let Some(item) = members.item else { return };
        let id = json::get(item, "id").and_then(json::inside);
        // Some servers say it twice.
        let again = |known: &Item| id.is_some() && known.index == members.index && known.id.as_deref() == id;
        let place = match self.items.iter().rposition(again) {
            Some(known) => known,
            None => self.begin(members.index, id),
        };
        self.call(place, item, to);
    }

    /// Begins the call that an item is, once it has a name.
    fn call(&mut self, place: usize, item: Json<'_>, to: To<'_>) {
        let (mut kind, mut id, mut own, mut name, mut namespace) = (None, None, None, None, None);
        for (key, value) in json::members(item) {
            match key {
                b"type" => kind = json::inside(value),
                b"call_id" => id = json::inside(value),
                b"id" => own = json::inside(value),
                b"name" => name = json::inside(value),
                b"namespace" => namespace = json::inside(value),
                _ => {}
            }
        }
        let custom = kind == Some(b"custom_tool_call");
        let Some(name) = name.filter(|name| !name.is_empty()) else { return };
        let Some(known) = self.items.get_mut(place) else { return };
        if known.call != Calling::Not || !(custom || kind == Some(b"function_call")) {
            return;
        }
        known.call = Calling::Begun;
        let early = std::mem::take(&mut known.early);
        let (id, call) = (id.filter(|id| !id.is_empty()).or(own), known.place);
        self.last = None;
        to(Piece::Call {
            call,
            id: id.map(Inside::Borrowed),
            name: Inside::Borrowed(name),
            namespace: namespace.map(Inside::Borrowed),
            custom,
            search: false,
            state: None,
        });
        self.say(place, Spot::Arguments, &early, to);
    }

    fn part_done(&mut self, kind: &[u8], members: &Members<'_>, to: To<'_>) {
        let item = self.find(members.index, members.id);
        let summary = kind == b"reasoning_summary_part.done";
        self.part(item, members.part, members.within.unwrap_or_default(), summary, to);
    }

    /// A part of a message or of thinking, whole.
    fn part(&mut self, item: usize, at: u64, part: Json<'_>, summary: bool, to: To<'_>) {
        let (mut kind, mut text, mut annotations, mut logprobs) = (None, None, None, None);
        for (key, value) in json::members(part) {
            match key {
                b"type" => kind = json::inside(value),
                b"text" | b"refusal" => text = json::inside(value),
                b"annotations" if !json::is_blank(value) => annotations = Some(value),
                b"logprobs" if !json::is_blank(value) => logprobs = Some(value),
                _ => {}
            }
        }
        let spot = match kind {
            Some(b"output_text") => Spot::Text(at),
            Some(b"refusal") => Spot::Refusal(at),
            Some(b"reasoning_text") => Spot::Thought(at),
            Some(b"summary_text") => Spot::Summary(at),
            None if summary => Spot::Summary(at),
            _ => return,
        };
        self.rest(item, spot, text.unwrap_or_default(), to);
        let Some(known) = self.items.get_mut(item) else { return };
        if let Some(logprobs) = logprobs.filter(|_| known.logged.is_none_or(|logged| logged < at)) {
            known.logged = Some(at);
            to(Piece::Logprobs(logprobs));
        }
        if let Some(annotations) = annotations.filter(|_| known.cited.is_none_or(|cited| cited < at)) {
            known.cited = Some(at);
            known.noted.clear();
            json::items(annotations).for_each(|annotation| cite(annotation, text.unwrap_or_default(), to));
        }
    }

    /// A source: its part, when it is whole, names the words that rest on it. It is kept for servers that end no parts.
    fn annotation(&mut self, members: &Members<'_>) {
        let item = self.find(members.index, members.id);
        let Some(known) = self.items.get_mut(item).filter(|item| item.noted.len() < MOST_SOURCES) else { return };
        known.noted.extend(members.annotation.map(<[u8]>::to_vec));
    }

    /// The sources of an item that no part has named.
    fn cite_noted(&mut self, item: usize, to: To<'_>) {
        let noted = self.items.get_mut(item).map(|item| std::mem::take(&mut item.noted)).unwrap_or_default();
        noted.iter().for_each(|annotation| cite(annotation, b"", to));
    }

    fn done(&mut self, members: &Members<'_>, to: To<'_>) {
        let Some(item) = members.item else { return };
        let id = json::get(item, "id").and_then(json::inside);
        let known = match members.index {
            Some(_) => self.find(members.index, id),
            // Without a place or a known id it is an item of its own.
            None => match self.items.iter().rposition(|known| id.is_some() && known.id.as_deref() == id) {
                Some(known) => known,
                None => self.begin(None, id),
            },
        };
        self.whole(known, item, to);
    }

    /// An item as it is in the end: what was not said of it before.
    fn whole(&mut self, known: usize, item: Json<'_>, to: To<'_>) {
        let (mut kind, mut content, mut summary) = (None, None, None);
        let (mut arguments, mut input, mut state, mut id) = (None, None, None, None);
        for (key, value) in json::members(item) {
            match key {
                b"type" => kind = json::inside(value),
                b"id" => id = json::inside(value),
                b"content" => content = Some(value),
                b"summary" => summary = Some(value),
                b"arguments" => arguments = Some(value),
                b"input" => input = Some(value),
                b"encrypted_content" => state = json::inside(value),
                _ => {}
            }
        }
        match kind {
            Some(b"message") => {
                for (at, part) in numbered(content) {
                    self.part(known, at, part, false, to);
                }
                self.cite_noted(known, to);
            }
            Some(b"reasoning") => {
                for (at, part) in numbered(summary) {
                    self.part(known, at, part, true, to);
                }
                for (at, part) in numbered(content) {
                    self.part(known, at, part, false, to);
                }
                if let Some(value) = state.filter(|state| !state.is_empty()) {
                    let value = Inside::Borrowed(value);
                    to(Piece::State(State { kind: StateKind::Encrypted, value, id: id.map(Inside::Borrowed) }));
                    self.last = None;
                }
            }
            Some(b"function_call" | b"custom_tool_call") => {
                self.call(known, item, to);
                let value = arguments.or(input).unwrap_or_default();
                match json::inside(value) {
                    Some(text) => self.rest(known, Spot::Arguments, text, to),
                    // Some servers write the object itself.
                    None if value.starts_with(b"{") => {
                        let text = escaped(&String::from_utf8_lossy(value));
                        self.rest(known, Spot::Arguments, &text, to);
                    }
                    None => {}
                }
                self.end_call(known, to);
            }
            Some(kind) => {
                if let Some(run) = run::responses::read(kind, item) {
                    to(Piece::Ran(run));
                }
            }
            None => {}
        }
    }

    fn end_call(&mut self, item: usize, to: To<'_>) {
        if let Some(known) = self.items.get_mut(item).filter(|item| item.call == Calling::Begun) {
            known.call = Calling::Ended;
            to(Piece::CallEnd { call: known.place });
        }
    }

    /// The response as a whole, which ends the answer.
    fn response(&mut self, response: Json<'_>, event: Option<&[u8]>, data: &[u8], to: To<'_>) {
        let (mut status, mut output, mut usage, mut details) = (None, None, None, None);
        for (key, value) in json::members(response) {
            match key {
                b"status" => status = json::inside(value),
                b"output" => output = Some(value),
                b"usage" if value != b"null" => usage = Some(value),
                b"incomplete_details" => details = Some(value),
                _ => {}
            }
        }
        // The event says it, but for servers that say `completed` of whatever ended.
        let status = status.filter(|_| event.is_none_or(|event| event == b"completed")).or(event);
        let failed = match status {
            Some(b"failed" | b"cancelled") => true,
            Some(_) => false,
            None => output.is_none(),
        };
        if failed {
            if status == Some(b"cancelled") {
                return fail("the upstream cancelled its answer", to);
            }
            return to(Piece::Error(Box::new(read_error(data).unwrap_or_default())));
        }
        if matches!(status, Some(b"in_progress" | b"queued")) {
            return fail("the upstream goes on with its answer in the background", to);
        }
        if self.items.is_empty() {
            for item in output.into_iter().flat_map(json::items) {
                let known = self.begin(None, json::get(item, "id").and_then(json::inside));
                self.whole(known, item, to);
            }
        }
        for item in 0..self.items.len() {
            self.end_call(item, to);
            self.cite_noted(item, to);
        }
        if let Some(usage) = usage {
            let mut counts = Counts::default();
            counts.read(usage);
            to(Piece::Usage(counts.usage(Dialect::Responses)));
        }
        let reason = details.and_then(|details| json::get(details, "reason")).and_then(json::inside);
        to(Piece::Stop(match (status, reason) {
            (Some(b"incomplete"), Some(b"content_filter")) => Stop::Filter(None),
            (Some(b"incomplete"), _) => Stop::MaxTokens,
            _ => Stop::Done,
        }));
        to(Piece::End);
    }
}

fn fail(message: &str, to: To<'_>) {
    to(Piece::Error(Box::new(ParsedError { message: message.to_owned(), ..ParsedError::default() })));
}

fn numbered(list: Option<Json<'_>>) -> impl Iterator<Item = (u64, Json<'_>)> {
    (0..).zip(list.into_iter().flat_map(json::items))
}

/// A source on the web, with the words of the text that rest on it; what else an annotation names, no other dialect has.
fn cite(annotation: Json<'_>, text: &[u8], to: To<'_>) {
    let (mut kind, mut url, mut title, mut start, mut end) = (None, None, None, None, None);
    for (key, value) in json::members(annotation) {
        match key {
            b"type" => kind = json::inside(value),
            b"url" => url = json::inside(value).map(Inside::Borrowed),
            b"title" => title = json::inside(value).map(Inside::Borrowed),
            b"start_index" => start = json::count(value),
            b"end_index" => end = json::count(value),
            _ => {}
        }
    }
    if let (Some(b"url_citation"), Some(url)) = (kind, url) {
        let quote = start.zip(end).and_then(|(start, end)| slice(text, start, end)).map(Inside::Borrowed);
        to(Piece::Citation(Citation { url, title, quote }));
    }
}
