//! From a component's bytes to a `Plugin`: names, machine code, description, links.
//!
//! The registry calls it for each component at start and at a reload, off the request path.

use std::sync::Arc;

use bitrouter_contract::cut::sentence;
use bitrouter_contract::{Description, Invalid, validate};
use wasmtime::Engine;
use wasmtime::component::{Component, Linker};

use super::cache::{Cache, Code, Digest};
use super::compile::{CompileError, Compiler};
use super::contract::{self, NotAProvider, PluginPre};
use super::engine::{REWRITERS, Runtime, SLOTS};
use super::guest_log::GuestLog;
use super::hook::{self, HookError, HookState};
use super::remember::Remembered;
use super::slots::Slots;
use super::{Origin, Plugin, bench::Bench, wasi};

/// The longest description that is read, in bytes.
const MAX_DESCRIPTION: usize = 1 << 20;

/// Why a component does not load.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// It is not a provider component of a version that is understood.
    #[error(transparent)]
    NotAProvider(#[from] NotAProvider),
    /// It does not compile.
    #[error(transparent)]
    Compile(#[from] CompileError),
    /// It compiles, and wants more than a component may have.
    #[error("it does not fit this gateway's limits: {0}")]
    Engine(String),
    /// It imports something that the host does not lend, or exports the wrong types.
    #[error("it does not fit the contract: {0}")]
    Link(String),
    /// Its `describe` failed.
    #[error("its describe {0}")]
    Describe(HookError),
    /// Its description is not one.
    #[error("its description is not valid: {0}")]
    Description(#[from] Invalid),
}

/// Everything that loading needs.
#[derive(Clone)]
pub struct Loader {
    runtime: Runtime,
    cache: Cache,
    compiler: Compiler,
    slots: Arc<Slots>,
    rewriters: Arc<Slots>,
}

impl Loader {
    /// A loader that keeps compiled code in `cache`.
    pub fn new(runtime: Runtime, cache: Cache, compiler: Compiler) -> Self {
        Loader {
            runtime,
            cache,
            compiler,
            slots: Slots::new(SLOTS as usize),
            rewriters: Slots::new(REWRITERS as usize),
        }
    }

    /// Whether both load for one engine, so that what one loaded is as good as what the other would.
    pub fn is_the_same_as(&self, other: &Loader) -> bool {
        Engine::same(self.runtime.engine(), other.runtime.engine())
    }

    /// What a component says of itself: from the cache if it was ever loaded, so usually without compiling.
    pub async fn describe(&self, bytes: &[u8], digest: &Digest) -> Result<Description, LoadError> {
        if let Some(known) = self.cache.description(digest).and_then(|json| validate::description(&json).ok()) {
            return Ok(known);
        }
        Ok(self.load(bytes, digest.clone(), Origin::BuiltIn).await?.description)
    }

    /// Loads a component, with all that it says of itself: whether that is believed is for the registry to decide.
    pub async fn load(&self, bytes: &[u8], digest: Digest, origin: Origin) -> Result<Plugin, LoadError> {
        let names = contract::names(bytes)?;
        let component = match self.cache.code(self.runtime.engine(), &digest) {
            Some(component) => component,
            None => self.compile(bytes, &digest).await?,
        };
        let pre = self.link(&component, names.wasi)?;
        let description = match self.cache.description(&digest).and_then(|json| validate::description(&json).ok()) {
            Some(known) => known,
            None => self.ask(&pre, &digest, names.wasi).await?,
        };
        for what in &description.not_understood {
            tracing::warn!(
                provider = description.id,
                what,
                "left out of a component's description: it is not known here"
            );
        }
        Ok(Plugin {
            id: description.id.as_str().into(),
            says: Arc::new(description.clone()),
            log: GuestLog::new(&description.id),
            description,
            trusted: true,
            origin,
            digest,
            pre,
            runtime: self.runtime.clone(),
            slots: self.slots.share(),
            rewriters: self.rewriters.share(),
            bench: Bench::default(),
            remembered: Remembered::default(),
            wasi: names.wasi,
        })
    }

    async fn compile(&self, bytes: &[u8], digest: &Digest) -> Result<Component, LoadError> {
        let started = std::time::Instant::now();
        let code = Code::compiled(self.compiler.compile(bytes, self.runtime.budget().memory).await?);
        tracing::debug!(digest = digest.as_str(), ms = started.elapsed().as_millis(), "component compiled");
        let component = code.load(self.runtime.engine());
        let component = component.map_err(|error| LoadError::Engine(sentence(format!("{error:#}"))))?;
        if let Err(error) = self.cache.keep_code(digest, code.bytes()) {
            tracing::warn!(%error, "a component's machine code is not kept: it is compiled again at the next start");
        }
        Ok(component)
    }

    fn link(&self, component: &Component, wasi: bool) -> Result<PluginPre<HookState>, LoadError> {
        let link = || {
            let mut linker = Linker::new(self.runtime.engine());
            contract::Plugin::add_to_linker::<_, wasmtime::component::HasSelf<_>>(&mut linker, |state| state)?;
            if wasi {
                wasi::add_to_linker(&mut linker)?;
            }
            PluginPre::new(linker.instantiate_pre(component)?)
        };
        link().map_err(|error: wasmtime::Error| LoadError::Link(sentence(format!("{error:#}"))))
    }

    async fn ask(&self, pre: &PluginPre<HookState>, digest: &Digest, wasi: bool) -> Result<Description, LoadError> {
        let json = hook::describe(&self.runtime, pre, wasi).await.map_err(LoadError::Describe)?;
        if json.len() > MAX_DESCRIPTION {
            return Err(Invalid::TooLong(json.len()).into());
        }
        let description = validate::description(&json)?;
        if let Err(error) = self.cache.keep_description(digest, &json) {
            tracing::warn!(%error, "a description is not kept: it is asked for again at the next start");
        }
        Ok(description)
    }
}

#[cfg(feature = "test-support")]
impl Plugin {
    /// A component that says this of itself, for tests of what is decided by a description. Its code is that of the first
    /// component that was given here.
    #[allow(clippy::unwrap_used, reason = "it is for tests: a panic is how one fails")]
    pub fn described(description: Description, component: impl FnOnce() -> Vec<u8>) -> Arc<Plugin> {
        static LINKED: std::sync::OnceLock<(Runtime, PluginPre<HookState>)> = std::sync::OnceLock::new();
        let (runtime, pre) = LINKED.get_or_init(|| {
            let runtime = Runtime::with(super::settings(), super::Budget::default()).unwrap();
            let mut linker = Linker::new(runtime.engine());
            contract::Plugin::add_to_linker::<_, wasmtime::component::HasSelf<_>>(&mut linker, |state| state).unwrap();
            let component = Component::new(runtime.engine(), component()).unwrap();
            (runtime, PluginPre::new(linker.instantiate_pre(&component).unwrap()).unwrap())
        });
        Arc::new(Plugin {
            id: description.id.as_str().into(),
            digest: Digest::of(description.id.as_bytes()),
            says: Arc::new(description.clone()),
            description,
            trusted: true,
            origin: Origin::BuiltIn,
            pre: pre.clone(),
            runtime: runtime.clone(),
            log: GuestLog::new("described"),
            slots: Slots::new(1).share(),
            rewriters: Slots::new(1).share(),
            bench: Bench::default(),
            remembered: Remembered::default(),
            wasi: false,
        })
    }
}
