//! Logging in: the tokens of an account, from a browser, a device code or another program's session, as a component's
//! description says.
//!
//! The commands call it and store what it obtains; until then nothing is written anywhere. It knows no provider's name,
//! and no line that it says holds a secret: a code, a verifier and a token go to the issuer alone.

mod browser;
mod device;
mod error;
mod exchange;
mod granted;
mod listener;
mod pages;
mod pasted;
mod way;
mod wire;

pub use browser::{Return, browser};
pub use device::device;
pub use error::LoginError;
pub use exchange::revoke;
pub use way::Way;

use bitrouter_contract::Origin;
use bitrouter_contract::description::Oauth;

use crate::issuer::Issuer;

/// A login under way: with whom, and who is told of it.
pub struct Attempt<'a, P> {
    /// How it is done.
    pub oauth: &'a Oauth,
    /// The issuer's origin, the one that `oauth.origin` names.
    pub origin: &'a Origin,
    /// What speaks to it.
    pub issuer: &'a Issuer,
    /// Who logs in.
    pub person: &'a P,
}

/// Who logs in, in front of a terminal or not.
pub trait Person: Sync {
    /// Shows a line.
    fn tell(&self, line: &str);

    /// Opens a page in a browser of this machine; false where none was found.
    fn open(&self, url: &str) -> bool;

    /// The next line that is typed; nothing once there will be no more.
    fn line(&self) -> impl Future<Output = Option<String>> + Send;
}
