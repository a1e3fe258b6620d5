//! The sessions of vendors' own programs that an account may be taken from: a closed list, each bound to its vendor.
//!
//! Which they are is fixed here, so that no component can name a file of the user's that it would like to have.

/// The names by which a description asks for them.
pub const SOURCES: [&str; 1] = ["codex-cli"];
