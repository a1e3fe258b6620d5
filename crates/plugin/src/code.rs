//! A component's code, linked: which hooks it exports, and where. `load` makes it; `hook` and `rewriter` make instances.
//!
//! A provider without code is a description alone, and one with code exports what its description cannot say.

use wasmtime::component::{ComponentExportIndex, InstancePre};

use super::contract::{answers, failures, limits, provider, queries, requests, streams};
use super::instance::HookState;

/// The interface of each hook, as a component names it.
const PACKAGE: &str = "bitrouter:provider";
const VERSION: &str = "0.1.0";

/// A component, ready to be instantiated.
#[derive(Clone)]
pub(super) struct Code {
    pub pre: InstancePre<HookState>,
    pub provider: provider::GuestIndices,
    pub requests: Option<requests::GuestIndices>,
    pub failures: Option<failures::GuestIndices>,
    pub queries: Option<queries::GuestIndices>,
    pub limits: Option<limits::GuestIndices>,
    pub answers: Option<answers::GuestIndices>,
    pub streams: Option<streams::GuestIndices>,
    /// Whether it imports any WASI interface.
    pub wasi: bool,
}

impl Code {
    /// Finds what it exports. An interface that is there must be whole.
    pub(super) fn new(pre: InstancePre<HookState>, wasi: bool) -> wasmtime::Result<Self> {
        let there = |name: &str| export(&pre, name).is_some();
        Ok(Code {
            provider: provider::GuestIndices::new(&pre)?,
            requests: there("requests").then(|| requests::GuestIndices::new(&pre)).transpose()?,
            failures: there("failures").then(|| failures::GuestIndices::new(&pre)).transpose()?,
            queries: there("queries").then(|| queries::GuestIndices::new(&pre)).transpose()?,
            limits: there("limits").then(|| limits::GuestIndices::new(&pre)).transpose()?,
            answers: there("answers").then(|| answers::GuestIndices::new(&pre)).transpose()?,
            streams: there("streams").then(|| streams::GuestIndices::new(&pre)).transpose()?,
            pre,
            wasi,
        })
    }
}

fn export(pre: &InstancePre<HookState>, interface: &str) -> Option<ComponentExportIndex> {
    pre.component().get_export_index(None, format!("{PACKAGE}/{interface}@{VERSION}"))
}
