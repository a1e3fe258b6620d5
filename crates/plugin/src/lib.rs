//! Providers as WebAssembly components behind `wit/0.1.0/provider.wit`.
//!
//! The registry loads components at start and at each reload; the pipeline runs their hooks. A component gets a call and a document, never
//! a socket, a file or a secret.

// Code that was compiled before is loaded in `cache`, with its proof.
#![deny(unsafe_code)]

mod asked;
mod cache;
mod code;
pub mod compile;
pub mod contract;
mod cut;
mod described;
mod document;
mod engine;
pub mod file;
mod guest_log;
mod hook;
mod instance;
mod load;
mod meter;
mod prepare_cache;
mod quarantine;
mod registry;
mod rewriter;
mod slots;
#[cfg(test)]
mod tests;
pub mod trust;
mod wasi;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bitrouter_contract::Description;

pub use cache::{Cache, CacheKey, Digest};
pub use engine::{Budget, EngineError, REWRITERS, Runtime, SLOTS, settings};
pub use hook::{HookBody, Prepared, Read};
pub use instance::{HookError, HookState};
pub use load::{LoadError, Loader};
pub use meter::thread_time;
pub use registry::{Refused, Registry, Snapshot, Sources};
pub use rewriter::Rewriter;

/// One loaded provider: a component, ready to run hooks, or a description without one.
pub struct Plugin {
    /// The provider's id.
    pub id: Arc<str>,
    /// What holds of what it says of itself: all of it once the user has accepted it, little before.
    pub description: Arc<Description>,
    /// All that it says of itself.
    pub says: Arc<Description>,
    /// Whether it is built in, or accepted by the user.
    pub trusted: bool,
    /// What is worth saying of it where it is another build than the accepted one, and goes on under what was accepted.
    pub notice: Option<Arc<str>>,
    /// Where it came from.
    pub origin: Origin,
    /// SHA-256 of the component.
    pub digest: Digest,
    /// None where the description is all there is.
    code: Option<code::Code>,
    runtime: Runtime,
    slots: Arc<slots::Share>,
    /// A rewriter keeps its slot for as long as its stream lasts, so rewriters have slots of their own.
    rewriters: Arc<slots::Share>,
    log: Arc<guest_log::GuestLog>,
    quarantine: quarantine::Quarantine,
    prepare_cache: prepare_cache::PrepareCache,
    /// The most memory that an instance of it has had, in bytes.
    most_memory: AtomicUsize,
}

/// Where a component came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Embedded in the binary.
    BuiltIn,
    /// A file in the plugin folder.
    File(PathBuf),
}

impl Origin {
    /// The command that accepts what came from here.
    pub fn to_accept(&self, id: &str) -> String {
        match self {
            Origin::BuiltIn => format!("bitrouter plugin trust {id}"),
            Origin::File(path) => format!("bitrouter plugin trust {}", bitrouter_files::shell_word(path)),
        }
    }
}

impl Plugin {
    /// The dialects in which an operation is served of a model, the best first; empty if it is not served.
    pub fn dialects(&self, operation: &str, model: &str) -> &[String] {
        self.description.serves_of(model).get(operation).map_or(&[], Vec::as_slice)
    }

    /// The same component, believed or not, with what is said of it. It is another for whoever compares: all that was made of
    /// what it said before is made anew.
    pub fn believed(self: &Arc<Self>, trusted: bool, notice: Option<String>) -> Arc<Self> {
        if self.trusted == trusted && self.notice.as_deref() == notice.as_deref() {
            return Arc::clone(self);
        }
        let description = if trusted { Arc::clone(&self.says) } else { Arc::new(self.says.unaccepted()) };
        let plugin = self.with(Arc::clone(&self.id), description, Arc::clone(&self.says), trusted);
        Arc::new(Plugin { notice: notice.map(Into::into), ..plugin })
    }

    /// The same provider with a change, or another one of the same code and description under its own id.
    pub fn under(self: &Arc<Self>, id: &str, change: impl FnOnce(&mut Description)) -> Arc<Self> {
        let mut description = (*self.description).clone();
        if description.id != id {
            description.id = id.to_owned();
            description.use_only = false;
        }
        change(&mut description);
        let description = Arc::new(description);
        Arc::new(self.with(id.into(), Arc::clone(&description), description, self.trusted))
    }

    fn with(&self, id: Arc<str>, description: Arc<Description>, says: Arc<Description>, trusted: bool) -> Self {
        Plugin {
            id,
            description,
            says,
            trusted,
            notice: self.notice.clone(),
            origin: self.origin.clone(),
            digest: self.digest.clone(),
            code: self.code.clone(),
            runtime: self.runtime.clone(),
            slots: Arc::clone(&self.slots),
            rewriters: Arc::clone(&self.rewriters),
            log: Arc::clone(&self.log),
            quarantine: quarantine::Quarantine::default(),
            prepare_cache: prepare_cache::PrepareCache::default(),
            most_memory: AtomicUsize::new(0),
        }
    }

    /// The same component with nothing remembered of what it did: for whoever tries one hook after the other.
    pub fn afresh(&self) -> Arc<Self> {
        let (description, says) = (Arc::clone(&self.description), Arc::clone(&self.says));
        Arc::new(self.with(Arc::clone(&self.id), description, says, self.trusted))
    }

    /// The most memory that an instance of it has had since it was loaded, in bytes; none where it has no code.
    pub fn most_memory(&self) -> Option<usize> {
        self.code.as_ref().map(|_| self.most_memory.load(Ordering::Relaxed))
    }

    /// An instance had so much memory. It is written where it is news alone: each hook of each thread comes by here.
    fn used(&self, memory: usize) {
        if memory > self.most_memory.load(Ordering::Relaxed) {
            self.most_memory.fetch_max(memory, Ordering::Relaxed);
        }
    }

    /// The hooks that it exports, as the contract names their interfaces; none where the description is all there is.
    pub fn interfaces(&self) -> Vec<&'static str> {
        let Some(code) = &self.code else { return Vec::new() };
        let there = [
            ("requests", code.requests.is_some()),
            ("failures", code.failures.is_some()),
            ("queries", code.queries.is_some()),
            ("limits", code.limits.is_some()),
            ("answers", code.answers.is_some()),
            ("streams", code.streams.is_some()),
        ];
        there.into_iter().filter_map(|(name, there)| there.then_some(name)).collect()
    }

    /// Whether its description is all there is.
    pub fn is_described_alone(&self) -> bool {
        self.code.is_none()
    }

    /// The file that it came from, or its id where it is built in.
    pub fn file(&self) -> String {
        match &self.origin {
            Origin::BuiltIn => self.id.to_string(),
            Origin::File(path) => path.display().to_string(),
        }
    }

    /// The command that accepts it.
    pub fn to_accept(&self) -> String {
        self.origin.to_accept(&self.id)
    }

    /// Why no hook runs at present, if the component is quarantined.
    pub fn quarantined(&self) -> Option<String> {
        self.quarantine.reason()
    }
}

impl std::fmt::Debug for Plugin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Plugin").field("id", &self.id).field("origin", &self.origin).finish_non_exhaustive()
    }
}
