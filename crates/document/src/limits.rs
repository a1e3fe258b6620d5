//! What one document may cost, however hostile the body or the guest that edits it. Each limit is looked at before the
//! work is done, so that passing it costs nothing.

/// Levels of nesting in a body. Real requests have about ten; serde_json stops at 128, and 512 leaves room for schemas.
pub const NESTING: usize = 512;

/// Tokens of a pointer.
pub const POINTER: usize = 64;

/// Members and items indexed in one document, and containers of them. One takes 20 bytes and a container 24, so the
/// index stays under 25 MB. A coding agent's request of 600 items has about 6,000.
pub const MEMBERS: usize = 1 << 19;

/// Fields of one `find`.
pub const FIELDS: usize = 64;

/// Conditions of one `find` or `patch_each`.
pub const CONDITIONS: usize = 64;

/// Cells of one `find`: rows × fields, with the pointer of each row as one more. They take 24 bytes here and 32 more in the
/// caller's form, so one table takes at most 30 MB.
pub const CELLS: usize = 1 << 19;

/// Bytes of the values that one `find` or `keys` answers.
pub const SELECTED: usize = 16 << 20;

/// Members that one `find` or `patch_each` may look at and compare, and pieces of edited values that it may put together:
/// some 50 ms of work.
pub const STEPS: usize = 16 << 20;

/// Edits of one patch. One takes about a microsecond, however large what it edits is.
pub const EDITS: usize = 1 << 16;

/// Edits of one `patch_each` on all matches together: half of what a document can have indexed. No path is looked up from
/// the root, so one takes a fifth of a microsecond.
pub const EDITS_OF_EACH: usize = 1 << 18;

/// Bytes that the edits of one document may add, copies included, however large the body is.
pub const ADDED: usize = 64 << 20;

/// Bytes that the edits of a document with a body of this many bytes may add, copies included. Without it, copying a
/// value into itself thirty times would make a body of gigabytes; and a body of a few bytes one of 64 MB.
pub const fn added(body: usize) -> usize {
    let most = (1 << 20) + 2 * body;
    if most < ADDED { most } else { ADDED }
}
