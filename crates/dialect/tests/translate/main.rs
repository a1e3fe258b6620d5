//! Translation between dialects, by properties that hold for every pair.

mod answers;
mod captures;
mod history;
mod requests;
mod spoken;
mod strict;
mod target;
