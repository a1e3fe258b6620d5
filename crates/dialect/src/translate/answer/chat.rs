//! Answers of Chat Completions: `Reader` makes pieces of an upstream's chunks or of its whole answer, `AnswerWriter` chunks
//! for a client. Servers of this dialect differ in small ways: what is read may deviate, what is written may not.

mod call;
mod end;
mod read;
mod whole;
mod write;

#[cfg(test)]
mod tests;

pub(super) use read::Reader;
pub(super) use write::AnswerWriter;
