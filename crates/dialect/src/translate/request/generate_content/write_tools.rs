//! Writes tools and which of them the model is to call.

use std::borrow::Cow;

use crate::json;
use crate::translate::Target;
use crate::translate::lost::Losses;
use crate::translate::request::{Choice, Function, Json, Mode, Request, Schema, ServerTool, Tool, ToolKind};
use crate::translate::schema::{self, GOOGLE_OPEN_API, Rules};
use crate::translate::writer::Writer;

pub(super) fn write<'a>(request: &Request<'a>, target: &Target<'_>, to: &mut Writer, losses: &mut Losses<'a>) {
    let (mut functions, mut servers) = (Writer::default(), Writer::default());
    let has_functions = request.tools.iter().any(|it| matches!(it.kind, ToolKind::Function(_) | ToolKind::Custom(_)));
    for tool in &request.tools {
        match &tool.kind {
            ToolKind::Function(it) => function(it, tool, target.facts.modern_tools, &mut functions, losses),
            ToolKind::Custom(it) => {
                functions.open(b'{');
                functions.inside_member("name", &it.name);
                if let Some(description) = &it.description {
                    functions.inside_member("description", description);
                }
                let input = br#"{"type":"object","properties":{"input":{"type":"string"}},"required":["input"]}"#;
                let member = if target.facts.modern_tools { "parametersJsonSchema" } else { "parameters" };
                functions.member(member, input);
                functions.close(b'}');
            }
            // Beside functions older models refuse them, and newer ones want to see what they did in the next turn, which
            // no other dialect can keep.
            ToolKind::Server(_) if has_functions => losses.dropped(tool.raw),
            ToolKind::Server(it) => server(*it, &mut servers),
            ToolKind::Own => losses.dropped(tool.raw),
        }
    }
    let (functions, servers) = (functions.into_bytes(), servers.into_bytes());
    if functions.is_empty() && servers.is_empty() {
        losses.dropped_if(request.choice.raw.filter(|_| request.choice.mode != Mode::Auto));
        return;
    }
    to.key("tools");
    to.open(b'[');
    if !functions.is_empty() {
        to.open(b'{');
        to.key("functionDeclarations");
        to.open(b'[');
        to.raw(&functions);
        to.close(b']');
        to.close(b'}');
    }
    if !servers.is_empty() {
        to.raw(&servers);
    }
    to.close(b']');
    if has_functions {
        choice(&request.choice, to, losses);
    } else {
        losses.dropped_if(request.choice.raw.filter(|_| request.choice.mode != Mode::Auto));
    }
}

fn function<'a>(function: &Function<'a>, tool: &Tool<'a>, modern: bool, to: &mut Writer, losses: &mut Losses<'a>) {
    to.open(b'{');
    to.inside_member("name", &function.name);
    if let Some(description) = &function.description {
        to.inside_member("description", description);
    }
    match &function.schema {
        Some(schema) if json::is_blank(schema) => {}
        Some(schema) if modern => to.member("parametersJsonSchema", schema),
        // An object without properties is refused there.
        Some(schema) if !is_empty_object(schema) => {
            let new = write_schema(schema, &GOOGLE_OPEN_API, Some(tool.raw), losses);
            to.member("parameters", &new);
        }
        _ => {}
    }
    if function.strict == Some(true) {
        let strict = |object| json::get(object, "strict");
        losses.dropped_if(strict(tool.raw).or_else(|| strict(json::get(tool.raw, "function")?)));
    }
    to.close(b'}');
}

/// The schema as that place takes it. One that its reader has rewritten is no part of the body: `whole` is named for it.
pub(super) fn write_schema<'s, 'a>(
    schema: &'s Schema<'a>,
    rules: &'static Rules,
    whole: Option<Json<'a>>,
    losses: &mut Losses<'a>,
) -> Cow<'s, [u8]> {
    match schema {
        Cow::Borrowed(own) => {
            let (new, reworded) = schema::rewrite(own, rules);
            reworded.into_iter().for_each(|value| losses.approximated(value));
            new
        }
        Cow::Owned(own) => {
            let (new, reworded) = schema::rewrite(own, rules);
            whole.filter(|_| !reworded.is_empty()).into_iter().for_each(|value| losses.approximated(value));
            new
        }
    }
}

fn server(tool: ServerTool, to: &mut Writer) {
    to.open(b'{');
    to.member(
        match tool {
            ServerTool::WebSearch => "googleSearch",
            ServerTool::WebFetch => "urlContext",
            ServerTool::CodeExecution => "codeExecution",
        },
        b"{}",
    );
    to.close(b'}');
}

fn choice<'a>(choice: &Choice<'a>, to: &mut Writer, losses: &mut Losses<'a>) {
    if choice.parallel == Some(false) {
        losses.dropped_if(choice.parallel_raw);
    }
    let mode = match &choice.mode {
        Mode::Unsaid if choice.allowed.is_empty() => return,
        // A subset is taken with these modes alone.
        Mode::Unsaid | Mode::Auto if !choice.allowed.is_empty() => "VALIDATED",
        Mode::Unsaid | Mode::Auto => "AUTO",
        Mode::None => "NONE",
        Mode::Required | Mode::Named(_) => "ANY",
    };
    to.key("toolConfig");
    to.open(b'{');
    to.key("functionCallingConfig");
    to.open(b'{');
    to.text_member("mode", mode);
    let named = if let Mode::Named(name) = &choice.mode { std::slice::from_ref(name) } else { &choice.allowed[..] };
    if !named.is_empty() && choice.mode != Mode::None {
        to.key("allowedFunctionNames");
        to.open(b'[');
        named.iter().for_each(|name| to.inside(name));
        to.close(b']');
    }
    to.close(b'}');
    to.close(b'}');
}

/// Whether a value is an object without members that say anything.
fn is_empty_object(schema: &[u8]) -> bool {
    json::get(schema, "properties").is_none_or(json::is_blank)
        && ["anyOf", "oneOf", "allOf", "$ref", "items"].iter().all(|name| json::get(schema, name).is_none())
}
