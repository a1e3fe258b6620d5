//! Reads tools of Messages: functions, the tools that Anthropic runs, and those that it defines and the client runs.

use super::super::{Function, Json, Schema, ServerTool, Tool, ToolKind};
use super::client_tools;
use super::read::string;
use crate::json;
use crate::translate::lost::Losses;
use crate::translate::writer::Inside;

/// Reads a tool.
pub(super) fn read<'a>(raw: Json<'a>, losses: &mut Losses<'a>) -> Tool<'a> {
    let mut kind = &b""[..];
    let mut cache = None;
    let mut function = Function {
        name: Inside::default(),
        namespace: None,
        description: None,
        schema: None,
        strict: None,
        search: false,
    };
    let mut others = Vec::new();
    for (key, value) in json::members(raw) {
        if value == b"null" {
            continue;
        }
        match key {
            b"type" => kind = value,
            b"name" => function.name = string(value).unwrap_or_default(),
            b"description" => function.description = string(value),
            b"input_schema" => function.schema = Some(Schema::Borrowed(value)),
            b"strict" => function.strict = Some(value == b"true"),
            b"cache_control" => cache = Some(value),
            // How a tool gets to the model and its arguments to the client: a tool is in the request, and streams.
            b"defer_loading" | b"eager_input_streaming" => {}
            b"allowed_callers" if json::items(value).all(|caller| caller == b"\"direct\"") => {}
            _ if json::is_blank(value) => {}
            _ => others.push(value),
        }
    }
    let mut report = || others.drain(..).for_each(|other| losses.dropped(other));
    let kind = match server_tool(kind) {
        Some(server) => {
            report();
            ToolKind::Server(server)
        }
        None if matches!(kind, b"" | b"\"custom\"") && !function.name.is_empty() => {
            report();
            ToolKind::Function(function)
        }
        None => match client_tools::documented(kind) {
            Some(documented) => {
                report();
                losses.approximated(raw);
                if function.name.is_empty() {
                    function.name = Inside::Borrowed(documented.name.as_bytes());
                }
                function.description = Some(Inside::Borrowed(documented.description.as_bytes()));
                function.schema = Some(Schema::Borrowed(documented.schema.as_bytes()));
                ToolKind::Function(function)
            }
            None => ToolKind::Own,
        },
    };
    Tool { kind, raw, cache }
}

/// The tool of the vendor's that a type with its date names.
fn server_tool(kind: &[u8]) -> Option<ServerTool> {
    let named = |name: &[u8]| kind.strip_prefix(b"\"").is_some_and(|kind| kind.starts_with(name));
    [
        (&b"web_search_"[..], ServerTool::WebSearch),
        (b"web_fetch_", ServerTool::WebFetch),
        (b"code_execution_", ServerTool::CodeExecution),
    ]
    .into_iter()
    .find_map(|(name, tool)| named(name).then_some(tool))
}
