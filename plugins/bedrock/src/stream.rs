//! Rewrites the events of ConverseStream into those of Messages. Converse says neither that a text or a thought begins nor, at the
//! beginning, what the prompt was counted as, and says why a message ended before it says what was used.

use bitrouter_provider::{Event, Failure, Json, Rewriter, kind, quote, scope};

/// One answer.
pub(crate) struct Converse {
    /// The message's id and its model, as JSON.
    id: String,
    model: String,
    /// The block that is open.
    open: Option<Block>,
    /// How many blocks have begun.
    begun: usize,
    /// Why the message ended, as members of `message_delta`; none until that is known.
    ended: Option<String>,
    /// Whether the client has been told of the end.
    over: bool,
}

struct Block {
    /// Converse's number of it.
    number: u64,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Thinking,
    Redacted,
    ToolUse,
}

impl Converse {
    pub(crate) fn new(model: &str, id: &str) -> Self {
        Self { id: quote(id), model: quote(model), open: None, begun: 0, ended: None, over: false }
    }

    fn event(&mut self, event: &Event, to: &mut Vec<Event>) -> Result<(), Failure> {
        let data = Json::parse(&event.data);
        match event.name.as_deref().unwrap_or_default() {
            "messageStart" => {
                let [id, model] = [&self.id, &self.model].map(String::as_str);
                let message = [
                    "{\"type\":\"message_start\",\"message\":{\"id\":",
                    id,
                    ",\"type\":\"message\",\"role\":\"assistant\",\"model\":",
                    model,
                    ",\"content\":[],\"stop_reason\":null,\"stop_sequence\":null,\"usage\":{\"input_tokens\":0,\"output_tokens\":0}}}",
                ];
                to.push(named("message_start", message.concat()));
            }
            "contentBlockStart" => {
                if let Some(tool) = data.at(&["start", "toolUse"]) {
                    let text = |name| tool.get(name).map_or("\"\"", Json::raw);
                    let block = [
                        "{\"type\":\"tool_use\",\"id\":",
                        text("toolUseId"),
                        ",\"name\":",
                        text("name"),
                        ",\"input\":{}}",
                    ];
                    self.begin(number(data), Kind::ToolUse, &block.concat(), to);
                }
            }
            "contentBlockDelta" => {
                if let Some(delta) = data.get("delta") {
                    self.delta(number(data), delta, to);
                }
            }
            "contentBlockStop" => self.stop(to),
            "messageStop" => {
                self.stop(to);
                let reason = data.get("stopReason").and_then(Json::text).unwrap_or_default();
                let sequence = data.at(&["additionalModelResponseFields", "stop_sequence"]).map_or("null", Json::raw);
                let reason = stop_reason(&reason)?;
                self.ended = Some(["\"stop_reason\":\"", reason, "\",\"stop_sequence\":", sequence].concat());
            }
            "metadata" => self.end(data.get("usage"), to),
            _ => {}
        }
        Ok(())
    }

    fn delta(&mut self, number: u64, delta: Json<'_>, to: &mut Vec<Event>) {
        if let Some(text) = delta.get("text") {
            self.within(number, Kind::Text, r#"{"type":"text","text":""}"#, to);
            self.tell("text_delta", "text", text.raw(), to);
        } else if let Some(input) = delta.at(&["toolUse", "input"]) {
            self.tell("input_json_delta", "partial_json", input.raw(), to);
        } else if let Some(thought) = delta.get("reasoningContent") {
            if let Some(data) = thought.get("redactedContent") {
                let block = ["{\"type\":\"redacted_thinking\",\"data\":", data.raw(), "}"].concat();
                return self.begin(number, Kind::Redacted, &block, to);
            }
            self.within(number, Kind::Thinking, r#"{"type":"thinking","thinking":"","signature":""}"#, to);
            if let Some(text) = thought.get("text") {
                self.tell("thinking_delta", "thinking", text.raw(), to);
            }
            if let Some(signature) = thought.get("signature") {
                self.tell("signature_delta", "signature", signature.raw(), to);
            }
        }
    }

    /// Sees to it that a block of this kind is open.
    fn within(&mut self, number: u64, kind: Kind, block: &str, to: &mut Vec<Event>) {
        if !self.open.as_ref().is_some_and(|open| open.number == number && open.kind == kind) {
            self.begin(number, kind, block, to);
        }
    }

    fn begin(&mut self, number: u64, kind: Kind, block: &str, to: &mut Vec<Event>) {
        self.stop(to);
        let index = self.begun.to_string();
        self.begun += 1;
        self.open = Some(Block { number, kind });
        let start = ["{\"type\":\"content_block_start\",\"index\":", &index, ",\"content_block\":", block, "}"];
        to.push(named("content_block_start", start.concat()));
    }

    /// Tells of a part of the open block; the value is JSON.
    fn tell(&self, kind: &str, member: &str, value: &str, to: &mut Vec<Event>) {
        let index = self.begun.saturating_sub(1).to_string();
        let delta = [
            "{\"type\":\"content_block_delta\",\"index\":",
            &index,
            ",\"delta\":{\"type\":\"",
            kind,
            "\",\"",
            member,
            "\":",
            value,
            "}}",
        ];
        to.push(named("content_block_delta", delta.concat()));
    }

    fn stop(&mut self, to: &mut Vec<Event>) {
        if self.open.take().is_some() {
            let index = (self.begun - 1).to_string();
            to.push(named("content_block_stop", ["{\"type\":\"content_block_stop\",\"index\":", &index, "}"].concat()));
        }
    }

    /// The end, once it is known why; of an answer that broke off there is none.
    fn end(&mut self, usage: Option<Json<'_>>, to: &mut Vec<Event>) {
        let Some(ended) = self.ended.take().filter(|_| !self.over) else { return };
        self.over = true;
        let delta = ["{\"type\":\"message_delta\",\"delta\":{", &ended, "},\"usage\":", &counts(usage), "}"].concat();
        to.push(named("message_delta", delta));
        to.push(named("message_stop", r#"{"type":"message_stop"}"#.into()));
    }
}

impl Rewriter for Converse {
    fn push(&mut self, events: Vec<Event>) -> Result<Vec<Event>, Failure> {
        let mut to = Vec::with_capacity(events.len() + 2);
        events.iter().try_for_each(|event| self.event(event, &mut to))?;
        Ok(to)
    }

    fn finish(&mut self) -> Result<Vec<Event>, Failure> {
        let mut to = Vec::new();
        self.end(None, &mut to);
        Ok(to)
    }
}

/// What Messages calls the reason for which a message ended.
pub(crate) fn stop_reason(reason: &str) -> Result<&str, Failure> {
    Ok(match reason {
        "content_filtered" | "guardrail_intervened" => "refusal",
        "malformed_model_output" | "malformed_tool_use" => {
            let message = "the model wrote what Bedrock cannot read as an answer or a tool's input";
            return Err(Failure::new(kind::UNAVAILABLE, scope::MODEL, message).code(reason));
        }
        // The others, and those that are not known yet, are Anthropic's own.
        other => other,
    })
}

/// What was used. As in Messages, `inputTokens` leaves out what came from a cache or went into one.
fn counts(usage: Option<Json<'_>>) -> String {
    let names = [
        ("inputTokens", "input_tokens"),
        ("cacheWriteInputTokens", "cache_creation_input_tokens"),
        ("cacheReadInputTokens", "cache_read_input_tokens"),
        ("outputTokens", "output_tokens"),
    ];
    let counted = names.iter().filter_map(|(theirs, ours)| {
        let count = usage?.get(theirs)?.integer()?;
        Some(["\"", ours, "\":", &count.to_string()].concat())
    });
    ["{", &counted.collect::<Vec<_>>().join(","), "}"].concat()
}

fn number(data: Json<'_>) -> u64 {
    data.get("contentBlockIndex").and_then(Json::integer).unwrap_or_default()
}

fn named(name: &str, data: String) -> Event {
    Event { name: Some(name.into()), headers: Vec::new(), data, binary: Vec::new() }
}
