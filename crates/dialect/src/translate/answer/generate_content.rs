//! Answers of generateContent: chunks without types, of which each repeats the candidate around what is new.

mod partial;
mod parts;
mod read;
mod read_sources;
#[cfg(test)]
mod tests;
mod write;
mod write_sources;

pub(super) use read::Reader;
pub(super) use write::AnswerWriter;

use super::Stop;
use crate::translate::writer::Inside;

/// What a `finishReason` means; none for those that say too little, which the answer's content explains.
fn stop_of<'a>(reason: &[u8], message: Option<Inside<'a>>) -> Option<Stop<'a>> {
    let reason_text = || Inside::Owned(reason.to_vec());
    Some(match reason {
        b"STOP" => Stop::Done,
        // To be continued is what a limit means elsewhere.
        b"MAX_TOKENS" | b"CONTINUATION" => Stop::MaxTokens,
        b"SAFETY" | b"RECITATION" | b"BLOCKLIST" | b"PROHIBITED_CONTENT" | b"SPII" | b"MODEL_ARMOR" | b"JAILBREAK" => {
            Stop::Filter(Some(message.unwrap_or_else(reason_text)))
        }
        _ if reason.starts_with(b"IMAGE_") => Stop::Filter(Some(message.unwrap_or_else(reason_text))),
        b"MALFORMED_FUNCTION_CALL"
        | b"UNEXPECTED_TOOL_CALL"
        | b"TOO_MANY_TOOL_CALLS"
        | b"MALFORMED_RESPONSE"
        | b"MISSING_THOUGHT_SIGNATURE" => Stop::Broken(reason_text()),
        _ => return None,
    })
}
