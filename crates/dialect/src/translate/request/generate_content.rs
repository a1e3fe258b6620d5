//! Requests of generateContent. Google's own clients write camelCase, the Python SDK snake_case inside tools: both are
//! read everywhere, camelCase alone is written.

mod config;
mod read;
mod settings;
#[cfg(test)]
mod tests;
mod tools;
mod write;

pub(super) use read::read;
pub(crate) use write::object_of;
pub(super) use write::write;

/// What Google takes for a signature where none is known. From a client it means that there is none.
const NO_SIGNATURE: &[u8] = b"skip_thought_signature_validator";
