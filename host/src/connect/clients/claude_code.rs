//! Claude Code: `settings.json` in `$CLAUDE_CONFIG_DIR`, by default `~/.claude`, whose `env` it puts into its environment.

use super::super::ConnectError;
use super::super::edit::Format;
use super::super::plan::{Client, FilePlan, Gateway, Machine, Plan, Way};

pub(super) const CLIENT: Client = Client {
    id: "claude-code",
    name: "Claude Code",
    programs: &["claude"],
    overruled_by: &["ANTHROPIC_BASE_URL", "ANTHROPIC_AUTH_TOKEN", "CLAUDE_CODE_USE_BEDROCK", "CLAUDE_CODE_USE_VERTEX"],
    way: Way::Files(plan),
};

/// What it calls its models; each can be another.
const MODELS: [&str; 6] = [
    "ANTHROPIC_MODEL",
    "ANTHROPIC_DEFAULT_OPUS_MODEL",
    "ANTHROPIC_DEFAULT_SONNET_MODEL",
    "ANTHROPIC_DEFAULT_HAIKU_MODEL",
    "ANTHROPIC_DEFAULT_FABLE_MODEL",
    "CLAUDE_CODE_SUBAGENT_MODEL",
];

fn plan(machine: &Machine<'_>, gateway: &Gateway) -> Result<Plan, ConnectError> {
    let folder = machine.named("CLAUDE_CONFIG_DIR").map_or_else(|| machine.home(".claude", &CLIENT), Ok)?;
    let mut file = FilePlan::new(folder.join("settings.json"), Format::Json)
        .says(&["env", "ANTHROPIC_BASE_URL"], gateway.origin.as_str())
        .says_key(&["env", "ANTHROPIC_AUTH_TOKEN"], gateway, "ANTHROPIC_AUTH_TOKEN")
        // With both it asks which one to use.
        .says_no(&["env", "ANTHROPIC_API_KEY"])
        // Its list has the gateway's models then, those whose names begin with claude or anthropic.
        .says(&["env", "CLAUDE_CODE_ENABLE_GATEWAY_MODEL_DISCOVERY"], "1")
        // It looks for tools by itself only where the host is Anthropic's.
        .says(&["env", "ENABLE_TOOL_SEARCH"], "true");
    let mut notes = Vec::new();
    if let Some(model) = gateway.model_instead_of(&["claude", "anthropic"]) {
        for name in MODELS {
            file = file.says(&["env", name], model.id.as_str());
        }
        // Its first block changes with each session, which no other vendor's cache can use.
        file = file.says(&["env", "CLAUDE_CODE_ATTRIBUTION_HEADER"], "0");
        let context = model.context.map(|tokens| tokens.to_string());
        file = file.maybe(&["env", "CLAUDE_CODE_MAX_CONTEXT_TOKENS"], context);
        notes.push(format!("Every model of it is {} now, whatever it is called there.", model.id));
    }
    Ok(Plan { files: vec![file], notes })
}
