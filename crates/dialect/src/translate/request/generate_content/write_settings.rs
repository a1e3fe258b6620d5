//! Writes `generationConfig` and what stands beside it.

use std::borrow::Cow;

use super::write_tools::write_schema;
use crate::json;
use crate::translate::lost::Losses;
use crate::translate::request::{Effort, Format, Json, ReasoningSettings, Request, Service, Settings};
use crate::translate::schema::{GOOGLE_OPEN_API, GOOGLE_OUTPUT};
use crate::translate::writer::Writer;
use crate::translate::{Facts, Target, Thinking};

/// The most stop strings that are taken.
const STOPS: usize = 5;

/// The largest budget of thinking that every model with budgets takes.
const BUDGET: u64 = 24576;

/// The smallest of a model that cannot be told not to think.
const LEAST_BUDGET: u64 = 128;

pub(super) fn write<'a>(request: &Request<'a>, target: &Target<'_>, to: &mut Writer, losses: &mut Losses<'a>) {
    let settings = &request.settings;
    let mut config = Writer::default();
    let facts = &target.facts;
    limit(settings, facts.max_output, &mut config, losses);
    let sampling = [("temperature", settings.temperature), ("topP", settings.top_p), ("topK", settings.top_k)];
    for (name, value) in sampling {
        if facts.sampling { config.optional(name, value) } else { losses.dropped_if(value) }
    }
    if !settings.stop.is_empty() {
        config.key("stopSequences");
        config.open(b'[');
        for (at, stop) in settings.stop.iter().enumerate() {
            if at < STOPS { config.raw(stop) } else { losses.dropped(stop) }
        }
        config.close(b']');
    }
    config.optional("candidateCount", settings.candidates.filter(|count| *count != b"1"));
    let small = |seed: &Json<'_>| std::str::from_utf8(seed).is_ok_and(|seed| seed.parse::<i32>().is_ok());
    config.optional("seed", settings.seed.filter(small));
    losses.dropped_if(settings.seed.filter(|seed| !small(seed)));
    config.optional("presencePenalty", settings.presence_penalty);
    config.optional("frequencyPenalty", settings.frequency_penalty);
    if settings.logprobs.is_some_and(|asked| asked != b"false") {
        config.member("responseLogprobs", b"true");
        config.optional("logprobs", settings.top_logprobs);
    }
    thinking(&settings.reasoning, target, settings.max_tokens, &mut config, losses);
    format(request, target, &mut config, losses);
    let config = config.into_bytes();
    if !config.is_empty() {
        to.key("generationConfig");
        to.open(b'{');
        to.raw(&config);
        to.close(b'}');
    }
    service(settings, to, losses);
    losses.dropped_if(settings.verbosity);
    losses.dropped_if(settings.cache_options);
    losses.dropped_if(settings.end_user);
    // `labels` are Vertex's alone, and not every string is one.
    losses.dropped_if(settings.metadata.filter(|it| !json::is_blank(it)));
}

fn limit<'a>(settings: &Settings<'a>, most: Option<u64>, to: &mut Writer, losses: &mut Losses<'a>) {
    let Some(asked) = settings.max_tokens else { return };
    match most {
        Some(most) if json::count(asked).is_some_and(|asked| asked > most) => {
            losses.approximated(asked);
            to.number_member("maxOutputTokens", most);
        }
        _ => to.member("maxOutputTokens", asked),
    }
}

fn thinking<'a>(
    reasoning: &ReasoningSettings<'a>,
    target: &Target<'_>,
    max_tokens: Option<Json<'a>>,
    to: &mut Writer,
    losses: &mut Losses<'a>,
) {
    let mut config = Writer::default();
    let mut said = |exact: bool| {
        if let (Some(raw), false) = (reasoning.raw, exact) {
            losses.approximated(raw);
        }
    };
    let thinks = reasoning.effort != Some(Effort::None) && reasoning.budget != Some(0);
    match target.facts.thinking {
        Thinking::Effort => {
            let effort = reasoning.effort.or(reasoning.budget.map(Effort::of_budget));
            if let Some(effort) = effort {
                let (level, exact) = level(effort, &target.facts);
                config.text_member("thinkingLevel", level);
                said(exact && reasoning.effort.is_some());
            }
        }
        Thinking::Budget => {
            let least = if target.facts.always_thinks { LEAST_BUDGET } else { 0 };
            if let Some(asked) = reasoning.budget {
                let budget = asked.clamp(least, BUDGET);
                config.number_member("thinkingBudget", budget);
                said(budget == asked);
            } else if let Some(effort) = reasoning.effort {
                let most = max_tokens.and_then(json::count).unwrap_or(u64::MAX);
                let budget = effort.budget(most).unwrap_or(0).clamp(least, BUDGET);
                config.number_member("thinkingBudget", budget);
                said(effort == Effort::None && budget == 0);
            }
        }
        Thinking::Never if thinks => losses.dropped_if(reasoning.raw),
        Thinking::Never => {}
    }
    if reasoning.visible == Some(true) && thinks && target.facts.thinking != Thinking::Never {
        config.member("includeThoughts", b"true");
    }
    let config = config.into_bytes();
    if !config.is_empty() {
        to.key("thinkingConfig");
        to.open(b'{');
        to.raw(&config);
        to.close(b'}');
    }
}

/// Google's level, the nearest that the model has, and whether it is the same.
fn level(effort: Effort, facts: &Facts) -> (&'static str, bool) {
    let nearest = facts.efforts.nearest(effort);
    let level = match nearest {
        Effort::None | Effort::Minimal => "MINIMAL",
        Effort::Low => "LOW",
        Effort::Medium => "MEDIUM",
        Effort::High => "HIGH",
        Effort::Xhigh | Effort::Max => "XHIGH",
    };
    (level, nearest == effort)
}

fn format<'a>(request: &Request<'a>, target: &Target<'_>, to: &mut Writer, losses: &mut Losses<'a>) {
    let settings = &request.settings;
    let raw = match &settings.format {
        None | Some(Format::Text) => return,
        Some(Format::JsonObject(raw)) => Some(*raw),
        Some(Format::JsonSchema { schema: Cow::Borrowed(raw), .. }) => Some(*raw),
        Some(Format::JsonSchema { .. }) => None,
    };
    // Models before 3 refuse it beside tools.
    if !target.facts.signed_calls && !request.tools.is_empty() {
        return losses.dropped_if(raw);
    }
    to.text_member("responseMimeType", "application/json");
    if let Some(Format::JsonSchema { description, schema, .. }) = &settings.format {
        losses.dropped_if(*description);
        let (member, rules) = if target.facts.modern_tools {
            ("responseJsonSchema", &GOOGLE_OUTPUT)
        } else {
            ("responseSchema", &GOOGLE_OPEN_API)
        };
        let new = write_schema(schema, rules, raw, losses);
        to.member(member, &new);
    }
}

fn service<'a>(settings: &Settings<'a>, to: &mut Writer, losses: &mut Losses<'a>) {
    match settings.service {
        Some((Service::Flex, _)) => to.text_member("serviceTier", "flex"),
        Some((Service::Standard, _)) => to.text_member("serviceTier", "standard"),
        Some((Service::Priority, _)) => to.text_member("serviceTier", "priority"),
        Some((Service::Fast, raw)) => losses.dropped(raw),
        Some((Service::Auto, _)) | None => {}
    }
}
