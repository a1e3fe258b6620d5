//! Reads `generationConfig` and `serviceTier`.

use std::borrow::Cow;

use super::read::{inside, said};
use crate::json;
use crate::translate::lost::Losses;
use crate::translate::request::{Effort, Format, Json, ReasoningSettings, Schema, Service, Settings};
use crate::translate::schema;

pub(super) fn read<'a>(config: Json<'a>, settings: &mut Settings<'a>, losses: &mut Losses<'a>) {
    let (mut mime, mut schema) = (None, None);
    for (key, value) in said(config) {
        let place = match key {
            b"maxOutputTokens" | b"max_output_tokens" => &mut settings.max_tokens,
            b"temperature" => &mut settings.temperature,
            b"topP" | b"top_p" => &mut settings.top_p,
            b"topK" | b"top_k" => &mut settings.top_k,
            b"candidateCount" | b"candidate_count" => &mut settings.candidates,
            b"seed" => &mut settings.seed,
            b"presencePenalty" | b"presence_penalty" => &mut settings.presence_penalty,
            b"frequencyPenalty" | b"frequency_penalty" => &mut settings.frequency_penalty,
            b"logprobs" => &mut settings.top_logprobs,
            b"responseLogprobs" | b"response_logprobs" => {
                settings.logprobs = (value == b"true").then_some(value);
                continue;
            }
            b"stopSequences" | b"stop_sequences" => {
                settings.stop = json::items(value).collect();
                continue;
            }
            b"thinkingConfig" | b"thinking_config" => {
                thinking(value, &mut settings.reasoning, losses);
                continue;
            }
            b"responseMimeType" | b"response_mime_type" => {
                mime = Some(value);
                continue;
            }
            b"responseSchema" | b"response_schema" => {
                schema = Some((value, schema::from_google(value)));
                continue;
            }
            b"responseJsonSchema" | b"response_json_schema" | b"_responseJsonSchema" => {
                schema = Some((value, Cow::Borrowed(value)));
                continue;
            }
            b"responseModalities" | b"response_modalities" if only_text(value) => continue,
            _ if json::is_blank(value) => continue,
            _ => {
                losses.dropped(value);
                continue;
            }
        };
        *place = Some(value);
    }
    settings.format = format(mime, schema, losses);
}

fn format<'a>(
    mime: Option<Json<'a>>,
    schema: Option<(Json<'a>, Schema<'a>)>,
    losses: &mut Losses<'a>,
) -> Option<Format<'a>> {
    match (mime.map(|value| (value, json::inside(value).unwrap_or_default())), schema) {
        (Some((value, b"text/x.enum")), schema) => {
            losses.dropped(value);
            losses.dropped_if(schema.map(|(raw, _)| raw));
            None
        }
        (_, Some((_, schema))) => Some(Format::JsonSchema { name: None, description: None, schema, strict: None }),
        (Some((value, b"application/json")), None) => Some(Format::JsonObject(value)),
        (Some((_, b"text/plain" | b"")), None) => Some(Format::Text),
        (Some((value, _)), None) => {
            losses.dropped(value);
            None
        }
        (None, None) => None,
    }
}

fn only_text(modalities: Json<'_>) -> bool {
    json::items(modalities).all(|it| it.eq_ignore_ascii_case(b"\"TEXT\""))
}

fn thinking<'a>(config: Json<'a>, reasoning: &mut ReasoningSettings<'a>, losses: &mut Losses<'a>) {
    // Thoughts are shown to those alone who ask for them.
    reasoning.visible = Some(false);
    for (key, value) in said(config) {
        match key {
            b"includeThoughts" | b"include_thoughts" => reasoning.visible = Some(value == b"true"),
            b"thinkingBudget" | b"thinking_budget" => {
                // -1 leaves it to the model.
                reasoning.budget = json::count(value);
                reasoning.raw = reasoning.budget.and(Some(value));
            }
            b"thinkingLevel" | b"thinking_level" => {
                let level = json::inside(value).unwrap_or_default().to_ascii_lowercase();
                if level == b"thinking_level_unspecified" {
                    continue;
                }
                reasoning.effort = std::str::from_utf8(&level).ok().and_then(Effort::from_name);
                match reasoning.effort {
                    Some(_) => reasoning.raw = Some(value),
                    None => losses.dropped(value),
                }
            }
            _ => losses.dropped(value),
        }
    }
}

pub(super) fn service<'a>(value: Json<'a>, settings: &mut Settings<'a>, losses: &mut Losses<'a>) {
    let name = inside(value).unwrap_or_default().to_ascii_lowercase();
    let service = match name.strip_prefix(b"service_tier_").unwrap_or(&name) {
        b"flex" => Service::Flex,
        b"standard" => Service::Standard,
        b"priority" => Service::Priority,
        b"unspecified" | b"" => return,
        _ => return losses.dropped(value),
    };
    settings.service = Some((service, value));
}
