//! BitRouter: the LLM gateway that people trust with their accounts.
//!
//! A request goes through the rooms of this crate in the order in which they are named here, and its answer comes back
//! the same way. `pipeline` sends it to a provider; `app` puts the rooms together; `cli` is what a person types, and
//! `control` how a running gateway is asked and told. What is below a gateway are the crates in `crates/`.

#![deny(unsafe_code)]

pub mod app;
pub mod call;
pub mod caller;
pub mod cli;
pub mod config;
pub mod connect;
pub mod control;
pub mod error;
pub mod gateway;
pub mod history;
pub mod memory;
pub mod pipeline;
pub mod queries;
pub mod route;
pub mod server;
pub mod telemetry;

pub use error::Error;
