//! Translation between dialects, by properties that hold for every pair.

#![allow(clippy::unwrap_used, reason = "all of this is test code: a panic is how a test fails")]

mod answers;
mod captures;
mod history;
mod requests;
mod spoken;
mod states;
mod strict;
mod target;
