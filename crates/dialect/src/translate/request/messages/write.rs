//! Writes a request of Messages: what it is given of settings and tools, in the order of Anthropic's prompt caches (tools,
//! instructions, messages). It must never send what the target refuses: it reports that instead.

use super::super::{Choice, Format, Json, Mode, Request, ServerTool, Service, Settings, Tool, ToolKind};
use super::input::is_blank;
use super::markers::Markers;
use super::read::string;
use super::turns::Turns;
use super::{schema, think};
use crate::json;
use crate::translate::Target;
use crate::translate::lost::Losses;
use crate::translate::writer::Writer;

/// What a target is told that has no mode for it.
const JSON_ONLY: &str = "Answer with one JSON object and nothing else.";

/// Writes the body.
pub(in crate::translate::request) fn write<'a>(
    request: &Request<'a>,
    target: &Target<'_>,
    losses: &mut Losses<'a>,
) -> Vec<u8> {
    let settings = &request.settings;
    let size = request.turns.iter().map(|turn| turn.raw.len()).sum::<usize>()
        + request.tools.iter().map(|tool| tool.raw.len()).sum::<usize>();
    let mut out = Writer::with_capacity(size + size / 8 + 1024);
    let mut markers = Markers::of(request);
    let mut plan = think::Plan::of(request, &target.facts, losses);
    out.open(b'{');
    out.text_member("model", target.model);
    out.number_member("max_tokens", plan.max_tokens);
    if settings.stream {
        out.member("stream", b"true");
    }
    let any_tool = write_tools(&request.tools, &mut markers, &mut out, losses);
    let json_only = matches!(settings.format, Some(Format::JsonObject(_))).then_some(JSON_ONLY);
    let is_code = |tool: &Tool<'_>| matches!(tool.kind, ToolKind::Server(ServerTool::CodeExecution));
    let runs_code = request.tools.iter().any(is_code);
    let mut turns = Turns::new(&mut out, &mut markers, losses, target.facts.system_in_place, runs_code);
    turns.write(&request.turns, json_only);
    if plan.budget().is_some() && turns.has_lost_its_thinking() {
        plan.without_thinking(settings, losses);
    }
    if any_tool {
        write_choice(&request.choice, plan.thinks(), &mut out, losses);
    } else if request.choice.mode != Mode::None {
        losses.dropped_if(request.choice.raw);
    }
    plan.write(&mut out);
    write_output_config(settings, &plan, &mut out, losses);
    write_sampling(settings, &plan, target.facts.sampling, &mut out, losses);
    write_the_rest(settings, &mut out, losses);
    if !markers.any() {
        // Without a marker nothing is cached, and an agent pays the full price for every turn.
        out.member("cache_control", br#"{"type":"ephemeral"}"#);
    }
    out.close(b'}');
    out.into_bytes()
}

/// Whether any was written.
fn write_tools<'a>(tools: &[Tool<'a>], markers: &mut Markers, out: &mut Writer, losses: &mut Losses<'a>) -> bool {
    let taken = |name: &str| {
        tools.iter().any(|tool| matches!(&tool.kind, ToolKind::Function(it) if *it.name == *name.as_bytes()))
    };
    let mut any = false;
    for tool in tools {
        let server = match &tool.kind {
            ToolKind::Server(server) => Some(server_tool(*server)).filter(|(_, name)| !taken(name)),
            _ => None,
        };
        if server.is_none() && matches!(tool.kind, ToolKind::Server(_) | ToolKind::Own) {
            losses.dropped(tool.raw);
            continue;
        }
        if !std::mem::replace(&mut any, true) {
            out.key("tools");
            out.open(b'[');
        }
        out.open(b'{');
        match (&tool.kind, server) {
            (_, Some((kind, name))) => {
                out.text_member("type", kind);
                out.text_member("name", name);
            }
            (ToolKind::Function(function), _) => {
                out.inside_member("name", &function.name);
                if let Some(description) = &function.description {
                    out.inside_member("description", description);
                }
                out.key("input_schema");
                schema::write_input(function.schema.as_ref(), out);
                if function.strict == Some(true) {
                    out.member("strict", b"true");
                }
            }
            (ToolKind::Custom(custom), _) => {
                out.inside_member("name", &custom.name);
                if let Some(description) = &custom.description {
                    out.inside_member("description", description);
                }
                let input = br#"{"type":"object","properties":{"input":{"type":"string"}},"required":["input"]}"#;
                out.member("input_schema", input);
            }
            (ToolKind::Server(_) | ToolKind::Own, None) => {}
        }
        markers.write(tool.cache, out, losses);
        out.close(b'}');
    }
    if any {
        out.close(b']');
    }
    any
}

/// Its type and its name, which is fixed.
fn server_tool(tool: ServerTool) -> (&'static str, &'static str) {
    match tool {
        ServerTool::WebSearch => ("web_search_20250305", "web_search"),
        ServerTool::WebFetch => ("web_fetch_20250910", "web_fetch"),
        ServerTool::CodeExecution => ("code_execution_20250825", "code_execution"),
    }
}

fn write_choice<'a>(choice: &Choice<'a>, thinks: bool, out: &mut Writer, losses: &mut Losses<'a>) {
    let mut report = || {
        if let Some(raw) = choice.raw {
            losses.approximated(raw);
        }
    };
    let only = match &*choice.allowed {
        [] => None,
        // A subset of one is that one; fewer tools for several would be another request to a prompt cache.
        [only] if choice.mode == Mode::Required => Some(only),
        _ => {
            report();
            None
        }
    };
    let (mut kind, mut name) = match (&choice.mode, only) {
        (_, Some(only)) | (Mode::Named(only), None) => ("tool", Some(only)),
        (Mode::Required, None) => ("any", None),
        (Mode::None, None) => ("none", None),
        (Mode::Auto, None) => ("auto", None),
        (Mode::Unsaid, None) if choice.parallel == Some(false) => ("auto", None),
        (Mode::Unsaid, None) => return,
    };
    if thinks && matches!(kind, "any" | "tool") {
        report();
        (kind, name) = ("auto", None);
    }
    out.key("tool_choice");
    out.open(b'{');
    out.text_member("type", kind);
    if let Some(name) = name {
        out.inside_member("name", name);
    }
    if choice.parallel == Some(false) && kind != "none" {
        out.member("disable_parallel_tool_use", b"true");
    }
    out.close(b'}');
}

fn write_output_config<'a>(settings: &Settings<'a>, plan: &think::Plan, out: &mut Writer, losses: &mut Losses<'a>) {
    let format = match &settings.format {
        Some(Format::JsonSchema { schema, .. }) => Some(schema),
        Some(Format::JsonObject(raw)) => {
            losses.approximated(raw);
            None
        }
        Some(Format::Text) | None => None,
    };
    if format.is_none() && plan.effort.is_none() {
        return;
    }
    out.key("output_config");
    out.open(b'{');
    if let Some(effort) = plan.effort {
        out.text_member("effort", effort.name());
    }
    if let Some(schema) = format {
        out.key("format");
        out.open(b'{');
        out.text_member("type", "json_schema");
        out.key("schema");
        schema::write_format(schema, out, losses);
        out.close(b'}');
    }
    out.close(b'}');
}

/// Claude that thinks takes no other temperature than 1, no `top_k`, and a `top_p` from 0.95; newer models take no
/// temperature together with `top_p`.
fn write_sampling<'a>(
    settings: &Settings<'a>,
    plan: &think::Plan,
    takes: bool,
    out: &mut Writer,
    losses: &mut Losses<'a>,
) {
    let number = |value: Json<'_>| std::str::from_utf8(value).ok().and_then(|text| text.parse::<f64>().ok());
    let thinks = plan.thinks();
    let mut has_temperature = false;
    if let Some(temperature) = settings.temperature {
        let degrees = number(temperature).unwrap_or(1.0);
        if degrees == 1.0 {
            // What it is anyway.
        } else if !takes || thinks {
            losses.dropped(temperature);
        } else if degrees > 1.0 {
            losses.approximated(temperature);
            out.member("temperature", b"1");
            has_temperature = true;
        } else {
            out.member("temperature", temperature);
            has_temperature = true;
        }
    }
    if let Some(top_p) = settings.top_p {
        let share = number(top_p).unwrap_or(1.0);
        if share >= 1.0 {
            // What it is anyway.
        } else if !takes || has_temperature || (thinks && share < 0.95) {
            losses.dropped(top_p);
        } else {
            out.member("top_p", top_p);
        }
    }
    if let Some(top_k) = settings.top_k {
        if takes && !thinks {
            out.member("top_k", top_k);
        } else {
            losses.dropped(top_k);
        }
    }
}

fn write_the_rest<'a>(settings: &Settings<'a>, out: &mut Writer, losses: &mut Losses<'a>) {
    let says_something = |stop: &&Json<'a>| string(stop).is_some_and(|text| !is_blank(&text));
    if settings.stop.iter().any(|stop| says_something(&stop)) {
        out.key("stop_sequences");
        out.open(b'[');
        settings.stop.iter().filter(says_something).for_each(|stop| out.raw(stop));
        out.close(b']');
    }
    settings.stop.iter().filter(|stop| !says_something(stop)).for_each(|stop| losses.dropped(stop));
    if let Some(user) = settings.end_user {
        out.key("metadata");
        out.open(b'{');
        out.member("user_id", user);
        out.close(b'}');
    }
    match settings.service {
        Some((Service::Standard, _)) => out.text_member("service_tier", "standard_only"),
        Some((Service::Priority, raw)) => losses.approximated(raw),
        Some((Service::Flex | Service::Fast, raw)) => losses.dropped(raw),
        Some((Service::Auto, _)) | None => {}
    }
    losses.dropped_if(settings.candidates.filter(|n| json::count(n) != Some(1)));
    losses.dropped_if(settings.seed);
    let not_zero = |value: &Json<'_>| std::str::from_utf8(value).ok().and_then(|it| it.parse().ok()) != Some(0.0);
    losses.dropped_if(settings.presence_penalty.filter(not_zero));
    losses.dropped_if(settings.frequency_penalty.filter(not_zero));
    losses.dropped_if(settings.logprobs.filter(|value| *value != b"false"));
    losses.dropped_if(settings.top_logprobs.filter(|value| json::count(value) != Some(0)));
    losses.dropped_if(settings.cache_options);
    losses.dropped_if(settings.verbosity.filter(|value| *value != b"\"medium\""));
    losses.dropped_if(settings.metadata.filter(|value| !json::is_blank(value)));
}
