//! Chat Completions as a vendor of an open model serves them, by its description alone: what Moonshot's API refuses, its ids, and
//! the thinking that it wants back.

use serde_json::{Value, json};

use super::{Refusal, Script, Speaks, VENDOR_KEY, object};
use crate::reply::Reply;
use crate::spoken::{CACHED, End, Fault, INPUT, OUTPUT, Part, Spoken, THOUGHTS, pieces};
use crate::wire::Seen;

/// The members of a request; it knows none of OpenAI's newer ones.
const MEMBERS: [&str; 18] = [
    "model",
    "messages",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "max_tokens",
    "temperature",
    "top_p",
    "n",
    "stop",
    "stream",
    "stream_options",
    "presence_penalty",
    "frequency_penalty",
    "response_format",
    "reasoning_effort",
    "seed",
    "user",
];

/// The members of a message.
const OF_A_MESSAGE: [&str; 6] = ["role", "content", "name", "tool_calls", "tool_call_id", "reasoning_content"];

/// The longest id of a call.
const LONGEST_ID: usize = 64;

/// A vendor of an open model.
#[derive(Default)]
pub struct ChatCompletions {
    /// The thinking that was given out.
    thought: Vec<String>,
    /// How many calls were made: its ids count them.
    calls: usize,
}

impl Speaks for ChatCompletions {
    const PROVIDER: &'static str = "moonshot";
    const KEY: &'static str = "MOONSHOT_API_KEY";
    const PREFIX: &'static str = "/v1";
    const DIALECT: &'static str = "chat-completions";
    const MODEL: &'static str = "kimi-k2-thinking";

    fn description() -> Option<Value> {
        let key = json!({
            "method": "api-key", "env": [Self::KEY], "attach": [{"header": "authorization", "format": "Bearer {}"}],
        });
        Some(json!({
            "id": Self::PROVIDER, "name": "Moonshot", "version": "1", "origins": {"api": "https://api.moonshot.example/v1"},
            "auth": [key], "serves": {"generate": ["chat-completions"]}, "billing": "pay-per-token",
            "models": [{"id": Self::MODEL, "context_window": 262_144}],
        }))
    }

    fn answer(&mut self, seen: &Seen, script: &mut Script) -> Result<Reply, Refusal> {
        if seen.headers.all("authorization").collect::<Vec<_>>() != [format!("Bearer {VENDOR_KEY}")] {
            return Err(error(401, "invalid_authentication_error", "Invalid Authentication"));
        }
        match (seen.method.as_str(), seen.path.as_str()) {
            ("POST", "/v1/chat/completions") => self.complete(seen, script),
            _ => Err(error(404, "resource_not_found_error", "Not found")),
        }
    }

    fn states(body: &Value) -> Vec<String> {
        let messages = body["messages"].as_array().into_iter().flatten();
        let thinking = messages.filter_map(|message| message["reasoning_content"].as_str());
        thinking.filter(|text| !text.is_empty()).map(str::to_owned).collect()
    }
}

impl ChatCompletions {
    fn complete(&mut self, seen: &Seen, script: &mut Script) -> Result<Reply, Refusal> {
        let body = object(seen, &MEMBERS).map_err(|name| invalid(&format!("unknown member {name}")))?;
        let messages = body["messages"].as_array().map(Vec::as_slice).unwrap_or_default();
        self.history(messages)?;
        let Some((number, turn)) = script.next() else { return Err(invalid("the test's script has no turn for this")) };
        let streaming = body["stream"] == true;
        if let Some(fault) = turn.fault_alone(streaming) {
            return Ok(failed(fault));
        }
        for part in &turn.parts {
            if let Part::Thinking { text, .. } = part {
                self.thought.push(text.clone());
            }
        }
        let mut calls = Vec::new();
        for part in &turn.parts {
            if let Part::Call { name, arguments } = part {
                let function = json!({"name": name, "arguments": arguments.to_string()});
                let id = format!("functions.{name}:{}", self.calls);
                calls.push(json!({"index": calls.len(), "id": id, "type": "function", "function": function}));
                self.calls += 1;
            }
        }
        let model = body["model"].as_str().unwrap_or_default();
        let with_usage = body["stream_options"]["include_usage"] == true;
        Ok(match streaming {
            true => stream(&turn, &calls, number, model, with_usage),
            false => Reply::json(&whole(&turn, &calls, number, model)),
        })
    }

    /// Each message as it has to be, each call answered before anything else is said, and the thinking of turns with calls.
    fn history(&self, messages: &[Value]) -> Result<(), Refusal> {
        if messages.is_empty() {
            return Err(invalid("messages is empty"));
        }
        let mut open: Vec<&str> = Vec::new();
        for (at, message) in messages.iter().enumerate() {
            let refuse = |problem: &str| Err(invalid(&format!("messages[{at}]: {problem}")));
            let members = message.as_object().into_iter().flatten();
            if let Some((name, _)) = members.clone().find(|(name, _)| !OF_A_MESSAGE.contains(&name.as_str())) {
                return refuse(&format!("unknown member {name}"));
            }
            let role = message["role"].as_str().unwrap_or_default();
            if role != "tool" && !open.is_empty() {
                return refuse(
                    "an assistant message with 'tool_calls' must be followed by tool messages for each of them",
                );
            }
            let content = &message["content"];
            let parts = content.as_array().map(Vec::as_slice).unwrap_or_default();
            let is_text = content.is_string() || !parts.is_empty() && parts.iter().all(|part| part["type"] == "text");
            match role {
                "system" if is_text => {}
                "user" if content.as_str().is_some_and(|text| !text.is_empty()) => {}
                "user" if !parts.is_empty() => parts.iter().try_for_each(|part| {
                    let known = match part["type"].as_str() {
                        Some("text") => part["text"].as_str().is_some_and(|text| !text.is_empty()),
                        Some("image_url") => part["image_url"]["url"].is_string(),
                        Some("file") => part["file"]["file_data"].is_string(),
                        _ => false,
                    };
                    if known { Ok(()) } else { refuse(&format!("a part is not known: {}", part["type"])) }
                })?,
                "assistant" => match self.assistant(message, is_text) {
                    Ok(calls) => open = calls,
                    Err(problem) => return refuse(&problem),
                },
                "tool" if is_text => match open.iter().position(|id| message["tool_call_id"] == *id) {
                    Some(found) => drop(open.remove(found)),
                    None => return refuse("tool_call_id is not found"),
                },
                _ => return refuse(&format!("the content of a message of the role '{role}' is not as it has to be")),
            }
        }
        if open.is_empty() { Ok(()) } else { Err(invalid("the last calls are not answered")) }
    }

    /// A turn of the model's that comes back; the ids of its calls.
    fn assistant<'m>(&self, message: &'m Value, is_text: bool) -> Result<Vec<&'m str>, String> {
        let calls = message["tool_calls"].as_array().map(Vec::as_slice).unwrap_or_default();
        if !is_text && (calls.is_empty() || !message["content"].is_null()) {
            return Err("an assistant message must not be empty".to_owned());
        }
        let mut ids = Vec::new();
        for call in calls {
            let id = call["id"].as_str().unwrap_or_default();
            if id.is_empty() || id.len() > LONGEST_ID || ids.contains(&id) {
                return Err(format!("'{id}' is no id of a call"));
            }
            let arguments = call["function"]["arguments"].as_str().unwrap_or_default();
            if call["type"] != "function" || !serde_json::from_str::<Value>(arguments).is_ok_and(|it| it.is_object()) {
                return Err(format!("the call {id} is not as it has to be"));
            }
            ids.push(id);
        }
        match message["reasoning_content"].as_str() {
            Some(text) if text.is_empty() || self.thought.iter().any(|known| known == text) => Ok(ids),
            Some(text) => Err(format!("the reasoning_content is not the model's: {text}")),
            None if calls.is_empty() => Ok(ids),
            None => {
                Err("thinking is enabled but reasoning_content is missing in assistant tool call message".to_owned())
            }
        }
    }
}

fn invalid(message: &str) -> Refusal {
    error(400, "invalid_request_error", message)
}

fn error(status: u16, kind: &str, message: &str) -> Refusal {
    Refusal { status, body: json!({"error": {"message": message, "type": kind}}) }
}

fn refusal(fault: Fault) -> Refusal {
    match fault {
        Fault::Invalid => invalid("messages is empty"),
        Fault::TooLong => invalid("Your request exceeded model token limit: 262144"),
        Fault::NoCredit => error(429, "exceeded_current_quota_error", "Your account is suspended: check your balance."),
        Fault::UnknownModel => error(404, "resource_not_found_error", "Not found the model or Permission denied"),
        Fault::RateLimited(_) => error(429, "rate_limit_reached_error", "Your account reached max request per minute."),
        Fault::Overloaded => error(429, "engine_overloaded_error", "The engine is currently overloaded."),
        Fault::Internal => error(500, "server_error", "Internal error"),
    }
}

fn failed(fault: Fault) -> Reply {
    let Refusal { status, body } = refusal(fault);
    let reply = Reply::json(&body).status(status);
    match fault {
        Fault::RateLimited(seconds) => reply.header("retry-after", &seconds.to_string()),
        _ => reply,
    }
}

fn finish_reason(turn: &Spoken) -> &'static str {
    match turn.end {
        End::Length => "length",
        _ if turn.has_calls() => "tool_calls",
        _ => "stop",
    }
}

fn usage() -> Value {
    json!({
        "prompt_tokens": INPUT, "completion_tokens": OUTPUT, "total_tokens": INPUT + OUTPUT,
        "prompt_tokens_details": {"cached_tokens": CACHED}, "completion_tokens_details": {"reasoning_tokens": THOUGHTS},
    })
}

/// What is said and what is thought, each as one text.
fn texts(turn: &Spoken) -> (String, String) {
    let (mut said, mut thought) = (String::new(), String::new());
    for part in &turn.parts {
        match part {
            Part::Text(text) => said += text,
            Part::Thinking { text, .. } => thought += text,
            Part::Call { .. } => {}
        }
    }
    (said, thought)
}

fn whole(turn: &Spoken, calls: &[Value], number: usize, model: &str) -> Value {
    let (said, thought) = texts(turn);
    let mut message = json!({"role": "assistant", "content": said});
    if !thought.is_empty() {
        message["reasoning_content"] = json!(thought);
    }
    if !calls.is_empty() {
        message["tool_calls"] = json!(calls);
    }
    json!({
        "id": format!("chatcmpl-e2e-{number}"), "object": "chat.completion", "created": 1, "model": model,
        "choices": [{"index": 0, "message": message, "finish_reason": finish_reason(turn)}], "usage": usage(),
    })
}

/// The role, what is thought, what is said, each call in pieces, the reason for the end, and the usage where it was asked for.
fn stream(turn: &Spoken, calls: &[Value], number: usize, model: &str, with_usage: bool) -> Reply {
    let chunk = |choices: Value| {
        json!({
            "id": format!("chatcmpl-e2e-{number}"), "object": "chat.completion.chunk", "created": 1, "model": model,
            "choices": choices,
        })
    };
    let delta = |delta: Value| chunk(json!([{"index": 0, "delta": delta, "finish_reason": null}]));
    let mut chunks = vec![delta(json!({"role": "assistant", "content": ""}))];
    for part in &turn.parts {
        match part {
            Part::Thinking { text, .. } => {
                chunks.extend(pieces(text).iter().map(|piece| delta(json!({"reasoning_content": piece}))));
            }
            Part::Text(text) => chunks.extend(pieces(text).iter().map(|piece| delta(json!({"content": piece})))),
            Part::Call { .. } => {}
        }
    }
    for call in calls {
        let (mut begun, index) = (call.clone(), &call["index"]);
        begun["function"]["arguments"] = json!("");
        chunks.push(delta(json!({"tool_calls": [begun]})));
        for piece in pieces(call["function"]["arguments"].as_str().unwrap_or_default()) {
            chunks.push(delta(json!({"tool_calls": [{"index": index, "function": {"arguments": piece}}]})));
        }
    }
    let end = match turn.end {
        End::Whole | End::Length => {
            chunks.push(chunk(json!([{"index": 0, "delta": {}, "finish_reason": finish_reason(turn)}])));
            if with_usage {
                let mut last = chunk(json!([]));
                last["usage"] = usage();
                chunks.push(last);
            }
            "data: [DONE]\n\n"
        }
        End::Fault(fault) => {
            chunks.push(refusal(fault).body);
            ""
        }
        End::Cut => "",
    };
    let reply = chunks.iter().fold(Reply::sse(), |reply, chunk| reply.send(format!("data: {chunk}\n\n")));
    match turn.end {
        End::Cut => reply.cut(),
        _ if end.is_empty() => reply,
        _ => reply.send(end),
    }
}
