//! The JSON body of an LLM API call, kept as the bytes that came.
//!
//! A coding agent's request has 100 KB to several MB, and a gateway changes a few words of it. So nothing is parsed into
//! values: one pass marks quotes and brackets and indexes the top level, deeper levels are indexed when something asks
//! for them, and edits are spliced in on the way out. A read or an edit costs what it touches. Bytes that no edit
//! touches leave as they came, white space and unknown members included; so does invalid JSON in a value that nobody
//! reads. Duplicate keys in an object that is read or edited are an error, since two parsers would disagree on it.
//!
//! There is no I/O in here, nothing async and no `unsafe`. The host reads `model` and `stream` for routing, and lends a
//! [`Document`] to provider components as the resource of the same name.
//!
//! ```
//! use bitrouter_document::{Cell, Condition, Document, Edit, Find, PatchEach, Test};
//!
//! let body = r#"{"model": "gpt-5", "input": [{"role": "system", "content": "Be brief."}]}"#;
//! let mut document = Document::parse(body)?;
//! assert_eq!(document.string("model")?.as_deref(), Some("gpt-5"));
//!
//! let system = [Condition { at: "/role", test: Test::OneOf(vec![r#""system""#]), negated: false }];
//! let found = document.find(&Find { only: &system, fields: &["/role", "/id"], ..Find::all("/input/*") })?;
//! let cells = [Cell::Value(r#""system""#.into()), Cell::Absent];
//! assert_eq!(found.rows().next(), Some(("/input/0", cells.as_slice())));
//!
//! let edits = [Edit::Replace { path: "/role", value: r#""developer""# }];
//! document.patch_each(&PatchEach { only: &system, ..PatchEach::all("/input/*", &edits) })?;
//! document.patch(&[Edit::Add { path: "/store", value: "false" }])?;
//! let shaped = r#"{"model": "gpt-5", "input": [{"role": "developer", "content": "Be brief."}],"store":false}"#;
//! assert_eq!(document.output().into_bytes(), shaped);
//! # Ok::<(), bitrouter_document::Error>(())
//! ```
#![forbid(unsafe_code)]

mod change;
mod condition;
mod document;
mod each;
mod error;
mod find;
mod index;
mod kind;
pub mod limits;
mod output;
mod patch;
mod pattern;
mod pointer;
mod read;
mod scan;
mod text;
mod tree;
mod wide;

pub use self::{
    condition::{Condition, Test},
    document::Document,
    each::{PatchEach, Patched},
    error::{Error, Location},
    find::{Cell, Find, Matches},
    kind::Kind,
    output::Output,
    patch::Edit,
};
