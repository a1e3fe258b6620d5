//! Translation between dialects, by properties that hold for every pair.

mod captures;
mod history;
mod requests;
mod strict;
mod target;
