//! The end-to-end tests, one file a feature.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "all of this is test code: a panic is how a test fails")]

mod bad_input;
mod bad_upstream;
mod believed;
mod bodies;
mod cache;
mod canary;
mod chatgpt;
mod cli;
mod clock;
mod codex;
mod codex_cli;
#[cfg(target_os = "linux")]
mod crowd;
mod described;
mod dialects;
mod door;
mod drips;
mod each_target_once;
mod endings;
mod endpoints;
mod ends;
mod every_position;
mod failover;
mod floods;
mod folding;
mod followed;
mod found;
mod front;
mod hostile;
mod http1_required;
mod http2;
mod huge;
mod keyring;
mod limits;
mod login;
mod logout;
mod models;
mod order;
mod own_headers;
mod pass_through;
mod promises;
mod proxies;
mod python_sdk;
mod refresh_crash;
mod reload;
mod secrets;
#[cfg(target_os = "linux")]
mod session;
mod side;
mod slow;
mod status;
mod stopping;
mod store;
mod surplus;
mod terminal;
mod tls;
mod unaccepted;
