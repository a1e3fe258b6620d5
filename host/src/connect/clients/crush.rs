//! Crush: a provider in `~/.config/crush/crush.json`, which every version reads; newer ones have `crushrc` beside it, which
//! is a script.

use serde_json::{Value, json};

use super::super::ConnectError;
use super::super::edit::Format;
use super::super::plan::{Client, FilePlan, Gateway, Machine, Model, Plan, Way};
use super::{ANSWER, CONTEXT};

pub(super) const CLIENT: Client =
    Client { id: "crush", name: "Crush", programs: &["crush"], overruled_by: &[], way: Way::Files(plan) };

fn plan(machine: &Machine<'_>, gateway: &Gateway) -> Result<Plan, ConnectError> {
    let folder = machine.named("CRUSH_GLOBAL_CONFIG").map_or_else(|| machine.config("crush", &CLIENT), Ok)?;
    let models = gateway.listed(&CLIENT)?;
    let first = json!({ "provider": "bitrouter", "model": models[0].id });
    let model = |model: Model| {
        let context = model.context.unwrap_or(CONTEXT);
        json!({
            "id": model.id, "name": model.id, "context_window": context, "default_max_tokens": ANSWER.min(context / 2),
            "supports_attachments": true,
        })
    };
    let models: Vec<Value> = models.into_iter().map(model).collect();
    let ours = |key: &'static str| ["providers", "bitrouter", key];
    let file = FilePlan::new(folder.join("crush.json"), Format::Jsonc)
        .says(&ours("base_url"), gateway.v1())
        .says(&ours("name"), "BitRouter")
        .says(&ours("type"), "openai-compat")
        .says_key(&ours("api_key"), gateway, "BITROUTER_API_KEY")
        .says(&ours("models"), models)
        .says(&["models", "large"], first.clone())
        .says(&["models", "small"], first);
    let notes = vec!["A model that was chosen in Crush before stays chosen: choose one of BitRouter there.".to_owned()];
    Ok(Plan { files: vec![file], notes })
}
