//! opencode: `opencode.json` or `opencode.jsonc` in `~/.config/opencode`, and its keys in `auth.json` of its data folder.
//!
//! A model that is not listed there does not exist for it. Responses, since its reasoning goes on from turn to turn in them.

use serde_json::{Map, Value, json};

use super::super::ConnectError;
use super::super::edit::Format;
use super::super::plan::{Client, FilePlan, Gateway, Machine, Plan, Way};
use super::ANSWER;

pub(super) const CLIENT: Client = Client {
    id: "opencode",
    name: "opencode",
    programs: &["opencode"],
    overruled_by: &["OPENCODE_CONFIG_CONTENT"],
    way: Way::Files(plan),
};

fn plan(machine: &Machine<'_>, gateway: &Gateway) -> Result<Plan, ConnectError> {
    let folder = machine.config("opencode", &CLIENT)?;
    let with_comments = folder.join("opencode.jsonc");
    let usual = if with_comments.exists() { with_comments } else { folder.join("opencode.json") };
    let file = machine.named("OPENCODE_CONFIG").unwrap_or(usual);
    let models = gateway.listed(&CLIENT)?;
    let first = format!("bitrouter/{}", models[0].id);
    let models: Map<String, Value> = models
        .into_iter()
        .map(|model| {
            let mut entry = json!({ "name": model.id, "tool_call": true, "attachment": true, "reasoning": true });
            entry["modalities"] = json!({ "input": ["text", "image"], "output": ["text"] });
            if let Some(context) = model.context {
                entry["limit"] = json!({ "context": context, "output": ANSWER.min(context) });
            }
            (model.id, entry)
        })
        .collect();
    let mut options = json!({ "baseURL": gateway.v1() });
    let mut files = Vec::new();
    if gateway.key.is_none() {
        options["apiKey"] = gateway.key().into();
    }
    let provider = json!({ "npm": "@ai-sdk/openai", "name": "BitRouter", "options": options, "models": models });
    let file = FilePlan::new(file, Format::Jsonc)
        // It writes this into a file that lacks it.
        .says_unless_there(&["$schema"], "https://opencode.ai/config.json")
        .says(&["provider", "bitrouter"], provider)
        .says(&["model"], first);
    files.push(file);
    let mut notes = vec!["It reads this when it starts: end one that runs.".to_owned()];
    if gateway.key.is_some() {
        let keys = machine.data("opencode/auth.json", &CLIENT)?;
        let key = FilePlan::new(keys, Format::Json).says(&["bitrouter", "type"], "api").says_key(
            &["bitrouter", "key"],
            gateway,
            "BITROUTER_API_KEY",
        );
        files.push(key);
        notes.push("The key is where opencode keeps keys.".to_owned());
    }
    Ok(Plan { files, notes })
}
