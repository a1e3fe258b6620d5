//! Answers of Messages, Anthropic's dialect: read from Claude, and written for Claude Code and the clients of Anthropic's
//! SDKs.

mod read;
mod whole;
mod write;

pub(super) use read::Reader;
pub(super) use write::AnswerWriter;
