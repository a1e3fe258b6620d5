//! Operating a running gateway: what it shows of itself, how it is told to read its config again, and the socket for both.
//!
//! `serve` starts it, `status` and `reload` speak to it. Only the user who started the gateway gets in; nothing of it is
//! reachable through the public port, and no secret is ever in what it shows.

mod client;
mod reload;
mod server;
mod socket;
mod status;
mod watch;

pub use client::{AskError, Client};
pub use reload::{NotReloaded, OnReloaded, Read, ReloadSource, Reloaded, Reloader};
pub use server::{Cleared, Control, NotCleared, Which};
pub use socket::{Socket, SocketError};
pub use status::{
    Account, ConfigInForce, Cooldown, FailedRequest, GatewayState, Health, QuarantinedComponent, RefusedConfig,
    RequestUnderWay, ServingComponent, Share, Status,
};
pub use watch::Fingerprint;
