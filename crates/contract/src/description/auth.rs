//! The ways of paying: which there are, what is attached of each, and where it may go.
//!
//! `credential` works from these types; the host has one implementation of each mechanism and knows no provider's name. A
//! secret has a name, the environment variables that may hold it, and what a user is asked for at a login. Times are in
//! seconds.

mod aws;
mod minted;
mod secrets;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Oauth;

pub use aws::{AWS_HEADERS, AWS_SECRETS, AwsSigv4, Region};
pub use minted::{Exchange, GoogleServiceAccount, Verb};
pub use secrets::{BASIC_SECRETS, Basic, Keys, Secret};

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
        match self.places() {
            Ok(places) => &places.origins,
            Err(oauth) => &oauth.origins,
        }
    }

    /// Where it is got and may go; a login is got by itself.
    fn places(&self) -> Result<&Places, &Oauth> {
        Ok(match self {
            Auth::ApiKey(key) => &key.places,
            Auth::Keys(keys) => &keys.places,
            Auth::Basic(basic) => &basic.places,
            Auth::AwsSigv4(aws) => &aws.places,
            Auth::GoogleServiceAccount(google) => &google.places,
            Auth::Exchange(exchange) => &exchange.places,
            Auth::Oauth(oauth) => return Err(oauth),
        })
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
        self.places().ok()?.create_url.as_deref()
    }
}

/// An API key.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
pub struct ApiKey {
    /// Environment variables that are looked at, the first that is set wins.
    #[serde(default)]
    pub env: Vec<String>,
    /// How the key is attached; as `Authorization: Bearer` where nothing is said.
    #[serde(default = "bearer")]
    pub attach: Vec<Attach>,
    /// Whether requests go up without it where there is none, as for a server on the user's own machine.
    #[serde(default)]
    pub optional: bool,
    /// Where it is got, and where it may go.
    #[serde(flatten)]
    pub places: Places,
}

/// Where a credential is got, and where it may go.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
pub struct Places {
    /// The page on which a user gets it.
    #[serde(default)]
    pub create_url: Option<String>,
    /// The names of the origins that it may go to: what it is, or the token that is made of it.
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
