//! Reads the body of a Chat Completions request into the common view. What the view has no place for is reported here.

use super::{inside, messages, tools};
use crate::json::{self, Cursor};
use crate::translate::lost::Losses;
use crate::translate::request::{
    Effort, Format, Json, ReasoningSettings, Request, Schema, ServerTool, Service, Settings, Tool, ToolKind,
};
use crate::translate::{Target, Untranslatable};

/// Reads a body. Nothing in it makes this fail: what cannot be read is dropped, and said to be.
#[expect(clippy::unnecessary_wraps, reason = "other dialects have members that make a request untranslatable")]
pub(in crate::translate::request) fn read<'a>(
    body: Json<'a>,
    _target: &Target<'_>,
    losses: &mut Losses<'a>,
) -> Result<Request<'a>, Untranslatable> {
    let mut request = Request::default();
    let mut old_max_tokens = None;
    let mut user = None;
    let (mut functions, mut tools) = (false, false);
    Cursor::new(body).members(|key, walk| {
        if key == b"messages" {
            return messages::read(walk, &mut request.turns, losses);
        }
        let value = walk.value();
        if value == b"null" {
            return;
        }
        match key {
            // The target's model and how the answer travels are the gateway's; what is said by default says nothing.
            b"model" | b"stream_options" => {}
            b"n" if value == b"1" => {}
            b"presence_penalty" | b"frequency_penalty" if matches!(value, b"0" | b"0.0") => {}
            b"store" | b"logprobs" if value == b"false" => {}
            b"modalities" if json::items(value).all(|kind| kind == b"\"text\"") => {}
            b"tools" => {
                tools |= !json::is_blank(value);
                request.tools.extend(json::items(value).map(|tool| tools::read(tool, losses)));
            }
            b"functions" => {
                functions |= !json::is_blank(value);
                request.tools.extend(json::items(value).map(|tool| tools::read_function(tool, losses)));
            }
            b"web_search_options" => {
                let kind = ToolKind::Server(ServerTool::WebSearch);
                request.tools.push(Tool { kind, raw: value, cache: None });
                json::members(value)
                    .filter(|(_, member)| !json::is_blank(member))
                    .for_each(|(_, it)| losses.dropped(it));
            }
            b"tool_choice" | b"function_call" => tools::read_choice(value, &mut request.choice, losses),
            b"parallel_tool_calls" => {
                request.choice.parallel = Some(value == b"true");
                request.choice.parallel_raw = Some(value);
            }
            b"max_tokens" => old_max_tokens = Some(value),
            b"user" => user = Some(value),
            _ => setting(key, value, &mut request.settings, losses),
        }
    });
    request.functions = functions && !tools;
    if request.functions {
        request.choice.parallel = Some(false);
    }
    let settings = &mut request.settings;
    settings.max_tokens = settings.max_tokens.or(old_max_tokens);
    settings.end_user = settings.end_user.or(user);
    Ok(request)
}

fn setting<'a>(key: &[u8], value: Json<'a>, settings: &mut Settings<'a>, losses: &mut Losses<'a>) {
    match key {
        b"stream" => settings.stream = value == b"true",
        b"max_completion_tokens" => settings.max_tokens = Some(value),
        b"temperature" => settings.temperature = Some(value),
        b"top_p" => settings.top_p = Some(value),
        // No member of OpenAI's: of vLLM, OpenRouter and most others.
        b"top_k" => settings.top_k = Some(value),
        b"stop" if value.starts_with(b"\"") => settings.stop.push(value),
        b"stop" => settings.stop.extend(json::items(value).filter(|stop| stop.starts_with(b"\""))),
        b"n" => settings.candidates = Some(value),
        b"seed" => settings.seed = Some(value),
        b"presence_penalty" => settings.presence_penalty = Some(value),
        b"frequency_penalty" => settings.frequency_penalty = Some(value),
        b"logprobs" => settings.logprobs = Some(value),
        b"top_logprobs" => settings.top_logprobs = Some(value),
        b"reasoning_effort" => effort(value, &mut settings.reasoning, losses),
        b"reasoning" | b"thinking" => reasoning(value, &mut settings.reasoning, losses),
        b"verbosity" => settings.verbosity = Some(value),
        b"response_format" => match format(value) {
            Some(format) => settings.format = Some(format),
            None => losses.dropped(value),
        },
        b"safety_identifier" => settings.end_user = Some(value),
        b"metadata" if json::is_blank(value) => {}
        b"metadata" => settings.metadata = Some(value),
        b"prompt_cache_key" => settings.cache_key = inside(value),
        b"prompt_cache_options" if !json::is_blank(value) => settings.cache_options = Some(value),
        b"service_tier" => match service(value) {
            Some(service) => settings.service = Some((service, value)),
            None => losses.dropped(value),
        },
        _ if json::is_blank(value) => {}
        _ => losses.dropped(value),
    }
}

fn effort<'a>(value: Json<'a>, settings: &mut ReasoningSettings<'a>, losses: &mut Losses<'a>) {
    let name = json::text(value).unwrap_or_default();
    settings.effort = match Effort::from_name(&name) {
        // Of one newer model; it comes closest to not thinking before the answer.
        None if name == "between_tools" => {
            losses.approximated(value);
            Some(Effort::None)
        }
        None => return losses.dropped(value),
        known => known,
    };
    settings.raw = Some(value);
}

/// OpenRouter's `reasoning: {effort, max_tokens, exclude, enabled}`, and `thinking: {type, budget_tokens}` as DeepSeek, Kimi
/// and others took it over from Anthropic.
fn reasoning<'a>(value: Json<'a>, settings: &mut ReasoningSettings<'a>, losses: &mut Losses<'a>) {
    for (key, member) in json::members(value) {
        match key {
            b"effort" => effort(member, settings, losses),
            b"max_tokens" | b"budget_tokens" => {
                settings.budget = json::count(member);
                settings.raw = Some(member);
            }
            b"exclude" => settings.visible = Some(member == b"false"),
            b"enabled" | b"type" if matches!(member, b"false" | b"\"disabled\"") => {
                settings.effort = Some(Effort::None);
                settings.raw = Some(member);
            }
            b"enabled" | b"type" => {}
            _ if json::is_blank(member) => {}
            _ => losses.dropped(member),
        }
    }
}

fn format(value: Json<'_>) -> Option<Format<'_>> {
    match json::get(value, "type")? {
        b"\"text\"" => Some(Format::Text),
        b"\"json_object\"" => Some(Format::JsonObject(value)),
        b"\"json_schema\"" => {
            let format = json::get(value, "json_schema")?;
            Some(match json::get(format, "schema") {
                Some(schema) => Format::JsonSchema {
                    name: json::get(format, "name").and_then(inside),
                    description: json::get(format, "description"),
                    schema: Schema::Borrowed(schema),
                    strict: json::get(format, "strict"),
                },
                None => Format::JsonObject(value),
            })
        }
        _ => None,
    }
}

fn service(value: Json<'_>) -> Option<Service> {
    Some(match value {
        b"\"auto\"" => Service::Auto,
        b"\"default\"" => Service::Standard,
        b"\"flex\"" => Service::Flex,
        b"\"priority\"" => Service::Priority,
        b"\"fast\"" => Service::Fast,
        _ => return None,
    })
}
