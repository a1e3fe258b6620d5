//! goose: a provider of the user's own in `custom_providers`, chosen in `config.yaml`.

use serde_json::{Value, json};

use super::super::edit::Format;
use super::super::plan::{Client, FilePlan, Gateway, Machine, Model, Plan, Way};
use super::super::{ConnectError, KEY_VARIABLE};
use super::CONTEXT;

pub(super) const CLIENT: Client = Client {
    id: "goose",
    name: "goose",
    programs: &["goose"],
    overruled_by: &["GOOSE_PROVIDER", "GOOSE_MODEL"],
    way: Way::Files(plan),
};

fn plan(machine: &Machine<'_>, gateway: &Gateway) -> Result<Plan, ConnectError> {
    let folder = match cfg!(windows) {
        true => machine.application("Block/goose/config", &CLIENT)?,
        false => machine.config("goose", &CLIENT)?,
    };
    let models = gateway.listed(&CLIENT)?;
    let first = models[0].id.clone();
    let model = |model: Model| json!({ "name": model.id, "context_limit": model.context.unwrap_or(CONTEXT) });
    let models: Vec<Value> = models.into_iter().map(model).collect();
    let provider = FilePlan::new(folder.join("custom_providers/custom_bitrouter.json"), Format::Json)
        .says(&["name"], "custom_bitrouter")
        .says(&["engine"], "openai")
        .says(&["display_name"], "BitRouter")
        .says(&["description"], "The gateway on this machine")
        .says(&["api_key_env"], if gateway.key.is_some() { KEY_VARIABLE } else { "" })
        .says(&["base_url"], format!("{}/chat/completions", gateway.v1()))
        .says(&["models"], models)
        .says(&["supports_streaming"], true)
        .says(&["requires_auth"], gateway.key.is_some());
    let chosen = FilePlan::new(folder.join("config.yaml"), Format::Yaml)
        .says(&["GOOSE_PROVIDER"], "custom_bitrouter")
        .says(&["GOOSE_MODEL"], first);
    let mut notes = Vec::new();
    if gateway.key.is_some() {
        notes.push(format!("The gateway asks for a key: set {KEY_VARIABLE} where you run goose."));
    }
    Ok(Plan { files: vec![provider, chosen], notes })
}
