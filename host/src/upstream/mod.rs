//! The upstream step: sending a request to a provider and bringing its answer back as it comes.
//!
//! The pipeline hands over a finished request, credentials attached. Nothing here knows providers or models; redirects
//! are never followed, since a credential goes only where its owner agreed.

mod answer;
mod client;
mod connect;
mod connection;
mod outgoing;
mod pool;
mod proxy;
mod reason;
mod received;
mod shared;
mod socket;
mod tls;

pub use answer::{Answer, AnswerBody, Broken, Watch};
pub use client::{Deadlines, SendError, Upstream};
pub use connection::Fault;
pub use outgoing::Outgoing;
pub use proxy::SettingError;
pub use received::{ReceiveError, Received};
pub use tls::TlsError;

/// Checks what the environment says of the way to providers: proxies, and whom TLS trusts. Commands that go it or show it
/// call this first.
pub fn check_environment(env: &dyn Fn(&str) -> Option<std::ffi::OsString>) -> Result<(), SettingError> {
    proxy::check(env)?;
    tls::check(env)
}
