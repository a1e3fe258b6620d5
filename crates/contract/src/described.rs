//! Reads and does what a description says in the place of a hook: makes a request, reads limits and lists of models. The
//! host calls it where a component exports no hook for it, and the test kits of the SDKs do.
//!
//! What it reads was written by strangers: it believes nothing but the form, and never fails on it.

pub mod limits;
mod local;
pub mod models;
pub mod request;
pub mod settings;

pub use limits::Window;
pub use models::Page;
pub use request::{RequestedCall, Shaped, Unserved};
