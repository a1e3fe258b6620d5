//! Translation between dialects, by properties that hold for every pair.

mod answers;
mod captures;
mod history;
mod memory;
mod requests;
mod spoken;
mod states;
mod strict;
mod target;
