//! Requests of Responses. `read` takes what Codex, the SDKs and other clients send, with items of every kind; `write`
//! makes the body that OpenAI, the ChatGPT backend and other servers of Responses take.

mod items;
mod output;
mod read;
mod settings;
#[cfg(test)]
mod tests;
mod tools;
mod write;

pub(super) use output::breakpoint;
pub(super) use read::read;
pub(super) use write::write;
