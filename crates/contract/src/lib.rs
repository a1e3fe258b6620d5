//! What a provider says of itself, and what the words of the contract mean: the description that `describe` returns, its
//! checks and its published schema, origins, header rules, patterns, failure kinds.
//!
//! The host reads components by it and the test kits of the SDKs check with it, so it runs no component, opens no
//! socket and knows no provider by its name.

#![forbid(unsafe_code)]

pub mod cut;
pub mod described;
pub mod description;
pub mod failure;
pub mod header;
pub mod origin;
mod path;
pub mod pattern;
pub mod quirk;
pub mod section;
pub mod template;
pub mod validate;

pub use description::Description;
pub use failure::{FailureKind, Scope};
pub use header::{Forward, HeaderError, Reserved, answer_headers};
pub use origin::{JoinError, Origin, OriginError, is_loopback};
pub use path::PathError;
pub use quirk::{BodyEdits, Quirk};
pub use validate::{Invalid, OPERATIONS};
