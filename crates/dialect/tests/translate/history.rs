//! Made-up histories: what was said, and how clients of each dialect write it.

use bitrouter_dialect::Dialect;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::target::model;

/// One thing after the other.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    User {
        text: String,
        image: bool,
    },
    /// Words and calls of the assistant, with the results of the calls in another order.
    Assistant {
        text: String,
        calls: Vec<Call>,
        turned: bool,
    },
}

#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) name: &'static str,
    pub(crate) arguments: Value,
    pub(crate) result: String,
    pub(crate) failed: bool,
    pub(crate) image: bool,
}

pub(crate) const PIXEL: &str = "iVBORw0KGgo=";

/// Text of any kind that is not empty and has no white space around it, which vendors trim.
fn words() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z]{1,8}", r#"[a-z"\\\n{}é😀 ]{0,12}x"#.prop_map(|it| format!("x{it}"))]
}

fn call() -> impl Strategy<Value = Call> {
    let arguments = prop_oneof![
        Just(json!({})),
        words().prop_map(|it| json!({"a": it, "n": [1, {"b": null}]})),
        Just(json!({"big": 9_007_199_254_740_993_u64, "f": 1.5})),
    ];
    let name = prop_oneof![Just("read"), Just("list_files"), Just("run")];
    (name, arguments, words(), any::<bool>(), any::<bool>()).prop_map(|(name, arguments, result, failed, image)| Call {
        name,
        arguments,
        result,
        failed,
        image,
    })
}

/// A conversation: the user begins and has the last word.
pub(crate) fn steps() -> impl Strategy<Value = Vec<Step>> {
    let user = || (words(), any::<bool>()).prop_map(|(text, image)| Step::User { text, image });
    let assistant = (words(), prop::collection::vec(call(), 0..4), any::<bool>())
        .prop_map(|(text, calls, turned)| Step::Assistant { text, calls, turned });
    prop::collection::vec((user(), prop::collection::vec(assistant, 0..3)), 1..5).prop_flat_map(move |rounds| {
        let steps: Vec<Step> =
            rounds.into_iter().flat_map(|(user, answers)| std::iter::once(user).chain(answers)).collect();
        (Just(steps), user()).prop_map(|(mut steps, last)| {
            steps.push(last);
            steps
        })
    })
}

/// The body of a client of that dialect.
pub(crate) fn body(dialect: Dialect, steps: &[Step]) -> Value {
    let mut turns = Vec::new();
    let mut count = 0;
    for step in steps {
        match step {
            Step::User { text, image } => turns.push(user(dialect, text, *image)),
            Step::Assistant { text, calls, turned } => {
                let ids: Vec<String> = calls.iter().enumerate().map(|(at, _)| format!("call_{}", count + at)).collect();
                count += calls.len();
                let mut named: Vec<(&str, &Call)> = ids.iter().map(String::as_str).zip(calls).collect();
                assistant(dialect, text, &named, &mut turns);
                if *turned {
                    named.reverse();
                }
                results(dialect, &named, &mut turns);
            }
        }
    }
    let schema = json!({"type": "object", "properties": {"a": {"type": "string"}}});
    let names = ["read", "list_files", "run"];
    let tools = |tool: fn(&str, &Value) -> Value| names.iter().map(|name| tool(name, &schema)).collect::<Vec<_>>();
    match dialect {
        Dialect::ChatCompletions => {
            turns.insert(0, json!({"role": "system", "content": "Be good."}));
            let tools =
                tools(|name, schema| json!({"type": "function", "function": {"name": name, "parameters": schema}}));
            json!({"model": model(dialect), "messages": turns, "tools": tools, "stream": true})
        }
        Dialect::Responses => {
            let tools =
                tools(|name, schema| json!({"type": "function", "name": name, "parameters": schema, "strict": false}));
            json!({"model": model(dialect), "instructions": "Be good.", "input": turns, "tools": tools, "store": false})
        }
        Dialect::Messages => {
            let tools = tools(|name, schema| json!({"name": name, "input_schema": schema}));
            json!({"model": model(dialect), "max_tokens": 1000, "system": "Be good.", "messages": turns, "tools": tools})
        }
        Dialect::GenerateContent => {
            let tools = tools(|name, schema| json!({"name": name, "parametersJsonSchema": schema}));
            json!({
                "systemInstruction": {"parts": [{"text": "Be good."}]},
                "contents": turns,
                "tools": [{"functionDeclarations": tools}],
            })
        }
    }
}

fn user(dialect: Dialect, text: &str, image: bool) -> Value {
    let url = format!("data:image/png;base64,{PIXEL}");
    let mut parts = Vec::new();
    let (words, picture) = match dialect {
        Dialect::ChatCompletions => {
            (json!({"type": "text", "text": text}), json!({"type": "image_url", "image_url": {"url": url}}))
        }
        Dialect::Responses => {
            (json!({"type": "input_text", "text": text}), json!({"type": "input_image", "image_url": url}))
        }
        Dialect::Messages => (json!({"type": "text", "text": text}), claude_image()),
        Dialect::GenerateContent => (json!({"text": text}), google_image()),
    };
    parts.push(words);
    if image {
        parts.push(picture);
    }
    match dialect {
        Dialect::GenerateContent => json!({"role": "user", "parts": parts}),
        _ => json!({"role": "user", "content": parts}),
    }
}

fn claude_image() -> Value {
    json!({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}})
}

fn google_image() -> Value {
    json!({"inlineData": {"mimeType": "image/png", "data": PIXEL}})
}

fn assistant(dialect: Dialect, text: &str, calls: &[(&str, &Call)], to: &mut Vec<Value>) {
    match dialect {
        Dialect::ChatCompletions => {
            let mut message = json!({"role": "assistant", "content": text});
            if !calls.is_empty() {
                message["tool_calls"] = calls.iter().map(|(id, call)| {
                    json!({"id": id, "type": "function", "function": {"name": call.name, "arguments": call.arguments.to_string()}})
                }).collect();
            }
            to.push(message);
        }
        Dialect::Responses => {
            to.push(
                json!({"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": text}]}),
            );
            to.extend(calls.iter().map(|(id, call)| {
                json!({"type": "function_call", "call_id": id, "name": call.name, "arguments": call.arguments.to_string()})
            }));
        }
        Dialect::Messages => {
            let mut content = vec![json!({"type": "text", "text": text})];
            content.extend(
                calls.iter().map(
                    |(id, call)| json!({"type": "tool_use", "id": id, "name": call.name, "input": call.arguments}),
                ),
            );
            to.push(json!({"role": "assistant", "content": content}));
        }
        Dialect::GenerateContent => {
            let mut parts = vec![json!({"text": text})];
            parts.extend(
                calls
                    .iter()
                    .map(|(id, call)| json!({"functionCall": {"id": id, "name": call.name, "args": call.arguments}})),
            );
            to.push(json!({"role": "model", "parts": parts}));
        }
    }
}

fn results(dialect: Dialect, calls: &[(&str, &Call)], to: &mut Vec<Value>) {
    if calls.is_empty() {
        return;
    }
    match dialect {
        Dialect::ChatCompletions => to
            .extend(calls.iter().map(|(id, call)| json!({"role": "tool", "tool_call_id": id, "content": call.result}))),
        Dialect::Responses => to.extend(calls.iter().map(|(id, call)| {
            let mut output = vec![json!({"type": "input_text", "text": call.result})];
            if call.image {
                let url = format!("data:image/png;base64,{PIXEL}");
                output.push(json!({"type": "input_image", "image_url": url}));
            }
            json!({"type": "function_call_output", "call_id": id, "output": output})
        })),
        Dialect::Messages => {
            let content: Vec<Value> = calls
                .iter()
                .map(|(id, call)| {
                    let mut content = vec![json!({"type": "text", "text": call.result})];
                    if call.image {
                        content.push(claude_image());
                    }
                    json!({"type": "tool_result", "tool_use_id": id, "content": content, "is_error": call.failed})
                })
                .collect();
            to.push(json!({"role": "user", "content": content}));
        }
        Dialect::GenerateContent => {
            let parts: Vec<Value> = calls
                .iter()
                .map(|(id, call)| {
                    let member = if call.failed { "error" } else { "output" };
                    json!({"functionResponse": {"id": id, "name": call.name, "response": {member: call.result}}})
                })
                .collect();
            to.push(json!({"role": "user", "parts": parts}));
        }
    }
}

/// The list of turns in a body of that dialect.
pub(crate) fn turns(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::ChatCompletions | Dialect::Messages => "messages",
        Dialect::Responses => "input",
        Dialect::GenerateContent => "contents",
    }
}

/// What a body says, in lines that are the same for all dialects: words, calls, results. Media of results, which chat says
/// beside them, and the order of results stand apart.
pub(crate) fn essence(dialect: Dialect, body: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    for turn in body[turns(dialect)].as_array().unwrap() {
        match dialect {
            Dialect::ChatCompletions => chat_essence(turn, &mut lines),
            Dialect::Responses => response_essence(turn, &mut lines),
            Dialect::Messages => claude_essence(turn, &mut lines),
            Dialect::GenerateContent => google_essence(turn, &mut lines),
        }
    }
    lines
}

fn say(role: &Value, text: &Value, to: &mut Vec<String>) {
    if let Some(text) = text.as_str().filter(|text| !text.is_empty()) {
        to.push(format!("{}: {text}", role.as_str().unwrap_or("?").replace("model", "assistant")));
    }
}

fn chat_essence(turn: &Value, to: &mut Vec<String>) {
    let role = &turn["role"];
    if role == "system" || role == "developer" {
        return;
    }
    if role == "tool" {
        let content = &turn["content"];
        let parts =
            content.as_array().map(|parts| parts.iter().map(|it| it["text"].as_str().unwrap()).collect::<String>());
        let text = parts.unwrap_or_else(|| content.as_str().unwrap().to_owned());
        return to.push(format!("result {}: {text}", turn["tool_call_id"]));
    }
    say(role, &turn["content"], to);
    for part in turn["content"].as_array().into_iter().flatten() {
        say(role, &part["text"], to);
        if part["type"] == "image_url" {
            to.push("image".to_owned());
        }
    }
    for call in turn["tool_calls"].as_array().into_iter().flatten() {
        let arguments: Value = serde_json::from_str(call["function"]["arguments"].as_str().unwrap()).unwrap();
        to.push(format!("call {} {} {arguments}", call["id"], call["function"]["name"]));
    }
}

fn response_essence(item: &Value, to: &mut Vec<String>) {
    let role = &item["role"];
    match item["type"].as_str().unwrap_or("message") {
        "function_call" => {
            let arguments: Value = serde_json::from_str(item["arguments"].as_str().unwrap()).unwrap();
            to.push(format!("call {} {} {arguments}", item["call_id"], item["name"]));
        }
        "function_call_output" => {
            let output = &item["output"];
            let parts =
                output.as_array().map(|parts| parts.iter().filter_map(|it| it["text"].as_str()).collect::<String>());
            let text = parts.unwrap_or_else(|| output.as_str().unwrap_or_default().to_owned());
            to.push(format!("result {}: {text}", item["call_id"]));
            let images = output.as_array().into_iter().flatten().filter(|it| it["type"] == "input_image");
            to.extend(images.map(|_| "image".to_owned()));
        }
        "message" if role == "user" || role == "assistant" => {
            say(role, &item["content"], to);
            for part in item["content"].as_array().into_iter().flatten() {
                say(role, &part["text"], to);
                if part["type"] == "input_image" {
                    to.push("image".to_owned());
                }
            }
        }
        _ => {}
    }
}

fn claude_essence(turn: &Value, to: &mut Vec<String>) {
    let role = &turn["role"];
    say(role, &turn["content"], to);
    for block in turn["content"].as_array().into_iter().flatten() {
        say(role, &block["text"], to);
        match block["type"].as_str().unwrap() {
            "tool_use" => to.push(format!("call {} {} {}", block["id"], block["name"], block["input"])),
            "tool_result" => {
                let content = &block["content"];
                let parts = content.as_array().into_iter().flatten();
                let text: String = parts.clone().filter_map(|it| it["text"].as_str()).collect();
                let text = content.as_str().map_or(text, str::to_owned);
                to.push(format!("result {}: {text}", block["tool_use_id"]));
                to.extend(parts.filter(|it| it["type"] == "image").map(|_| "image".to_owned()));
            }
            "image" => to.push("image".to_owned()),
            _ => {}
        }
    }
}

fn google_essence(content: &Value, to: &mut Vec<String>) {
    for part in content["parts"].as_array().unwrap() {
        say(&content["role"], &part["text"], to);
        if let Some(call) = part.get("functionCall") {
            to.push(format!("call {} {} {}", call["id"], call["name"], call["args"]));
        }
        if let Some(result) = part.get("functionResponse") {
            let response = &result["response"];
            let text = ["output", "error", "result"].iter().find_map(|it| response[*it].as_str()).unwrap_or_default();
            to.push(format!("result {}: {text}", result["id"]));
            to.extend(result["parts"].as_array().into_iter().flatten().map(|_| "image".to_owned()));
        }
        if part.get("inlineData").is_some() {
            to.push("image".to_owned());
        }
    }
}
