//! Tools and the choice among them, in Chat Completions: both ways.

use super::inside;
use crate::json;
use crate::translate::lost::Losses;
use crate::translate::request::{Choice, CustomTool, Function, Json, Mode, Schema, ServerTool, Tool, ToolKind};
use crate::translate::writer::{Inside, Writer};

/// Reads one tool; a kind that is not known is the dialect's own.
pub(super) fn read<'a>(tool: Json<'a>, losses: &mut Losses<'a>) -> Tool<'a> {
    let (mut kind, mut within, mut cache) = (None, None, None);
    for (key, value) in json::members(tool) {
        match key {
            b"type" => kind = Some(value),
            b"function" | b"custom" if value.starts_with(b"{") => within = Some(value),
            b"cache_control" if value != b"null" => cache = Some(value),
            _ => {}
        }
    }
    let kind = match kind {
        // Some clients write its members flat, as Responses has them.
        Some(b"\"function\"") | None => function(within.unwrap_or(tool), losses),
        Some(b"\"custom\"") => custom(within.unwrap_or(tool), losses),
        Some(b"\"web_search\"" | b"\"web_search_preview\"") => ToolKind::Server(ServerTool::WebSearch),
        Some(_) => ToolKind::Own,
    };
    Tool { kind, raw: tool, cache }
}

/// Reads one of `functions`, which came before `tools`.
pub(super) fn read_function<'a>(tool: Json<'a>, losses: &mut Losses<'a>) -> Tool<'a> {
    Tool { kind: function(tool, losses), raw: tool, cache: None }
}

fn function<'a>(members: Json<'a>, losses: &mut Losses<'a>) -> ToolKind<'a> {
    let mut function = Function {
        name: Inside::default(),
        namespace: None,
        description: None,
        schema: None,
        strict: None,
        search: false,
    };
    let mut named = false;
    for (key, value) in json::members(members) {
        match key {
            _ if json::is_blank(value) && key != b"parameters" => {}
            b"name" => {
                named = true;
                function.name = inside(value).unwrap_or_default();
            }
            b"description" => function.description = inside(value),
            b"parameters" if value.starts_with(b"{") => function.schema = Some(Schema::Borrowed(value)),
            b"strict" => function.strict = Some(value == b"true"),
            b"parameters" | b"type" | b"function" | b"cache_control" => {}
            _ => losses.dropped(value),
        }
    }
    if named { ToolKind::Function(function) } else { ToolKind::Own }
}

fn custom<'a>(members: Json<'a>, losses: &mut Losses<'a>) -> ToolKind<'a> {
    let mut custom = CustomTool { name: Inside::default(), namespace: None, description: None, grammar: None };
    for (key, value) in json::members(members) {
        match key {
            _ if json::is_blank(value) => {}
            b"name" => custom.name = inside(value).unwrap_or_default(),
            b"description" => custom.description = inside(value),
            b"format" => {
                // Responses has the grammar's members flat.
                let grammar = json::get(value, "grammar").unwrap_or(value);
                let member = |name| json::get(grammar, name).and_then(inside);
                custom.grammar = member("syntax").zip(member("definition"));
            }
            b"type" | b"cache_control" => {}
            _ => losses.dropped(value),
        }
    }
    if custom.name.is_empty() { ToolKind::Own } else { ToolKind::Custom(custom) }
}

/// Reads `tool_choice`, or `function_call` as it came before it.
pub(super) fn read_choice<'a>(value: Json<'a>, choice: &mut Choice<'a>, losses: &mut Losses<'a>) {
    choice.raw = Some(value);
    let name_of = |tool: Json<'a>| {
        let within = json::get(tool, "function").or_else(|| json::get(tool, "custom")).unwrap_or(tool);
        json::get(within, "name").and_then(inside)
    };
    let allowed = json::get(value, "allowed_tools");
    let kind = json::get(value, "type");
    if allowed.is_some() || kind == Some(b"\"allowed_tools\"") {
        let allowed = allowed.unwrap_or(value);
        choice.mode = mode(json::get(allowed, "mode").unwrap_or_default()).unwrap_or(Mode::Auto);
        let tools = json::get(allowed, "tools").unwrap_or_default();
        choice.allowed = json::items(tools).filter_map(name_of).collect();
    } else if let Some(mode) = mode(value) {
        choice.mode = mode;
    } else if let Some(name) = name_of(value) {
        choice.mode = Mode::Named(name);
    } else {
        choice.raw = None;
        losses.dropped(value);
    }
}

fn mode<'a>(value: Json<'_>) -> Option<Mode<'a>> {
    Some(match value {
        b"\"auto\"" => Mode::Auto,
        b"\"none\"" => Mode::None,
        // `any` is Mistral's word.
        b"\"required\"" | b"\"any\"" => Mode::Required,
        _ => return None,
    })
}

/// Writes `tools`, `tool_choice`, `parallel_tool_calls` and `web_search_options`, as far as there are any.
pub(super) fn write<'a>(
    tools: &[Tool<'a>],
    choice: &Choice<'a>,
    search: bool,
    out: &mut Writer,
    losses: &mut Losses<'a>,
) {
    let mut any = false;
    let mut searches = false;
    for tool in tools {
        match &tool.kind {
            ToolKind::Function(_) | ToolKind::Custom(_) => {
                if !std::mem::replace(&mut any, true) {
                    out.key("tools");
                    out.open(b'[');
                }
                write_tool(&tool.kind, out);
            }
            ToolKind::Server(ServerTool::WebSearch) if search => searches = true,
            ToolKind::Server(_) | ToolKind::Own => losses.dropped(tool.raw),
        }
    }
    if any {
        out.close(b']');
        write_choice(tools, choice, out);
    } else if matches!(choice.mode, Mode::Required | Mode::Named(_)) {
        losses.dropped_if(choice.raw);
    }
    if searches {
        out.member("web_search_options", b"{}");
    }
}

fn write_tool(kind: &ToolKind<'_>, out: &mut Writer) {
    out.open(b'{');
    match kind {
        ToolKind::Function(function) => {
            out.text_member("type", "function");
            out.key("function");
            out.open(b'{');
            out.inside_member("name", &function.name);
            if let Some(description) = &function.description {
                out.inside_member("description", description);
            }
            out.optional("parameters", function.schema.as_deref());
            if function.strict == Some(true) {
                out.member("strict", b"true");
            }
            out.close(b'}');
        }
        ToolKind::Custom(custom) => {
            out.text_member("type", "custom");
            out.key("custom");
            out.open(b'{');
            out.inside_member("name", &custom.name);
            if let Some(description) = &custom.description {
                out.inside_member("description", description);
            }
            if let Some((syntax, definition)) = &custom.grammar {
                out.key("format");
                out.open(b'{');
                out.text_member("type", "grammar");
                out.key("grammar");
                out.open(b'{');
                out.inside_member("syntax", syntax);
                out.inside_member("definition", definition);
                out.close(b'}');
                out.close(b'}');
            }
            out.close(b'}');
        }
        ToolKind::Server(_) | ToolKind::Own => {}
    }
    out.close(b'}');
}

fn write_choice(tools: &[Tool<'_>], choice: &Choice<'_>, out: &mut Writer) {
    let named = |name: &Inside<'_>, out: &mut Writer| {
        let custom = tools.iter().any(|tool| matches!(&tool.kind, ToolKind::Custom(custom) if custom.name == *name));
        let kind = if custom { "custom" } else { "function" };
        out.open(b'{');
        out.text_member("type", kind);
        out.key(kind);
        out.open(b'{');
        out.inside_member("name", name);
        out.close(b'}');
        out.close(b'}');
    };
    let word = match &choice.mode {
        Mode::Unsaid | Mode::Auto => "auto",
        Mode::None => "none",
        Mode::Required | Mode::Named(_) => "required",
    };
    match &choice.mode {
        Mode::Named(name) => {
            out.key("tool_choice");
            named(name, out);
        }
        Mode::Unsaid | Mode::Auto | Mode::Required if !choice.allowed.is_empty() => {
            out.key("tool_choice");
            out.open(b'{');
            out.text_member("type", "allowed_tools");
            out.key("allowed_tools");
            out.open(b'{');
            out.text_member("mode", word);
            out.key("tools");
            out.open(b'[');
            choice.allowed.iter().for_each(|name| named(name, out));
            out.close(b']');
            out.close(b'}');
            out.close(b'}');
        }
        Mode::Unsaid => {}
        Mode::Auto | Mode::None | Mode::Required => out.text_member("tool_choice", word),
    }
    if choice.parallel == Some(false) {
        out.member("parallel_tool_calls", b"false");
    }
}
