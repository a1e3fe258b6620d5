//! The common view of a request: what any of the four dialects can say, borrowed from the body. Readers fill it, writers
//! write it; neither knows of the other. What no other dialect has stays with its reader, which reports it as dropped.

pub(in crate::translate) mod chat;
mod generate_content;
mod messages;
mod responses;

use std::borrow::Cow;

pub(crate) use generate_content::object_of;

use super::lost::Losses;
pub(crate) use super::reasoning::Effort;
use super::run::Run;
use super::writer::{Inside, escaped};
use super::{Client, Target, Untranslatable};
use crate::dialect::Dialect;

/// A JSON value of the body, as it came. `null` is absent, as every API here treats it.
pub(crate) type Json<'a> = &'a [u8];

/// A JSON Schema as text: the body's own, or one that was rewritten.
pub(crate) type Schema<'a> = Cow<'a, [u8]>;

/// A request.
#[derive(Debug, Default)]
pub(crate) struct Request<'a> {
    /// The history in its order, the leading instructions included: one turn for each message, item or content of the
    /// body. Writers that want roles to alternate join neighbours.
    pub(crate) turns: Vec<Turn<'a>>,
    /// In the order of the body.
    pub(crate) tools: Vec<Tool<'a>>,
    pub(crate) choice: Choice<'a>,
    pub(crate) settings: Settings<'a>,
    /// Messages: thinking is left out that stood before other thinking, or was to be; a target that binds each block to
    /// all before it is to drop what no longer fits instead of failing. `normalize` sets it.
    pub(crate) states_missing: bool,
    /// Chat Completions: the tools came as `functions`, as they did before `tools`: of their calls only one can be told.
    pub(crate) functions: bool,
}

/// What one side says at a time.
#[derive(Debug)]
pub(crate) struct Turn<'a> {
    pub(crate) role: Role,
    pub(crate) parts: Vec<Part<'a>>,
    /// The whole message, item or content, for reports.
    pub(crate) raw: Json<'a>,
}

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// `system` of Chat Completions, Responses and Messages (in `system` or in place), `instructions`, `systemInstruction`.
    System,
    /// `developer` of Chat Completions and Responses.
    Developer,
    /// The user; results of tools are said by the user as well.
    User,
    /// The model.
    Assistant,
}

/// One piece of a turn.
#[derive(Debug)]
pub(crate) struct Part<'a> {
    pub(crate) what: What<'a>,
    /// The marker behind which a prompt cache may end: `cache_control`, `prompt_cache_breakpoint`.
    pub(crate) cache: Option<Json<'a>>,
    /// The whole part, for reports.
    pub(crate) raw: Json<'a>,
}

/// What a part is.
#[derive(Debug)]
pub(crate) enum What<'a> {
    Text(Inside<'a>),
    /// Words by which the model refused.
    Refusal(Inside<'a>),
    Image(Media<'a>),
    /// A PDF or any other file that the model reads.
    File(Media<'a>),
    Audio(Media<'a>),
    Video(Media<'a>),
    Reasoning(Reasoning<'a>),
    Call(Call<'a>),
    Output(Output<'a>),
    /// What the vendor ran by itself while it answered.
    Ran(Run<'a>),
    /// Anything that only its own dialect has. Writers report it as dropped.
    Own,
}

/// An image, a file, a sound or a film.
#[derive(Debug)]
pub(crate) struct Media<'a> {
    pub(crate) source: Source<'a>,
    /// `image/png`; of a data URL its own. Empty where nothing says it.
    pub(crate) mime: Inside<'a>,
    /// The file's name or the document's title.
    pub(crate) name: Option<Inside<'a>>,
    /// `detail` and the like, which only some dialects can say: as members of the body, for reports.
    pub(crate) detail: Option<Json<'a>>,
}

/// Where the bytes are.
#[derive(Debug)]
pub(crate) enum Source<'a> {
    /// Base64, without the head of a data URL.
    Base64(Inside<'a>),
    Url(Inside<'a>),
    /// An id at one vendor: no other has the file. Writers report it as dropped.
    Id(Inside<'a>),
    /// Text of a document that is no file (`document` of Messages with a text source).
    Text(Inside<'a>),
}

/// What the model thought.
#[derive(Debug, Default)]
pub(crate) struct Reasoning<'a> {
    /// What of it is visible, by paragraphs (Responses has several summaries, the others one text); often none.
    pub(crate) text: Vec<Inside<'a>>,
    /// Its opaque state. Readers give it as it came, in their own kind; `normalize` unwraps what the gateway wrapped and
    /// takes away what is not the target's, so that a writer sees only what it may send, if it is of its kind.
    /// A thought of generateContent that belongs to a call is on that call; one that is left here is of the text before it.
    pub(crate) state: Option<State<'a>>,
}

/// Opaque state that only its owner can read: a signature, `encrypted_content`, `thoughtSignature`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct State<'a> {
    pub(crate) kind: StateKind,
    /// As it stands between quotes in its own dialect.
    pub(crate) value: Inside<'a>,
    /// The id of the item that has it, where its dialect has one (`rs_…`).
    pub(crate) id: Option<Inside<'a>>,
}

/// What kind of state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StateKind {
    /// Messages: `thinking.signature`. The thinking's text belongs to it.
    Signature,
    /// Messages: `redacted_thinking.data`.
    Redacted,
    /// Responses: `encrypted_content` of a reasoning item.
    Encrypted,
    /// generateContent: `thoughtSignature` of a part.
    Thought,
    /// Messages: a whole block of a server tool, as JSON: nobody else can hold what is sealed in it, and thinking is bound
    /// to it.
    Block,
    /// None of any vendor's: what the gateway puts where a client keeps thinking only with a state (an upstream of Chat
    /// Completions). Answers' writers put it into their slot as any other; requests' writers never see it.
    Plain,
}

/// A call of one of the client's tools.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    /// As the body has it; none in generateContent where clients leave it out.
    pub(crate) id: Option<Inside<'a>>,
    pub(crate) name: Inside<'a>,
    /// The group that the tool is in (Responses).
    pub(crate) namespace: Option<Inside<'a>>,
    pub(crate) arguments: Arguments<'a>,
    /// The state that this very call carries (`thoughtSignature`).
    pub(crate) state: Option<State<'a>>,
}

/// The arguments of a call.
#[derive(Debug)]
pub(crate) enum Arguments<'a> {
    /// JSON inside a string, as Chat Completions and Responses write it.
    Text(Inside<'a>),
    /// A JSON object, as Messages and generateContent write it.
    Object(Json<'a>),
    /// The free text of a custom tool.
    Free(Inside<'a>),
}

/// What a tool answered.
#[derive(Debug)]
pub(crate) struct Output<'a> {
    /// The call's id, as the body has it.
    pub(crate) id: Option<Inside<'a>>,
    /// The tool's name, where the dialect repeats it (generateContent) or a reader knows it from the call.
    pub(crate) name: Option<Inside<'a>>,
    pub(crate) content: OutputContent<'a>,
    /// Whether the tool failed, where that was said.
    pub(crate) failed: bool,
    /// Whether it answers a custom tool (`custom_tool_call_output`).
    pub(crate) custom: bool,
}

/// What it consists of.
#[derive(Debug)]
pub(crate) enum OutputContent<'a> {
    /// Text, images, files.
    Parts(Vec<Part<'a>>),
    /// A JSON object that is no wrapped text (`response` of generateContent).
    Object(Json<'a>),
}

/// A tool that the model may call.
#[derive(Debug)]
pub(crate) struct Tool<'a> {
    pub(crate) kind: ToolKind<'a>,
    /// The whole tool, for reports.
    pub(crate) raw: Json<'a>,
    pub(crate) cache: Option<Json<'a>>,
}

/// What kind of tool.
#[derive(Debug)]
pub(crate) enum ToolKind<'a> {
    Function(Function<'a>),
    /// Free text instead of arguments, perhaps in a grammar (`custom` of Chat Completions and Responses).
    Custom(CustomTool<'a>),
    /// A tool that the vendor runs.
    Server(ServerTool),
    /// Of the dialect's own: reported as dropped.
    Own,
}

/// A function.
#[derive(Debug)]
pub(crate) struct Function<'a> {
    pub(crate) name: Inside<'a>,
    pub(crate) namespace: Option<Inside<'a>>,
    pub(crate) description: Option<Inside<'a>>,
    /// JSON Schema, as it came; in generateContent's own words (`type: OBJECT`, `nullable`) its reader has put it into the
    /// others'.
    pub(crate) schema: Option<Schema<'a>>,
    /// `strict`, where it was said.
    pub(crate) strict: Option<bool>,
    /// Whether it is the client's own search for tools (`tool_search` of Responses with `execution: client`), which a
    /// target gets as a function. Its calls must come back as what they were ([`super::answer::Piece::Call`]).
    pub(crate) search: bool,
}

/// A tool that takes free text.
#[derive(Debug)]
pub(crate) struct CustomTool<'a> {
    pub(crate) name: Inside<'a>,
    pub(crate) namespace: Option<Inside<'a>>,
    pub(crate) description: Option<Inside<'a>>,
    /// `lark` or `regex`, and the grammar's text.
    pub(crate) grammar: Option<(Inside<'a>, Inside<'a>)>,
}

/// Tools that more than one vendor runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ServerTool {
    WebSearch,
    WebFetch,
    CodeExecution,
}

/// Which tool the model is to call.
#[derive(Debug, Default)]
pub(crate) struct Choice<'a> {
    pub(crate) mode: Mode<'a>,
    /// The names of a subset, empty for all (`allowed_tools`, `allowedFunctionNames`).
    pub(crate) allowed: Vec<Inside<'a>>,
    /// Whether several calls may come at once; `None` where it was not said.
    pub(crate) parallel: Option<bool>,
    /// The member that says so, for reports.
    pub(crate) parallel_raw: Option<Json<'a>>,
    /// The whole choice, for reports.
    pub(crate) raw: Option<Json<'a>>,
}

/// Whether it has to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) enum Mode<'a> {
    /// Nothing was said.
    #[default]
    Unsaid,
    Auto,
    None,
    /// Any tool, but one.
    Required,
    /// That one.
    Named(Inside<'a>),
}

/// Everything else. Each value is the body's own where its form is the same everywhere.
#[derive(Debug, Default)]
pub(crate) struct Settings<'a> {
    /// Whether the client asked for a stream.
    pub(crate) stream: bool,
    pub(crate) max_tokens: Option<Json<'a>>,
    pub(crate) temperature: Option<Json<'a>>,
    pub(crate) top_p: Option<Json<'a>>,
    pub(crate) top_k: Option<Json<'a>>,
    /// Strings; one that was alone is an item too.
    pub(crate) stop: Vec<Json<'a>>,
    /// `n`, `candidateCount`.
    pub(crate) candidates: Option<Json<'a>>,
    pub(crate) seed: Option<Json<'a>>,
    pub(crate) presence_penalty: Option<Json<'a>>,
    pub(crate) frequency_penalty: Option<Json<'a>>,
    /// Whether log probabilities were asked for; the member that says so.
    pub(crate) logprobs: Option<Json<'a>>,
    pub(crate) top_logprobs: Option<Json<'a>>,
    pub(crate) reasoning: ReasoningSettings<'a>,
    /// `low`, `medium`, `high`, as a string.
    pub(crate) verbosity: Option<Json<'a>>,
    pub(crate) format: Option<Format<'a>>,
    /// A string that names the end user to the vendor.
    pub(crate) end_user: Option<Json<'a>>,
    /// An object of strings.
    pub(crate) metadata: Option<Json<'a>>,
    /// A string: requests with the same one share a prompt cache.
    pub(crate) cache_key: Option<Inside<'a>>,
    /// `prompt_cache_options` of Chat Completions and Responses.
    pub(crate) cache_options: Option<Json<'a>>,
    pub(crate) service: Option<(Service, Json<'a>)>,
}

/// How much the model is to think, and what of it is shown.
#[derive(Debug, Default)]
pub(crate) struct ReasoningSettings<'a> {
    pub(crate) effort: Option<Effort>,
    /// Tokens to think with, where that was said instead.
    pub(crate) budget: Option<u64>,
    /// Whether the visible part was asked for: `summary`, `display: summarized`, `includeThoughts`.
    pub(crate) visible: Option<bool>,
    /// The value that says the effort or the budget, for reports.
    pub(crate) raw: Option<Json<'a>>,
}

/// What the answer's text is to be.
#[derive(Debug)]
pub(crate) enum Format<'a> {
    Text,
    /// Some JSON object. The value that says so, for reports.
    JsonObject(Json<'a>),
    JsonSchema {
        name: Option<Inside<'a>>,
        description: Option<Json<'a>>,
        schema: Schema<'a>,
        strict: Option<Json<'a>>,
    },
}

/// How fast and at which price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Service {
    Auto,
    Standard,
    Flex,
    Priority,
    Fast,
}

/// Reads a body that is known to be JSON. Whatever the view has no place for is reported as dropped here.
pub(crate) fn read<'a>(
    client: &Client<'_>,
    body: Json<'a>,
    target: &Target<'_>,
    losses: &mut Losses<'a>,
) -> Result<Request<'a>, Untranslatable> {
    let mut request = match client.dialect {
        Dialect::ChatCompletions => chat::read(body, target, losses)?,
        Dialect::Responses => responses::read(body, target, losses)?,
        Dialect::Messages => messages::read(body, target, losses)?,
        Dialect::GenerateContent => generate_content::read(body, target, losses)?,
    };
    request.settings.stream |= client.stream;
    if let (None, Some(session)) = (&request.settings.cache_key, client.session) {
        request.settings.cache_key = Some(Inside::Owned(escaped(session)));
    }
    Ok(request)
}

/// What the target has to be told in a header beside the body.
pub(crate) fn header(request: &Request<'_>, target: &Target<'_>) -> Option<(&'static str, String)> {
    match target.dialect {
        Dialect::Messages => messages::betas(request).map(|betas| ("anthropic-beta", betas)),
        Dialect::ChatCompletions | Dialect::Responses | Dialect::GenerateContent => None,
    }
}

/// Writes the body in the target's dialect. Whatever of the view that dialect has no place for is reported here.
pub(crate) fn write<'a>(request: &Request<'a>, target: &Target<'_>, losses: &mut Losses<'a>) -> Vec<u8> {
    match target.dialect {
        Dialect::ChatCompletions => chat::write(request, target, losses),
        Dialect::Responses => responses::write(request, target, losses),
        Dialect::Messages => messages::write(request, target, losses),
        Dialect::GenerateContent => generate_content::write(request, target, losses),
    }
}
