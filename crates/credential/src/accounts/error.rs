//! Why there is no credential, or not this one: each a sentence with its next step.

use std::fmt;
use std::sync::Arc;

use thiserror::Error;

use super::super::attach::AttachError;
use super::super::store::StoreError;
use super::DEFAULT_LABEL;

/// Why there is no credential, or not this one.
#[derive(Clone, Debug, Error)]
pub enum AccountError {
    /// The provider has no account at all.
    #[error("{provider}: no credential. Set {}providers.{provider}.api_key in bitrouter.yaml", Either(.env))]
    NoCredential {
        /// The provider's id.
        provider: String,
        /// The environment variables that may hold one.
        env: Vec<String>,
    },
    /// The provider has no account, and takes logins.
    #[error("{provider}: no account is logged in. Run: bitrouter login {provider}{}", Or(.env))]
    NotLoggedIn {
        /// The provider's id.
        provider: String,
        /// The environment variables that may hold a key instead.
        env: Vec<String>,
    },
    /// The issuer takes the account's tokens no more, or they expired and cannot be refreshed.
    #[error("{provider}@{label}: log in again: {}", LogIn { provider, label })]
    LogInAgain {
        /// The provider's id.
        provider: String,
        /// The account's label.
        label: String,
    },
    /// The account's tokens could not be refreshed; to wait may help.
    #[error("{provider}@{label}: the account could not be refreshed: {why}")]
    NotRefreshed {
        /// The provider's id.
        provider: String,
        /// The account's label.
        label: String,
        /// What happened.
        why: String,
    },
    /// No token could be made of the account's secrets; to wait may help.
    #[error("{provider}@{label}: no token could be made for the account: {why}")]
    NotMinted {
        /// The provider's id.
        provider: String,
        /// The account's label.
        label: String,
        /// What happened.
        why: String,
    },
    /// Something of the credential is there, and not all that it takes.
    #[error("{provider}@{label}: {why}")]
    Incomplete {
        /// The provider's id.
        provider: String,
        /// The account's label.
        label: String,
        /// What is missing, and the next step.
        why: String,
    },
    /// The provider refuses a credential that nothing can refresh.
    #[error("{provider}@{label}: the provider refuses this credential. Replace it, or choose another account")]
    Rejected {
        /// The provider's id.
        provider: String,
        /// The account's label.
        label: String,
    },
    /// The provider has accounts, none under this label.
    #[error("{provider}: no account has the label `{label}`. There {}", Known(.known))]
    UnknownLabel {
        /// The provider's id.
        provider: String,
        /// The label that was asked for.
        label: String,
        /// The labels that there are.
        known: Vec<String>,
    },
    /// The credential is there, and cannot be used.
    #[error("{provider}@{label}: {holder} {why}")]
    Refused {
        /// The provider's id.
        provider: String,
        /// The account's label.
        label: String,
        /// What holds it.
        holder: String,
        /// Why.
        why: AttachError,
    },
    /// The stored credential is of a kind that this provider does not take.
    #[error(
        "{provider}@{label}: the provider does not take a stored credential of the kind `{kind}`. Choose another account"
    )]
    WrongKind {
        /// The provider's id.
        provider: String,
        /// The account's label.
        label: String,
        /// The kind's name.
        kind: String,
    },
    /// The stored credential is of a kind that this version does not use.
    #[error(
        "{provider}@{label}: this version cannot use a stored credential of the kind `{kind}`. Update BitRouter, or choose another account"
    )]
    UnknownKind {
        /// The provider's id.
        provider: String,
        /// The account's label.
        label: String,
        /// The kind's name.
        kind: String,
    },
    /// Its secrets are in the keyring, and cannot be read there.
    #[error(
        "{provider}@{label}: its secrets are in the system's keyring, which {why}. Unlock or start it; or log in again, with `credentials.store: file` in bitrouter.yaml: {}", LogIn { provider, label }
    )]
    OutOfReach {
        /// The provider's id.
        provider: String,
        /// The account's label.
        label: String,
        /// What the keyring says.
        why: String,
    },
    /// The stored credentials cannot be read.
    #[error(transparent)]
    Store(#[from] Arc<StoreError>),
}

impl AccountError {
    /// The label of the account that it is about; none where it is about all of them.
    pub fn label(&self) -> Option<&str> {
        match self {
            AccountError::LogInAgain { label, .. }
            | AccountError::NotRefreshed { label, .. }
            | AccountError::NotMinted { label, .. }
            | AccountError::Incomplete { label, .. }
            | AccountError::Rejected { label, .. }
            | AccountError::Refused { label, .. }
            | AccountError::WrongKind { label, .. }
            | AccountError::OutOfReach { label, .. }
            | AccountError::UnknownKind { label, .. } => Some(label),
            AccountError::NoCredential { .. }
            | AccountError::NotLoggedIn { .. }
            | AccountError::UnknownLabel { .. }
            | AccountError::Store(_) => None,
        }
    }
}

struct Either<'e>(&'e [String]);

impl fmt::Display for Either<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            [] => Ok(()),
            variables => write!(f, "{}, or ", variables.join(" or ")),
        }
    }
}

struct Known<'k>(&'k [String]);

impl fmt::Display for Known<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            [one] => write!(f, "is only `{one}`"),
            labels => write!(f, "are: {}", labels.join(", ")),
        }
    }
}

struct Or<'o>(&'o [String]);

impl fmt::Display for Or<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            [] => Ok(()),
            variables => write!(f, ", or set {}", variables.join(" or ")),
        }
    }
}

struct LogIn<'l> {
    provider: &'l str,
    label: &'l str,
}

impl fmt::Display for LogIn<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "bitrouter login {}", self.provider)?;
        if self.label == DEFAULT_LABEL { Ok(()) } else { write!(f, " --label {}", self.label) }
    }
}
