//! A client's call: where it may come in, who may send it, what it is once it is read, what its body holds of memory, and
//! how its error is written.
//!
//! The gateway makes calls and the pipeline answers them; here is what both need of one. Nothing here reads from a
//! connection or asks a provider.

mod bodies;
pub mod destination;
mod endpoints;
pub mod guard;
mod object;
pub(crate) mod query;
pub mod reply;
pub(crate) mod resource;
mod socket;

pub use bodies::Bodies;
pub(crate) use bodies::Share;
pub use endpoints::{
    CATALOGUE, Call, CallBody, Continued, Endpoint, ModelIn, Previous, endpoint, endpoint_of, paths, request_id,
};
pub use guard::Guard;
pub use object::Object;
pub(crate) use object::PROVIDER;
pub use reply::written as written_error;
pub(crate) use socket::Link;
pub use socket::Socket;
