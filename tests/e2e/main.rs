//! The end-to-end tests, one file a feature.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "all of this is test code: a panic is how a test fails")]

mod account_changes;
mod agents;
mod bad_input;
mod bad_upstream;
mod bodies;
mod cache;
mod call_states;
mod canary;
mod chatgpt;
mod claude_code;
mod cli;
mod clock;
mod codex;
mod codex_cli;
mod codex_translated;
mod connect;
mod connected_clients;
#[cfg(target_os = "linux")]
mod connection_limits;
mod described;
mod dialects;
mod doors;
mod each_target_once;
mod endings;
mod endpoints;
mod every_position;
mod exposure;
mod failover;
mod first_run;
mod folding;
mod gemini_cli;
mod hostile;
mod http1_required;
mod http2;
mod intermediaries;
mod keyring;
mod large_answers;
mod limits;
mod login;
mod logout;
mod model_facts;
mod models;
mod opencode;
mod order;
mod own_headers;
mod owned;
mod pass_through;
mod promises;
mod providers;
mod proxies;
mod python_sdk;
mod python_translated;
mod queries;
mod quirks;
mod refresh_crash;
mod reload;
mod secrets;
#[cfg(target_os = "linux")]
mod session;
mod shared_session;
mod signed_by_others;
mod signing;
mod slow;
mod slow_answers;
mod status;
mod stopping;
mod store;
mod stored_responses;
mod stream_ends;
mod terminal;
mod tls;
mod translated;
mod translated_faults;
mod typed;
mod unrequested_bytes;
mod untrusted_components;
mod untrusted_config;
mod vendors;
#[cfg(unix)]
mod vercel_ai;
mod weather;
mod websocket;
mod work_limits;
