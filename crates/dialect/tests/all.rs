//! The tests from outside, as one program: linking each file by itself took longer than the tests. `cargo test -p
//! bitrouter-dialect --test all -- fold::` runs those of a file.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "all of this is test code: a panic is how a test fails")]

mod cases;
mod documented;
mod endings;
mod errors;
mod failures;
mod fold;
mod framings;
mod fuzz;
mod sse;
mod streams;
mod translate;
mod whole;
