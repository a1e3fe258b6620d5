//! What a user accepts of one provider, and whether another build of it asks for more.
//!
//! Everything that `plugin trust` shows is a member here, in words that can be reviewed. What is new in a description and
//! decides where something goes or what is believed needs a member, or nobody is asked about it.

use std::collections::BTreeMap;

use bitrouter_contract::description::{Auth, Billing, Description, Login, Setting, SideRequest};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

/// What the user accepted of one provider.
#[derive(Clone, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
#[serde(default)]
pub struct Grant {
    /// The provider's id.
    pub id: String,
    /// The origins that it may send to, by name.
    pub origins: BTreeMap<String, String>,
    /// What fills the holes of its origins beside settings, by name, as JSON.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub origin_parts: BTreeMap<String, String>,
    /// The credentials that are attached to its requests.
    pub credentials: Vec<AttachedCredential>,
    /// The claims of the credential that it is shown.
    pub claims: Vec<String>,
    /// What it asks by itself, beside clients' calls: kind, origin and path.
    pub side_requests: BTreeMap<String, String>,
    /// The clients' headers that it is handed.
    pub headers: Vec<String>,
    /// The clients' query parameters that it is shown.
    pub query: Vec<String>,
    /// The vendor whose models it says that it serves.
    pub vendor: Option<String>,
    /// How it says that calls are paid for. None in an entry of a version that did not ask.
    pub billing: Option<Billing>,
    /// The bare names that it answers to.
    pub models: Vec<String>,
    /// Whether it answers to its own id alone.
    pub explicit: bool,
    /// Whether it is no provider by itself.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub use_only: bool,
    /// Whether it is asked for the catalogue of models that no name leads to.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub catalogue: bool,
    /// The server of this machine that it is looked for at, as JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub local: Option<String>,
    /// What a user may set of it, which it is shown, by name, as JSON without the words for people.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub settings: BTreeMap<String, String>,
    /// The variables of the environment that it is shown.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub variables: Vec<String>,
    /// How many requests it may make for one call.
    pub exchanges: u32,
    /// How long these may wait, all together, in milliseconds.
    pub exchanges_wait_ms: u32,
    /// Members that a newer version wrote.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// One credential that a component is attached.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
pub struct AttachedCredential {
    /// As the description names it, such as `api-key` or `oauth`.
    pub method: String,
    /// The environment variables that it is read from.
    pub env: Vec<String>,
    /// The names of the origins that it goes to.
    pub origins: Vec<String>,
    /// Of a login, and of what a token is made of: the name of the origin at which that is done, which gets the secrets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// The programs whose session may be taken over.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub imports: Vec<String>,
    /// A digest of all else that says how it is got and attached: another one is another credential.
    #[serde(default)]
    pub how: String,
}

impl Grant {
    /// What accepting this provider means.
    pub fn of(description: &Description) -> Self {
        let side = |(name, side): (&String, &SideRequest)| (name.clone(), asked(side));
        let without_words = |(name, setting): (&String, &Setting)| (name.clone(), words_aside(setting));
        Grant {
            id: description.id.clone(),
            origins: description.origins.clone(),
            origin_parts: description.origin_parts.iter().map(|(name, part)| (name.clone(), json(part))).collect(),
            credentials: description.auth.iter().map(AttachedCredential::of).collect(),
            claims: description.claims.clone(),
            side_requests: description.side_requests.iter().map(side).collect(),
            headers: description.forward.clone(),
            query: description.forward_query.clone(),
            vendor: description.vendor.clone(),
            billing: Some(description.billing),
            models: description.models.iter().map(|model| model.id.clone()).collect(),
            explicit: description.explicit,
            use_only: description.use_only,
            catalogue: description.serves.contains_key("models"),
            local: description.local.as_ref().map(json),
            settings: description.settings.iter().map(without_words).collect(),
            variables: description.settings.values().flat_map(Setting::variables).map(str::to_owned).collect(),
            exchanges: description.exchanges.most,
            exchanges_wait_ms: description.exchanges.wait_ms,
            rest: Map::new(),
        }
    }

    /// Whether this is all that is wanted, and what is wanted is all of this. Members that a newer version wrote stand for
    /// nothing here.
    pub fn is_exactly(&self, wanted: &Grant) -> bool {
        Grant { rest: Map::new(), ..self.clone() } == Grant { rest: Map::new(), ..wanted.clone() }
    }

    /// What is wanted beyond this, a phrase each; empty where that is nothing. An entry of a version that did not ask for
    /// something has not accepted it.
    pub fn lacks(&self, wanted: &Grant) -> Vec<String> {
        let mut more = Vec::new();
        let named =
            |more: &mut Vec<String>, what: &str, have: &BTreeMap<String, String>, want: &BTreeMap<String, String>| {
                let new = want.iter().filter(|(name, value)| have.get(*name) != Some(value));
                more.extend(new.map(|(name, value)| format!("{what} {name}: {value}")));
            };
        let listed = |more: &mut Vec<String>, what: &str, have: &[String], want: &[String]| {
            more.extend(want.iter().filter(|item| !have.contains(item)).map(|item| format!("{what} {item}")));
        };
        if self.id != wanted.id {
            more.push(format!("the provider {}", wanted.id));
        }
        named(&mut more, "the origin", &self.origins, &wanted.origins);
        named(&mut more, "the part of an origin", &self.origin_parts, &wanted.origin_parts);
        for credential in wanted
            .credentials
            .iter()
            .filter(|credential| !self.credentials.iter().any(|known| known.covers(credential)))
        {
            more.push(credential.in_words());
        }
        listed(&mut more, "the claim", &self.claims, &wanted.claims);
        named(&mut more, "the side request", &self.side_requests, &wanted.side_requests);
        listed(&mut more, "the client's header", &self.headers, &wanted.headers);
        listed(&mut more, "the client's query parameter", &self.query, &wanted.query);
        if let Some(vendor) = wanted.vendor.as_ref().filter(|vendor| self.vendor.as_ref() != Some(vendor)) {
            more.push(format!("the vendor {vendor}"));
        }
        // Pay-per-token is what is believed of anybody.
        if wanted.billing != Some(Billing::PayPerToken) && wanted.billing != self.billing || self.billing.is_none() {
            more.push(format!(
                "to be paid for as {}",
                wanted.billing.as_ref().map(json).unwrap_or_default().trim_matches('"')
            ));
        }
        listed(&mut more, "the model", &self.models, &wanted.models);
        let mut flag = |is_more: bool, what: &str| more.extend(is_more.then(|| what.to_owned()));
        flag(self.explicit && !wanted.explicit, "to answer to bare names");
        flag(self.use_only && !wanted.use_only, "to be a provider by itself");
        flag(!self.catalogue && wanted.catalogue, "to be asked for the catalogue of models");
        flag(wanted.local.is_some() && self.local != wanted.local, "to be looked for on this machine in another way");
        named(&mut more, "the setting", &self.settings, &wanted.settings);
        listed(&mut more, "the variable", &self.variables, &wanted.variables);
        if wanted.exchanges > self.exchanges || wanted.exchanges_wait_ms > self.exchanges_wait_ms {
            let (most, wait) = (wanted.exchanges, wanted.exchanges_wait_ms);
            more.push(format!("{most} requests for one call, which may wait {wait} ms"));
        }
        more
    }
}

impl AttachedCredential {
    fn of(auth: &Auth) -> Self {
        let imports = match auth {
            Auth::Oauth(oauth) => {
                let source = |login: &Login| match login {
                    Login::Import(import) => Some(import.source.clone()),
                    Login::Browser(_) | Login::Device(_) => None,
                };
                oauth.login.iter().filter_map(source).collect()
            }
            _ => Vec::new(),
        };
        AttachedCredential {
            method: auth.method().to_owned(),
            env: auth.env().into_iter().map(str::to_owned).collect(),
            origins: auth.origins().to_vec(),
            issuer: auth.issuer().map(str::to_owned),
            imports,
            how: how(auth),
        }
    }

    /// Whether this is the same credential, read and sent nowhere else.
    fn covers(&self, wanted: &Self) -> bool {
        let all_of = |have: &[String], want: &[String]| want.iter().all(|item| have.contains(item));
        self.method == wanted.method
            && self.issuer == wanted.issuer
            && self.how == wanted.how
            && all_of(&self.env, &wanted.env)
            && all_of(&self.origins, &wanted.origins)
            && all_of(&self.imports, &wanted.imports)
    }

    fn in_words(&self) -> String {
        let from = if self.env.is_empty() { String::new() } else { format!(" from {}", self.env.join(" or ")) };
        format!(
            "the credential {}{from}, sent to {}, as it is got or attached now",
            self.method,
            self.origins.join(", ")
        )
    }
}

/// The first half of a digest of what a description says of a credential, but for what has members of its own, and what is
/// for people.
fn how(auth: &Auth) -> String {
    let mut said = serde_json::to_value(auth).unwrap_or_default();
    if let Value::Object(said) = &mut said {
        said.retain(|name, value| !value.is_null() && !["env", "origins", "create_url"].contains(&name.as_str()));
        said.sort_keys();
    }
    let digest = Sha256::digest(said.to_string());
    digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

fn words_aside(setting: &Setting) -> String {
    let mut said = serde_json::to_value(setting).unwrap_or_default();
    if let Value::Object(said) = &mut said {
        let is_nothing = |value: &Value| {
            value.is_null()
                || value.as_array().is_some_and(Vec::is_empty)
                || value.as_object().is_some_and(Map::is_empty)
        };
        said.retain(|name, value| name != "description" && !is_nothing(value));
    }
    said.to_string()
}

/// A side request in one line.
fn asked(side: &SideRequest) -> String {
    let query: Vec<String> = side.query.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let query = if query.is_empty() { String::new() } else { format!("?{}", query.join("&")) };
    format!("{} {}{}{query}", json(&side.kind).trim_matches('"'), side.origin, side.path)
}
