//! The gateway step: the door. It accepts connections, refuses who may not ask, and reads bodies.
//!
//! `serve` starts it; what it lets in goes to the pipeline. It knows nothing of providers.

mod accept;
mod apart;
mod body;
mod connections;
mod endpoints;
mod front;
mod guess;
mod models;
mod multipart;
mod paced;
mod unpack;

pub use accept::{BindError, bind, serve};
pub use connections::Connections;
pub use front::Front;
pub use guess::guess;
