//! Where a provider is: parts of its addresses that settings choose, models that are served otherwise, and servers on the
//! user's own machine. `described` and the host read them.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Paths;

/// A part of a host that depends on a setting.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
pub struct OriginPart {
    /// The setting.
    pub of: String,
    /// What the part is for some of its values: letters, digits, `-` and `.`.
    #[serde(default)]
    pub values: BTreeMap<String, String>,
    /// What it is for all others; `{}` is the value, as one label.
    pub otherwise: String,
}

/// How a server on the user's own machine is found. It is asked without a credential, each second while the gateway runs.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
pub struct Local {
    /// Its port, where an address has none.
    pub port: u16,
    /// Environment variables that say its address, as `host`, `host:port` or a URL. Only one on this machine is taken.
    #[serde(default)]
    pub address_env: Vec<String>,
    /// What it answers to. It is there if one of these is so.
    pub probes: Vec<Probe>,
    /// What another server answers to that has the same port. It is not there if one of these is so.
    #[serde(default)]
    pub unless: Vec<Probe>,
}

/// A GET whose answer tells what a server is.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
pub struct Probe {
    /// The path below the origin `api`.
    pub path: String,
    /// The answer's status: 200 where nothing is said.
    #[serde(default = "ok")]
    pub status: u16,
    /// What its JSON body has, as a JSON pointer.
    #[serde(default)]
    pub has: Option<String>,
}

fn ok() -> u16 {
    200
}

/// How some models of a provider are served.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
pub struct ByModel {
    /// The provider's own names of the models; a `*` stands for any letters.
    pub models: Vec<String>,
    /// What is served of these models, in which dialects, the best first.
    pub serves: BTreeMap<String, Vec<String>>,
    /// Where, if not where it is for the provider's other models.
    #[serde(default)]
    pub paths: Paths,
    /// The name of the origin, where it is another than `api`.
    #[serde(default)]
    pub origin: Option<String>,
}
