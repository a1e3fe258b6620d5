//! The gateway step: the door. It accepts connections, refuses who may not ask, and reads bodies.
//!
//! `serve` starts it; what it lets in goes to the pipeline. It knows nothing of providers.

mod accept;
mod apart;
mod bodies;
mod body;
mod connections;
mod endpoints;
mod front;
mod guard;
mod guess;
mod models;
mod multipart;
mod paced;
mod place;
mod reply;
mod unpack;

pub use accept::{BindError, bind, serve};
pub use bodies::Bodies;
pub use connections::Connections;
pub use endpoints::{Call, CallBody, Endpoint, endpoint, paths};
pub use front::Front;
pub use guard::Guard;
pub use guess::guess;
pub use reply::written as written_error;
