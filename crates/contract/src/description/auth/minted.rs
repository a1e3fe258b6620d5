//! Tokens that are made of secrets before anything is sent, and made anew before they expire.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Attach, Places, Secret, bearer};
use crate::Origin;
use crate::description::Encoding;

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
    /// How the token is attached. Claims are `project_id`, `quota_project_id` and `email`, as the file has them.
    #[serde(default = "bearer")]
    pub attach: Vec<Attach>,
    /// Where it is got, and where it may go.
    #[serde(flatten)]
    pub places: Places,
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
    /// How the token is attached.
    #[serde(default = "bearer")]
    pub attach: Vec<Attach>,
    /// Where it is got, and where it may go.
    #[serde(flatten)]
    pub places: Places,
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
