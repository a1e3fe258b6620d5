//! The Cline CLI: `providers.json` among its data in `~/.cline`, as `cline auth` writes it.

use serde_json::{Map, Value};

use super::super::ConnectError;
use super::super::edit::Format;
use super::super::plan::{Client, FilePlan, Gateway, Machine, Plan, Way};

pub(super) const CLIENT: Client =
    Client { id: "cline", name: "the Cline CLI", programs: &["cline"], overruled_by: &[], way: Way::Files(plan) };

const PROVIDER: &str = "openai-compatible";

fn plan(machine: &Machine<'_>, gateway: &Gateway) -> Result<Plan, ConnectError> {
    let file = machine.home(".cline/data/settings/providers.json", &CLIENT)?;
    let ours = |key: &'static str| ["providers", PROVIDER, "settings", key];
    let file = FilePlan::new(file, Format::Json)
        // What it writes into a file that lacks it.
        .says_unless_there(&["version"], 1)
        .says_unless_there(&["modes"], Value::Object(Map::new()))
        .says(&["lastUsedProvider"], PROVIDER)
        .says(&ours("provider"), PROVIDER)
        .says_key(&ours("apiKey"), gateway, "OPENAI_COMPATIBLE_API_KEY")
        .says(&ours("model"), gateway.model(&CLIENT)?.id)
        .says(&ours("baseUrl"), gateway.v1())
        // It takes no entry without the moment of its last change, which it writes anew at each start.
        .says_for_now(&["providers", PROVIDER, "updatedAt"], "2026-01-01T00:00:00.000Z")
        .says_unless_there(&["providers", PROVIDER, "tokenSource"], "manual");
    Ok(Plan { files: vec![file], notes: vec!["For Cline inside VS Code: bitrouter connect cline-vscode".to_owned()] })
}
