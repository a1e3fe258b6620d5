//! Messages as Anthropic's API has them: what it refuses, and a turn as a document or as a stream.

mod bound;

use serde_json::{Value, json};

use super::{Refusal, Script, Speaks, VENDOR_KEY, object};
use crate::reply::Reply;
use crate::spoken::{CACHED, End, Fault, INPUT, OUTPUT, Part, Spoken, pieces};
use crate::wire::Seen;

/// The members of a request that are known without a beta.
const MEMBERS: [&str; 20] = [
    "model",
    "messages",
    "system",
    "tools",
    "tool_choice",
    "metadata",
    "max_tokens",
    "temperature",
    "top_p",
    "top_k",
    "stop_sequences",
    "stream",
    "thinking",
    "output_config",
    "output_format",
    "service_tier",
    "cache_control",
    "container",
    "context_management",
    "speed",
];

/// Anthropic's API.
#[derive(Default)]
pub struct Messages {
    signed: Vec<Signed>,
}

/// Thoughts that were given out.
struct Signed {
    signature: String,
    thoughts: String,
    /// What stood before them, where they are bound to it.
    before: Option<String>,
}

impl Speaks for Messages {
    const PROVIDER: &'static str = "anthropic";
    const KEY: &'static str = "ANTHROPIC_API_KEY";
    const PREFIX: &'static str = "/v1";
    const DIALECT: &'static str = "messages";
    const MODEL: &'static str = "claude-opus-5-5";

    fn states(body: &Value) -> Vec<String> {
        let messages = body["messages"].as_array().into_iter().flatten();
        let blocks = messages.flat_map(|message| message["content"].as_array().into_iter().flatten());
        blocks.filter_map(|block| block["signature"].as_str().map(str::to_owned)).collect()
    }

    fn answer(&mut self, seen: &Seen, script: &mut Script) -> Result<Reply, Refusal> {
        authorize(seen)?;
        let path = seen.path.split('?').next().unwrap_or_default();
        match (seen.method.as_str(), path) {
            ("POST", "/v1/messages") => self.create(seen, script),
            ("POST", "/v1/messages/count_tokens") => {
                self.request(seen)?;
                Ok(Reply::json(&json!({ "input_tokens": INPUT })))
            }
            ("GET", "/v1/models") => Ok(models()),
            _ => Err(error(404, "not_found_error", "Not found")),
        }
    }
}

impl Messages {
    fn create(&mut self, seen: &Seen, script: &mut Script) -> Result<Reply, Refusal> {
        let body = self.request(seen)?;
        if !body["max_tokens"].is_u64() {
            return Err(invalid("max_tokens: Field required"));
        }
        let Some((number, turn)) = script.next() else { return Err(invalid("the test's script has no turn for this")) };
        let streaming = body["stream"] == true;
        if let Some(fault) = turn.fault_alone(streaming) {
            return Ok(failed(fault));
        }
        for part in &turn.parts {
            if let Part::Thinking { text, signature } = part {
                let before = bound::holds_for(&body).then(|| bound::before(&body, count(&body)));
                self.signed.push(Signed { signature: signature.clone(), thoughts: text.clone(), before });
            }
        }
        let model = body["model"].as_str().unwrap_or_default();
        let reply = if streaming { stream(&turn, number, model) } else { Reply::json(&whole(&turn, number, model)) };
        Ok(reply
            .header("request-id", &request_id(number))
            .header("anthropic-ratelimit-requests-limit", "4000")
            .header("anthropic-ratelimit-requests-remaining", "3999")
            .header("anthropic-ratelimit-requests-reset", "2035-01-01T00:00:00Z"))
    }

    /// The body, where it is one that the API takes.
    fn request(&self, seen: &Seen) -> Result<Value, Refusal> {
        let body =
            object(seen, &MEMBERS).map_err(|name| invalid(&format!("{name}: Extra inputs are not permitted")))?;
        if !body["model"].is_string() {
            return Err(invalid("model: Field required"));
        }
        let messages = body["messages"].as_array().map(Vec::as_slice).unwrap_or_default();
        if messages.is_empty() {
            return Err(invalid("messages: at least one message is required"));
        }
        bound::tools(&body).map_err(|problem| invalid(&problem))?;
        if bound::holds_for(&body) {
            bound::settings(&body).map_err(|problem| invalid(&problem))?;
        }
        let drops = bound::drops(seen, &body).map_err(|problem| invalid(&problem))?;
        let mut open: Vec<&str> = Vec::new();
        for (at, message) in messages.iter().enumerate() {
            let blocks = message["content"].as_array().map(Vec::as_slice).unwrap_or_default();
            let named = |kind: &str, id: &str| -> Vec<&str> {
                let blocks = blocks.iter().filter(|block| block["type"] == kind);
                blocks.map(|block| block[id].as_str().unwrap_or_default()).collect()
            };
            let results = named("tool_result", "tool_use_id");
            if let Some(id) = open.iter().find(|id| !results.contains(id)) {
                let rule = "Each `tool_use` block must have a corresponding `tool_result` block in the next message.";
                let problem = "`tool_use` ids were found without `tool_result` blocks immediately after";
                return Err(invalid(&format!("messages.{}: {problem}: {id}. {rule}", at - 1)));
            }
            if let Some(id) = results.iter().find(|id| !open.contains(id)) {
                return Err(invalid(&format!("messages.{at}: unexpected `tool_use_id` found in `tool_result`: {id}")));
            }
            match message["role"].as_str() {
                Some("system") if at == 0 => {
                    return Err(invalid("messages.0: role 'system' must follow a user message"));
                }
                Some("user" | "system") => open.clear(),
                Some("assistant") => {
                    self.assistant(at, blocks, &body, drops)?;
                    open = named("tool_use", "id");
                }
                _ => return Err(invalid(&format!("messages.{at}.role: Input should be 'user' or 'assistant'"))),
            }
        }
        Ok(body)
    }

    /// What a turn of the model's may hold when it comes back.
    fn assistant(&self, at: usize, blocks: &[Value], body: &Value, drops: bool) -> Result<(), Refusal> {
        for (index, block) in blocks.iter().enumerate() {
            let refuse = |problem: &str| Err(invalid(&format!("messages.{at}.content.{index}: {problem}")));
            let text = |name: &str| block[name].as_str().unwrap_or_default();
            match text("type") {
                "thinking" => {
                    let known = self.signed.iter().find(|signed| signed.signature == text("signature"));
                    // Thoughts that the client asked not to see come back as nothing.
                    let known = known.filter(|signed| ["", &signed.thoughts].contains(&text("thinking")));
                    let Some(known) = known else { return refuse("Invalid `signature` in `thinking` block") };
                    if let Some(before) = known.before.as_ref().filter(|_| !drops)
                        && *before != bound::before(body, at)
                    {
                        return refuse("`thinking` block is bound to a different conversation");
                    }
                }
                "tool_use" => {
                    let fits = |letter: char| letter.is_ascii_alphanumeric() || "_-".contains(letter);
                    if text("id").is_empty() || !text("id").chars().all(fits) {
                        return refuse("tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'");
                    }
                    if !block["input"].is_object() {
                        return refuse("tool_use.input: Input should be an object");
                    }
                }
                "text" if text("text").is_empty() => return refuse("text content blocks must be non-empty"),
                _ => {}
            }
        }
        Ok(())
    }
}

fn count(body: &Value) -> usize {
    body["messages"].as_array().map_or(0, Vec::len)
}

/// The key in its own header, once, and the version that must be said.
fn authorize(seen: &Seen) -> Result<(), Refusal> {
    if seen.headers.all("x-api-key").collect::<Vec<_>>() != [VENDOR_KEY] || seen.header("authorization").is_some() {
        return Err(error(401, "authentication_error", "invalid x-api-key"));
    }
    match seen.header("anthropic-version") {
        Some(_) => Ok(()),
        None => Err(invalid("anthropic-version: header is required")),
    }
}

fn models() -> Reply {
    let model = |id: &str| json!({"type": "model", "id": id, "display_name": id, "created_at": "2026-02-04T00:00:00Z", "max_input_tokens": 200_000, "max_tokens": 64_000, "lifecycle": "active"});
    let data = [model("claude-opus-5-5"), model("claude-e2e-1")];
    Reply::json(&json!({"data": data, "has_more": false, "first_id": "claude-opus-5-5", "last_id": "claude-e2e-1"}))
}

fn request_id(number: usize) -> String {
    format!("req_e2e_{number}")
}

fn invalid(message: &str) -> Refusal {
    error(400, "invalid_request_error", message)
}

fn error(status: u16, kind: &str, message: &str) -> Refusal {
    let error = json!({"type": kind, "message": message});
    Refusal { status, body: json!({"type": "error", "error": error, "request_id": "req_e2e"}) }
}

fn refusal(fault: Fault) -> Refusal {
    match fault {
        Fault::Invalid => invalid("messages.0.content: Input should be a valid list"),
        Fault::TooLong => invalid("prompt is too long: 208310 tokens > 200000 maximum"),
        Fault::NoCredit => invalid("Your credit balance is too low to access the Anthropic API."),
        Fault::UnknownModel => error(404, "not_found_error", "model: claude-none"),
        Fault::RateLimited(_) => error(429, "rate_limit_error", "This request would exceed your rate limit."),
        Fault::Overloaded => error(529, "overloaded_error", "Overloaded"),
        Fault::Internal => error(500, "api_error", "Internal server error"),
    }
}

/// A failure instead of an answer.
fn failed(fault: Fault) -> Reply {
    let Refusal { status, body } = refusal(fault);
    let reply = Reply::json(&body).status(status).header("request-id", "req_e2e");
    match fault {
        Fault::RateLimited(seconds) => reply.header("retry-after", &seconds.to_string()),
        _ => reply,
    }
}

/// The message before its content.
fn message(number: usize, model: &str, output: u32) -> Value {
    json!({
        "id": format!("msg_e2e_{number}"), "type": "message", "role": "assistant", "model": model, "content": [],
        "stop_reason": null, "stop_sequence": null,
        "usage": {
            "input_tokens": INPUT - CACHED, "cache_creation_input_tokens": 0, "cache_read_input_tokens": CACHED,
            "output_tokens": output, "service_tier": "standard",
        },
    })
}

fn stop_reason(turn: &Spoken) -> &'static str {
    match turn.end {
        End::Length => "max_tokens",
        _ if turn.has_calls() => "tool_use",
        _ => "end_turn",
    }
}

fn block(part: &Part, number: usize, index: usize) -> Value {
    match part {
        Part::Thinking { text, signature } => json!({"type": "thinking", "thinking": text, "signature": signature}),
        Part::Text(text) => json!({"type": "text", "text": text}),
        Part::Call { name, arguments } => {
            json!({"type": "tool_use", "id": format!("toolu_e2e_{number}_{index}"), "name": name, "input": arguments})
        }
    }
}

fn whole(turn: &Spoken, number: usize, model: &str) -> Value {
    let mut message = message(number, model, OUTPUT);
    message["content"] = turn.parts.iter().enumerate().map(|(index, part)| block(part, number, index)).collect();
    message["stop_reason"] = json!(stop_reason(turn));
    message
}

fn stream(turn: &Spoken, number: usize, model: &str) -> Reply {
    let mut events =
        vec![json!({"type": "message_start", "message": message(number, model, 1)}), json!({"type": "ping"})];
    for (index, part) in turn.parts.iter().enumerate() {
        events.extend(block_events(part, number, index));
    }
    match turn.end {
        End::Whole | End::Length => {
            let delta = json!({"stop_reason": stop_reason(turn), "stop_sequence": null});
            events.push(json!({"type": "message_delta", "delta": delta, "usage": {"output_tokens": OUTPUT}}));
            events.push(json!({"type": "message_stop"}));
        }
        End::Fault(fault) => events.push(json!({"type": "error", "error": refusal(fault).body["error"]})),
        End::Cut => {}
    }
    let frame = |event: &Value| format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap_or_default());
    let reply = events.iter().fold(Reply::sse(), |reply, event| reply.send(frame(event)));
    if matches!(turn.end, End::Cut) { reply.cut() } else { reply }
}

/// A block: it is there and empty, it grows, it is whole.
fn block_events(part: &Part, number: usize, index: usize) -> Vec<Value> {
    let mut empty = block(part, number, index);
    let delta = |delta: Value| json!({"type": "content_block_delta", "index": index, "delta": delta});
    let mut deltas: Vec<Value> = Vec::new();
    match part {
        Part::Thinking { text, signature } => {
            (empty["thinking"], empty["signature"]) = (json!(""), json!(""));
            deltas.extend(pieces(text).iter().map(|piece| delta(json!({"type": "thinking_delta", "thinking": piece}))));
            deltas.push(delta(json!({"type": "signature_delta", "signature": signature})));
        }
        Part::Text(text) => {
            empty["text"] = json!("");
            deltas.extend(pieces(text).iter().map(|piece| delta(json!({"type": "text_delta", "text": piece}))));
        }
        Part::Call { arguments, .. } => {
            empty["input"] = json!({});
            let text = arguments.to_string();
            let growth = std::iter::once("").chain(pieces(&text));
            deltas.extend(growth.map(|piece| delta(json!({"type": "input_json_delta", "partial_json": piece}))));
        }
    }
    let first = json!({"type": "content_block_start", "index": index, "content_block": empty});
    let last = json!({"type": "content_block_stop", "index": index});
    [vec![first], deltas, vec![last]].concat()
}
