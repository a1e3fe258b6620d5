//! Continue: models in `~/.continue/config.yaml`, for its CLI and for its extensions alike, and secrets in `.env` beside it.

use serde_json::json;

use super::super::edit::{Format, Step};
use super::super::plan::{Client, FilePlan, Gateway, Machine, Plan, Way};
use super::super::{ConnectError, KEY_VARIABLE};

pub(super) const CLIENT: Client =
    Client { id: "continue", name: "Continue", programs: &["cn"], overruled_by: &[], way: Way::Files(plan) };

fn plan(machine: &Machine<'_>, gateway: &Gateway) -> Result<Plan, ConnectError> {
    let folder = machine.named("CONTINUE_GLOBAL_DIR").map_or_else(|| machine.home(".continue", &CLIENT), Ok)?;
    let mut file = FilePlan::new(folder.join("config.yaml"), Format::Yaml)
        .says_unless_there(&["name"], "Local Config")
        .says_unless_there(&["version"], "1.0.0")
        .says_unless_there(&["schema"], "v1");
    let models = gateway.listed(&CLIENT)?;
    let key = match gateway.key {
        Some(_) => format!("${{{{ secrets.{KEY_VARIABLE} }}}}"),
        None => gateway.key(),
    };
    for model in &models {
        let name = format!("BitRouter {}", model.id);
        let entry = json!({
            "name": name, "provider": "openai", "model": model.id, "apiBase": gateway.v1(), "apiKey": key,
        });
        let place = vec![Step::Key("models".to_owned()), Step::Item("name".to_owned(), name)];
        file = file.at(place, entry);
    }
    let mut files = vec![file];
    if gateway.key.is_some() {
        let secrets = FilePlan::new(folder.join(".env"), Format::Dotenv);
        files.push(secrets.says_key(&[KEY_VARIABLE], gateway, KEY_VARIABLE));
    }
    let notes = vec![format!("Choose the model BitRouter {} in it.", models[0].id)];
    Ok(Plan { files, notes })
}
