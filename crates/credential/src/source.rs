//! One credential, ready for use: where it came from, where it may go, and what it adds to a request.
//!
//! Accounts makes it, once for as long as its source stays the same; route, plugin and upstream share it. Its secret is
//! never shown: `Debug` has the label and the addresses.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use bitrouter_contract::Origin;
use bitrouter_contract::description::Attach;
use bitrouter_files::Timestamp;
use secrecy::{ExposeSecret, SecretString};

use super::Scrubber;
use super::attach::{AttachError, Attachment};

/// Where a credential came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CredentialSource {
    /// `providers.<id>.api_key` in the config.
    Config,
    /// This environment variable.
    Env(String),
    /// The store.
    Store,
}

/// A credential of one account.
pub struct Credential {
    /// The provider's id.
    pub provider: String,
    /// The account's label: `config`, `env`, or as it is stored.
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
    secret: SecretString,
    kept_back: Vec<SecretString>,
}

/// What a credential is made from.
pub(super) struct Parts<'p> {
    pub provider: &'p str,
    pub label: &'p str,
    pub source: CredentialSource,
    pub secret: &'p SecretString,
    /// Secrets that belong to it and are never attached, such as a refresh token: they are scrubbed too.
    pub kept_back: Vec<SecretString>,
    pub bound_to: Vec<Origin>,
    pub rules: &'p [Attach],
    pub claims: &'p [(String, String)],
    pub expires_at: Option<Timestamp>,
}

impl Credential {
    /// Checks the secret and prepares all that a request needs of it.
    pub(super) fn new(parts: Parts<'_>) -> Result<Self, AttachError> {
        let secrets = std::iter::once(parts.secret).chain(&parts.kept_back).map(ExposeSecret::expose_secret);
        Ok(Credential {
            attach: Attachment::new(parts.rules, parts.secret, parts.claims)?,
            scrubber: Arc::new(Scrubber::new(secrets)).watch_the_log(),
            provider: parts.provider.to_owned(),
            label: parts.label.into(),
            source: parts.source,
            bound_to: parts.bound_to,
            claims: parts.claims.to_vec(),
            expires_at: parts.expires_at,
            since: SystemTime::now(),
            secret: parts.secret.clone(),
            kept_back: parts.kept_back,
        })
    }

    /// Whether a credential made from these parts would be this one, so that it can stay. The rules are not looked at:
    /// they are the same for as long as the description is.
    pub(super) fn is_of(&self, parts: &Parts<'_>) -> bool {
        self.provider == parts.provider
            && *self.label == *parts.label
            && self.source == parts.source
            && self.bound_to == parts.bound_to
            && self.claims == parts.claims
            && self.expires_at == parts.expires_at
            && self.has(parts.secret)
            && self
                .kept_back
                .iter()
                .map(ExposeSecret::expose_secret)
                .eq(parts.kept_back.iter().map(ExposeSecret::expose_secret))
    }

    fn has(&self, secret: &SecretString) -> bool {
        self.secret.expose_secret() == secret.expose_secret()
    }

    /// The secret that it attaches.
    pub(super) fn secret(&self) -> &SecretString {
        &self.secret
    }
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
