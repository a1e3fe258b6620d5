//! The end-to-end harness: the real `bitrouter` with a home of its own, an upstream that does as it is told, and a
//! client that can be as rude as a test needs. The tests in `e2e/` call it. It uses nothing of the gateway's own code,
//! so that what a test sees is what a user sees.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "all of this is test code: a panic is how a test fails")]

mod answer;
mod backend;
mod binary;
mod chatgpt;
mod claude_code;
mod client;
mod clock;
mod codex_cli;
mod connected;
mod conversing;
mod dice;
mod disk;
pub mod event_stream;
mod gateway;
mod gemini_cli;
mod issuer;
mod login;
mod opencode;
mod own_home;
mod picture;
mod reply;
mod running;
mod service_account;
mod setup;
mod sigv4;
mod spoken;
mod upstream;
mod upstream_websocket;
mod vendor;
mod wait;
mod websocket;
mod wire;

pub use answer::Answer;
pub use backend::{Backend, backends_but};
pub use binary::component;
pub use chatgpt::{ChatGpt, Turn};
pub use claude_code::{CLAUDE_KEY, ClaudeCode, ClaudeRan};
pub use client::{Open, Request};
pub use clock::WrongClock;
pub use codex_cli::{CLIENT_KEY, CodexCli, CodexRan};
pub use connected::Connected;
pub use conversing::Conversing;
pub use dice::{Dice, seeds};
pub use disk::Disk;
pub use gateway::{Gateway, free_port};
pub use gemini_cli::{GeminiCli, GeminiRan};
pub use issuer::{Issuer, Reuse};
pub use login::{Login, jwt};
pub use opencode::{Opencode, OpencodeRan};
pub use picture::{PNG, Picture};
pub use reply::Reply;
pub use running::Running;
pub use service_account::{SERVICE_ACCOUNT, SERVICE_ACCOUNT_KEY, check_assertion, key_file};
pub use setup::{KEY, Ran, Setup};
pub use sigv4::{check_signature, signed_headers};
pub use spoken::{Fault, Spoken};
pub use upstream::Upstream;
pub use vendor::{Anthropic, Chat, Google, Speaks, VENDOR_KEY, Vendor};
pub use wait::eventually;
pub use websocket::WebSocket;
pub use wire::{Headers, Seen};
