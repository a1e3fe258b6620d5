//! Several secrets that are one credential, as they are.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Attach, Places};

/// One secret of several that together are a credential.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
pub struct Secret {
    /// Its name: `[a-z][a-z0-9_]{0,31}`. It is stored under it, and rules and holes name it.
    pub name: String,
    /// What a user is asked for at a login; the name where nothing is said.
    #[serde(default)]
    pub prompt: Option<String>,
    /// Environment variables that are looked at, the first that is set wins.
    #[serde(default)]
    pub env: Vec<String>,
    /// Whether the credential is whole without it.
    #[serde(default)]
    pub optional: bool,
}

impl Secret {
    /// One that these environment variables may hold.
    pub fn new(name: &str, prompt: &str, env: &[&str]) -> Self {
        Secret {
            name: name.to_owned(),
            prompt: Some(prompt.to_owned()),
            env: env.iter().map(|&variable| variable.to_owned()).collect(),
            optional: false,
        }
    }

    /// What a user is asked for.
    pub fn asked(&self) -> &str {
        self.prompt.as_deref().unwrap_or(&self.name)
    }
}

/// Several secrets that are each attached.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
pub struct Keys {
    /// The secrets, in the order in which a user is asked for them.
    pub secrets: Vec<Secret>,
    /// How they are attached: each rule names its `secret`, or a claim.
    pub attach: Vec<Attach>,
    /// Whether requests go up without it where there is none.
    #[serde(default)]
    pub optional: bool,
    /// Where it is got, and where it may go.
    #[serde(flatten)]
    pub places: Places,
}

/// A name and a password (RFC 7617), sent as `authorization: Basic …`.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
pub struct Basic {
    /// `user` and `password`.
    #[serde(default = "user_and_password")]
    pub secrets: Vec<Secret>,
    /// Whether requests go up without it where there is none.
    #[serde(default)]
    pub optional: bool,
    /// Where it is got, and where it may go.
    #[serde(flatten)]
    pub places: Places,
}

/// The names that [`Basic`] has for its secrets.
pub const BASIC_SECRETS: [&str; 2] = ["user", "password"];

fn user_and_password() -> Vec<Secret> {
    vec![Secret::new("user", "User name", &[]), Secret::new("password", "Password", &[])]
}
