//! One credential, ready for use: where it came from, where it may go, and what it adds to a request.
//!
//! Accounts makes it, once for as long as its source stays the same; route, plugin and upstream share it. Its secret is
//! never shown: `Debug` has the label and the addresses.

use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use bitrouter_contract::Origin;
use bitrouter_contract::description::{AWS_SECRETS, Attach};
use bitrouter_files::Timestamp;
use bytes::Bytes;
use http::{Request, StatusCode};
use secrecy::{ExposeSecret, SecretString};

use super::Scrubber;
use super::attach::{AttachError, Attachment};
use super::found::Secrets;
use super::refresh::{Mint, Minting};
use super::sign::{SignError, Signer};

/// Where a credential came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CredentialSource {
    /// `providers.<id>.api_key` in the config.
    Config,
    /// What the command of `providers.<id>.key_command` prints.
    Command,
    /// This environment variable, and its neighbours where there are several secrets.
    Env(String),
    /// This file of a vendor's own tools.
    File(PathBuf),
    /// The store.
    Store,
}

/// A credential of one account.
pub struct Credential {
    /// The provider's id.
    pub provider: String,
    /// The account's label: `config`, `env`, `file`, or as it is stored.
    pub label: Arc<str>,
    /// Where it came from.
    pub source: CredentialSource,
    /// The origins that it may go to: those that its owner agreed to.
    pub bound_to: Vec<Origin>,
    /// What it adds to a request.
    pub attach: Attachment,
    /// Finds its secret in what comes back.
    pub scrubber: Arc<Scrubber>,
    /// What is known of the account, none of it secret.
    pub claims: Vec<(String, String)>,
    /// When its secret expires, where that is known.
    pub expires_at: Option<Timestamp>,
    /// When it came to be here: a refusal of the one before it does not concern it.
    pub since: SystemTime,
    secrets: Secrets,
    kept_back: Vec<SecretString>,
    signer: Option<Signer>,
    mint: Option<Mint>,
    minted: bool,
}

/// What a credential is made from.
pub(super) struct Parts<'p> {
    pub provider: &'p str,
    pub label: &'p str,
    pub source: CredentialSource,
    pub secrets: &'p Secrets,
    /// Secrets that belong to it and are never attached, such as a refresh token: they are scrubbed too.
    pub kept_back: Vec<SecretString>,
    pub bound_to: Vec<Origin>,
    pub claims: Cow<'p, [(String, String)]>,
    pub expires_at: Option<Timestamp>,
    pub adds: Adds<'p>,
}

/// What a credential does to a request.
pub(super) enum Adds<'p> {
    /// Its secrets are attached by these rules.
    Attach(&'p [Attach]),
    /// Its `user` and `password` are sent as RFC 7617 has it.
    Basic,
    /// It signs, for this service and region.
    Sign(&'p str, &'p str),
    /// Nothing: a token is made of it first, and attached by these rules.
    Mint(Minting, &'p [Attach]),
}

impl Credential {
    /// Checks the secrets and prepares all that a request needs of them.
    pub(super) fn new(parts: Parts<'_>) -> Result<Self, AttachError> {
        let secret = |name: &str| parts.secrets.iter().find(|(known, _)| known == name).map(|(_, secret)| secret);
        let needed = |name: &str| secret(name).ok_or(AttachError::Empty);
        let mut kept_back = parts.kept_back;
        let (mut attach, mut signer, mut mint) = (Attachment::default(), None, None);
        match parts.adds {
            Adds::Attach(rules) => attach = Attachment::of(rules, parts.secrets, &parts.claims)?,
            Adds::Basic => {
                let (both, encoded) = Attachment::basic(needed("user")?, needed("password")?)?;
                kept_back.push(encoded);
                attach = both;
            }
            Adds::Sign(service, region) => {
                let [key_id, key, session] = AWS_SECRETS;
                signer = Some(Signer::new([needed(key_id)?, needed(key)?], secret(session), service, region)?);
            }
            Adds::Mint(minting, rules) => mint = Some(Mint::new(minting, rules)),
        }
        let all = parts.secrets.iter().map(|(_, secret)| secret).chain(&kept_back).map(ExposeSecret::expose_secret);
        let scrubber = Arc::new(Scrubber::new(all)).watch_the_log();
        Ok(Credential {
            attach,
            scrubber,
            provider: parts.provider.to_owned(),
            label: parts.label.into(),
            source: parts.source,
            bound_to: parts.bound_to,
            claims: parts.claims.into_owned(),
            expires_at: parts.expires_at,
            since: SystemTime::now(),
            secrets: parts.secrets.clone(),
            kept_back,
            signer,
            mint,
            minted: false,
        })
    }

    /// The same, as one that was made and can be made anew.
    pub(super) fn minted(self) -> Self {
        Credential { minted: true, ..self }
    }

    /// Whether a credential made from these parts would be this one, so that it can stay. What it does to a request is not
    /// looked at: that is the same for as long as the description is.
    pub(super) fn is_of(&self, parts: &Parts<'_>) -> bool {
        self.provider == parts.provider
            && *self.label == *parts.label
            && self.source == parts.source
            && self.bound_to == parts.bound_to
            && self.claims == *parts.claims
            && self.expires_at == parts.expires_at
            && same(&self.secrets, parts.secrets)
            // What was derived stands behind what was given.
            && self.kept_back.iter().zip(&parts.kept_back).all(|(one, other)| one.expose_secret() == other.expose_secret())
            && self.kept_back.len() >= parts.kept_back.len()
    }

    /// Whether another of the same provider is this one, read once more.
    pub(super) fn is_like(&self, other: &Credential) -> bool {
        let same_place = *self.label == *other.label && self.source == other.source && self.bound_to == other.bound_to;
        same_place && self.claims == other.claims && same(&self.secrets, &other.secrets)
    }

    /// Signs a request, where this credential does: the last thing that is done to it. The body is these pieces.
    pub fn sign<B>(&self, request: &mut Request<B>, body: impl IntoIterator<Item = Bytes>) -> Result<(), SignError> {
        self.signer.as_ref().map_or(Ok(()), |signer| signer.sign(request, body))
    }

    /// Whether an answer may be changed by asking once more: after a 401 with what is made or refreshed meanwhile.
    pub fn may_be_renewed(&self) -> bool {
        self.minted || self.source == CredentialSource::Store
    }

    /// Whether it signs requests, so that a refusal may be this machine's clock's fault.
    pub fn signs(&self) -> bool {
        self.signer.is_some()
    }

    /// After a refusal of what it signed: by how many seconds this machine's clock is behind, if the answer's date says so.
    /// From here on it signs by that date, and the request may be sent once more.
    pub fn set_clock(&self, status: StatusCode, date: Timestamp) -> Option<i64> {
        self.signer.as_ref()?.set_right(status, date)
    }

    /// Whether a token has to be made of it before anything can be sent.
    pub fn needs_token(&self) -> bool {
        self.mint.is_some()
    }

    /// When the token expires that was made of it last; none where none is made, or was yet.
    pub fn token_expires_at(&self) -> Option<Timestamp> {
        self.mint.as_ref()?.expires_at()
    }

    pub(super) fn mint(&self) -> Option<&Mint> {
        self.mint.as_ref()
    }

    /// The secret that it attaches.
    pub(super) fn secret(&self) -> &SecretString {
        &self.secrets.first().expect("a credential is made of at least one secret").1
    }

    pub(super) fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    /// All that is to be found in what comes back.
    pub(super) fn all_secrets(&self) -> Vec<SecretString> {
        self.secrets.iter().map(|(_, secret)| secret).chain(&self.kept_back).cloned().collect()
    }
}

fn same(one: &Secrets, other: &Secrets) -> bool {
    let equal = |((name, secret), (other_name, other)): (&(String, SecretString), &(String, SecretString))| {
        name == other_name && secret.expose_secret() == other.expose_secret()
    };
    one.len() == other.len() && one.iter().zip(other).all(equal)
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential")
            .field("provider", &self.provider)
            .field("label", &self.label)
            .field("source", &self.source)
            .field("bound_to", &self.bound_to)
            .finish_non_exhaustive()
    }
}
