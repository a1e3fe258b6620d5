//! The gateway put together from its rooms, which know nothing of each other.
//!
//! `serve` and the commands that need providers start one. Nothing is decided here.

use std::sync::Arc;

use crate::config::{Config, Paths};
use crate::credential::Store;
use crate::plugin::compile::Compiler;
use crate::plugin::{Budget, Cache, Loader, Registry, Runtime, Sources};
use crate::route::Directory;

include!(concat!(env!("OUT_DIR"), "/built_in.rs"));

/// The provider components that are part of the binary: name and bytes.
pub fn built_in() -> &'static [(&'static str, &'static [u8])] {
    BUILT_IN
}

/// Why the gateway does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The engine refuses its settings.
    #[error("the WebAssembly engine cannot start: {0}")]
    Engine(wasmtime::Error),
    /// The cache folder cannot be used.
    #[error("the cache folder {path} cannot be used: {source}. BITROUTER_HOME or XDG_CACHE_HOME moves it")]
    Cache {
        /// The folder.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The binary cannot find itself.
    #[error("the program's own file cannot be found, so no component can be compiled: {0}")]
    Program(std::io::Error),
}

/// A running gateway, without its door.
pub struct App {
    /// What the user configured.
    pub config: Config,
    /// The components.
    pub registry: Registry,
    /// The providers, as routing sees them.
    pub directory: Directory,
}

impl App {
    /// Starts loading components; returns at once. Must be called inside a tokio runtime.
    pub fn start(config: Config, paths: &Paths, env: &dyn Fn(&str) -> Option<String>) -> Result<Arc<App>, StartError> {
        let registry = Registry::start(
            loader(&config, paths)?,
            Sources { built_in: built_in(), folder: config.plugins.dir.clone(), lock: paths.plugins_lock() },
        );
        let store = Arc::new(Store::new(paths.token_store()).keeping(config.secrets_in));
        let directory = Directory::new(registry.clone(), config.clone(), env, store);
        Ok(Arc::new(App { config, registry, directory }))
    }
}

/// What loads components under this configuration.
pub fn loader(config: &Config, paths: &Paths) -> Result<Loader, StartError> {
    let memory = usize::try_from(config.plugins.memory).unwrap_or(usize::MAX);
    let budget = Budget { cpu: config.plugins.budget, memory, ..Budget::default() };
    let runtime = Runtime::new(budget).map_err(StartError::Engine)?;
    let cache = Cache::open(&paths.cache_dir, runtime.compatibility())
        .map_err(|source| StartError::Cache { path: paths.cache_dir.display().to_string(), source })?;
    Ok(Loader::new(runtime, cache, Compiler::current().map_err(StartError::Program)?))
}
