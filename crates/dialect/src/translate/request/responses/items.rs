//! The items of a request's `input`: messages, thinking, calls and what they gave. Each becomes a turn of the common
//! view; tools that travel in items go behind the listed ones, so that a history with more of them only appends.

use std::collections::HashSet;

use super::read::not_found;
use super::tools;
use crate::dialect::Dialect;
use crate::history::Name;
use crate::json;
use crate::translate::Untranslatable;
use crate::translate::lost::Losses;
use crate::translate::media::{data_url, mime_of};
use crate::translate::names::sent;
use crate::translate::request::{
    Arguments, Call, Json, Media, Output, OutputContent, Part, Reasoning, Request, Role, Source, State, StateKind,
    Tool, ToolKind, Turn, What,
};
use crate::translate::writer::{Inside, unescaped};

/// What a client's own search for tools is called, as a function.
pub(super) const SEARCH: &[u8] = b"tool_search";

/// Takes in items.
pub(super) struct Items<'a, 'r> {
    target: Dialect,
    request: &'r mut Request<'a>,
    losses: &'r mut Losses<'a>,
    found: Vec<Tool<'a>>,
}

/// The members of items of every kind.
#[derive(Default)]
struct Item<'a> {
    kind: Option<&'a [u8]>,
    id: Option<&'a [u8]>,
    role: Option<&'a [u8]>,
    content: Option<Json<'a>>,
    call_id: Option<&'a [u8]>,
    name: Option<&'a [u8]>,
    namespace: Option<&'a [u8]>,
    arguments: Option<Json<'a>>,
    input: Option<&'a [u8]>,
    output: Option<Json<'a>>,
    summary: Option<Json<'a>>,
    encrypted: Option<&'a [u8]>,
    tools: Option<Json<'a>>,
    execution: Option<&'a [u8]>,
}

impl<'a> Item<'a> {
    fn read(item: Json<'a>) -> Self {
        let mut read = Self::default();
        for (key, value) in json::members(item).filter(|(_, value)| *value != b"null") {
            match key {
                b"type" => read.kind = json::inside(value),
                b"id" => read.id = json::inside(value),
                b"role" => read.role = json::inside(value),
                b"content" => read.content = Some(value),
                b"call_id" => read.call_id = json::inside(value),
                b"name" => read.name = json::inside(value),
                b"namespace" => read.namespace = json::inside(value),
                b"arguments" => read.arguments = Some(value),
                b"input" => read.input = json::inside(value),
                b"output" => read.output = Some(value),
                b"summary" => read.summary = Some(value),
                b"encrypted_content" => read.encrypted = json::inside(value),
                b"tools" => read.tools = Some(value),
                b"execution" => read.execution = json::inside(value),
                _ => {}
            }
        }
        read
    }

    /// The kind; some clients leave it out where the other members tell it.
    fn kind(&self) -> &'a [u8] {
        match (self.kind, self.role, self.id) {
            (Some(kind), ..) => kind,
            (None, Some(_), _) => b"message",
            (None, None, Some(_)) => b"item_reference",
            (None, None, None) => b"",
        }
    }

    fn call_id(&self) -> Option<Inside<'a>> {
        self.call_id.or(self.id).map(Inside::Borrowed)
    }
}

impl<'a, 'r> Items<'a, 'r> {
    pub(super) fn new(target: Dialect, request: &'r mut Request<'a>, losses: &'r mut Losses<'a>) -> Self {
        Self { target, request, losses, found: Vec::new() }
    }

    pub(super) fn turn(&mut self, turn: Turn<'a>) {
        self.request.turns.push(turn);
    }

    /// Puts the tools that items brought behind the listed ones, each once.
    pub(super) fn finish(self) {
        if self.found.is_empty() {
            return;
        }
        let mut seen: HashSet<Vec<u8>> = self.request.tools.iter().filter_map(key).collect();
        for tool in self.found {
            if key(&tool).is_none_or(|key| seen.insert(key)) {
                self.request.tools.push(tool);
            }
        }
    }

    pub(super) fn item(&mut self, raw: Json<'a>) -> Result<(), Untranslatable> {
        let item = Item::read(raw);
        match item.kind() {
            b"message" => self.message(&item, raw),
            b"reasoning" => {
                let reasoning = self.reasoning(&item);
                self.alone(Role::Assistant, What::Reasoning(reasoning), raw);
            }
            b"function_call" => {
                let arguments = match item.arguments {
                    Some(value) => json::inside(value)
                        .map_or(Arguments::Object(value), |text| Arguments::Text(Inside::Borrowed(text))),
                    None => Arguments::Text(Inside::Borrowed(b"")),
                };
                self.call(&item, item.name.unwrap_or_default(), arguments, raw);
            }
            b"custom_tool_call" => {
                let input = Inside::Borrowed(item.input.unwrap_or_default());
                self.call(&item, item.name.unwrap_or_default(), Arguments::Free(input), raw);
            }
            b"tool_search_call" if item.execution != Some(b"server") => {
                let arguments = item.arguments.filter(|arguments| arguments.starts_with(b"{"));
                self.call(&item, SEARCH, Arguments::Object(arguments.unwrap_or(b"{}")), raw);
            }
            b"function_call_output" => self.output(&item, false, raw),
            b"custom_tool_call_output" => self.output(&item, true, raw),
            b"tool_search_output" => self.search_output(&item, raw),
            b"additional_tools" => {
                self.found.extend(item.tools.into_iter().flat_map(|list| tools::tools(list, self.losses)));
            }
            b"item_reference" => {
                let id = unescaped(item.id.unwrap_or_default()).unwrap_or_default();
                return Err(not_found(&Name::Item(id.into_owned())));
            }
            _ => self.losses.dropped(raw),
        }
        Ok(())
    }

    fn alone(&mut self, role: Role, what: What<'a>, raw: Json<'a>) {
        self.turn(Turn { role, parts: vec![Part { what, cache: None, raw }], raw });
    }

    fn message(&mut self, item: &Item<'a>, raw: Json<'a>) {
        let role = match item.role {
            Some(b"assistant") => Role::Assistant,
            Some(b"system") => Role::System,
            Some(b"developer") => Role::Developer,
            _ => Role::User,
        };
        let parts = item.content.map(|content| self.content(content)).unwrap_or_default();
        self.turn(Turn { role, parts, raw });
    }

    /// The parts of a message or of what a tool gave, which may be one string.
    fn content(&mut self, content: Json<'a>) -> Vec<Part<'a>> {
        if let Some(text) = json::inside(content) {
            return vec![Part { what: What::Text(Inside::Borrowed(text)), cache: None, raw: content }];
        }
        json::items(content).filter_map(|part| self.part(part)).collect()
    }

    /// A part; one that is unknown is reported.
    fn part(&mut self, raw: Json<'a>) -> Option<Part<'a>> {
        let members = PartMembers::read(raw);
        let what = members.what();
        if what.is_none() {
            self.losses.dropped(raw);
        }
        self.losses.dropped_if(members.annotations);
        Some(Part { what: what?, cache: members.cache, raw })
    }

    /// The visible words are the reasoning's own (`content`) where a server shows them, else its summary.
    fn reasoning(&mut self, item: &Item<'a>) -> Reasoning<'a> {
        let words = |list: Json<'a>| -> Vec<Inside<'a>> {
            let text = |part| json::get(part, "text").and_then(json::inside).map(Inside::Borrowed);
            json::items(list).filter_map(text).filter(|text| !text.is_empty()).collect()
        };
        let own = item.content.map(words).unwrap_or_default();
        let summary = item.summary.map(words).unwrap_or_default();
        let both = !own.is_empty() && !summary.is_empty();
        self.losses.dropped_if(item.summary.filter(|_| both));
        let state = item.encrypted.filter(|value| !value.is_empty()).map(|value| State {
            kind: StateKind::Encrypted,
            value: Inside::Borrowed(value),
            id: item.id.map(Inside::Borrowed),
        });
        Reasoning { text: if own.is_empty() { summary } else { own }, state }
    }

    fn call(&mut self, item: &Item<'a>, name: &'a [u8], arguments: Arguments<'a>, raw: Json<'a>) {
        let call = Call {
            id: item.call_id(),
            name: Inside::Borrowed(name),
            namespace: item.namespace.map(Inside::Borrowed),
            arguments,
            state: None,
        };
        self.alone(Role::Assistant, What::Call(call), raw);
    }

    fn output(&mut self, item: &Item<'a>, custom: bool, raw: Json<'a>) {
        let content = match item.output {
            // An object is not of the dialect, but some clients send what a tool returned as it is.
            Some(value) if value.starts_with(b"{") => OutputContent::Object(value),
            Some(value) => OutputContent::Parts(self.content(value)),
            None => OutputContent::Parts(Vec::new()),
        };
        let output =
            Output { id: item.call_id(), name: item.name.map(Inside::Borrowed), content, failed: false, custom };
        self.alone(Role::User, What::Output(output), raw);
    }

    /// What a search for tools found: the tools become tools like any other, and the model is told their names.
    fn search_output(&mut self, item: &Item<'a>, raw: Json<'a>) {
        let found: Vec<_> = item.tools.into_iter().flat_map(|list| tools::tools(list, self.losses)).collect();
        if item.execution != Some(b"server") {
            let what = What::Text(Inside::Owned(self.sentence(&found)));
            let output = Output {
                id: item.call_id(),
                name: Some(Inside::Borrowed(SEARCH)),
                content: OutputContent::Parts(vec![Part { what, cache: None, raw }]),
                failed: false,
                custom: false,
            };
            self.alone(Role::User, What::Output(output), raw);
        }
        self.found.extend(found);
    }

    /// The names of what was found, as the target has them.
    fn sentence(&self, found: &[Tool<'a>]) -> Vec<u8> {
        let mut text = Vec::from(b"Found tools, which can be called now:");
        for (at, (name, namespace)) in found.iter().filter_map(name).enumerate() {
            text.extend_from_slice(if at == 0 { b" " } else { b", " });
            text.extend_from_slice(&sent(name, namespace, self.target));
        }
        if found.is_empty() { b"No tools were found.".to_vec() } else { text }
    }
}

/// What tells a tool from the others.
fn key(tool: &Tool<'_>) -> Option<Vec<u8>> {
    let (name, namespace) = name(tool)?;
    let namespace = namespace.map(|namespace| &namespace[..]).unwrap_or_default();
    Some([namespace, b"\n", &name[..]].concat())
}

fn name<'t, 'a>(tool: &'t Tool<'a>) -> Option<(&'t Inside<'a>, Option<&'t Inside<'a>>)> {
    match &tool.kind {
        ToolKind::Function(function) => Some((&function.name, function.namespace.as_ref())),
        ToolKind::Custom(custom) => Some((&custom.name, custom.namespace.as_ref())),
        ToolKind::Server(_) | ToolKind::Own => None,
    }
}

/// The members of parts of every kind.
#[derive(Default)]
struct PartMembers<'a> {
    kind: &'a [u8],
    text: Option<&'a [u8]>,
    refusal: Option<&'a [u8]>,
    image: Option<&'a [u8]>,
    file_id: Option<&'a [u8]>,
    file_data: Option<&'a [u8]>,
    file_url: Option<&'a [u8]>,
    filename: Option<&'a [u8]>,
    detail: Option<Json<'a>>,
    audio: Option<Json<'a>>,
    annotations: Option<Json<'a>>,
    cache: Option<Json<'a>>,
}

impl<'a> PartMembers<'a> {
    fn read(part: Json<'a>) -> Self {
        let mut read = Self::default();
        for (key, value) in json::members(part).filter(|(_, value)| *value != b"null") {
            match key {
                b"type" => read.kind = json::inside(value).unwrap_or_default(),
                b"text" => read.text = json::inside(value),
                b"refusal" => read.refusal = json::inside(value),
                // Chat Completions puts the URL into an object, and some clients send that here.
                b"image_url" => read.image = json::inside(json::get(value, "url").unwrap_or(value)),
                b"file_id" => read.file_id = json::inside(value),
                b"file_data" => read.file_data = json::inside(value),
                b"file_url" => read.file_url = json::inside(value),
                b"filename" => read.filename = json::inside(value),
                b"detail" if value != b"\"auto\"" => read.detail = Some(value),
                b"input_audio" => read.audio = Some(value),
                b"annotations" if !json::is_blank(value) => read.annotations = Some(value),
                b"prompt_cache_breakpoint" => read.cache = Some(value),
                _ => {}
            }
        }
        read
    }

    fn what(&self) -> Option<What<'a>> {
        Some(match self.kind {
            b"input_text" | b"output_text" | b"text" => What::Text(Inside::Borrowed(self.text?)),
            b"refusal" => What::Refusal(Inside::Borrowed(self.refusal?)),
            b"input_image" => What::Image(self.media(self.image, None)?),
            b"input_file" => What::File(self.media(self.file_url, self.file_data)?),
            b"input_audio" => What::Audio(audio(self.audio?)?),
            _ => return None,
        })
    }

    fn media(&self, url: Option<&'a [u8]>, data: Option<&'a [u8]>) -> Option<Media<'a>> {
        let by_name = |name: Option<&[u8]>| Inside::Borrowed(name.and_then(mime_of).unwrap_or_default().as_bytes());
        let (source, mime) = if let Some((mime, data)) = data.or(url).and_then(data_url) {
            (Source::Base64(data), mime)
        } else if let Some(data) = data {
            (Source::Base64(Inside::Borrowed(data)), by_name(self.filename))
        } else if let Some(url) = url {
            (Source::Url(Inside::Borrowed(url)), by_name(self.filename.or(Some(url))))
        } else {
            (Source::Id(Inside::Borrowed(self.file_id?)), by_name(self.filename))
        };
        Some(Media { source, mime, name: self.filename.map(Inside::Borrowed), detail: self.detail })
    }
}

fn audio(audio: Json<'_>) -> Option<Media<'_>> {
    let data = json::get(audio, "data").and_then(json::inside)?;
    let mime = match json::get(audio, "format").and_then(json::inside) {
        Some(b"mp3") => "audio/mp3",
        _ => "audio/wav",
    };
    let source = Source::Base64(Inside::Borrowed(data));
    Some(Media { source, mime: Inside::Borrowed(mime.as_bytes()), name: None, detail: None })
}
