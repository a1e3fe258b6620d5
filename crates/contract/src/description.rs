//! What a component says of itself: the JSON that `describe` returns, typed.
//!
//! The plugin room reads it at load; route, credential and upstream work from it afterwards. The published schema,
//! `wit/0.1.0/description.schema.json`, is made from these types. It may grow within a contract version, so unknown
//! members are kept out of the way here, never refused.

mod alike;
mod oauth;
pub(crate) mod understood;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use alike::{ErrorRule, Errors, Limits, ModelOperations, NextPage, Path, Paths, WebSocket};
pub use oauth::{
    Browser, ClaimPlace, CodePoll, Device, Encoding, Endpoint, Import, Login, Oauth, Redirect, Refresh, Rfc8628,
    TokenName,
};

/// The Codex CLI, as an [`Import`] names it.
pub const CODEX_CLI: &str = "codex-cli";
/// The sessions of vendors' own programs that an [`Import`] may name: a closed list.
pub const IMPORT_SOURCES: [&str; 1] = [CODEX_CLI];

/// What a provider is: its name, where it lives, how it is paid and what it serves.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
pub struct Description {
    /// The provider's id, as it stands before the `:` of an address: `[a-z][a-z0-9-]{0,31}`.
    pub id: String,
    /// The provider's name for people.
    pub name: String,
    /// The component's own version.
    pub version: String,
    /// The vendor whose models it serves, in lower case: `VENDOR/MODEL` finds it then, for the models that it lists.
    /// Several providers may serve one vendor's models.
    #[serde(default)]
    pub vendor: Option<String>,
    /// Where requests go, by name: absolute `https` URLs (or `http` to loopback) without query or fragment. `api` is the one that most requests name, `auth` the only one that a refresh token
    /// is ever sent to.
    pub origins: BTreeMap<String, String>,
    /// The ways of paying, the best first. Empty for a provider that needs no credential.
    #[serde(default)]
    pub auth: Vec<Auth>,
    /// Which operations are served, each in which dialects, the best first.
    pub serves: BTreeMap<String, Vec<String>>,
    /// Where operations live, each for its dialects: a path below the origin `api`. Where nothing is said, it is the usual one
    /// of the dialect, such as `/chat/completions`.
    #[serde(default)]
    pub paths: Paths,
    /// Headers that every request has which the component does not make itself, names in lower case. The client's own
    /// of the same name, where `forward` lets it go up, goes in its place.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Where requests may go over a WebSocket, too.
    #[serde(default)]
    pub websocket: WebSocket,
    /// What failures mean, where that is not what everybody means by them.
    #[serde(default)]
    pub errors: Errors,
    /// What the headers of answers say of limits.
    #[serde(default)]
    pub limits: Limits,
    /// Names of client headers that go up, in lower case; a trailing `*` stands for any ending. Headers that carry a
    /// credential or frame the message never go up.
    #[serde(default)]
    pub forward: Vec<String>,
    /// Names of client query parameters that the component is shown, in the same form.
    #[serde(default)]
    pub forward_query: Vec<String>,
    /// Claims of the account's credential that the component is shown. The user sees this list at `plugin trust`.
    #[serde(default)]
    pub claims: Vec<String>,
    /// Models known at build time.
    #[serde(default)]
    pub models: Vec<Model>,
    /// Exchanges of the provider's own that the host makes beside client calls, cached for each account.
    #[serde(default)]
    pub side_requests: BTreeMap<String, SideRequest>,
    /// What the host should hand to `quota` when it comes by.
    #[serde(default)]
    pub observe: Observe,
    /// What `providers.<id>.settings` may hold.
    #[serde(default)]
    pub settings: BTreeMap<String, Setting>,
    /// How a call is paid for. A bare model name never moves between the two by itself.
    #[serde(default)]
    pub billing: Billing,
    /// What it says that this version does not know, each as a sentence; none of it is in the other members.
    #[serde(skip)]
    #[schemars(skip)]
    pub not_understood: Vec<String>,
}

impl Description {
    /// What is left of it for a component that the user has not accepted: enough to answer `ID:MODEL`. What would have
    /// others' requests sent to it, clients' headers handed to it, or anything asked before somebody calls it, is out.
    pub fn unaccepted(&self) -> Self {
        let mut serves = self.serves.clone();
        // The Codex CLI's catalogue is asked of whoever has one, by no name.
        serves.remove("models");
        // Each member is named, so that a new one is decided upon.
        Description {
            id: self.id.clone(),
            name: self.name.clone(),
            version: self.version.clone(),
            vendor: None,
            origins: self.origins.clone(),
            auth: Vec::new(),
            serves,
            paths: self.paths.clone(),
            headers: self.headers.clone(),
            websocket: self.websocket.clone(),
            errors: self.errors.clone(),
            limits: self.limits.clone(),
            forward: Vec::new(),
            forward_query: Vec::new(),
            claims: Vec::new(),
            models: Vec::new(),
            side_requests: BTreeMap::new(),
            observe: self.observe.clone(),
            settings: self.settings.clone(),
            // Whatever it says: nothing is moved to it as if it cost nothing.
            billing: Billing::PayPerToken,
            not_understood: self.not_understood.clone(),
        }
    }
}

/// One way of paying.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(tag = "method", rename_all = "kebab-case")]
pub enum Auth {
    /// A key that the user has from the provider.
    ApiKey(ApiKey),
    /// An account that the user logs in to.
    Oauth(Box<Oauth>),
}

impl Auth {
    /// How this credential is attached to a request.
    pub fn attach(&self) -> &[Attach] {
        match self {
            Auth::ApiKey(key) => &key.attach,
            Auth::Oauth(oauth) => &oauth.attach,
        }
    }

    /// The environment variables that may hold this credential.
    pub fn env(&self) -> &[String] {
        match self {
            Auth::ApiKey(key) => &key.env,
            Auth::Oauth(_) => &[],
        }
    }

    /// The names of the origins that this credential may go to. A refresh token is not meant: it goes to
    /// [`Oauth::origin`] alone.
    pub fn origins(&self) -> &[String] {
        match self {
            Auth::ApiKey(key) => &key.origins,
            Auth::Oauth(oauth) => &oauth.origins,
        }
    }
}

/// An API key.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
pub struct ApiKey {
    /// Environment variables that are looked at, the first that is set wins.
    #[serde(default)]
    pub env: Vec<String>,
    /// The page on which a user makes a key.
    #[serde(default)]
    pub create_url: Option<String>,
    /// How the key is attached.
    pub attach: Vec<Attach>,
    /// The names of the origins that the key may go to.
    #[serde(default = "api")]
    pub origins: Vec<String>,
}

fn api() -> Vec<String> {
    vec!["api".into()]
}

/// One header or query parameter that the host sets at the edge.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
pub struct Attach {
    /// Where it goes.
    #[serde(flatten)]
    pub place: AttachTo,
    /// The text around the value: `Bearer {}`; `{}` alone where nothing is said.
    #[serde(default = "bare")]
    pub format: String,
    /// A claim of the credential instead of its secret. Left out where the credential lacks the claim.
    #[serde(default)]
    pub claim: Option<String>,
}

fn bare() -> String {
    "{}".into()
}

/// Where an attached value goes.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AttachTo {
    /// A header, in lower case.
    Header(String),
    /// A query parameter.
    Query(String),
}

/// One model that is known without asking the provider.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
pub struct Model {
    /// The provider's own name of the model.
    pub id: String,
    /// The operations that it serves; all of the provider's where nothing is said.
    #[serde(default)]
    pub operations: Vec<String>,
    /// The most tokens that a call may hold.
    #[serde(default)]
    pub context_window: Option<u64>,
}

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

/// How a call is paid for.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Billing {
    /// Each token costs money.
    #[default]
    PayPerToken,
    /// A plan covers the tokens.
    Subscription,
    /// Nothing is charged, such as for a model on the user's own machine.
    Free,
}
