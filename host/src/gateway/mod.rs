//! The gateway step: the listener. It accepts connections, refuses who may not ask, and reads bodies.
//!
//! `serve` starts it; what it lets in goes to the pipeline. It knows nothing of providers.

mod accept;
mod apart;
mod body;
mod connections;
mod endpoints;
mod infer_endpoint;
mod models;
mod multipart;
mod read_limits;
mod responses;
mod service;
mod unpack;
mod websocket;

pub use accept::{BindError, bind, serve};
pub use connections::Connections;
pub use infer_endpoint::infer_endpoint;
pub use service::Service;
