//! VS Code's own chat: a custom endpoint in `chatLanguageModels.json` of the user's folder.
//!
//! Keys are in its secret storage, which only it can write.

use serde_json::{Value, json};

use super::super::ConnectError;
use super::super::edit::{Format, Step};
use super::super::plan::{Client, FilePlan, Gateway, Machine, Plan, Way};
use super::{ANSWER, CONTEXT};

pub(super) const CLIENT: Client = Client {
    id: "vscode",
    name: "VS Code",
    programs: &["code", "code-insiders"],
    overruled_by: &[],
    way: Way::Files(plan),
};

fn plan(machine: &Machine<'_>, gateway: &Gateway) -> Result<Plan, ConnectError> {
    let folder = |name: &str| machine.application(&format!("{name}/User"), &CLIENT);
    let (usual, insiders) = (folder("Code")?, folder("Code - Insiders")?);
    let folder = if insiders.is_dir() && !usual.is_dir() { insiders } else { usual };
    let model = |model: super::super::plan::Model| {
        let context = model.context.unwrap_or(CONTEXT);
        let answer = ANSWER.min(context / 2);
        json!({
            "id": model.id, "name": model.id, "url": format!("{}/responses", gateway.v1()), "toolCalling": true,
            "vision": true, "maxInputTokens": context - answer, "maxOutputTokens": answer,
        })
    };
    let models: Vec<Value> = gateway.listed(&CLIENT)?.into_iter().map(model).collect();
    let group = json!({ "name": "BitRouter", "vendor": "customendpoint", "apiType": "responses", "models": models });
    let place = vec![Step::Item("name".to_owned(), "BitRouter".to_owned())];
    let file = FilePlan::new(folder.join("chatLanguageModels.json"), Format::Jsonc).at(place, group);
    let key = match gateway.key {
        Some(_) => "Its gear in the list takes the gateway's key.",
        None => "If it asks for a key, any word will do.",
    };
    let notes = vec![
        format!("Choose a model of BitRouter in the chat: Chat: Manage Language Models shows them. {key}"),
        "A profile of VS Code has a folder of its own, which this does not change.".to_owned(),
    ];
    Ok(Plan { files: vec![file], notes })
}
