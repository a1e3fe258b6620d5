//! What can go wrong on an HTTP/1.1 connection, as the end of a sentence that names the upstream.

use std::io;

use crate::reason::reason;

/// Why an exchange ended before it was complete.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The connection was closed where an answer was due.
    #[error("the connection was closed")]
    Closed,
    /// The connection was closed inside a body.
    #[error("the connection was closed before the end that the answer's head promised")]
    Cut,
    /// What the system or TLS said.
    #[error("{}", reason(.0))]
    Io(#[from] io::Error),
    /// What came is no head of an answer.
    #[error("the head of the answer is no HTTP/1.1: {0}")]
    Head(httparse::Error),
    /// The head has too many bytes or fields.
    #[error("the head of the answer is too large")]
    HeadTooLarge,
    /// The head does not say where the body ends, or says it twice.
    #[error("the head of the answer does not tell where its body ends: {0}")]
    Framing(&'static str),
    /// The body is not chunked as it must be.
    #[error("the body is not chunked as it must be: {0}")]
    Chunk(&'static str),
}
