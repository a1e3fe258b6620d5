//! What a user may set of a provider: in the config, or by a variable of the environment.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One setting that a user may give in `providers.<id>.settings`.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
pub struct Setting {
    /// What it is for.
    pub description: String,
    /// What it must be.
    #[serde(rename = "type")]
    pub kind: SettingType,
    /// The header that it goes up as, in lower case, with every request that the component does not make itself.
    #[serde(default)]
    pub header: Option<String>,
    /// Environment variables that say it where the config does not, the first that is set wins. None that holds a credential:
    /// components are shown their settings.
    #[serde(default)]
    pub env: Vec<String>,
    /// Environment variables behind those that hold a whole `https` URL, each with the hosts that such a URL may have:
    /// `{"AZURE_OPENAI_ENDPOINT": ["{}.openai.azure.com"]}`. What stands in the place of `{}` is the setting; nothing is sent
    /// to the URL itself, and one of another host says nothing.
    #[serde(default)]
    pub env_urls: BTreeMap<String, Vec<String>>,
    /// What it is where nobody says it.
    #[serde(default)]
    pub default: Option<serde_json::Value>,
}

impl Setting {
    /// Every environment variable that may say it.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        self.env.iter().chain(self.env_urls.keys()).map(String::as_str)
    }

    pub(super) fn without_env(&self) -> Self {
        Setting { env: Vec::new(), env_urls: BTreeMap::new(), ..self.clone() }
    }
}

/// What a setting's value must be.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum SettingType {
    /// Any text.
    String,
    /// A number.
    Number,
    /// True or false.
    Boolean,
    /// A JSON object or array, handed on as it is.
    Json,
}
