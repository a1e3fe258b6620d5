//! Qwen Code: models of OpenAI's kind in `~/.qwen/settings.json`, with the variable that holds their key in its `env`.

use serde_json::json;

use super::super::edit::{Format, Step};
use super::super::plan::{Client, FilePlan, Gateway, Machine, Plan, Way};
use super::super::{ConnectError, KEY_VARIABLE};

pub(super) const CLIENT: Client = Client {
    id: "qwen",
    name: "Qwen Code",
    programs: &["qwen"],
    overruled_by: &["OPENAI_BASE_URL", "OPENAI_MODEL", KEY_VARIABLE],
    way: Way::Files(plan),
};

fn plan(machine: &Machine<'_>, gateway: &Gateway) -> Result<Plan, ConnectError> {
    let folder = machine.named("QWEN_HOME").map_or_else(|| machine.home(".qwen", &CLIENT), Ok)?;
    let mut file = FilePlan::new(folder.join("settings.json"), Format::Jsonc);
    let models = gateway.listed(&CLIENT)?;
    for model in &models {
        let name = format!("BitRouter {}", model.id);
        let mut entry = json!({ "id": model.id, "name": name, "envKey": KEY_VARIABLE, "baseUrl": gateway.v1() });
        if let Some(context) = model.context {
            entry["generationConfig"] = json!({ "contextWindowSize": context });
        }
        let list = ["modelProviders", "openai"].map(|key| Step::Key(key.to_owned()));
        let place = list.into_iter().chain([Step::Item("name".to_owned(), name)]).collect();
        file = file.at(place, entry);
    }
    let file = file
        .says_key(&["env", KEY_VARIABLE], gateway, KEY_VARIABLE)
        .says(&["security", "auth", "selectedType"], "openai")
        .says(&["model", "name"], models[0].id.as_str());
    Ok(Plan { files: vec![file], notes: Vec::new() })
}
