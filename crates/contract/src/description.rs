//! What a component says of itself: the JSON that `describe` returns, typed.
//!
//! The plugin room reads it at load; route, credential and upstream work from it afterwards. The published schema,
//! `wit/0.1.0/description.schema.json`, is made from these types. It may grow within a contract version, so unknown
//! members are kept out of the way here, never refused.

mod alike;
mod auth;
mod facts;
pub mod family;
mod oauth;
mod owner;
mod place;
mod price;
pub(crate) mod understood;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::pattern;
use crate::quirk::{BodyEdits, Quirk};

pub use alike::{ErrorRule, Errors, Limits, ModelOperations, NextPage, Path, Paths, WebSocket};
pub use auth::{
    AWS_HEADERS, AWS_SECRETS, AwsSigv4, BASIC_SECRETS, Basic, Exchange, GoogleServiceAccount, Keys, Region, Secret,
    Verb,
};
pub use facts::Facts;
pub use oauth::{
    Browser, ClaimPlace, CodePoll, Device, Encoding, Endpoint, Import, Login, Oauth, Redirect, Refresh, Rfc8628,
    TokenName,
};
pub use owner::{OBJECTS, Owner, Owners};
pub use place::{ByModel, Local, OriginPart, Probe};
pub use price::{NotAPrice, Price, Rates, Tier, TokenPrice};

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
    /// Whether it answers to its own id alone: no bare name finds it, and nothing moves to it by itself. For plans that their
    /// vendors sell for some programs only.
    #[serde(default)]
    pub explicit: bool,
    /// For a server on the user's own machine: how it is found while it runs.
    #[serde(default)]
    pub local: Option<Local>,
    /// Whether it is no provider by itself, but one that a config makes others of, with `use` and an address.
    #[serde(default)]
    pub use_only: bool,
    /// Where requests go, by name: absolute `https` URLs (or `http` to loopback) without query or fragment. `api` is the one
    /// that most requests name, `auth` the only one that a refresh token is ever sent to. `{name}` is a hole, which a setting
    /// of that name or a part of `origin_parts` fills: one label of the host, or one segment of the path.
    #[serde(default)]
    pub origins: BTreeMap<String, String>,
    /// Parts of hosts that a setting chooses, for holes of `origins`.
    #[serde(default)]
    pub origin_parts: BTreeMap<String, OriginPart>,
    /// The ways of paying, the best first. Empty for a provider that needs no credential.
    #[serde(default)]
    pub auth: Vec<Auth>,
    /// Which operations are served, each in which dialects, the best first.
    pub serves: BTreeMap<String, Vec<String>>,
    /// Where operations live, each for its dialects: a path below the origin `api`. Where nothing is said, it is the usual one
    /// of the dialect, such as `/chat/completions`.
    #[serde(default)]
    pub paths: Paths,
    /// Which objects (responses, conversations, files, uploads, batches) requests make and name, by operation and dialect, where that
    /// is not as everybody has it: what an account made is asked of nobody else.
    #[serde(default)]
    pub owner: Owners,
    /// Models that are served otherwise: the first entry that names a model takes the place of `serves`, and of the `paths`
    /// that it has.
    #[serde(default)]
    pub by_model: Vec<ByModel>,
    /// What it takes differently from everybody else who speaks these dialects, as words: the host edits bodies accordingly.
    #[serde(default)]
    pub quirks: Vec<Quirk>,
    /// What is done to bodies where no word says it, by dialect.
    #[serde(default)]
    pub body: BTreeMap<String, BodyEdits>,
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
    /// What the component may ask before it sends a call.
    #[serde(default)]
    pub exchanges: Exchanges,
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
    /// What is served of a model, and in which dialects.
    pub fn serves_of(&self, model: &str) -> &BTreeMap<String, Vec<String>> {
        self.rule_for(model).map_or(&self.serves, |rule| &rule.serves)
    }

    /// The entry of `by_model` that names a model.
    pub fn rule_for(&self, model: &str) -> Option<&ByModel> {
        let names = |rule: &&ByModel| rule.models.iter().any(|name| pattern::captures(name, model).is_some());
        self.by_model.iter().find(names)
    }

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
            explicit: self.explicit,
            local: None,
            use_only: self.use_only,
            origins: self.origins.clone(),
            origin_parts: self.origin_parts.clone(),
            auth: Vec::new(),
            serves,
            paths: self.paths.clone(),
            owner: self.owner.clone(),
            by_model: self.by_model.clone(),
            quirks: self.quirks.clone(),
            body: self.body.clone(),
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
            exchanges: self.exchanges,
            // It is shown nothing of the environment.
            settings: self.settings.iter().map(|(name, setting)| (name.clone(), setting.without_env())).collect(),
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
    /// Several secrets that belong together, each attached.
    Keys(Keys),
    /// A name and a password.
    Basic(Basic),
    /// A signature for each request, by keys of AWS.
    AwsSigv4(AwsSigv4),
    /// A token that a key file of Google's is given.
    GoogleServiceAccount(Box<GoogleServiceAccount>),
    /// A token that secrets are exchanged for.
    Exchange(Box<Exchange>),
    /// An account that the user logs in to.
    Oauth(Box<Oauth>),
}

impl Auth {
    /// Its `method`.
    pub fn method(&self) -> &'static str {
        match self {
            Auth::ApiKey(_) => "api-key",
            Auth::Keys(_) => "keys",
            Auth::Basic(_) => "basic",
            Auth::AwsSigv4(_) => "aws-sigv4",
            Auth::GoogleServiceAccount(_) => "google-service-account",
            Auth::Exchange(_) => "exchange",
            Auth::Oauth(_) => "oauth",
        }
    }

    /// How what this credential attaches is attached to a request: for some a token that is minted first. Empty where the host
    /// does it by a rule of its own: see [`Auth::headers`].
    pub fn attach(&self) -> &[Attach] {
        match self {
            Auth::ApiKey(key) => &key.attach,
            Auth::Keys(keys) => &keys.attach,
            Auth::GoogleServiceAccount(google) => &google.attach,
            Auth::Exchange(exchange) => &exchange.attach,
            Auth::Oauth(oauth) => &oauth.attach,
            Auth::Basic(_) | Auth::AwsSigv4(_) => &[],
        }
    }

    /// From now on it is in no variable of the environment, and in no file that such a variable or a vendor's tool leaves.
    pub fn forget_env(&mut self) {
        let secrets = match self {
            Auth::ApiKey(key) => return key.env.clear(),
            Auth::GoogleServiceAccount(google) => {
                google.adc = false;
                return google.env.clear();
            }
            Auth::Oauth(_) => return,
            Auth::Keys(keys) => &mut keys.secrets,
            Auth::Basic(basic) => &mut basic.secrets,
            Auth::AwsSigv4(aws) => &mut aws.secrets,
            Auth::Exchange(exchange) => &mut exchange.secrets,
        };
        secrets.iter_mut().for_each(|secret| secret.env.clear());
    }

    /// The headers that the host sets beside those of [`Auth::attach`].
    pub fn headers(&self) -> &'static [&'static str] {
        match self {
            Auth::Basic(_) => &["authorization"],
            Auth::AwsSigv4(_) => &AWS_HEADERS,
            Auth::ApiKey(_) | Auth::Keys(_) | Auth::GoogleServiceAccount(_) | Auth::Exchange(_) | Auth::Oauth(_) => &[],
        }
    }

    /// The several secrets that are this credential, in the order in which a user is asked for them.
    pub fn secrets(&self) -> &[Secret] {
        match self {
            Auth::Keys(keys) => &keys.secrets,
            Auth::Basic(basic) => &basic.secrets,
            Auth::AwsSigv4(aws) => &aws.secrets,
            Auth::Exchange(exchange) => &exchange.secrets,
            Auth::ApiKey(_) | Auth::GoogleServiceAccount(_) | Auth::Oauth(_) => &[],
        }
    }

    /// The environment variables that may hold this credential, or a part of it, or the path of its file.
    pub fn env(&self) -> Vec<&str> {
        let alone = match self {
            Auth::ApiKey(key) => key.env.as_slice(),
            Auth::GoogleServiceAccount(google) => &google.env,
            _ => &[],
        };
        alone.iter().chain(self.secrets().iter().flat_map(|secret| &secret.env)).map(String::as_str).collect()
    }

    /// The names of the origins that this credential may go to. What is exchanged for it is not meant: that goes to
    /// [`Auth::issuer`] alone.
    pub fn origins(&self) -> &[String] {
        match self {
            Auth::ApiKey(key) => &key.origins,
            Auth::Keys(keys) => &keys.origins,
            Auth::Basic(basic) => &basic.origins,
            Auth::AwsSigv4(aws) => &aws.origins,
            Auth::GoogleServiceAccount(google) => &google.origins,
            Auth::Exchange(exchange) => &exchange.origins,
            Auth::Oauth(oauth) => &oauth.origins,
        }
    }

    /// The name of the origin at which tokens are made, which gets what they are made of.
    pub fn issuer(&self) -> Option<&str> {
        match self {
            Auth::GoogleServiceAccount(google) => Some(&google.origin),
            Auth::Exchange(exchange) => Some(&exchange.origin),
            Auth::Oauth(oauth) => Some(&oauth.origin),
            Auth::ApiKey(_) | Auth::Keys(_) | Auth::Basic(_) | Auth::AwsSigv4(_) => None,
        }
    }

    /// Whether requests go up without it where there is none.
    pub fn is_optional(&self) -> bool {
        match self {
            Auth::ApiKey(key) => key.optional,
            Auth::Keys(keys) => keys.optional,
            Auth::Basic(basic) => basic.optional,
            Auth::AwsSigv4(_) | Auth::GoogleServiceAccount(_) | Auth::Exchange(_) | Auth::Oauth(_) => false,
        }
    }

    /// The page on which a user gets it.
    pub fn create_url(&self) -> Option<&str> {
        let page = match self {
            Auth::ApiKey(key) => &key.create_url,
            Auth::Keys(keys) => &keys.create_url,
            Auth::Basic(basic) => &basic.create_url,
            Auth::AwsSigv4(aws) => &aws.create_url,
            Auth::GoogleServiceAccount(google) => &google.create_url,
            Auth::Exchange(exchange) => &exchange.create_url,
            Auth::Oauth(_) => &None,
        };
        page.as_deref()
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
    /// How the key is attached; as `Authorization: Bearer` where nothing is said.
    #[serde(default = "bearer")]
    pub attach: Vec<Attach>,
    /// Whether requests go up without it where there is none, as for a server on the user's own machine.
    #[serde(default)]
    pub optional: bool,
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
    /// Which of several secrets; the first where nothing is said.
    #[serde(default)]
    pub secret: Option<String>,
}

fn bearer() -> Vec<Attach> {
    let place = AttachTo::Header("authorization".into());
    vec![Attach { place, format: "Bearer {}".into(), claim: None, secret: None }]
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
    /// What is known of it beside.
    #[serde(flatten)]
    pub facts: Facts,
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

/// How often, and how long in all, a component may ask before it sends a call: whoever polls an upstream needs more than three.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
pub struct Exchanges {
    /// Exchanges of one call. At most 1,000.
    #[serde(default = "three")]
    #[schemars(range(min = 1, max = 1000))]
    pub most: u32,
    /// Milliseconds that all of them together may wait before they are sent. At most an hour.
    #[serde(default)]
    #[schemars(range(max = 3_600_000))]
    pub wait_ms: u32,
}

impl Default for Exchanges {
    fn default() -> Self {
        Exchanges { most: three(), wait_ms: 0 }
    }
}

fn three() -> u32 {
    3
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
    /// Environment variables that say it where the config does not, the first that is set wins. None that holds a credential:
    /// components are shown their settings.
    #[serde(default)]
    pub env: Vec<String>,
    /// What it is where nobody says it.
    #[serde(default)]
    pub default: Option<serde_json::Value>,
}

impl Setting {
    fn without_env(&self) -> Self {
        Setting { env: Vec::new(), ..self.clone() }
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
