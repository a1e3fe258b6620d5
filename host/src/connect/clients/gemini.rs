//! The Gemini CLI: variables in `~/.gemini/.env`, and the way it signs in in `~/.gemini/settings.json`.

use super::super::ConnectError;
use super::super::edit::Format;
use super::super::plan::{Client, FilePlan, Gateway, Machine, Plan, Way};

pub(super) const CLIENT: Client = Client {
    id: "gemini",
    name: "the Gemini CLI",
    programs: &["gemini"],
    overruled_by: &["GOOGLE_GEMINI_BASE_URL", "GEMINI_API_KEY", "GOOGLE_GENAI_USE_GCA", "GOOGLE_GENAI_USE_VERTEXAI"],
    way: Way::Files(plan),
};

fn plan(machine: &Machine<'_>, gateway: &Gateway) -> Result<Plan, ConnectError> {
    let home = machine.named("GEMINI_CLI_HOME").map_or_else(|| machine.home("", &CLIENT), Ok)?;
    let folder = home.join(".gemini");
    let variables = FilePlan::new(folder.join(".env"), Format::Dotenv)
        .says(&["GOOGLE_GEMINI_BASE_URL"], gateway.origin.as_str())
        .says_key(&["GEMINI_API_KEY"], gateway, "GEMINI_API_KEY");
    let model = gateway.model_instead_of(&["gemini"]).map(|model| model.id);
    let settings = FilePlan::new(folder.join("settings.json"), Format::Jsonc)
        .says(&["security", "auth", "selectedType"], "gemini-api-key")
        .maybe(&["model", "name"], model);
    let notes = vec!["A .env of a project is read in the place of this one.".to_owned()];
    Ok(Plan { files: vec![variables, settings], notes })
}
