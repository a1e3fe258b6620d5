//! Credentials: where they come from, where they may go, how they are attached, and how their echo is taken out.
//!
//! Route asks for a provider's accounts, the pipeline attaches the chosen one after the component has returned. A secret
//! leaves this crate only inside a request to an origin that its owner agreed to, and never by `Debug`, error or log.

#![forbid(unsafe_code)]

pub mod accounts;
pub mod attach;
pub mod binding;
pub mod claims;
pub mod found;
pub mod issuer;
pub mod keyring;
pub mod login;
mod refresh;
pub mod scrub;
mod sign;
pub mod source;
pub mod store;
pub mod token_file;
pub mod vendor;
mod wipe;

pub use accounts::{AccountError, Accounts, Given, Listing};
pub use attach::{AttachError, Attachment};
pub use binding::BindingError;
pub use refresh::KeyCommand;
pub use scrub::{ScrubStream, Scrubber, scrub_log};
pub use sign::SignError;
pub use source::{Credential, CredentialSource};
pub use store::{CredentialStore, FileStore, Saved, SecretsIn, Store, StoreError};
