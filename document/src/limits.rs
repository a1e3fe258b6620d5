//! What one document may cost, however hostile the body or the guest that edits it.

/// Levels of nesting in a body. Real requests have about ten; serde_json stops at 128, and 512 leaves room for schemas.
pub const NESTING: usize = 512;

/// Tokens of a pointer.
pub const POINTER: usize = 64;

/// Members and items indexed in one document. One takes 20 bytes and a container 24, so the index stays under 50 MB. A
/// coding agent's request of 600 items has about 6,000.
pub const MEMBERS: usize = 1_000_000;

/// Bytes that the edits of one document may add, copies included. Without it, copying a value into itself thirty times
/// would make a body of gigabytes.
pub const ADDED: usize = 64 << 20;
