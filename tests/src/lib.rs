//! The end-to-end harness: the real `bitrouter` with a home of its own, an upstream that does as it is told, and a
//! client that can be as rude as a test needs. The tests in `e2e/` call it. It uses nothing of the gateway's own code,
//! so that what a test sees is what a user sees.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "all of this is test code: a panic is how a test fails")]

mod answer;
mod binary;
mod chatgpt;
mod client;
mod clock;
mod codex_cli;
mod dice;
mod disk;
mod gateway;
mod issuer;
mod login;
mod reply;
mod running;
mod setup;
mod spoken;
mod upstream;
mod vendor;
mod wait;
mod wire;

pub use answer::Answer;
pub use binary::component;
pub use chatgpt::{ChatGpt, Turn};
pub use client::{Open, Request};
pub use clock::WrongClock;
pub use codex_cli::{CLIENT_KEY, CodexCli, CodexRan};
pub use dice::{Dice, seeds};
pub use disk::Disk;
pub use gateway::{Gateway, free_port};
pub use issuer::{Issuer, Reuse};
pub use login::{Login, jwt};
pub use reply::Reply;
pub use running::Running;
pub use setup::{KEY, Ran, Setup};
pub use spoken::{Fault, Spoken};
pub use upstream::Upstream;
pub use vendor::{Anthropic, Google, Speaks, VENDOR_KEY, Vendor};
pub use wait::eventually;
pub use wire::{Headers, Seen};
