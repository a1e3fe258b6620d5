//! Requests of generateContent. Google's own clients write camelCase, the Python SDK snake_case inside tools: both are
//! read everywhere, camelCase alone is written.

mod parts;
mod read;
mod read_settings;
mod read_tools;
mod response;
#[cfg(test)]
mod tests;
mod write;
mod write_settings;
mod write_tools;

pub(crate) use parts::object_of;
pub(super) use read::read;
pub(super) use write::write;

/// What Google takes for a signature where none is known. From a client it means that there is none.
const NO_SIGNATURE: &[u8] = b"skip_thought_signature_validator";
