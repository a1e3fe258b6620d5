//! The gateway put together from its rooms, which know nothing of each other.
//!
//! `serve` and the commands that need providers start one; a reload makes the next one out of it. Nothing is decided here.

use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwap;
use bitrouter_credential::{FileStore, Store};
use bitrouter_plugin::compile::Compiler;
use bitrouter_plugin::trust::Signers;
use bitrouter_plugin::{Budget, Cache, CacheKey, EngineError, Loader, Registry, Runtime, Sources};
use bitrouter_route::FileState;
use tokio::sync::watch;

use crate::call::{Bodies, Guard};
use crate::config::{CallsIn, Config, Paths};
use crate::history::{CALL_STATES, CallStates, FileTexts, History, OBJECT_OWNERS, Owners, RESPONSE_OWNERS};
use crate::route::{Directory, Learned};
use crate::telemetry::Requests;

include!(concat!(env!("OUT_DIR"), "/built_in.rs"));

/// The provider components that are part of the binary: name and bytes.
pub fn built_in() -> &'static [(&'static str, &'static [u8])] {
    BUILT_IN
}

/// What a build in a checkout lacks whose components were not built first; none where nothing is missing.
pub fn not_built_in() -> Option<String> {
    lacking(NOT_BUILT_IN)
}

fn lacking(providers: &[&str]) -> Option<String> {
    let names = providers.join(", ");
    (!providers.is_empty()).then(|| {
        format!("this bitrouter was built without its own providers: {names}. Build it with: cargo xtask serve")
    })
}

/// Why the gateway does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The engine refuses its settings.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The binary cannot find itself.
    #[error("the program's own file cannot be found, so no component can be compiled: {0}")]
    Program(std::io::Error),
}

/// A gateway under one configuration, without its listeners. It never changes: a reload makes another, and requests in flight
/// keep the one that they began with.
pub struct App {
    /// What the user configured.
    pub config: Config,
    /// The components.
    pub registry: Registry,
    /// The providers, as routing sees them.
    pub directory: Directory,
    /// Who may ask.
    pub guard: Guard,
    /// The requests of this gateway, those under earlier configurations among them.
    pub requests: Arc<Requests>,
    /// What the bodies of all these hold.
    pub bodies: Arc<Bodies>,
    /// What is kept of conversations.
    pub history: History,
}

impl App {
    /// Starts loading components; returns at once. Must be called inside a tokio runtime.
    pub fn start(config: Config, paths: &Paths, env: &dyn Fn(&str) -> Option<String>) -> Result<Arc<App>, StartError> {
        let registry = Registry::start(loader(&config, paths)?, sources(&config, paths));
        let store = Arc::new(credential_store(&config, paths));
        let learned = Learned::persisted_in(Arc::new(FileState::new(paths.cooldowns(), paths.windows())));
        let directory = Directory::new(registry.clone(), config.clone(), paths, env, store, learned);
        let file = |path, terms| Arc::new(FileTexts::new(path, terms));
        let call_states = CallStates::persisted_in(file(paths.call_states(), &CALL_STATES));
        call_states.keep_in_store(config.state.calls == CallsIn::File);
        let responses = file(paths.response_owners(), &RESPONSE_OWNERS);
        let owners = Owners::persisted_in(responses, file(paths.object_owners(), &OBJECT_OWNERS));
        let history = History { call_states: Arc::new(call_states), owners: Arc::new(owners), ..History::default() };
        Ok(Arc::new(App { history, ..App::of(config, registry, directory) }))
    }

    /// The parts of a gateway put together, nothing being known of requests yet.
    pub fn of(config: Config, registry: Registry, directory: Directory) -> App {
        let (guard, bodies) = (Guard::new(&config.server), Bodies::new(&config.server));
        App { guard, config, registry, directory, requests: Arc::default(), bodies, history: History::default() }
    }

    /// The same gateway under another configuration, with what the plugin folder and `plugins.lock` hold by now. Returns
    /// once every component is loaded or refused; until then this one serves. What is known of accounts, limits and
    /// cooldowns, and the connections to providers, go on.
    pub async fn reloaded(&self, config: Config, paths: &Paths) -> Result<Arc<App>, StartError> {
        let (before, now) = (&self.config.plugins, &config.plugins);
        let loader = match (before.budget, before.memory) == (now.budget, now.memory) {
            true => self.registry.loader().clone(),
            false => loader(&config, paths)?,
        };
        let registry = self.registry.reloaded(loader, sources(&config, paths)).await;
        let directory = self.directory.reloaded(registry.clone(), config.clone());
        let (requests, bodies) = (Arc::clone(&self.requests), Arc::clone(&self.bodies));
        bodies.allow(&config.server);
        let history = self.history.clone();
        history.call_states.keep_in_store(config.state.calls == CallsIn::File);
        Ok(Arc::new(App { requests, bodies, history, ..App::of(config, registry, directory) }))
    }
}

/// The stored credentials that a gateway with this config serves from, and that commands change.
pub fn credential_store(config: &Config, paths: &Paths) -> Store {
    FileStore::new(paths.token_store()).keeping(config.credentials.store).into()
}

/// The gateway that serves at this moment. A request asks once and keeps what it gets.
pub struct Live {
    app: ArcSwap<App>,
    replaced: watch::Sender<()>,
}

impl Live {
    /// Begins with this one.
    pub fn new(app: Arc<App>) -> Arc<Self> {
        Arc::new(Live { app: ArcSwap::new(app), replaced: watch::Sender::new(()) })
    }

    /// The one that serves now.
    pub fn now(&self) -> Arc<App> {
        self.app.load_full()
    }

    /// Lets another serve from now on.
    pub fn replace(&self, app: Arc<App>) {
        self.app.store(app);
        self.replaced.send_replace(());
    }

    /// Tells each time that another serves from now on.
    pub fn replacements(&self) -> watch::Receiver<()> {
        self.replaced.subscribe()
    }
}

fn sources(config: &Config, paths: &Paths) -> Sources {
    let prepared = config.plugins.lock.clone();
    Sources {
        built_in: built_in(),
        folder: config.plugins.dir.clone(),
        pinned: prepared.is_some(),
        lock: prepared.unwrap_or_else(|| paths.plugins_lock()),
        signers: Signers(config.plugins.signers.clone()),
    }
}

/// What loads components under this configuration.
pub fn loader(config: &Config, paths: &Paths) -> Result<Loader, StartError> {
    let memory = usize::try_from(config.plugins.memory).unwrap_or(usize::MAX);
    let budget = Budget { cpu: config.plugins.budget, memory, ..Budget::default() };
    let runtime = Runtime::new(budget)?;
    let cache = cache(paths, runtime.compatibility());
    Ok(Loader::new(runtime, cache, Compiler::current().map_err(StartError::Program)?))
}

/// Where compiled components are kept. Without it they are compiled into memory at each start, which takes longer and is
/// as good.
fn cache(paths: &Paths, compatibility: String) -> Cache {
    let not_kept = |error: &dyn std::fmt::Display, path: &Path| {
        tracing::warn!(
            "compiled components are not kept for the next start: {}: {error}. BITROUTER_HOME or XDG_CACHE_HOME moves it",
            path.display()
        );
    };
    let cache = Cache::open(&paths.cache_dir, compatibility.clone()).unwrap_or_else(|error| {
        not_kept(&error, &paths.cache_dir);
        Cache::nowhere(compatibility)
    });
    match CacheKey::in_file(&paths.cache_key()) {
        Ok(key) => cache.keyed(key),
        Err(error) => {
            not_kept(&error, &paths.cache_key());
            cache
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_without_components_names_what_it_lacks_and_how_to_get_it() {
        let said = lacking(&["openai", "openai-codex"]).unwrap();
        assert!(said.contains("openai, openai-codex") && said.ends_with("cargo xtask serve"), "{said}");
        assert_eq!(lacking(&[]), None);
    }

    #[test]
    fn this_build_has_every_provider_of_the_folder_plugins() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../plugins");
        let packages = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let packages = packages.filter(|path| path.join("description.json").is_file()).count();
        assert_eq!((built_in().len(), not_built_in()), (packages, None));
    }
}
