//! Reads tools, and which of them the model is to call.

use std::borrow::Cow;

use super::read::{each, inside, said};
use crate::json;
use crate::translate::lost::Losses;
use crate::translate::request::{Choice, Function, Json, Mode, ServerTool, Tool, ToolKind};
use crate::translate::schema;

/// One item of `tools`, which may hold several of them.
pub(super) fn tool<'a>(value: Json<'a>, tools: &mut Vec<Tool<'a>>, losses: &mut Losses<'a>) {
    for (key, value) in said(value) {
        let server = match key {
            b"functionDeclarations" | b"function_declarations" => {
                each(value, |declaration| {
                    let function = ToolKind::Function(function(declaration, losses));
                    tools.push(Tool { kind: function, raw: declaration, cache: None });
                });
                continue;
            }
            b"googleSearch" | b"google_search" | b"googleSearchRetrieval" | b"google_search_retrieval" => {
                Some(ServerTool::WebSearch)
            }
            b"urlContext" | b"url_context" => Some(ServerTool::WebFetch),
            b"codeExecution" | b"code_execution" => Some(ServerTool::CodeExecution),
            _ => None,
        };
        let kind = server.map_or(ToolKind::Own, ToolKind::Server);
        if server.is_some() {
            said(value).filter(|(_, value)| !json::is_blank(value)).for_each(|(_, value)| losses.dropped(value));
        }
        tools.push(Tool { kind, raw: value, cache: None });
    }
}

fn function<'a>(declaration: Json<'a>, losses: &mut Losses<'a>) -> Function<'a> {
    let mut function = Function {
        name: Cow::Borrowed(b""),
        namespace: None,
        description: None,
        schema: None,
        strict: None,
        search: false,
    };
    for (key, value) in said(declaration) {
        match key {
            b"name" => function.name = inside(value).unwrap_or_default(),
            b"description" => function.description = inside(value),
            b"parametersJsonSchema" | b"parameters_json_schema" => function.schema = Some(Cow::Borrowed(value)),
            b"parameters" => function.schema = Some(schema::from_google(value)),
            b"behavior" if value == b"\"BLOCKING\"" || value == b"\"UNSPECIFIED\"" => {}
            _ => losses.dropped(value),
        }
    }
    function
}

pub(super) fn tool_config<'a>(value: Json<'a>, choice: &mut Choice<'a>, losses: &mut Losses<'a>) {
    for (key, value) in said(value) {
        match key {
            b"functionCallingConfig" | b"function_calling_config" => calling(value, choice, losses),
            // It only asks to be shown what server tools do.
            b"includeServerSideToolInvocations" | b"include_server_side_tool_invocations" => {}
            _ if json::is_blank(value) => {}
            _ => losses.dropped(value),
        }
    }
}

fn calling<'a>(value: Json<'a>, choice: &mut Choice<'a>, losses: &mut Losses<'a>) {
    choice.raw = Some(value);
    for (key, value) in said(value) {
        match key {
            b"mode" => {
                choice.mode = match json::inside(value).unwrap_or_default().to_ascii_uppercase().as_slice() {
                    b"AUTO" => Mode::Auto,
                    b"NONE" => Mode::None,
                    b"ANY" => Mode::Required,
                    b"VALIDATED" => {
                        losses.approximated(value);
                        Mode::Auto
                    }
                    b"MODE_UNSPECIFIED" => Mode::Unsaid,
                    _ => {
                        losses.dropped(value);
                        Mode::Unsaid
                    }
                };
            }
            b"allowedFunctionNames" | b"allowed_function_names" => {
                choice.allowed = json::items(value).filter_map(inside).collect();
            }
            // The upstream's own way of streaming decides.
            b"streamFunctionCallArguments" | b"stream_function_call_arguments" => {}
            _ => losses.dropped(value),
        }
    }
    if choice.mode == Mode::Required
        && let [only] = &choice.allowed[..]
    {
        choice.mode = Mode::Named(only.clone());
        choice.allowed.clear();
    }
}
