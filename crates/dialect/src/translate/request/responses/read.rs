//! Reads a request of Responses into the common view: `request::read` calls it. What only OpenAI can do with a
//! conversation (its own state, answers in the background) is refused by name, never answered without it.

use super::items::Items;
use super::tools;
use crate::history::Name;
use crate::json;
use crate::translate::lost::Losses;
use crate::translate::request::Effort;
use crate::translate::request::{Format, Json, Part, ReasoningSettings, Request, Role, Service, Settings, Turn, What};
use crate::translate::writer::Inside;
use crate::translate::{Target, Untranslatable};

/// Reads a body. The host has put the items in the place of what names them before (`item_reference`,
/// `previous_response_id`): what is still a name here has no item, which is said in OpenAI's own words.
pub(crate) fn read<'a>(
    body: Json<'a>,
    target: &Target<'_>,
    losses: &mut Losses<'a>,
) -> Result<Request<'a>, Untranslatable> {
    let mut request = Request::default();
    let (mut instructions, mut input, mut listed) = (None, None, None);
    let mut include = None;
    for (key, value) in json::members(body).filter(|(_, value)| *value != b"null") {
        let settings = &mut request.settings;
        match key {
            b"input" => input = Some(value),
            b"instructions" => instructions = Some(value),
            b"tools" => listed = Some(value),
            b"tool_choice" => tools::choice(value, &mut request.choice, losses),
            b"parallel_tool_calls" => {
                (request.choice.parallel, request.choice.parallel_raw) = (boolean(value), Some(value));
            }
            b"stream" => settings.stream = value == b"true",
            b"max_output_tokens" => settings.max_tokens = Some(value),
            b"temperature" => settings.temperature = Some(value),
            b"top_p" => settings.top_p = Some(value),
            b"top_logprobs" => settings.top_logprobs = Some(value),
            b"include" => include = Some(value),
            b"reasoning" => settings.reasoning = reasoning(value, losses),
            b"text" => text(value, settings, losses),
            b"safety_identifier" => settings.end_user = Some(value),
            b"user" => settings.end_user = settings.end_user.or(Some(value)),
            b"metadata" if !json::is_blank(value) => settings.metadata = Some(value),
            b"prompt_cache_key" => settings.cache_key = json::inside(value).map(Inside::Borrowed),
            b"prompt_cache_options" if !json::is_blank(value) => settings.cache_options = Some(value),
            b"service_tier" => service(value, settings, losses),
            b"background" if value == b"true" => return Err(other_answer("background")),
            b"conversation" => return Err(other_answer("conversation")),
            b"prompt" => return Err(other_answer("prompt")),
            b"previous_response_id" => return Err(no_previous(value)),
            b"truncation" if value == b"\"disabled\"" => {}
            // Where it goes and how it travels is the gateway's; the items are stored by the gateway too.
            b"model" | b"store" | b"background" | b"stream_options" | b"client_metadata" => {}
            _ if json::is_blank(value) => {}
            _ => losses.dropped(value),
        }
    }
    included(include, &mut request.settings, losses);
    request.tools = listed.map(|listed| tools::tools(listed, losses)).unwrap_or_default();
    let mut items = Items::new(target.dialect, &mut request, losses);
    if let Some(instructions) = instructions {
        items.say(Role::System, instructions)?;
    }
    if let Some(input) = input {
        items.say(Role::User, input)?;
    }
    items.finish();
    Ok(request)
}

impl<'a> Items<'a, '_> {
    /// Takes in what may be a string instead of items.
    fn say(&mut self, role: Role, value: Json<'a>) -> Result<(), Untranslatable> {
        if let Some(text) = json::inside(value) {
            let part = Part { what: What::Text(Inside::Borrowed(text)), cache: None, raw: value };
            self.turn(Turn { role, parts: vec![part], raw: value });
            return Ok(());
        }
        json::items(value).try_for_each(|item| self.item(item))
    }
}

fn other_answer(field: &str) -> Untranslatable {
    let message = format!("`{field}` is not supported for this model: it is not served by OpenAI. Leave `{field}` out");
    Untranslatable { message, param: Some(field.to_owned()) }
}

fn no_previous(id: Json<'_>) -> Untranslatable {
    not_found(&Name::Response(json::text(id).unwrap_or_default().into_owned()))
}

/// A name of which the host has nothing.
pub(super) fn not_found(name: &Name) -> Untranslatable {
    Untranslatable { message: name.not_found(), param: Some(name.param().to_owned()) }
}

pub(super) fn boolean(value: Json<'_>) -> Option<bool> {
    match value {
        b"true" => Some(true),
        b"false" => Some(false),
        _ => None,
    }
}

/// `include` asks for more in the answer: log probabilities are a setting elsewhere, the reasoning's state comes always.
fn included<'a>(include: Option<Json<'a>>, settings: &mut Settings<'a>, losses: &mut Losses<'a>) {
    for wanted in include.into_iter().flat_map(json::items) {
        match wanted {
            b"\"reasoning.encrypted_content\"" => {}
            b"\"message.output_text.logprobs\"" => settings.logprobs = Some(wanted),
            _ => losses.dropped(wanted),
        }
    }
    if settings.logprobs.is_none() {
        // Without the other it asks for nothing.
        settings.top_logprobs = None;
    }
}

fn reasoning<'a>(value: Json<'a>, losses: &mut Losses<'a>) -> ReasoningSettings<'a> {
    let mut read = ReasoningSettings { visible: Some(false), ..ReasoningSettings::default() };
    for (key, value) in json::members(value).filter(|(_, value)| *value != b"null") {
        match key {
            b"effort" => match json::text(value).and_then(|name| Effort::from_name(&name)) {
                Some(effort) => (read.effort, read.raw) = (Some(effort), Some(value)),
                None => losses.dropped(value),
            },
            b"summary" | b"generate_summary" => read.visible = Some(value != b"\"none\""),
            b"context" if value == b"\"auto\"" => {}
            _ => losses.dropped(value),
        }
    }
    read
}

fn text<'a>(value: Json<'a>, settings: &mut Settings<'a>, losses: &mut Losses<'a>) {
    for (key, value) in json::members(value).filter(|(_, value)| *value != b"null") {
        match key {
            b"verbosity" => settings.verbosity = Some(value),
            b"format" => match format(value) {
                Some(format) => settings.format = Some(format),
                None => losses.dropped(value),
            },
            _ => losses.dropped(value),
        }
    }
}

fn format(value: Json<'_>) -> Option<Format<'_>> {
    let (mut kind, mut name, mut description, mut schema, mut strict) = (None, None, None, None, None);
    for (key, value) in json::members(value).filter(|(_, value)| *value != b"null") {
        match key {
            b"type" => kind = json::inside(value),
            b"name" => name = json::inside(value).map(Inside::Borrowed),
            b"description" => description = Some(value),
            b"schema" => schema = Some(Inside::Borrowed(value)),
            b"strict" => strict = Some(value),
            _ => {}
        }
    }
    Some(match kind? {
        b"text" => Format::Text,
        b"json_object" => Format::JsonObject(value),
        b"json_schema" => Format::JsonSchema { name, description, schema: schema?, strict },
        _ => return None,
    })
}

fn service<'a>(value: Json<'a>, settings: &mut Settings<'a>, losses: &mut Losses<'a>) {
    let service = match value {
        b"\"auto\"" => Service::Auto,
        b"\"default\"" => Service::Standard,
        b"\"flex\"" => Service::Flex,
        b"\"priority\"" => Service::Priority,
        b"\"fast\"" => Service::Fast,
        _ => return losses.dropped(value),
    };
    settings.service = Some((service, value));
}
