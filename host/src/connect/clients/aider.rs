//! aider: options in `~/.aider.conf.yml`, which files of the repository and of the folder come before.

use super::super::ConnectError;
use super::super::edit::Format;
use super::super::plan::{Client, FilePlan, Gateway, Machine, Plan, Way};

pub(super) const CLIENT: Client = Client {
    id: "aider",
    name: "aider",
    programs: &["aider"],
    overruled_by: &["AIDER_OPENAI_API_BASE", "AIDER_MODEL", "AIDER_OPENAI_API_KEY"],
    way: Way::Files(plan),
};

fn plan(machine: &Machine<'_>, gateway: &Gateway) -> Result<Plan, ConnectError> {
    let file = FilePlan::new(machine.home(".aider.conf.yml", &CLIENT)?, Format::Yaml)
        .says(&["openai-api-base"], gateway.v1())
        .says_key(&["openai-api-key"], gateway, "AIDER_OPENAI_API_KEY")
        // Chat Completions of any model, in the words of the library that it asks by.
        .says(&["model"], format!("openai/{}", gateway.model(&CLIENT)?.id));
    let notes = vec![
        "It warns of models that it does not know; show-model-warnings: false ends that.".to_owned(),
        "A .aider.conf.yml of a repository has its way before this one.".to_owned(),
    ];
    Ok(Plan { files: vec![file], notes })
}
