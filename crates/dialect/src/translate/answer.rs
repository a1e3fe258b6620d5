//! The common view of an answer: pieces in the order in which a stream brings them. Readers make them of a stream's
//! events or of a whole document, writers make events of them; a whole document is what those events fold into, so a
//! stream and a document of one answer cannot tell different things.

mod chat;
mod generate_content;
mod messages;
mod responses;
mod span;

use super::request::{Json, State};
use super::writer::{Inside, Writer};
use crate::dialect::Dialect;
use crate::error::ParsedError;
use crate::event::Event;
use crate::usage::Usage;

/// One thing that an answer says. Texts are what is new, as it stands between the quotes.
#[derive(Debug)]
pub(crate) enum Piece<'a> {
    /// The answer begins. Comes once, first.
    Start,
    /// The pieces that follow are of this candidate; those before the first such piece are of candidate 0.
    Candidate(u64),
    /// Words of the answer.
    Text(Inside<'a>),
    /// Words by which the model refuses.
    Refusal(Inside<'a>),
    /// Visible thinking.
    Reasoning(Inside<'a>),
    /// What follows, if it is of the kind that was open (text, refusal, reasoning), is a part of its own: another text
    /// block, another paragraph of a summary. Of one kind to another this goes without saying.
    Break,
    /// Opaque state of the thinking that has just been said, or of thinking without a visible word. It ends that thinking.
    /// Writers: Messages and Responses get those of calls so, before the call; generateContent gets those before calls on
    /// the calls, and one before `Stop` that is of the last text; Chat Completions gets thoughts on their calls.
    State(State<'a>),
    /// A call begins. `call` names it in the pieces that follow; calls may be interleaved.
    Call {
        call: u64,
        id: Option<Inside<'a>>,
        name: Inside<'a>,
        namespace: Option<Inside<'a>>,
        custom: bool,
        /// Whether it calls the client's search for tools (`Function::search`). Readers say `false`; `Terms` knows it.
        search: bool,
        state: Option<State<'a>>,
    },
    /// What follows of its arguments: the JSON text of an object, or a custom tool's free text, as it stands inside a
    /// string. Readers of dialects that write an object escape it.
    Arguments { call: u64, text: Inside<'a> },
    /// Its arguments are whole.
    CallEnd { call: u64 },
    /// A source that the text rests on.
    Citation(Citation<'a>),
    /// Log probabilities of the text that has just been said: an array of `{token, logprob, bytes, top_logprobs}`, which is
    /// what Chat Completions has in `logprobs.content` and Responses in `logprobs`.
    Logprobs(Json<'a>),
    /// What the answer has used so far. Later ones replace earlier ones.
    Usage(Usage),
    /// Why the candidate ended.
    Stop(Stop<'a>),
    /// The answer failed: nothing follows.
    Error(Box<ParsedError>),
    /// The answer is whole: nothing follows.
    End,
}

/// A source on the web, the one form of citation that all four have.
#[derive(Debug)]
pub(crate) struct Citation<'a> {
    pub(crate) url: Inside<'a>,
    pub(crate) title: Option<Inside<'a>>,
    /// The words that rest on it.
    pub(crate) quote: Option<Inside<'a>>,
}

/// Why an answer ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::enum_variant_names, reason = "a stop string is what the field calls it")]
pub(crate) enum Stop<'a> {
    /// It is done. Where calls were made this means calls: the dispatcher has looked.
    Done,
    Calls,
    /// One of the stop strings, which may be named.
    StopString(Option<Inside<'a>>),
    MaxTokens,
    ContextFull,
    /// A filter; what it says.
    Filter(Option<Inside<'a>>),
    /// The model refused, and the dialect has a word for it.
    Refused,
    /// A server tool wants to be continued.
    Paused,
    /// What the model wrote is no answer (`MALFORMED_FUNCTION_CALL`); the dialect's word.
    Broken(Inside<'a>),
}

/// Makes pieces of an answer.
pub(crate) trait Read: Send + Sync {
    /// Of one event of the stream. `Error`, `Silent` and oversized events do not come here.
    fn event(&mut self, event: &Event<'_>, to: &mut dyn FnMut(Piece<'_>));
    /// Of a whole document. Comes once, instead of events.
    fn document(&mut self, document: Json<'_>, to: &mut dyn FnMut(Piece<'_>));
    /// The stream has ended. A reader whose dialect has said that the answer is whole says what it still holds, and
    /// [`Piece::End`]; the others say nothing.
    fn finish(&mut self, to: &mut dyn FnMut(Piece<'_>));
}

/// Makes events of pieces, in the client's dialect, framed as Server-Sent Events.
pub(crate) trait Write: Send + Sync {
    fn piece(&mut self, piece: Piece<'_>, to: &mut Writer);
    /// The answer as a document that can be asked for later, where the dialect has such: once it is whole.
    fn response(&self) -> Option<Vec<u8>> {
        None
    }
}

/// What writers repeat in what they write.
#[derive(Clone, Debug)]
pub(crate) struct Naming {
    /// What tells this answer from all others, without a prefix: `[A-Za-z0-9]+`. Writers put `msg_`, `resp_`,
    /// `chatcmpl-` before it.
    pub(crate) id: String,
    /// The model as the client asked for it.
    pub(crate) model: String,
    /// Seconds since 1970.
    pub(crate) created: u64,
    /// Whether usage was asked for, where clients have to (`stream_options.include_usage`).
    pub(crate) usage: bool,
}

/// The reader of an answer in that dialect.
pub(crate) fn reader(dialect: Dialect) -> Box<dyn Read> {
    match dialect {
        Dialect::ChatCompletions => Box::<chat::Reader>::default(),
        Dialect::Responses => Box::<responses::Reader>::default(),
        Dialect::Messages => Box::<messages::Reader>::default(),
        Dialect::GenerateContent => Box::<generate_content::Reader>::default(),
    }
}

/// The writer of an answer in that dialect.
pub(crate) fn writer(dialect: Dialect, naming: Naming) -> Box<dyn Write> {
    match dialect {
        Dialect::ChatCompletions => Box::new(chat::AnswerWriter::new(naming)),
        Dialect::Responses => Box::new(responses::AnswerWriter::new(naming)),
        Dialect::Messages => Box::new(messages::AnswerWriter::new(naming)),
        Dialect::GenerateContent => Box::new(generate_content::AnswerWriter::new(naming)),
    }
}
