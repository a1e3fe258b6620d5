//! Requests of Chat Completions: `read` makes the common view of a client's body, `write` the body for a target. Servers
//! and clients of this dialect differ in small ways: what is read may deviate, what is written may not.

pub(in crate::translate) mod details;
mod messages;
mod parts;
mod read;
mod tools;
mod turns;
mod write;

#[cfg(test)]
mod tests;

pub(super) use read::read;
pub(super) use write::write;

use super::Json;
use crate::json;
use crate::translate::writer::Inside;

/// What stands between the quotes, if the value is a string.
fn inside(value: Json<'_>) -> Option<Inside<'_>> {
    json::inside(value).map(Inside::Borrowed)
}
