//! Ways of paying that are more than one key: several secrets, a signature, a token that is minted first.
//!
//! `credential` works from these types; the host has one implementation of each mechanism and knows no provider's name. A
//! secret has a name, the environment variables that may hold it, and what a user is asked for at a login. Times are in
//! seconds.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Attach, Encoding, api, bearer};
use crate::Origin;

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
    /// The page on which a user finds them.
    #[serde(default)]
    pub create_url: Option<String>,
    /// Whether requests go up without it where there is none.
    #[serde(default)]
    pub optional: bool,
    /// The names of the origins that they may go to.
    #[serde(default = "api")]
    pub origins: Vec<String>,
}

/// A name and a password (RFC 7617), sent as `authorization: Basic …`.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
pub struct Basic {
    /// `user` and `password`.
    #[serde(default = "user_and_password")]
    pub secrets: Vec<Secret>,
    /// The page on which a user finds them.
    #[serde(default)]
    pub create_url: Option<String>,
    /// Whether requests go up without it where there is none.
    #[serde(default)]
    pub optional: bool,
    /// The names of the origins that they may go to.
    #[serde(default = "api")]
    pub origins: Vec<String>,
}

/// The names that [`Basic`] has for its secrets.
pub const BASIC_SECRETS: [&str; 2] = ["user", "password"];

fn user_and_password() -> Vec<Secret> {
    vec![Secret::new("user", "User name", &[]), Secret::new("password", "Password", &[])]
}

/// Requests that are signed as AWS has it (Signature Version 4). The secret key goes nowhere.
///
/// Beside the environment variables, the host reads the static profiles of `~/.aws/credentials` and `~/.aws/config`.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
pub struct AwsSigv4 {
    /// The service's name in signatures, such as `bedrock`.
    pub service: String,
    /// The region in signatures.
    pub region: Region,
    /// `access_key_id`, `secret_access_key` and, where it is there, `session_token`.
    #[serde(default = "aws_secrets")]
    pub secrets: Vec<Secret>,
    /// The page on which a user finds them.
    #[serde(default)]
    pub create_url: Option<String>,
    /// The names of the origins to which requests are signed.
    #[serde(default = "api")]
    pub origins: Vec<String>,
}

/// The names that [`AwsSigv4`] has for its secrets; the last may be missing.
pub const AWS_SECRETS: [&str; 3] = ["access_key_id", "secret_access_key", "session_token"];
/// The headers that a signature of AWS sets.
pub const AWS_HEADERS: [&str; 4] = ["authorization", "x-amz-date", "x-amz-security-token", "x-amz-content-sha256"];

fn aws_secrets() -> Vec<Secret> {
    let session = Secret::new(AWS_SECRETS[2], "Session token (empty where there is none)", &["AWS_SESSION_TOKEN"]);
    vec![
        Secret::new(AWS_SECRETS[0], "Access key id", &["AWS_ACCESS_KEY_ID"]),
        Secret::new(AWS_SECRETS[1], "Secret access key", &["AWS_SECRET_ACCESS_KEY"]),
        Secret { optional: true, ..session },
    ]
}

/// Which region a signature names.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Region {
    /// Always this one.
    Named(String),
    /// The one that a setting of the provider has.
    Setting {
        /// The setting's name.
        setting: String,
    },
}

/// A key file of Google's, whose owner is given a token for an hour: a service account signs for it (RFC 7523, RS256), a user's
/// application default credentials are refreshed.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
pub struct GoogleServiceAccount {
    /// Environment variables that may hold the file's path.
    #[serde(default = "google_env")]
    pub env: Vec<String>,
    /// Whether the place is looked at where `gcloud auth application-default login` leaves its file. Only for origins of
    /// Google's own.
    #[serde(default = "yes")]
    pub adc: bool,
    /// What the token is for.
    #[serde(default = "google_scopes")]
    pub scopes: Vec<String>,
    /// The name of the origin at which tokens are minted. A file that names another place is refused.
    #[serde(default = "auth")]
    pub origin: String,
    /// The path there.
    #[serde(default = "google_token")]
    pub path: String,
    /// How long before its expiry a token is minted anew.
    #[serde(default = "early")]
    pub early: u64,
    /// The page on which a user makes a key file.
    #[serde(default)]
    pub create_url: Option<String>,
    /// How the token is attached. Claims are `project_id`, `quota_project_id` and `email`, as the file has them.
    #[serde(default = "bearer")]
    pub attach: Vec<Attach>,
    /// The names of the origins that the token may go to.
    #[serde(default = "api")]
    pub origins: Vec<String>,
}

fn google_env() -> Vec<String> {
    vec!["GOOGLE_APPLICATION_CREDENTIALS".to_owned()]
}

fn google_scopes() -> Vec<String> {
    vec!["https://www.googleapis.com/auth/cloud-platform".to_owned()]
}

fn google_token() -> String {
    "/token".to_owned()
}

/// Secrets that are exchanged for a token which lasts a while: client credentials (RFC 6749, section 4.4), or a long token for
/// a short one.
///
/// `{NAME}` in `path`, `parameters` and `headers` stands for the secret of that name; in the path it is one segment.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
pub struct Exchange {
    /// The secrets, in the order in which a user is asked for them.
    pub secrets: Vec<Secret>,
    /// The name of the origin at which they are exchanged, the only one that they go to.
    #[serde(default = "auth")]
    pub origin: String,
    /// The path there.
    pub path: String,
    /// How it is asked.
    #[serde(default)]
    pub verb: Verb,
    /// How the parameters are written. Those of a GET are its query.
    #[serde(default)]
    pub encoding: Encoding,
    /// What is sent.
    #[serde(default)]
    pub parameters: BTreeMap<String, String>,
    /// Request headers, names in lower case.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Where the token is in the answer, as a JSON pointer (RFC 6901).
    #[serde(default = "access_token")]
    pub token: String,
    /// Where the answer says for how many seconds it is good.
    #[serde(default = "expires_in")]
    pub expires_in: String,
    /// Where the answer says until when it is good, in seconds since 1970.
    #[serde(default = "expires_at")]
    pub expires_at: String,
    /// How long a token is used of which neither is said.
    #[serde(default = "lasts")]
    pub lasts: u64,
    /// How long before its expiry a token is minted anew.
    #[serde(default = "early")]
    pub early: u64,
    /// The page on which a user finds the secrets.
    #[serde(default)]
    pub create_url: Option<String>,
    /// How the token is attached.
    #[serde(default = "bearer")]
    pub attach: Vec<Attach>,
    /// The names of the origins that the token may go to.
    #[serde(default = "api")]
    pub origins: Vec<String>,
}

/// How an exchange is asked for.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "UPPERCASE")]
pub enum Verb {
    /// With a body.
    #[default]
    Post,
    /// Without one.
    Get,
}

fn access_token() -> String {
    "/access_token".to_owned()
}

fn expires_in() -> String {
    "/expires_in".to_owned()
}

fn expires_at() -> String {
    "/expires_at".to_owned()
}

/// As long as most tokens last.
fn lasts() -> u64 {
    3600
}

fn early() -> u64 {
    300
}

fn auth() -> String {
    "auth".to_owned()
}

fn yes() -> bool {
    true
}

impl GoogleServiceAccount {
    /// Where tokens are minted, below that origin.
    ///
    /// # Errors
    ///
    /// The path leaves the origin: a sentence.
    pub fn token_url(&self, origin: &Origin) -> Result<String, String> {
        origin.join::<&str, &str>(&self.path, &[]).map(|url| url.to_string()).map_err(|error| error.to_string())
    }
}
