//! Zed: a compatible provider in `settings.json`. Keys are in the system's keychain or in the environment, which wins.

use serde_json::{Value, json};

use super::super::edit::Format;
use super::super::plan::{Client, FilePlan, Gateway, Machine, Model, Plan, Way};
use super::super::{ConnectError, KEY_VARIABLE};
use super::CONTEXT;

pub(super) const CLIENT: Client =
    Client { id: "zed", name: "Zed", programs: &["zed", "zeditor"], overruled_by: &[], way: Way::Files(plan) };

fn plan(machine: &Machine<'_>, gateway: &Gateway) -> Result<Plan, ConnectError> {
    let folder = if cfg!(windows) { machine.application("Zed", &CLIENT)? } else { machine.config("zed", &CLIENT)? };
    let models = gateway.listed(&CLIENT)?;
    let first = json!({ "provider": "bitrouter", "model": models[0].id });
    let model = |model: Model| {
        json!({
            "name": model.id, "max_tokens": model.context.unwrap_or(CONTEXT),
            // Responses, in which reasoning goes on from turn to turn.
            "capabilities": { "tools": true, "images": true, "parallel_tool_calls": true, "prompt_cache_key": true, "chat_completions": false },
        })
    };
    let provider = json!({
        "api_url": gateway.v1(), "available_models": models.into_iter().map(model).collect::<Vec<Value>>(),
    });
    let file = FilePlan::new(folder.join("settings.json"), Format::Jsonc)
        .says(&["language_models", "openai_compatible", "bitrouter"], provider)
        .says(&["agent", "default_model"], first);
    let key = match gateway.key {
        Some(_) => "the gateway's key",
        None => "any word, as it sends nothing without one",
    };
    let notes = vec![format!("Give it a key (Settings, AI, LLM Providers, bitrouter; or {KEY_VARIABLE}): {key}.")];
    Ok(Plan { files: vec![file], notes })
}
