//! Reads a request of Messages: settings, instructions, turns. Blocks and tools are read beside it. Called once for a
//! body; it must report whatever it does not put into the view, or know why nobody would miss it.

use super::super::{
    Choice, Effort, Format, Json, Mode, Part, ReasoningSettings, Request, Role, Schema, Service, Settings, Turn, What,
};
use super::{blocks, tools};
use crate::dialect::Dialect;
use crate::json::{self, Cursor};
use crate::translate::lost::Losses;
use crate::translate::writer::{Inside, escaped, unescaped};
use crate::translate::{Target, Untranslatable};

/// What Claude Code puts before its instructions. It changes with each request of some versions, so that no prompt cache
/// would hit, and says nothing to a model.
const BILLING: &[u8] = b"x-anthropic-billing-header:";

/// Reads a body that is JSON.
pub(in crate::translate::request) fn read<'a>(
    body: Json<'a>,
    target: &Target<'_>,
    losses: &mut Losses<'a>,
) -> Result<Request<'a>, Untranslatable> {
    let mut request = Request::default();
    let mut system = None;
    let mut thinking = Thinking::default();
    Cursor::new(body).members(|key, walk| {
        if key == b"messages" {
            return read_turns(walk, &mut request.turns, &mut thinking, losses);
        }
        let value = walk.value();
        if value == b"null" {
            return;
        }
        let settings = &mut request.settings;
        match key {
            // A top-level `cache_control` asks for what the other dialects do by themselves.
            b"model" | b"cache_control" => {}
            b"system" => system = Some(value),
            b"tools" => request.tools.extend(json::items(value).map(|tool| tools::read(tool, losses))),
            b"tool_choice" => request.choice = read_choice(value, losses),
            b"thinking" => thinking.said = Some(value),
            b"output_config" => read_output_config(value, &mut thinking, settings, losses),
            b"output_format" => settings.format = read_format(value, losses),
            b"max_tokens" => settings.max_tokens = Some(value),
            b"temperature" => settings.temperature = Some(value),
            b"top_p" => settings.top_p = Some(value),
            b"top_k" => settings.top_k = Some(value),
            b"stop_sequences" => settings.stop = json::items(value).filter(|item| item.starts_with(b"\"")).collect(),
            b"stream" => settings.stream = value == b"true",
            b"metadata" => read_metadata(value, settings, losses),
            b"service_tier" if value == b"\"auto\"" => {}
            b"service_tier" if value == b"\"standard_only\"" => settings.service = Some((Service::Standard, value)),
            b"speed" if value == b"\"standard\"" => {}
            b"speed" if value == b"\"fast\"" => settings.service = Some((Service::Fast, value)),
            b"context_management" => read_context_management(value, losses),
            _ if json::is_blank(value) => {}
            _ => losses.dropped(value),
        }
    });
    request.settings.reasoning = thinking.settle(losses);
    if let Some(system) = system {
        let mut parts = Vec::new();
        read_content(&mut Cursor::new(system), &mut parts, losses);
        if target.dialect != Dialect::Messages {
            without_billing(&mut parts);
        }
        request.turns.insert(0, Turn { role: Role::System, parts, raw: system });
    }
    Ok(request)
}

fn read_turns<'a>(
    walk: &mut Cursor<'a>,
    turns: &mut Vec<Turn<'a>>,
    thinking: &mut Thinking<'a>,
    losses: &mut Losses<'a>,
) {
    walk.items(|walk| {
        let mut role = Role::User;
        let mut parts = Vec::new();
        let raw = walk.members(|key, walk| {
            if key == b"content" {
                return read_content(walk, &mut parts, losses);
            }
            let value = walk.value();
            match key {
                b"role" => {
                    role = match value {
                        b"\"assistant\"" => Role::Assistant,
                        b"\"system\"" => Role::System,
                        b"\"developer\"" => Role::Developer,
                        _ => Role::User,
                    };
                }
                b"output_config" => {
                    for (key, value) in json::members(value) {
                        match key {
                            b"effort" => thinking.in_turns.push(value),
                            _ if json::is_blank(value) => {}
                            _ => losses.dropped(value),
                        }
                    }
                }
                // Applications append the answer as it came.
                b"id" | b"type" | b"model" | b"stop_reason" | b"stop_sequence" | b"stop_details" | b"usage" => {}
                _ if json::is_blank(value) => {}
                _ => losses.dropped(value),
            }
        });
        turns.push(Turn { role, parts, raw });
    });
}

/// A text, or blocks.
fn read_content<'a>(walk: &mut Cursor<'a>, parts: &mut Vec<Part<'a>>, losses: &mut Losses<'a>) {
    if walk.first() == Some(b'[') {
        walk.items(|walk| blocks::read(walk, parts, losses));
        return;
    }
    let content = walk.value();
    if let Some(text) = string(content) {
        parts.push(Part { what: What::Text(text), cache: None, raw: content });
    }
}

/// Takes the billing header off: the first line of a text that begins with it.
pub(super) fn without_billing(parts: &mut Vec<Part<'_>>) {
    parts.retain_mut(|part| {
        let What::Text(text) = &mut part.what else { return true };
        if !text.starts_with(BILLING) {
            return true;
        }
        let mut rest = memchr::memmem::find(text, br"\n").and_then(|at| text.get(at..)).unwrap_or_default();
        while let Some(after) = rest.strip_prefix(br"\n") {
            rest = after;
        }
        *text = Inside::Owned(rest.to_vec());
        !text.is_empty()
    });
}

fn read_choice<'a>(choice: Json<'a>, losses: &mut Losses<'a>) -> Choice<'a> {
    let mut read = Choice { raw: Some(choice), ..Choice::default() };
    let (mut kind, mut name) = (&b""[..], None);
    for (key, value) in json::members(choice) {
        match key {
            b"type" => kind = value,
            b"name" => name = string(value),
            b"disable_parallel_tool_use" => {
                read.parallel = Some(value != b"true");
                read.parallel_raw = Some(value);
            }
            _ if json::is_blank(value) => {}
            _ => losses.dropped(value),
        }
    }
    read.mode = match (kind, name) {
        (b"\"auto\"", _) => Mode::Auto,
        (b"\"none\"", _) => Mode::None,
        (b"\"any\"", _) => Mode::Required,
        (b"\"tool\"", Some(name)) => Mode::Named(name),
        _ => {
            losses.dropped(choice);
            Mode::Unsaid
        }
    };
    read
}

/// What is said of thinking, in three places.
#[derive(Default)]
struct Thinking<'a> {
    /// `thinking`.
    said: Option<Json<'a>>,
    /// `output_config.effort`.
    effort: Option<Json<'a>>,
    /// The same on messages of the system, which Claude Code repeats there.
    in_turns: Vec<Json<'a>>,
}

impl<'a> Thinking<'a> {
    fn settle(self, losses: &mut Losses<'a>) -> ReasoningSettings<'a> {
        let effort = self.effort.or(self.in_turns.last().copied());
        for other in self.in_turns {
            if effort != Some(other) {
                losses.dropped(other);
            }
        }
        let named = effort.and_then(json::text).and_then(|name| Effort::from_name(&name));
        if named.is_none() {
            losses.dropped_if(effort);
        }
        let Some(said) = self.said else {
            return ReasoningSettings { effort: named, budget: None, visible: None, raw: effort };
        };
        let (mut kind, mut budget, mut display) = (&b""[..], None, None);
        for (key, value) in json::members(said) {
            match key {
                b"type" => kind = value,
                b"budget_tokens" => budget = Some(value),
                b"display" => display = Some(value),
                _ if json::is_blank(value) => {}
                _ => losses.dropped(value),
            }
        }
        let shown = match display {
            Some(b"\"summarized\"") => Some(true),
            Some(b"\"omitted\"") => Some(false),
            _ => None,
        };
        match kind {
            b"\"disabled\"" | b"\"between_tools\"" => {
                losses.dropped_if(effort.filter(|_| named != Some(Effort::None)));
                if kind == b"\"between_tools\"" {
                    losses.approximated(said);
                }
                ReasoningSettings { effort: Some(Effort::None), budget: None, visible: None, raw: Some(said) }
            }
            b"\"enabled\"" => ReasoningSettings {
                effort: named,
                budget: budget.and_then(json::count),
                // Where it is not said, the models that take a budget show it.
                visible: shown.or(Some(true)),
                raw: effort.or(budget).or(Some(said)),
            },
            b"\"adaptive\"" => ReasoningSettings {
                // Anthropic documents `high` as what no effort means.
                effort: named.or(Some(Effort::High)),
                budget: None,
                visible: shown,
                raw: effort.or(Some(said)),
            },
            _ => {
                losses.dropped(said);
                ReasoningSettings { effort: named, budget: None, visible: None, raw: effort }
            }
        }
    }
}

fn read_output_config<'a>(
    config: Json<'a>,
    thinking: &mut Thinking<'a>,
    settings: &mut Settings<'a>,
    losses: &mut Losses<'a>,
) {
    for (key, value) in json::members(config) {
        match key {
            _ if json::is_blank(value) => {}
            b"effort" => thinking.effort = Some(value),
            b"format" => settings.format = read_format(value, losses),
            _ => losses.dropped(value),
        }
    }
}

fn read_format<'a>(format: Json<'a>, losses: &mut Losses<'a>) -> Option<Format<'a>> {
    let (mut is_schema, mut schema) = (false, None);
    for (key, value) in json::members(format) {
        match key {
            b"type" => is_schema = value == b"\"json_schema\"",
            b"schema" => schema = Some(value),
            // No part of the dialect; some SDKs send them all the same.
            b"name" | b"strict" => {}
            _ if json::is_blank(value) => {}
            _ => losses.dropped(value),
        }
    }
    if let (true, Some(schema)) = (is_schema, schema) {
        return Some(Format::JsonSchema {
            name: None,
            description: None,
            schema: Schema::Borrowed(schema),
            strict: None,
        });
    }
    losses.dropped(format);
    None
}

/// `user_id` names a user to Anthropic. Claude Code packs device, account and session into it, of which the session alone
/// is of use to anybody else: its requests share a prompt cache.
fn read_metadata<'a>(metadata: Json<'a>, settings: &mut Settings<'a>, losses: &mut Losses<'a>) {
    for (key, value) in json::members(metadata) {
        let id = (key == b"user_id").then(|| string(value)).flatten();
        let Some(id) = id else {
            if !json::is_blank(value) {
                losses.dropped(value);
            }
            continue;
        };
        let text = unescaped(&id).unwrap_or_default();
        let packed = json::get_text(text.as_bytes(), "session_id");
        let joined = text.split_once("_session_").filter(|_| text.starts_with("user_"));
        match packed.as_deref().or(joined.map(|(_, session)| session)) {
            Some(session) => settings.cache_key = Some(Inside::Owned(escaped(session))),
            None => settings.end_user = Some(value),
        }
    }
}

/// Nobody else edits the context. Keeping all thinking is no edit.
fn read_context_management<'a>(management: Json<'a>, losses: &mut Losses<'a>) {
    for (key, value) in json::members(management) {
        if key != b"edits" {
            if !json::is_blank(value) {
                losses.dropped(value);
            }
            continue;
        }
        for edit in json::items(value) {
            let keeps_all = json::get(edit, "keep") == Some(b"\"all\"");
            if !(keeps_all && json::get_text(edit, "type").is_some_and(|kind| kind.starts_with("clear_thinking"))) {
                losses.dropped(edit);
            }
        }
    }
}

/// What stands between the quotes of a string.
pub(super) fn string(value: Json<'_>) -> Option<Inside<'_>> {
    json::inside(value).map(Inside::Borrowed)
}
