//! Writes the common view as a request of Responses: `request::write` calls it. It never asks the server to keep
//! anything, and always for the reasoning's state, since the conversation lives at the client.

use super::output::{Form, write_media, write_output};
use crate::json;
use crate::translate::Target;
use crate::translate::ids::conforming;
use crate::translate::lost::Losses;
use crate::translate::request::{
    Arguments, Call, Choice, CustomTool, Function, Media, Mode, Part, Reasoning, Request, Role, ServerTool, Source,
    StateKind, Tool, ToolKind, Turn, What,
};
use crate::translate::run::{Ran, Run, messages, responses};
use crate::translate::writer::{Inside, Writer};

/// The most markers for a prompt cache.
const MOST_MARKERS: usize = 4;

pub(crate) fn write<'a>(request: &Request<'a>, target: &Target<'_>, losses: &mut Losses<'a>) -> Vec<u8> {
    let turns: usize = request.turns.iter().flat_map(|turn| &turn.parts).map(|part| part.raw.len() + 64).sum();
    let tools: usize = request.tools.iter().map(|tool| tool.raw.len()).sum();
    let mut body = Body {
        json: Writer::with_capacity((turns + tools + 1024).min(16 << 20)),
        form: Form { cache: target.facts.cache_breakpoints },
        phase: target.facts.phase.then_some(Phase::FinalAnswer),
        markers: 0,
        items: 0,
        losses,
    };
    body.json.open(b'{');
    body.json.text_member("model", target.model);
    body.input(&request.turns);
    body.tools(request);
    body.settings(&request.settings, target);
    body.json.close(b'}');
    body.json.into_bytes()
}

/// A body that is being written.
pub(super) struct Body<'a, 'l> {
    pub(super) json: Writer,
    form: Form,
    phase: Option<Phase>,
    markers: usize,
    items: usize,
    pub(super) losses: &'l mut Losses<'a>,
}

/// What the words of a step are, for models that want to hear it.
#[derive(Clone, Copy)]
enum Phase {
    /// The step makes calls.
    Commentary,
    FinalAnswer,
}

impl<'a> Body<'a, '_> {
    fn input(&mut self, turns: &[Turn<'a>]) {
        self.json.key("input");
        self.json.open(b'[');
        let mut in_step = false;
        for (at, turn) in turns.iter().enumerate() {
            if !std::mem::replace(&mut in_step, turn.role == Role::Assistant) && in_step {
                self.begin_step(&turns[at..]);
            }
            match turn.role {
                // The ChatGPT backend takes no `system`.
                Role::System | Role::Developer => self.said("developer", &turn.parts),
                Role::User => self.said("user", &turn.parts),
                Role::Assistant => self.answered(&turn.parts),
            }
        }
        self.json.close(b']');
        let words = |turn: &&Turn<'a>| turn.parts.last().is_some_and(|part| matches!(part.what, What::Text(_)));
        if let Some(turn) = turns.last().filter(|turn| turn.role == Role::Assistant).filter(words) {
            // No model of OpenAI's goes on with words that are put into its mouth.
            self.losses.approximated(turn.raw);
        }
    }

    /// Words beside calls are commentary, others the answer: that is what the model meant by them, and what it wants to
    /// hear, though the client's dialect has no place for it.
    fn begin_step(&mut self, turns: &[Turn<'a>]) {
        let mut parts = turns.iter().take_while(|turn| turn.role == Role::Assistant).flat_map(|turn| &turn.parts);
        let calls = self.phase.is_some() && parts.any(|part| matches!(part.what, What::Call(_)));
        self.phase = self.phase.map(|_| if calls { Phase::Commentary } else { Phase::FinalAnswer });
    }

    fn item(&mut self, kind: &str) {
        self.items += 1;
        self.json.open(b'{');
        self.json.text_member("type", kind);
    }

    /// What was said to the model: messages, and what tools gave between them.
    fn said(&mut self, role: &str, parts: &[Part<'a>]) {
        let mut open = false;
        for part in parts {
            if let What::Output(output) = &part.what {
                self.close_message(&mut open);
                self.items += 1;
                write_output(output, part, self.form, &mut self.json, self.losses);
            } else if Form::can_say(&part.what) {
                if !std::mem::replace(&mut open, true) {
                    self.item("message");
                    self.json.text_member("role", role);
                    self.json.key("content");
                    self.json.open(b'[');
                }
                let marker = part.cache.filter(|_| self.form.cache && self.markers < MOST_MARKERS);
                self.markers += usize::from(marker.is_some());
                write_media(part, marker, &mut self.json, self.losses);
            } else {
                self.losses.part(part);
            }
        }
        self.close_message(&mut open);
    }

    fn close_message(&mut self, open: &mut bool) {
        if std::mem::take(open) {
            self.json.close(b']');
            self.json.close(b'}');
        }
    }

    /// What the model said: an item for each part.
    fn answered(&mut self, parts: &[Part<'a>]) {
        for part in parts {
            match &part.what {
                What::Text(text) if text.is_empty() => {}
                // A string needs no id, which a list of output parts does.
                What::Text(text) => {
                    self.item("message");
                    self.json.text_member("role", "assistant");
                    self.json.inside_member("content", text);
                    match self.phase {
                        Some(Phase::Commentary) => self.json.text_member("phase", "commentary"),
                        Some(Phase::FinalAnswer) => self.json.text_member("phase", "final_answer"),
                        None => {}
                    }
                    self.json.close(b'}');
                }
                What::Refusal(refusal) => self.refusal(refusal),
                What::Reasoning(reasoning) => self.reasoning(reasoning, part),
                What::Call(call) => self.call(call),
                What::Ran(run @ Run { what: Ran::Search { .. } | Ran::Fetch { .. }, .. }) => self.ran(run),
                What::Image(Media { source: Source::Base64(data), mime, .. }) => {
                    let what = Ran::Image { mime: mime.clone(), data: data.clone() };
                    self.ran(&Run::new(None, what));
                }
                _ => self.losses.part(part),
            }
        }
    }

    /// What was run, under an id of OpenAI's form. What a search found at another vendor is sealed, and stays with it.
    fn ran(&mut self, run: &Run<'a>) {
        let prefix = format!("{}_", responses::names(run).0);
        let id = match &run.id {
            Some(id) if id.starts_with(prefix.as_bytes()) => id.to_vec(),
            Some(id) => [prefix.as_bytes(), id.strip_prefix(messages::PREFIX).unwrap_or(id)].concat(),
            None => format!("{prefix}{}", self.items).into_bytes(),
        };
        self.items += 1;
        responses::write(run, &conforming(&Inside::Owned(id)), false, &mut self.json);
        self.losses.dropped_if(run.result);
    }

    fn refusal(&mut self, refusal: &Inside<'a>) {
        let id = format!("msg_{}", self.items);
        self.item("message");
        self.json.text_member("id", &id);
        self.json.text_member("role", "assistant");
        self.json.text_member("status", "completed");
        self.json.key("content");
        self.json.open(b'[');
        self.json.open(b'{');
        self.json.text_member("type", "refusal");
        self.json.inside_member("refusal", refusal);
        self.json.close(b'}');
        self.json.close(b']');
        self.json.close(b'}');
    }

    /// Thinking goes back with its state or not at all: OpenAI takes no foreign one, and it is no part of the answer.
    fn reasoning(&mut self, reasoning: &Reasoning<'a>, part: &Part<'a>) {
        let Some(state) = reasoning.state.as_ref().filter(|state| state.kind == StateKind::Encrypted) else {
            return self.losses.part(part);
        };
        self.item("reasoning");
        if let Some(id) = &state.id {
            self.json.inside_member("id", id);
        }
        self.json.key("summary");
        self.json.open(b'[');
        for text in &reasoning.text {
            self.json.open(b'{');
            self.json.text_member("type", "summary_text");
            self.json.inside_member("text", text);
            self.json.close(b'}');
        }
        self.json.close(b']');
        self.json.inside_member("encrypted_content", &state.value);
        self.json.close(b'}');
    }

    fn call(&mut self, call: &Call<'a>) {
        let custom = matches!(call.arguments, Arguments::Free(_));
        self.item(if custom { "custom_tool_call" } else { "function_call" });
        self.json.inside_member("call_id", call.id.as_deref().unwrap_or_default());
        self.json.inside_member("name", &call.name);
        if let Some(namespace) = &call.namespace {
            self.json.inside_member("namespace", namespace);
        }
        match &call.arguments {
            Arguments::Free(input) => self.json.inside_member("input", input),
            Arguments::Text(text) if text.is_empty() => self.json.text_member("arguments", "{}"),
            Arguments::Text(text) => self.json.inside_member("arguments", text),
            Arguments::Object(object) => self.json.text_member("arguments", &String::from_utf8_lossy(object)),
        }
        self.json.close(b'}');
    }

    fn tools(&mut self, request: &Request<'a>) {
        let mut any = false;
        for tool in &request.tools {
            if !can_call(&tool.kind) {
                self.losses.dropped(tool.raw);
                continue;
            }
            if !std::mem::replace(&mut any, true) {
                self.json.key("tools");
                self.json.open(b'[');
            }
            self.tool(tool);
        }
        if any {
            self.json.close(b']');
            return self.choice(&request.choice, &request.tools);
        }
        let asked = !matches!(request.choice.mode, Mode::Unsaid | Mode::Auto | Mode::None);
        self.losses.dropped_if(request.choice.raw.filter(|_| asked));
    }

    fn tool(&mut self, tool: &Tool<'a>) {
        self.json.open(b'{');
        match &tool.kind {
            ToolKind::Function(function) => self.function(function),
            ToolKind::Custom(custom) => self.custom(custom),
            ToolKind::Server(ServerTool::CodeExecution) => {
                self.json.text_member("type", "code_interpreter");
                self.json.member("container", br#"{"type":"auto"}"#);
            }
            ToolKind::Server(_) | ToolKind::Own => self.json.text_member("type", "web_search"),
        }
        self.json.close(b'}');
    }

    fn function(&mut self, function: &Function<'a>) {
        self.json.text_member("type", "function");
        self.json.inside_member("name", &function.name);
        if let Some(description) = &function.description {
            self.json.inside_member("description", description);
        }
        let schema = function.schema.as_deref().unwrap_or(b"{}");
        self.json.key("parameters");
        match of_objects(schema) {
            Some(schema) => self.json.raw(&schema),
            None => self.json.raw(schema),
        }
        // Without it the server makes the schema strict if it can, and so other than the client's.
        self.json.member("strict", if function.strict == Some(true) { b"true" } else { b"false" });
    }

    fn custom(&mut self, custom: &CustomTool<'a>) {
        self.json.text_member("type", "custom");
        self.json.inside_member("name", &custom.name);
        if let Some(description) = &custom.description {
            self.json.inside_member("description", description);
        }
        if let Some((syntax, definition)) = &custom.grammar {
            self.json.key("format");
            self.json.open(b'{');
            self.json.text_member("type", "grammar");
            self.json.inside_member("syntax", syntax);
            self.json.inside_member("definition", definition);
            self.json.close(b'}');
        }
    }

    fn choice(&mut self, choice: &Choice<'a>, tools: &[Tool<'a>]) {
        let mode = match &choice.mode {
            Mode::Unsaid | Mode::Auto => "auto",
            Mode::None => "none",
            Mode::Required | Mode::Named(_) => "required",
        };
        if let Mode::Named(name) = &choice.mode {
            self.json.key("tool_choice");
            self.named(name, tools);
        } else if !choice.allowed.is_empty() && mode != "none" {
            self.json.key("tool_choice");
            self.json.open(b'{');
            self.json.text_member("type", "allowed_tools");
            self.json.text_member("mode", mode);
            self.json.key("tools");
            self.json.open(b'[');
            choice.allowed.iter().for_each(|name| self.named(name, tools));
            self.json.close(b']');
            self.json.close(b'}');
        } else if choice.mode != Mode::Unsaid {
            self.json.text_member("tool_choice", mode);
        }
        if let Some(parallel) = choice.parallel {
            self.json.member("parallel_tool_calls", if parallel { b"true" } else { b"false" });
        }
    }

    fn named(&mut self, name: &Inside<'a>, tools: &[Tool<'a>]) {
        let is_it = |tool: &Tool<'_>| matches!(&tool.kind, ToolKind::Custom(custom) if custom.name == *name);
        self.json.open(b'{');
        self.json.text_member("type", if tools.iter().any(is_it) { "custom" } else { "function" });
        self.json.inside_member("name", name);
        self.json.close(b'}');
    }
}

fn can_call(kind: &ToolKind<'_>) -> bool {
    !matches!(kind, ToolKind::Own | ToolKind::Server(ServerTool::WebFetch))
}

/// The schema with what OpenAI wants of every function's: a `type`, and `properties` even if there are none.
fn of_objects(schema: &[u8]) -> Option<Vec<u8>> {
    let (mut typed, mut with_properties, mut refers) = (false, false, false);
    for (key, _) in json::members(schema) {
        typed |= key == b"type";
        with_properties |= key == b"properties";
        refers |= matches!(key, b"$ref" | b"anyOf" | b"oneOf" | b"allOf");
    }
    if refers || typed && with_properties {
        return None;
    }
    let mut whole = std::borrow::Cow::Borrowed(schema);
    if !typed {
        whole = json::with_member(&whole, "type", b"\"object\"").into();
    }
    if !with_properties {
        whole = json::with_member(&whole, "properties", b"{}").into();
    }
    Some(whole.into_owned())
}
