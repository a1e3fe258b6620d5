//! The tools of a request of Responses and the choice among them. Groups (`namespace`) are opened: each tool keeps the
//! name of its group, so that its calls can be named as the client does.

use super::items::SEARCH;
use super::read::boolean;
use crate::json;
use crate::translate::lost::Losses;
use crate::translate::request::{Choice, CustomTool, Function, Json, Mode, ServerTool, Tool, ToolKind};
use crate::translate::writer::Inside;

/// Groups in groups are not of the dialect.
const DEEPEST: usize = 4;

/// The tools of a list.
pub(super) fn tools<'a>(list: Json<'a>, losses: &mut Losses<'a>) -> Vec<Tool<'a>> {
    let mut found = Vec::new();
    add(list, None, DEEPEST, &mut found, losses);
    found
}

fn add<'a>(
    list: Json<'a>,
    namespace: Option<&'a [u8]>,
    depth: usize,
    found: &mut Vec<Tool<'a>>,
    losses: &mut Losses<'a>,
) {
    for raw in json::items(list) {
        let members = Members::read(raw);
        match (members.kind, members.name) {
            (b"namespace", Some(name)) if depth > 0 => {
                losses.dropped_if(members.description.filter(|description| !json::is_blank(description)));
                add(members.tools.unwrap_or_default(), Some(name), depth - 1, found, losses);
            }
            _ => found.push(Tool { kind: members.tool(namespace, losses), raw, cache: None }),
        }
    }
}

/// The members of tools of every kind.
#[derive(Default)]
struct Members<'a> {
    kind: &'a [u8],
    name: Option<&'a [u8]>,
    description: Option<Json<'a>>,
    parameters: Option<Json<'a>>,
    strict: Option<bool>,
    format: Option<Json<'a>>,
    tools: Option<Json<'a>>,
    client: bool,
    /// What no other dialect's function has, and what its search or its sandbox is restricted to.
    other: Vec<Json<'a>>,
}

impl<'a> Members<'a> {
    fn read(tool: Json<'a>) -> Self {
        let mut read = Self::default();
        for (key, value) in json::members(tool).filter(|(_, value)| *value != b"null") {
            match key {
                b"type" => read.kind = json::inside(value).unwrap_or_default(),
                b"name" => read.name = json::inside(value),
                b"description" => read.description = Some(value),
                b"parameters" => read.parameters = Some(value),
                b"strict" => read.strict = boolean(value),
                b"format" => read.format = Some(value),
                b"tools" => read.tools = Some(value),
                b"execution" => read.client = value == b"\"client\"",
                b"output_schema" | b"filters" | b"user_location" | b"search_context_size" | b"allowed_callers" => {
                    read.other.push(value);
                }
                _ => {}
            }
        }
        read
    }

    fn tool(self, namespace: Option<&'a [u8]>, losses: &mut Losses<'a>) -> ToolKind<'a> {
        let kind = match (self.kind, self.name) {
            (b"function", Some(name)) => ToolKind::Function(self.function(name, namespace, false)),
            (b"tool_search", _) if self.client => ToolKind::Function(self.function(SEARCH, None, true)),
            (b"custom", Some(name)) => ToolKind::Custom(CustomTool {
                name: Inside::Borrowed(name),
                namespace: namespace.map(Inside::Borrowed),
                description: self.description(),
                grammar: self.format.and_then(grammar),
            }),
            (kind, _) if kind.starts_with(b"web_search") => ToolKind::Server(ServerTool::WebSearch),
            (b"code_interpreter", _) => ToolKind::Server(ServerTool::CodeExecution),
            _ => return ToolKind::Own,
        };
        self.other.into_iter().filter(|value| !json::is_blank(value)).for_each(|value| losses.dropped(value));
        kind
    }

    fn description(&self) -> Option<Inside<'a>> {
        self.description.and_then(json::inside).map(Inside::Borrowed)
    }

    fn function(&self, name: &'a [u8], namespace: Option<&'a [u8]>, search: bool) -> Function<'a> {
        Function {
            name: Inside::Borrowed(name),
            namespace: namespace.map(Inside::Borrowed),
            description: self.description(),
            schema: self.parameters.map(Inside::Borrowed),
            strict: self.strict,
            search,
        }
    }
}

/// The grammar of a custom tool, flat as Responses has it or in an object as Chat Completions does.
fn grammar(format: Json<'_>) -> Option<(Inside<'_>, Inside<'_>)> {
    let grammar = json::get(format, "grammar").unwrap_or(format);
    let member = |name| json::get(grammar, name).and_then(json::inside).map(Inside::Borrowed);
    Some((member("syntax")?, member("definition")?))
}

/// Reads `tool_choice`.
pub(super) fn choice<'a>(value: Json<'a>, choice: &mut Choice<'a>, losses: &mut Losses<'a>) {
    if let Some(mode) = json::inside(value) {
        choice.mode = mode_of(mode);
        // What is the default anyway is no loss.
        choice.raw = Some(value).filter(|_| choice.mode != Mode::Auto);
        return;
    }
    choice.raw = Some(value);
    let (mut kind, mut name, mut mode, mut allowed) = (None, None, None, None);
    for (key, value) in json::members(value) {
        match key {
            b"type" => kind = json::inside(value),
            b"name" => name = json::inside(value),
            b"mode" => mode = json::inside(value),
            b"tools" => allowed = Some(value),
            _ => {}
        }
    }
    match (kind, name) {
        (Some(b"function" | b"custom"), Some(name)) => choice.mode = Mode::Named(Inside::Borrowed(name)),
        (Some(b"tool_search"), _) => choice.mode = Mode::Named(Inside::Borrowed(SEARCH)),
        (Some(b"allowed_tools"), _) => {
            choice.mode = mode_of(mode.unwrap_or(b"auto"));
            for tool in allowed.into_iter().flat_map(json::items) {
                match json::get(tool, "name").and_then(json::inside) {
                    Some(name) => choice.allowed.push(Inside::Borrowed(name)),
                    None => losses.dropped(tool),
                }
            }
        }
        // A tool that OpenAI runs, or that only it knows.
        _ => losses.dropped(value),
    }
}

fn mode_of(name: &[u8]) -> Mode<'static> {
    match name {
        b"auto" => Mode::Auto,
        b"none" => Mode::None,
        b"required" => Mode::Required,
        _ => Mode::Unsaid,
    }
}
