//! The Codex CLI: `config.toml` in `$CODEX_HOME`, by default `~/.codex`.
//!
//! Its `[model_providers.<id>]` says where requests go, and `model_provider` which one is used.

use super::super::edit::Format;
use super::super::plan::{Client, FilePlan, Gateway, Machine, Plan, Way};
use super::super::{ConnectError, KEY_VARIABLE};

pub(super) const CLIENT: Client =
    Client { id: "codex", name: "the Codex CLI", programs: &["codex"], overruled_by: &[], way: Way::Files(plan) };

fn plan(machine: &Machine<'_>, gateway: &Gateway) -> Result<Plan, ConnectError> {
    let folder = machine.named("CODEX_HOME").map_or_else(|| machine.home(".codex", &CLIENT), Ok)?;
    let ours = |key: &'static str| ["model_providers", "bitrouter", key];
    let model = gateway.model_instead_of(&["gpt"]).map(|model| model.id);
    let is_another = model.is_some();
    // Keys at the top come before tables.
    let mut file = FilePlan::new(folder.join("config.toml"), Format::Toml)
        .says(&["model_provider"], "bitrouter")
        .maybe(&["model"], model)
        .says(&ours("base_url"), gateway.v1())
        .says(&ours("name"), "BitRouter")
        .says(&ours("wire_api"), "responses");
    let mut notes = Vec::new();
    if gateway.key.is_some() {
        // Its secrets stand in the environment.
        file = file.says(&ours("env_key"), KEY_VARIABLE);
        notes.push(format!("The gateway asks for a key: set {KEY_VARIABLE} where you run codex."));
    }
    if is_another {
        notes.push("It knows less of models that are not OpenAI's, and says so (\"metadata not found\").".to_owned());
    }
    Ok(Plan { files: vec![file], notes })
}
