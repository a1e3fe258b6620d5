//! Which component files the user has accepted: `plugins.lock`.
//!
//! An entry pins the file's digest and all that the user was shown: the origins it may reach, the credentials it may be
//! attached, what it is believed and what it is handed. A component that declares a credential, claims the id of a built-in
//! one, or sends into this machine or its network, serves only with an entry that covers all of it. Any other answers to its
//! own id without one, and is believed nothing else.

mod grant;
mod lock;
mod rebuilt;
pub mod signature;
#[cfg(test)]
mod tests;

use bitrouter_contract::description::{Auth, Description};
use bitrouter_contract::origin::template;

pub use grant::{AttachedCredential, Grant};
pub use lock::{Entry, Lock, LockError};
pub use rebuilt::short;
pub(crate) use rebuilt::{Rebuilt, Waits};
pub use signature::Signers;

/// Why a component serves nothing before the user accepts it: what it asks for, as a sentence has it.
pub(super) fn wants(description: &Description) -> Option<String> {
    let wanted: Vec<&str> = description.auth.iter().flat_map(Auth::env).collect();
    let wanted = if wanted.is_empty() { "a credential".into() } else { wanted.join(", ") };
    let to = description.origins.get("api").map_or("where your config says", String::as_str);
    (!description.auth.is_empty()).then(|| format!("it asks for {wanted} to be sent to {to}"))
}

/// The first of its origins that is in this machine or its network, or may be. `replaced` knows those that the user's own
/// config has put in the place of the component's.
pub fn reaches_in(description: &Description, replaced: impl Fn(&str) -> bool) -> Option<&str> {
    let public = |url: &str| template::sample(url).is_ok_and(|origin| origin.is_public());
    let mut own = description.origins.iter().filter(|(name, _)| !replaced(name));
    own.find(|(_, url)| !public(url)).map(|(_, url)| url.as_str())
}

/// The sentence of a component that is not trusted.
pub fn not_trusted(why: &str, to_accept: &str) -> String {
    format!("not trusted: {why}. To accept it: {to_accept}")
}
