//! A signature for each request, by keys of AWS.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Places, Secret};

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
    /// Where it is got, and where it may go.
    #[serde(flatten)]
    pub places: Places,
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
