//! The plugin step: providers as WebAssembly components behind `wit/0.1.0/provider.wit`.
//!
//! The registry loads components at start and at each reload; the pipeline runs their hooks. A component gets a call and a document, never
//! a socket, a file or a secret.

mod bench;
mod cache;
pub mod compile;
pub mod contract;
pub(crate) mod cut;
pub mod description;
mod document;
mod engine;
pub mod file;
mod guest_log;
mod hook;
mod load;
mod meter;
mod registry;
mod remember;
mod rewriter;
mod slots;
pub mod trust;
mod validate;
mod wasi;

use std::path::PathBuf;
use std::sync::Arc;

pub use cache::{Cache, CacheKey, Digest};
pub use description::Description;
pub use engine::{Budget, REWRITERS, Runtime, SLOTS, settings};
pub use hook::{HookBody, HookError, HookState, Prepared};
pub use load::{LoadError, Loader};
pub use registry::{Refused, Registry, Snapshot, Sources};
pub use rewriter::Rewriter;
pub(crate) use validate::{OPERATIONS, auth_problem};

/// One loaded component, ready to run hooks.
pub struct Plugin {
    /// The provider's id.
    pub id: Arc<str>,
    /// What it says of itself.
    pub description: Description,
    /// Where it came from.
    pub origin: Origin,
    /// SHA-256 of the component.
    pub digest: Digest,
    pre: contract::PluginPre<HookState>,
    runtime: Runtime,
    slots: Arc<slots::Share>,
    /// A rewriter keeps its slot for as long as its stream lasts, so rewriters have slots of their own.
    rewriters: Arc<slots::Share>,
    log: Arc<guest_log::GuestLog>,
    bench: bench::Bench,
    remembered: remember::Remembered,
    wasi: bool,
}

/// Where a component came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Embedded in the binary.
    BuiltIn,
    /// A file in the plugin folder.
    File(PathBuf),
}

impl Plugin {
    /// The dialects in which an operation is served, the best first; empty if it is not served.
    pub fn dialects(&self, operation: &str) -> &[String] {
        self.description.serves.get(operation).map_or(&[], Vec::as_slice)
    }

    /// Why no hook runs at present, if the component is benched.
    pub fn benched(&self) -> Option<String> {
        self.bench.reason()
    }
}

impl std::fmt::Debug for Plugin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Plugin").field("id", &self.id).field("origin", &self.origin).finish_non_exhaustive()
    }
}
