//! What a vendor's API checks of a request, as far as it is documented: the same for captures and for made-up histories.

use std::collections::HashSet;

use bitrouter_dialect::Dialect;
use serde_json::Value;

type Checked = Result<(), String>;

/// Whether an API of that dialect would take the body.
pub(crate) fn check(dialect: Dialect, body: &Value) -> Checked {
    let text = body.to_string();
    ensure(!text.contains("\"br1.") && !text.contains("\"YnIxL"), "a wrapped state")?;
    match dialect {
        Dialect::ChatCompletions => chat(body),
        Dialect::Responses => responses(body),
        Dialect::Messages => messages(body),
        Dialect::GenerateContent => generate_content(body),
    }
}

fn ensure(holds: bool, what: impl Into<String>) -> Checked {
    if holds { Ok(()) } else { Err(what.into()) }
}

fn list<'a>(value: &'a Value, what: &str) -> Result<&'a [Value], String> {
    value.as_array().map(Vec::as_slice).ok_or_else(|| format!("{what} is no list: {value}"))
}

fn text<'a>(value: &'a Value, what: &str) -> Result<&'a str, String> {
    value.as_str().ok_or_else(|| format!("{what} is no text: {value}"))
}

fn conforms(id: &str, longest: usize) -> Checked {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    ensure(!id.is_empty() && id.len() <= longest && id.bytes().all(fits), format!("the id or name {id:?}"))
}

fn messages(body: &Value) -> Checked {
    ensure(body["max_tokens"].as_u64().is_some_and(|it| it > 0), "max_tokens")?;
    text(&body["model"], "model")?;
    let turns = list(&body["messages"], "messages")?;
    ensure(!turns.is_empty(), "no messages")?;
    let mut known = HashSet::new();
    let mut open: Vec<&str> = Vec::new();
    for (at, turn) in turns.iter().enumerate() {
        let role = text(&turn["role"], "role")?;
        ensure(matches!(role, "user" | "assistant" | "system"), format!("role {role}"))?;
        let blocks = match &turn["content"] {
            Value::String(text) => {
                ensure(!text.is_empty(), "an empty message")?;
                &[][..]
            }
            content => list(content, "content")?,
        };
        ensure(!blocks.is_empty() || turn["content"].is_string(), "a message without content")?;
        let mut answered: Vec<&str> = Vec::new();
        let mut calls = Vec::new();
        for block in blocks {
            match text(&block["type"], "a block's type")? {
                "text" => ensure(!text(&block["text"], "text")?.is_empty(), "an empty text block")?,
                "image" | "document" | "search_result" => ensure(role == "user", "media of the assistant's")?,
                "thinking" => {
                    text(&block["thinking"], "thinking")?;
                    ensure(!text(&block["signature"], "a signature")?.is_empty(), "an empty signature")?;
                }
                "redacted_thinking" => ensure(!text(&block["data"], "data")?.is_empty(), "empty data")?,
                "tool_use" => {
                    let id = text(&block["id"], "id")?;
                    conforms(id, 64)?;
                    conforms(text(&block["name"], "name")?, 128)?;
                    ensure(role == "assistant" && block["input"].is_object(), "a call")?;
                    ensure(known.insert(id.to_owned()), format!("the id {id} twice"))?;
                    calls.push(id);
                }
                "tool_result" => {
                    let id = text(&block["tool_use_id"], "tool_use_id")?;
                    let first = std::ptr::eq(block, &blocks[answered.len()]);
                    ensure(first && role == "user", format!("message {at}: a result behind something else"))?;
                    ensure(open.contains(&id) && !answered.contains(&id), format!("a result of {id} without a call"))?;
                    answered.push(id);
                    for part in block["content"].as_array().into_iter().flatten() {
                        let kind = text(&part["type"], "type")?;
                        ensure(matches!(kind, "text" | "image" | "document" | "search_result"), kind)?;
                        ensure(kind != "text" || part["text"] != "", "an empty text in a result")?;
                    }
                }
                other => return Err(format!("a block {other}")),
            }
        }
        ensure(answered.len() == open.len(), format!("message {at}: calls {open:?} are answered by {answered:?}"))?;
        open = calls;
    }
    ensure(open.is_empty(), "calls at the end")?;
    ensure(body.to_string().matches("\"cache_control\"").count() <= 4, "too many cache_control")?;
    for tool in body["tools"].as_array().into_iter().flatten() {
        conforms(text(&tool["name"], "name")?, 128)?;
        ensure(tool["input_schema"]["type"] == "object" || tool["type"].is_string(), format!("the schema of {tool}"))?;
    }
    Ok(())
}

fn chat(body: &Value) -> Checked {
    text(&body["model"], "model")?;
    let turns = list(&body["messages"], "messages")?;
    ensure(!turns.is_empty(), "no messages")?;
    let mut open: Vec<&str> = Vec::new();
    for turn in turns {
        let role = text(&turn["role"], "role")?;
        if role != "tool" {
            ensure(open.is_empty(), format!("{open:?} have no results"))?;
        }
        match role {
            "system" | "developer" | "user" => ensure(!turn["content"].is_null(), "a message without content")?,
            "assistant" => {
                let mut says = !turn["content"].is_null() || !turn["refusal"].is_null();
                if let Some(calls) = turn["tool_calls"].as_array() {
                    ensure(!calls.is_empty(), "an empty list of calls")?;
                    says = true;
                    for call in calls {
                        let id = text(&call["id"], "id")?;
                        conforms(id, 64)?;
                        ensure(!open.contains(&id), "an id twice")?;
                        open.push(id);
                        let kind = text(&call["type"], "type")?;
                        conforms(text(&call[kind]["name"], "name")?, 64)?;
                        text(&call[kind][if kind == "custom" { "input" } else { "arguments" }], "arguments")?;
                    }
                }
                ensure(says || turn["reasoning_content"].is_string(), format!("an assistant without words: {turn}"))?;
            }
            "tool" => {
                let id = text(&turn["tool_call_id"], "tool_call_id")?;
                let at = open.iter().position(|it| *it == id);
                open.remove(at.ok_or_else(|| format!("a result of {id} without a call"))?);
                for part in turn["content"].as_array().into_iter().flatten() {
                    ensure(part["type"] == "text", "a tool's message has text alone")?;
                }
            }
            other => return Err(format!("role {other}")),
        }
        for part in turn["content"].as_array().into_iter().flatten() {
            let kind = text(&part["type"], "a part's type")?;
            let known = ["text", "image_url", "input_audio", "file", "refusal"];
            ensure(known.contains(&kind) && !part[kind].is_null(), format!("a part {part}"))?;
            ensure(role == "user" || matches!(kind, "text" | "refusal"), format!("{role} says {kind}"))?;
        }
    }
    ensure(open.is_empty(), format!("{open:?} have no results"))?;
    for tool in body["tools"].as_array().into_iter().flatten() {
        let kind = text(&tool["type"], "a tool's type")?;
        ensure(matches!(kind, "function" | "custom"), kind)?;
        conforms(text(&tool[kind]["name"], "name")?, 64)?;
    }
    Ok(())
}

fn responses(body: &Value) -> Checked {
    text(&body["model"], "model")?;
    let items = list(&body["input"], "input")?;
    ensure(!items.is_empty(), "no items")?;
    let mut open: Vec<&str> = Vec::new();
    for item in items {
        match item["type"].as_str().unwrap_or("message") {
            "message" => {
                let role = text(&item["role"], "role")?;
                ensure(matches!(role, "user" | "assistant" | "system" | "developer"), role)?;
                for part in item["content"].as_array().into_iter().flatten() {
                    let kind = text(&part["type"], "type")?;
                    let known: &[&str] = match role {
                        "assistant" => &["output_text", "refusal"],
                        "user" => &["input_text", "input_image", "input_file"],
                        _ => &["input_text"],
                    };
                    ensure(known.contains(&kind), format!("{role} says {kind}"))?;
                }
                ensure(!item["content"].is_null() && item["content"] != serde_json::json!([]), "no content")?;
            }
            "reasoning" => {
                list(&item["summary"], "summary")?;
                ensure(item["encrypted_content"].is_string(), "reasoning without state")?;
            }
            kind @ ("function_call" | "custom_tool_call") => {
                let id = text(&item["call_id"], "call_id")?;
                conforms(id, 64)?;
                conforms(text(&item["name"], "name")?, 64)?;
                text(&item[if kind == "function_call" { "arguments" } else { "input" }], "arguments")?;
                ensure(!open.contains(&id), "an id twice")?;
                open.push(id);
            }
            "function_call_output" | "custom_tool_call_output" => {
                let id = text(&item["call_id"], "call_id")?;
                let at = open.iter().position(|it| *it == id);
                open.remove(at.ok_or_else(|| format!("a result of {id} without a call"))?);
                for part in item["output"].as_array().into_iter().flatten() {
                    let kind = text(&part["type"], "type")?;
                    ensure(matches!(kind, "input_text" | "input_image" | "input_file"), kind)?;
                }
                ensure(item["output"].is_string() || item["output"].is_array(), "no output")?;
            }
            other => return Err(format!("an item {other}")),
        }
    }
    ensure(open.is_empty(), format!("{open:?} have no results"))?;
    for tool in body["tools"].as_array().into_iter().flatten() {
        text(&tool["type"], "a tool's type")?;
        ensure(tool["type"] != "function" || conforms(tool["name"].as_str().unwrap_or(""), 64).is_ok(), "a name")?;
    }
    Ok(())
}

fn generate_content(body: &Value) -> Checked {
    let contents = list(&body["contents"], "contents")?;
    ensure(!contents.is_empty(), "no contents")?;
    let mut role = "";
    let mut open: Vec<(Option<&str>, &str)> = Vec::new();
    for content in contents {
        let own = text(&content["role"], "role")?;
        ensure(matches!(own, "user" | "model") && own != role, format!("{own} after {role}"))?;
        role = own;
        let parts = list(&content["parts"], "parts")?;
        ensure(!parts.is_empty(), "a content without parts")?;
        let mut calls = Vec::new();
        let mut answered = 0;
        for part in parts {
            if let Some(call) = part.get("functionCall") {
                let name = text(&call["name"], "name")?;
                ensure(call["args"].is_object() && role == "model", "a call")?;
                let signed = part["thoughtSignature"].is_string();
                ensure(signed || !calls.is_empty(), format!("the first call of a step has no signature: {part}"))?;
                calls.push((call["id"].as_str(), name));
            } else if let Some(result) = part.get("functionResponse") {
                let name = text(&result["name"], "name")?;
                let id = result["id"].as_str();
                ensure(result["response"].is_object() && role == "user", "a result")?;
                let at = open.iter().position(|call| call.1 == name && (id.is_none() || call.0 == id));
                open.remove(at.ok_or_else(|| format!("a result of {name} {id:?} without a call"))?);
                answered += 1;
            } else {
                let says = ["text", "inlineData", "fileData"].iter().any(|it| !part[*it].is_null());
                ensure(says, format!("a part {part}"))?;
            }
        }
        ensure(open.is_empty(), format!("{open:?} have no results, {answered} have"))?;
        open = calls;
    }
    ensure(open.is_empty(), format!("{open:?} have no results"))
}
