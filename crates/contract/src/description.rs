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
mod setting;
mod side;
pub(crate) mod understood;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::pattern;
use crate::quirk::{BodyEdits, Quirk};

pub use alike::{ErrorRule, Errors, InsideFailure, Limits, ModelOperations, NextPage, Path, Paths, WebSocket};
pub use auth::{
    AWS_HEADERS, AWS_SECRETS, ApiKey, Attach, AttachTo, Auth, AwsSigv4, BASIC_SECRETS, Basic, Exchange,
    GoogleServiceAccount, Keys, Places, Region, Secret, Verb,
};
pub use facts::Facts;
pub use oauth::{
    Browser, ClaimPlace, CodePoll, Device, Encoding, Endpoint, Import, Login, Oauth, Redirect, Refresh, Rfc8628,
    TokenName,
};
pub use owner::{OBJECTS, Owner, Owners};
pub use place::{ByModel, Local, OriginPart, Probe};
pub use price::{NotAPrice, Price, Rates, Tier, TokenPrice};
pub use setting::{Setting, SettingType};
pub use side::{Observe, SideKind, SideRequest};

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
