//! The GitHub Copilot CLI, which takes another provider from its environment alone: variables in the shell's own file.

use super::super::ConnectError;
use super::super::edit::Format;
use super::super::plan::{Client, FilePlan, Gateway, Machine, Plan, Way};

pub(super) const CLIENT: Client = Client {
    id: "copilot",
    name: "the Copilot CLI",
    programs: &["copilot"],
    overruled_by: &["COPILOT_PROVIDER_BASE_URL", "COPILOT_MODEL"],
    way: Way::Files(plan),
};

fn plan(machine: &Machine<'_>, gateway: &Gateway) -> Result<Plan, ConnectError> {
    let shell = machine.named("SHELL").unwrap_or_default();
    let shell = shell.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let (path, format) = match shell.as_str() {
        "fish" => (machine.config("fish/conf.d/bitrouter.fish", &CLIENT)?, Format::Fish),
        "zsh" => {
            let folder = machine.named("ZDOTDIR").map_or_else(|| machine.home("", &CLIENT), Ok)?;
            (folder.join(".zshrc"), Format::Sh)
        }
        "bash" => (machine.home(".bashrc", &CLIENT)?, Format::Sh),
        _ => (machine.home(".profile", &CLIENT)?, Format::Sh),
    };
    let model = gateway.model(&CLIENT)?;
    let tokens = model.context.map(|tokens| tokens.to_string());
    let file = FilePlan::new(path, format)
        .says(&["COPILOT_PROVIDER_BASE_URL"], gateway.v1())
        .says(&["COPILOT_PROVIDER_TYPE"], "openai")
        .says(&["COPILOT_PROVIDER_WIRE_API"], "responses")
        .says_key(&["COPILOT_PROVIDER_API_KEY"], gateway, "COPILOT_PROVIDER_API_KEY")
        .says(&["COPILOT_MODEL"], model.id)
        .maybe(&["COPILOT_PROVIDER_MAX_PROMPT_TOKENS"], tokens);
    Ok(Plan { files: vec![file], notes: vec!["It holds for shells that are opened from now on.".to_owned()] })
}
