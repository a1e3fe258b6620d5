//! What the scripted model does in one turn, and how ChatGPT's backend puts that into events. [`super::ChatGpt`] answers
//! with it. The events are those that the real client reads, with the fields that the public API's have.

use serde_json::{Value, json};

use crate::reply::Reply;
use crate::spoken::{End as Ends, Fault, Part, Spoken};

/// One turn of the model's.
#[derive(Clone, Debug)]
pub struct Turn {
    kind: Kind,
    headers: Vec<(String, String)>,
}

#[derive(Clone, Debug)]
enum Kind {
    /// An answer: events that come first, the items of the output, and how the stream ends.
    Answers { first: Vec<Value>, items: Vec<Value>, end: End },
    /// No stream but a failure.
    Fails { status: u16, body: Value },
}

#[derive(Clone, Debug)]
enum End {
    Completed,
    /// `response.incomplete` for this reason.
    Incomplete(&'static str),
    /// `response.failed` with this error.
    Failed(Value),
    /// The connection ends before the response has.
    Cut,
}

/// What a turn is answered to.
pub(crate) struct TurnRequest<'a> {
    /// Counts the turns of a backend, so that no two items have the same id.
    pub(crate) number: usize,
    pub(crate) model: &'a str,
    /// Whether `reasoning.encrypted_content` was asked for.
    pub(crate) encrypted: bool,
    /// Whether the last event repeats the output.
    pub(crate) output_at_end: bool,
}

impl Turn {
    /// The model says this, in one delta for each word.
    pub fn says(text: &str) -> Self {
        let content = json!([{"type": "output_text", "annotations": [], "logprobs": [], "text": text}]);
        Self::item(json!({"type": "message", "status": "completed", "role": "assistant", "content": content}))
    }

    /// The model calls Codex's shell, which is a function.
    pub fn calls_shell(command: &str) -> Self {
        Self::calls("exec_command", &json!({ "cmd": command, "login": false }))
    }

    /// The model calls a function.
    pub fn calls(name: &str, arguments: &Value) -> Self {
        let arguments = arguments.to_string();
        Self::item(json!({"type": "function_call", "status": "completed", "name": name, "arguments": arguments}))
    }

    /// The model calls Codex's `apply_patch`, which is a custom tool: its input is text and no JSON.
    pub fn applies_patch(patch: &str) -> Self {
        Self::item(json!({"type": "custom_tool_call", "status": "completed", "name": "apply_patch", "input": patch}))
    }

    /// The model reasons, which nobody else can read.
    pub fn reasons(encrypted: &str) -> Self {
        let summary = json!([{"type": "summary_text", "text": "**Thinking** about it"}]);
        Self::item(json!({"type": "reasoning", "summary": summary, "encrypted_content": encrypted}))
    }

    /// Any item of the output, of a type that may be new. It is given an id, and a call is given a call id.
    pub fn item(item: Value) -> Self {
        Turn { kind: Kind::Answers { first: Vec::new(), items: vec![item], end: End::Completed }, headers: Vec::new() }
    }

    /// A failure instead of a stream.
    pub fn fails(status: u16, body: Value) -> Self {
        Turn { kind: Kind::Fails { status, body }, headers: Vec::new() }
    }

    /// The plan's limit is reached; it ends at `resets_at`, in seconds since 1970.
    pub fn hits_the_usage_limit(resets_at: u64) -> Self {
        let error = json!({
            "type": "usage_limit_reached", "message": "The usage limit has been reached", "plan_type": "plus",
            "resets_at": resets_at, "resets_in_seconds": 3600,
        });
        Self::fails(429, json!({ "error": error })).header("x-codex-primary-used-percent", "100.0")
    }

    /// There is no room for this model at present.
    pub fn is_overloaded() -> Self {
        let error =
            json!({"code": "server_is_overloaded", "type": "service_unavailable_error", "message": "Overloaded"});
        Self::fails(503, json!({ "error": error }))
    }

    /// The stream begins and then says that it failed.
    pub fn fails_in_stream(code: &str, message: &str) -> Self {
        let error = json!({"code": code, "message": message});
        Turn {
            kind: Kind::Answers { first: Vec::new(), items: Vec::new(), end: End::Failed(error) },
            headers: Vec::new(),
        }
    }

    /// Goes on with the output of another turn, in the same answer.
    #[must_use]
    pub fn then(mut self, next: Turn) -> Self {
        if let (Kind::Answers { items, end, .. }, Kind::Answers { items: more, end: next, .. }) =
            (&mut self.kind, next.kind)
        {
            items.extend(more);
            *end = next;
        }
        self
    }

    /// Sends this event before the output, whatever it is.
    #[must_use]
    pub fn after_event(mut self, event: Value) -> Self {
        if let Kind::Answers { first, .. } = &mut self.kind {
            first.push(event);
        }
        self
    }

    /// Sends how much of the plan is used before the output, in the event that a stream may have.
    #[must_use]
    pub fn after_rate_limits(self, used_percent: f64) -> Self {
        let window = |minutes: u32| json!({"used_percent": used_percent, "window_minutes": minutes, "reset_at": 4_070_908_800_u64});
        let limits = json!({"primary": window(300), "secondary": window(10_080)});
        let credits = json!({"has_credits": false, "unlimited": false, "balance": null});
        self.after_event(json!({
            "type": "codex.rate_limits", "plan_type": "plus", "rate_limits": limits, "credits": credits,
            "metered_limit_name": "codex", "limit_name": null,
        }))
    }

    /// Ends the connection before the response has ended.
    #[must_use]
    pub fn cut(mut self) -> Self {
        if let Kind::Answers { end, .. } = &mut self.kind {
            *end = End::Cut;
        }
        self
    }

    /// Adds a header to the answer, in the place of the usual one.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn headers(&self) -> &[(String, String)] {
        &self.headers
    }

    /// The items that it adds to the conversation.
    pub(crate) fn output(&self, asked: &TurnRequest<'_>) -> Vec<Value> {
        let Kind::Answers { items, .. } = &self.kind else { return Vec::new() };
        items.iter().enumerate().map(|(index, item)| identified(item, index, asked)).collect()
    }

    /// The answer without its headers, and the bytes of its body.
    pub(crate) fn reply(&self, asked: &TurnRequest<'_>) -> (Reply, Vec<u8>) {
        let (first, end) = match &self.kind {
            Kind::Fails { status, body } => return (Reply::json(body).status(*status), body.to_string().into_bytes()),
            Kind::Answers { first, end, .. } => (first, end),
        };
        let output = self.output(asked);
        let mut events =
            vec![state("created", asked, "in_progress", &[]), state("in_progress", asked, "in_progress", &[])];
        events.extend(first.iter().cloned());
        events.extend(output.iter().enumerate().flat_map(|(index, item)| item_events(index, item)));
        match end {
            End::Completed => {
                let repeated = if asked.output_at_end { output.as_slice() } else { &[] };
                events.push(state("completed", asked, "completed", repeated));
            }
            End::Incomplete(reason) => {
                let mut incomplete = state("incomplete", asked, "incomplete", &[]);
                incomplete["response"]["incomplete_details"] = json!({ "reason": reason });
                events.push(incomplete);
            }
            End::Failed(error) => {
                let mut failed = state("failed", asked, "failed", &[]);
                failed["response"]["error"] = error.clone();
                events.push(failed);
            }
            End::Cut => {}
        }
        let frames: Vec<String> = events.iter().enumerate().map(|(number, event)| frame(number, event)).collect();
        let reply = frames.iter().fold(Reply::sse(), |reply, frame| reply.send(frame.as_str()));
        let reply = if matches!(end, End::Cut) { reply.cut() } else { reply };
        (reply, frames.concat().into_bytes())
    }
}

impl From<Spoken> for Turn {
    /// A turn that no dialect is said of, as this backend says it.
    fn from(spoken: Spoken) -> Self {
        if let (Ends::Fault(fault), true) = (spoken.end, spoken.parts.is_empty()) {
            return fails(fault);
        }
        let items = spoken.parts.into_iter().map(|part| match part {
            Part::Text(text) => Self::says(&text),
            Part::Call { name, arguments } => Self::calls(&name, &arguments),
            Part::Thinking { text, signature } => {
                let summary = json!([{"type": "summary_text", "text": text}]);
                Self::item(json!({"type": "reasoning", "summary": summary, "encrypted_content": signature}))
            }
        });
        let none = Turn {
            kind: Kind::Answers { first: Vec::new(), items: Vec::new(), end: End::Completed },
            headers: Vec::new(),
        };
        let mut turn = items.fold(none, Turn::then);
        if let Kind::Answers { end, .. } = &mut turn.kind {
            *end = match spoken.end {
                Ends::Whole => End::Completed,
                Ends::Length => End::Incomplete("max_output_tokens"),
                Ends::Cut => End::Cut,
                Ends::Fault(fault) => End::Failed(error(fault)),
            };
        }
        turn
    }
}

/// What a failure is called here.
fn error(fault: Fault) -> Value {
    let (code, message) = match fault {
        Fault::Invalid => ("invalid_prompt", "The prompt is invalid."),
        Fault::TooLong => ("context_length_exceeded", "Your input exceeds the context window of this model."),
        Fault::NoCredit => ("insufficient_quota", "You exceeded your current quota."),
        Fault::UnknownModel => ("model_not_found", "The model does not exist."),
        Fault::RateLimited(_) => ("rate_limit_exceeded", "Rate limit reached."),
        Fault::Overloaded => ("server_is_overloaded", "Overloaded"),
        Fault::Internal => ("server_error", "Something went wrong."),
    };
    json!({"code": code, "message": message})
}

/// A failure instead of a stream.
fn fails(fault: Fault) -> Turn {
    let status = match fault {
        Fault::Invalid | Fault::TooLong => 400,
        Fault::UnknownModel => 404,
        Fault::NoCredit | Fault::RateLimited(_) => 429,
        Fault::Overloaded => 503,
        Fault::Internal => 500,
    };
    let turn = Turn::fails(status, json!({"error": error(fault)}));
    match fault {
        Fault::RateLimited(seconds) => turn.header("retry-after", &seconds.to_string()),
        _ => turn,
    }
}

/// The item with an id of its own, and without what was not asked for.
fn identified(item: &Value, index: usize, asked: &TurnRequest<'_>) -> Value {
    let mut item = item.clone();
    let prefix = match item["type"].as_str() {
        Some("message") => "msg",
        Some("reasoning") => "rs",
        Some("function_call") => "fc",
        Some("custom_tool_call") => "ctc",
        _ => "item",
    };
    let number = asked.number;
    item["id"] = json!(format!("{prefix}_{number}_{index}"));
    if item["type"].as_str().is_some_and(|kind| kind.ends_with("_call")) {
        item["call_id"] = json!(format!("call_{number}_{index}"));
    }
    if !asked.encrypted
        && let Some(fields) = item.as_object_mut()
    {
        fields.remove("encrypted_content");
    }
    item
}

/// An event that shows the whole response.
fn state(event: &str, asked: &TurnRequest<'_>, status: &str, output: &[Value]) -> Value {
    let usage = (status == "completed").then(|| {
        json!({
            "input_tokens": 100, "input_tokens_details": {"cached_tokens": 60},
            "output_tokens": 20, "output_tokens_details": {"reasoning_tokens": 5}, "total_tokens": 120,
        })
    });
    json!({
        "type": format!("response.{event}"),
        "response": {
            "id": format!("resp_{}", asked.number), "object": "response", "created_at": 1_780_000_000,
            "status": status, "error": null, "incomplete_details": null, "model": asked.model, "output": output,
            "parallel_tool_calls": true, "store": false, "tool_choice": "auto", "tools": [], "usage": usage,
        },
    })
}

/// The events of one item: it is there, it grows, it is whole.
fn item_events(index: usize, item: &Value) -> Vec<Value> {
    let mut begun = item.clone();
    let event = |kind: &str, more: Value| {
        let mut event = json!({"type": format!("response.{kind}"), "item_id": item["id"], "output_index": index});
        for (name, value) in more.as_object().into_iter().flatten() {
            event[name] = value.clone();
        }
        event
    };
    let deltas = |kind: &str, text: &Value, place: Value| -> Vec<Value> {
        let parts = text.as_str().unwrap_or_default().split_inclusive(' ');
        let parts = parts.map(|delta| {
            let mut more = place.clone();
            more["delta"] = json!(delta);
            event(kind, more)
        });
        parts.collect()
    };
    let whole = |place: &Value, name: &str, value: &Value| {
        let mut more = place.clone();
        more[name] = value.clone();
        more
    };
    let mut growth = Vec::new();
    match item["type"].as_str() {
        Some("message") => {
            let (place, part) = (json!({"content_index": 0}), &item["content"][0]);
            begun["content"] = json!([]);
            let mut empty = part.clone();
            empty["text"] = json!("");
            growth.push(event("content_part.added", whole(&place, "part", &empty)));
            growth.extend(deltas("output_text.delta", &part["text"], place.clone()));
            growth.push(event("output_text.done", whole(&place, "text", &part["text"])));
            growth.push(event("content_part.done", whole(&place, "part", part)));
        }
        Some("reasoning") => {
            let (place, part) = (json!({"summary_index": 0}), &item["summary"][0]);
            begun["summary"] = json!([]);
            growth.push(event(
                "reasoning_summary_part.added",
                whole(&place, "part", &json!({"type": "summary_text", "text": ""})),
            ));
            growth.extend(deltas("reasoning_summary_text.delta", &part["text"], place.clone()));
            growth.push(event("reasoning_summary_text.done", whole(&place, "text", &part["text"])));
            growth.push(event("reasoning_summary_part.done", whole(&place, "part", part)));
        }
        Some("function_call") => {
            begun["arguments"] = json!("");
            growth.extend(deltas("function_call_arguments.delta", &item["arguments"], json!({})));
            growth.push(event("function_call_arguments.done", whole(&json!({}), "arguments", &item["arguments"])));
        }
        Some("custom_tool_call") => {
            begun["input"] = json!("");
            growth.extend(deltas("custom_tool_call_input.delta", &item["input"], json!({})));
            growth.push(event("custom_tool_call_input.done", whole(&json!({}), "input", &item["input"])));
        }
        _ => {}
    }
    if begun["status"].is_string() {
        begun["status"] = json!("in_progress");
    }
    let item_event = |kind: &str, item: &Value| json!({"type": format!("response.output_item.{kind}"), "output_index": index, "item": item});
    let (first, last) = (item_event("added", &begun), item_event("done", item));
    [vec![first], growth, vec![last]].concat()
}

/// An event on the wire. Those that are not of the response itself have no number.
fn frame(number: usize, event: &Value) -> String {
    let mut event = event.clone();
    let name = event["type"].as_str().unwrap_or_default().to_owned();
    if name.starts_with("response.") {
        event["sequence_number"] = json!(number);
    }
    format!("event: {name}\ndata: {event}\n\n")
}
