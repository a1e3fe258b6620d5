//! Continue: models in `~/.continue/config.yaml`, for its CLI and for its extensions alike.

use serde_json::json;

use super::super::ConnectError;
use super::super::edit::{Format, Step};
use super::super::plan::{Client, FilePlan, Gateway, Machine, Plan, Way};

pub(super) const CLIENT: Client =
    Client { id: "continue", name: "Continue", programs: &["cn"], overruled_by: &[], way: Way::Files(plan) };

fn plan(machine: &Machine<'_>, gateway: &Gateway) -> Result<Plan, ConnectError> {
    let folder = machine.named("CONTINUE_GLOBAL_DIR").map_or_else(|| machine.home(".continue", &CLIENT), Ok)?;
    let mut file = FilePlan::new(folder.join("config.yaml"), Format::Yaml)
        .says_unless_there(&["name"], "Local Config")
        .says_unless_there(&["version"], "1.0.0")
        .says_unless_there(&["schema"], "v1");
    let models = gateway.listed(&CLIENT)?;
    for model in &models {
        let name = format!("BitRouter {}", model.id);
        let entry = json!({
            "name": name, "provider": "openai", "model": model.id, "apiBase": gateway.v1(), "apiKey": gateway.key(),
        });
        let place = vec![Step::Key("models".to_owned()), Step::Item("name".to_owned(), name)];
        file = file.at(place, entry);
        if let Some(setting) = file.settings.last_mut().filter(|_| gateway.key.is_some()) {
            setting.secret = Some("OPENAI_API_KEY");
        }
    }
    let notes = vec![format!("Choose the model BitRouter {} in it.", models[0].id)];
    Ok(Plan { files: vec![file], notes })
}
