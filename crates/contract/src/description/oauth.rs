//! A login, as data: what a component says of how an account is obtained, kept fresh and given back.
//!
//! The login command and the refresh work from these types; the host has one implementation of each mechanism and knows
//! no provider's name. Paths are joined to the origin that [`Oauth::origin`] names. Times are in seconds.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Attach;

/// An account that the user logs in to: OAuth 2.0 (RFC 6749) as a public client, without a secret of its own.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
pub struct Oauth {
    /// The client's id at the issuer.
    pub client_id: String,
    /// The scopes that a login asks for.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// The name of the issuer's origin. All paths of `login`, `token`, `refresh` and `revoke` are joined to it, and a
    /// refresh token goes nowhere else.
    #[serde(default = "auth")]
    pub origin: String,
    /// The names of the origins that the access token may go to.
    #[serde(default = "api")]
    pub origins: Vec<String>,
    /// The ways of logging in, the best first.
    pub login: Vec<Login>,
    /// Where a code is exchanged for tokens.
    pub token: Endpoint,
    /// How tokens are kept fresh. Without it, an account whose access token expires must log in again.
    #[serde(default)]
    pub refresh: Option<Refresh>,
    /// Where a logout gives the refresh token back (RFC 7009).
    #[serde(default)]
    pub revoke: Option<Endpoint>,
    /// What the tokens say of the account, none of it secret: each claim's name, and the places where it may stand; the
    /// first that holds a text, number or boolean wins.
    #[serde(default)]
    pub claims: BTreeMap<String, Vec<ClaimPlace>>,
    /// The claims that together say which account it is: two logins that agree in all of them are the same account.
    #[serde(default)]
    pub identity: Vec<String>,
    /// How the access token is attached, and claims beside it.
    pub attach: Vec<Attach>,
}

/// One way of logging in.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(tag = "flow", rename_all = "kebab-case")]
pub enum Login {
    /// Through a browser on this machine: authorization code with PKCE (RFC 7636, S256) and a loopback redirect
    /// (RFC 8252).
    Browser(Browser),
    /// Through a browser on any machine, with a code that the user enters there.
    Device(Device),
    /// By a session that another program of the user has already.
    Import(Import),
}

/// Logging in through a browser on this machine.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
pub struct Browser {
    /// The path of the authorization endpoint.
    pub authorize: String,
    /// Query parameters beside those that the host sets (`response_type`, `client_id`, `redirect_uri`, `scope`,
    /// `state`, `code_challenge`, `code_challenge_method`).
    #[serde(default)]
    pub parameters: BTreeMap<String, String>,
    /// Where the browser comes back to.
    pub redirect: Redirect,
}

/// The loopback address that a browser comes back to. The issuer must know it.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
pub struct Redirect {
    /// `127.0.0.1`, `[::1]` or `localhost`, as the issuer knows it. The host listens on loopback, whatever stands here.
    #[serde(default = "loopback")]
    pub host: String,
    /// The ports that the issuer knows, the best first; any free port where there are none.
    #[serde(default)]
    pub ports: Vec<u16>,
    /// The path.
    pub path: String,
    /// The path at which a login that waits on one of these ports can be told to give it up, where other programs of the
    /// vendor's have one.
    #[serde(default)]
    pub cancel: Option<String>,
}

/// Logging in with a code that the user enters in a browser.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(tag = "protocol", rename_all = "kebab-case")]
pub enum Device {
    /// The device authorization grant (RFC 8628). The token endpoint is polled.
    Rfc8628(Rfc8628),
    /// A poll of its own: `start` takes `{"client_id"}` as JSON and answers `{"device_auth_id", "user_code",
    /// "interval"}`; `poll` takes the first two and answers `{"authorization_code", "code_verifier"}`, which are exchanged
    /// at the token endpoint.
    CodePoll(CodePoll),
}

/// The device authorization grant (RFC 8628).
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
pub struct Rfc8628 {
    /// The path of the device authorization endpoint.
    pub start: String,
}

/// A device login with a poll of its own.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
pub struct CodePoll {
    /// The path at which a code is asked for.
    pub start: String,
    /// The path that is polled.
    pub poll: String,
    /// The path of the page on which the user enters the code.
    pub page: String,
    /// The path of the redirect URI that the exchange names.
    pub redirect: String,
    /// The HTTP statuses of a poll that mean "not yet".
    pub pending: Vec<u16>,
    /// How long the code is good for.
    #[serde(default = "quarter_of_an_hour")]
    pub expires_in: u64,
}

/// A session that another program has.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
pub struct Import {
    /// One of the host's closed list: `codex-cli`. Each is bound to its vendor's own origins.
    pub source: String,
}

/// A path that takes a POST, and what its body is written in.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
pub struct Endpoint {
    /// The path.
    pub path: String,
    /// What the body is written in.
    #[serde(default)]
    pub encoding: Encoding,
}

/// What a request's body is written in.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    /// `application/x-www-form-urlencoded`, as RFC 6749 has it.
    #[default]
    Form,
    /// A JSON object.
    Json,
}

/// How tokens are kept fresh (RFC 6749, section 6).
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
pub struct Refresh {
    /// Where, and what the body is written in.
    #[serde(flatten)]
    pub endpoint: Endpoint,
    /// An access token that expires within this is refreshed in the background.
    #[serde(default = "five_minutes")]
    pub early: u64,
    /// Where nothing says when an access token expires, it is refreshed at this age.
    #[serde(default = "eight_days")]
    pub max_age: u64,
    /// Members added to a refresh before or after expiry.
    #[serde(default)]
    pub on_expiry: BTreeMap<String, String>,
    /// Members added to a refresh because an answer was 401.
    #[serde(default)]
    pub on_unauthorized: BTreeMap<String, String>,
    /// Error codes after which only a new login helps, beside `invalid_grant` and whatever comes with status 401. All
    /// else is tried again.
    #[serde(default)]
    pub permanent: Vec<String>,
}

/// Where a claim stands.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
pub struct ClaimPlace {
    /// The token that holds it, which must be a JWT. Its signature is not verified: it came from the issuer itself.
    pub token: TokenName,
    /// Where in the token's payload: a JSON pointer (RFC 6901).
    pub pointer: String,
}

/// One of the tokens of a login.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum TokenName {
    /// The id token.
    Id,
    /// The access token.
    Access,
}

fn api() -> Vec<String> {
    vec!["api".into()]
}

fn auth() -> String {
    "auth".into()
}

fn loopback() -> String {
    "127.0.0.1".into()
}

fn five_minutes() -> u64 {
    300
}

fn quarter_of_an_hour() -> u64 {
    900
}

fn eight_days() -> u64 {
    691_200
}
