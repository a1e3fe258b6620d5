//! Writes the common view as the body of a Chat Completions request. What this dialect has no place for is reported here.

use super::{tools, turns};
use crate::json;
use crate::translate::ids::conforming;
use crate::translate::lost::Losses;
use crate::translate::request::{Effort, Format, Json, ReasoningSettings, Request, Service, Settings};
use crate::translate::writer::Writer;
use crate::translate::{Facts, Target, Thinking};

/// The most strings that may stop an answer.
const STOPS: usize = 4;

/// The longest `prompt_cache_key`.
const LONGEST_KEY: usize = 64;

/// The body for that target.
pub(in crate::translate::request) fn write<'a>(
    request: &Request<'a>,
    target: &Target<'_>,
    losses: &mut Losses<'a>,
) -> Vec<u8> {
    let raw = request.turns.iter().map(|turn| turn.raw.len()).chain(request.tools.iter().map(|tool| tool.raw.len()));
    let size: usize = raw.sum();
    let mut out = Writer::with_capacity(size + size / 8 + 1024);
    out.open(b'{');
    out.text_member("model", target.model);
    out.key("messages");
    out.open(b'[');
    turns::write(&request.turns, &target.facts, &mut out, losses);
    out.close(b']');
    tools::write(&request.tools, &request.choice, target.facts.web_search, &mut out, losses);
    settings(&request.settings, &target.facts, &mut out, losses);
    out.close(b'}');
    out.into_bytes()
}

fn settings<'a>(settings: &Settings<'a>, facts: &Facts, out: &mut Writer, losses: &mut Losses<'a>) {
    if let Some(limit) = settings.max_tokens {
        let name = if facts.max_completion_tokens { "max_completion_tokens" } else { "max_tokens" };
        match facts.max_output {
            Some(most) if json::count(limit).is_some_and(|limit| limit > most) => {
                losses.approximated(limit);
                out.number_member(name, most);
            }
            _ => out.member(name, limit),
        }
    }
    sampling(settings, facts, out, losses);
    reasoning(&settings.reasoning, facts, out, losses);
    match facts.max_completion_tokens {
        true => out.optional("verbosity", settings.verbosity),
        false => losses.dropped_if(settings.verbosity.filter(|value| *value != b"\"medium\"")),
    }
    if let Some(format) = &settings.format {
        write_format(format, out);
    }
    let user = if facts.max_completion_tokens { "safety_identifier" } else { "user" };
    out.optional(user, settings.end_user);
    out.optional("metadata", settings.metadata);
    if facts.max_completion_tokens {
        if let Some(key) = &settings.cache_key {
            let short = if key.len() > LONGEST_KEY { conforming(key) } else { key.clone() };
            out.inside_member("prompt_cache_key", &short);
        }
        out.optional("prompt_cache_options", settings.cache_options);
    } else {
        // What shares a cache changes no answer.
        losses.dropped_if(settings.cache_options);
    }
    if let Some((service, _)) = settings.service {
        out.text_member("service_tier", name_of(service));
    }
    if settings.stream {
        out.member("stream", b"true");
        out.member("stream_options", br#"{"include_usage":true}"#);
    }
}

fn sampling<'a>(settings: &Settings<'a>, facts: &Facts, out: &mut Writer, losses: &mut Losses<'a>) {
    if facts.sampling {
        out.optional("temperature", settings.temperature);
        out.optional("top_p", settings.top_p);
    } else {
        losses.dropped_if(settings.temperature);
        losses.dropped_if(settings.top_p);
    }
    losses.dropped_if(settings.top_k);
    if !settings.stop.is_empty() {
        out.key("stop");
        out.open(b'[');
        settings.stop.iter().take(STOPS).for_each(|stop| out.raw(stop));
        out.close(b']');
        settings.stop.iter().skip(STOPS).for_each(|stop| losses.dropped(stop));
    }
    out.optional("n", settings.candidates);
    out.optional("seed", settings.seed);
    out.optional("presence_penalty", settings.presence_penalty);
    out.optional("frequency_penalty", settings.frequency_penalty);
    if settings.logprobs.is_some() {
        out.member("logprobs", b"true");
        out.optional("top_logprobs", settings.top_logprobs);
    }
}

fn reasoning<'a>(reasoning: &ReasoningSettings<'a>, facts: &Facts, out: &mut Writer, losses: &mut Losses<'a>) {
    let effort = match (reasoning.effort, reasoning.budget) {
        (Some(effort), _) => effort,
        (None, Some(budget)) => {
            let effort = Effort::of_budget(budget);
            if effort != Effort::None
                && let Some(raw) = reasoning.raw
            {
                losses.approximated(raw);
            }
            effort
        }
        (None, None) => return,
    };
    if facts.thinking != Thinking::Never {
        let nearest = facts.efforts.nearest(effort);
        if let (Some(raw), true) = (reasoning.raw, nearest != effort) {
            losses.approximated(raw);
        }
        out.text_member("reasoning_effort", nearest.name());
    } else if effort != Effort::None {
        losses.dropped_if(reasoning.raw);
    }
}

fn write_format(format: &Format<'_>, out: &mut Writer) {
    let kind = match format {
        Format::Text => return,
        Format::JsonObject(_) => "json_object",
        Format::JsonSchema { .. } => "json_schema",
    };
    out.key("response_format");
    out.open(b'{');
    out.text_member("type", kind);
    if let Format::JsonSchema { name, description, schema, strict } = format {
        out.key("json_schema");
        out.open(b'{');
        // A name is required here, and two dialects have none.
        out.inside_member("name", name.as_deref().unwrap_or(b"response"));
        let said = |value: &Json<'_>| *value != b"null";
        out.optional("description", description.filter(said));
        out.member("schema", schema);
        out.optional("strict", strict.filter(said));
        out.close(b'}');
    }
    out.close(b'}');
}

fn name_of(service: Service) -> &'static str {
    match service {
        Service::Auto => "auto",
        Service::Standard => "default",
        Service::Flex => "flex",
        Service::Priority => "priority",
        Service::Fast => "fast",
    }
}
