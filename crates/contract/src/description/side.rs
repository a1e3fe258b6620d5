//! What the host asks of a provider beside client calls, and what it hands to components of what comes by.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ModelOperations, NextPage};

/// One exchange that the host makes beside client calls.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
pub struct SideRequest {
    /// What its answer is read as: `models`, `usage` or `account`.
    pub kind: SideKind,
    /// The name of the origin.
    #[serde(default = "api_name")]
    pub origin: String,
    /// The path, appended to the origin's prefix; always a GET.
    pub path: String,
    /// Query parameters.
    #[serde(default)]
    pub query: BTreeMap<String, String>,
    /// Request headers.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Of a list of models that the component does not read: where in the page it is, as a JSON pointer (RFC 6901). `/data`
    /// where nothing is said; the empty one is the page itself.
    #[serde(default)]
    pub list: Option<String>,
    /// Where in an item of the list the model's name is; `/id` where nothing is said.
    #[serde(default)]
    pub id: Option<String>,
    /// What a name begins with that is no part of it, such as `models/`.
    #[serde(default)]
    pub prefix: Option<String>,
    /// Where in an item the most tokens are that a call may hold.
    #[serde(default)]
    pub context_window: Option<String>,
    /// Where in an item the most tokens of an answer are.
    #[serde(default)]
    pub max_output: Option<String>,
    /// Which operations the models of the list serve, where its items say so.
    #[serde(default)]
    pub operations: Option<ModelOperations>,
    /// Items that are left out: those that have one of these texts there, by JSON pointer.
    #[serde(default)]
    pub unless: BTreeMap<String, String>,
    /// How the list goes on.
    #[serde(default)]
    pub next: Option<NextPage>,
}

fn api_name() -> String {
    "api".into()
}

/// What a side request's answer is read as, and so which JSON `interpret` returns.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum SideKind {
    /// `{"models": [Model…]}`, each as in `models` of the description, at most 4096 and at least one. They take the place
    /// of those for the account that was asked for.
    Models,
    /// `{"windows": [{"name", "used_percent", "limit", "remaining", "length_seconds", "resets_at"}…], "plan": "…"}`: the
    /// name must be there, all else may be. Windows are named as `quota` names them.
    Usage,
    /// `{"claims": {"name": "value"…}}`, added to the account's claims.
    Account,
}

/// What the host hands to `quota` when it comes by.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
pub struct Observe {
    /// Names of answer headers; a trailing `*` stands for any ending.
    #[serde(default)]
    pub headers: Vec<String>,
    /// Types of events inside a stream.
    #[serde(default)]
    pub events: Vec<String>,
}
