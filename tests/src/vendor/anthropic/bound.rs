//! What Anthropic's newest models ask of a request beyond the older ones (facts, sections 1 and 6): their thinking is bound to all
//! that stood before it, and settings of older models are refused.

use serde_json::{Value, json};

use crate::wire::Seen;

/// The beta without which a request may not say what becomes of thinking that is bound elsewhere.
const BETA: &str = "thinking-binding-controls-2026-08-01";

/// The most markers of a request.
const MARKERS: usize = 4;

/// Whether these rules hold for a model.
pub(super) fn holds_for(body: &Value) -> bool {
    body["model"].as_str().is_some_and(|model| model.starts_with("claude-opus-5"))
}

/// All that stands before the message at this place, in the form in which it counts: markers of caches are no part of it, and
/// a text is what a list with that text alone is.
pub(super) fn before(body: &Value, at: usize) -> String {
    let messages = body["messages"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut all = json!([body["system"], body["tools"], messages[..at]]);
    settle(&mut all);
    all.to_string()
}

fn settle(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(settle),
        Value::Object(members) => {
            members.remove("cache_control");
            if let Some(content) = members.get_mut("content").filter(|content| content.is_string()) {
                *content = json!([{"type": "text", "text": content}]);
            }
            members.values_mut().for_each(settle);
        }
        _ => {}
    }
}

/// Whether thinking that is bound elsewhere is left out in silence, as the request may ask.
///
/// # Errors
///
/// What is said without the beta that it needs.
pub(super) fn drops(seen: &Seen, body: &Value) -> Result<bool, String> {
    let Some(binding) = body["thinking"].get("block_binding") else { return Ok(false) };
    if !seen.headers.all("anthropic-beta").any(|betas| betas.split(',').any(|beta| beta.trim() == BETA)) {
        return Err("thinking.block_binding: Extra inputs are not permitted".to_owned());
    }
    Ok(binding["prefix_mismatch_behavior"] == "drop_block")
}

/// What holds for the settings.
///
/// # Errors
///
/// What the model refuses.
pub(super) fn settings(body: &Value) -> Result<(), String> {
    let thinking = body["thinking"]["type"].as_str().unwrap_or("adaptive");
    if thinking == "enabled" {
        return Err("thinking.type: `enabled` is not supported for this model. Use `adaptive`.".to_owned());
    }
    if let Some(name) = ["temperature", "top_p", "top_k"].iter().find(|name| body.get(**name).is_some()) {
        // Claude Code says 1 where it turns the thinking off.
        if thinking != "disabled" || *name != "temperature" || body["temperature"] != 1 {
            return Err(format!("{name}: is not supported for this model"));
        }
    }
    if thinking == "adaptive" && ["any", "tool"].iter().any(|kind| body["tool_choice"]["type"] == *kind) {
        return Err("Thinking may not be enabled when tool_choice forces tool use.".to_owned());
    }
    let markers = body.to_string().matches("\"cache_control\":{").count();
    if markers > MARKERS {
        return Err(format!("A maximum of 4 blocks with cache_control may be provided. Found {markers}."));
    }
    Ok(())
}

/// What holds for the tools of every model.
///
/// # Errors
///
/// What is refused.
pub(super) fn tools(body: &Value) -> Result<(), String> {
    for (at, tool) in body["tools"].as_array().into_iter().flatten().enumerate() {
        let name = tool["name"].as_str().unwrap_or_default();
        let fits = |letter: char| letter.is_ascii_alphanumeric() || "_-".contains(letter);
        if name.is_empty() || name.len() > 128 || !name.chars().all(fits) {
            return Err(format!("tools.{at}.custom.name: String should match pattern '^[a-zA-Z0-9_-]{{1,128}}$'"));
        }
        // Those of Anthropic's own have a type and no schema.
        if tool.get("type").is_none_or(|kind| kind == "custom") && tool["input_schema"]["type"] != "object" {
            return Err(format!("tools.{at}.custom.input_schema.type: Field required"));
        }
    }
    Ok(())
}
