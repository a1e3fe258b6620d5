//! Answers of Responses. `Reader` takes what OpenAI, the ChatGPT backend and other servers stream, `AnswerWriter` makes
//! the events that Codex, the SDKs and other clients demand.

mod end;
mod items;
mod members;
mod ran;
mod read;
#[cfg(test)]
mod tests;
mod write;

pub(super) use read::Reader;
pub(super) use write::AnswerWriter;
