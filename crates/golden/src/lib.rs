//! Golden files of a provider: what a case is, what the provider's hooks make of it, and how that is shown to a person.
//!
//! Two drivers run the hooks: the Rust SDK's test kit, natively, and the gateway's `bitrouter plugin test`, which runs the
//! component. Both implement [`Hooks`], so the same case gives the same transcript. Nothing here runs a component, and
//! nothing judges what a provider returned.
//!
//! Below a folder, usually `cases/`, each folder is one case, with one input file and `expected.txt`:
//!
//! | input file | hook | what it holds |
//! |---|---|---|
//! | `call.json`, `body.json` | `prepare`, `resume` | a call; its JSON body if it has one; `answers` to what is asked |
//! | `trouble.json` | `explain` | `{"status", "headers", "body", "truncated"}` or `{"event"}`, and the request's `memo` |
//! | `limits.json` | `quota` | `{"headers", "event"}` |
//! | `page.json` | `interpret` | `{"side", "status", "headers", "body", "truncated"}` |
//! | `answer.json` | `shape` | the `call` and the `memo` as in `stream.json`, the answer's `head` and its `body` |
//! | `stream.json` | `rewriter` | the `call` as in `call.json`, the `memo`, the answer's `head` (`{"status", "headers"}`), and `batches` of events `{"name", "headers", "data"}` |
//!
//! Where a file holds several providers, `provider` names the one that is meant: in the call, else at the top.

#![forbid(unsafe_code)]

mod case;
mod check;
mod conversions;
mod diff;
mod hooks;
mod page;
mod run;
mod transcript;
mod types;

pub use check::{Outcome, Report, check};
pub use hooks::{Body, Broken, Hooks, Rewriter};
pub use page::written;
pub use run::{Case, run};
pub use types::{
    Account, Answer, Call, Content, Delivery, Event, Exchange, Failure, Field, Head, Part, Reply, Request, RequestBody,
    Step, Trouble,
};
