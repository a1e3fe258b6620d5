//! Requests of Messages, Anthropic's dialect. The common view calls it to read what Claude Code and its like send, and to
//! write what Claude models take.

mod betas;
mod blocks;
mod client_tools;
mod input;
mod markers;
mod media;
mod read;
mod schema;
#[cfg(test)]
mod tests;
mod think;
mod tools;
mod turns;
mod write;

pub(super) use betas::betas;
pub(super) use read::read;
pub(super) use write::write;
