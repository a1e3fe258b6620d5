//! What a command starts from: the config, the folders, and the providers once they are loaded.
//!
//! Every command but `completions` calls it. It prints warnings and a line of progress, nothing else.

use std::error::Error;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bitrouter_contract::description::SideKind;
use bitrouter_credential::Store;
use bitrouter_plugin::Refused;
use tokio::runtime::Runtime;

use super::{Components, Global, print};
use crate::app::{self, App};
use crate::config::{self, ConfigError, LoadOptions, Loaded, Paths, Position};
use crate::memory;
use crate::queries;
use crate::route::Providers;

/// From here on a person wonders what takes so long.
const PROGRESS_AFTER: Duration = Duration::from_millis(300);

/// What the command line says of components in the place of the config.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Places<'p> {
    /// Their folder.
    pub plugins: Option<&'p Path>,
    /// What says which are accepted.
    pub lock: Option<&'p Path>,
}

impl<'p> From<Option<&'p Path>> for Places<'p> {
    fn from(plugins: Option<&'p Path>) -> Self {
        Places { plugins, lock: None }
    }
}

impl<'p> From<&'p Components> for Places<'p> {
    fn from(components: &'p Components) -> Self {
        Places { plugins: components.plugins.as_deref(), lock: components.lock.as_deref() }
    }
}

/// The config and the folders.
pub(super) struct Setup {
    /// The config, with the flags of the command line applied.
    pub loaded: Loaded,
    /// The folders of this user.
    pub paths: Paths,
}

impl Setup {
    /// Finds and reads the config.
    pub(super) fn load<'p>(global: &Global, places: impl Into<Places<'p>>) -> Result<Self, Box<dyn Error>> {
        let options = load_options(global)?;
        let loaded = config::load(&options, &|name| std::env::var_os(name)).map_err(headed)?;
        Ok(Self::of(loaded, options, places))
    }

    /// The same of a config that was read already.
    pub(super) fn of<'p>(mut loaded: Loaded, options: LoadOptions, places: impl Into<Places<'p>>) -> Self {
        let Places { plugins, lock } = places.into();
        if let Some(folder) = plugins {
            loaded.config.plugins.dir = options.working_dir.join(folder);
        }
        if let Some(lock) = lock {
            loaded.config.plugins.lock = Some(options.working_dir.join(lock));
        }
        Setup { loaded, paths: options.paths }
    }

    /// Where it stands what the user accepted.
    pub(super) fn plugins_lock(&self) -> PathBuf {
        self.loaded.config.plugins.lock.clone().unwrap_or_else(|| self.paths.plugins_lock())
    }

    /// The same, with its warnings on standard error.
    pub(super) fn load_aloud<'p>(global: &Global, places: impl Into<Places<'p>>) -> Result<Self, Box<dyn Error>> {
        let setup = Self::load(global, places)?;
        setup.warn();
        Ok(setup)
    }

    /// Its warnings, on standard error.
    pub(super) fn warn(&self) {
        self.loaded.warnings.iter().for_each(|warning| print::note(&format!("warning: {warning}")));
    }

    /// The stored credentials.
    pub(super) fn store(&self) -> Store {
        app::credential_store(&self.loaded.config, &self.paths)
    }

    /// Starts the parts of the gateway. Must be called inside a runtime.
    pub(super) fn start(&self) -> Result<Arc<App>, Box<dyn Error>> {
        let env = |name: &str| std::env::var(name).ok();
        Ok(App::start(self.loaded.config.clone(), &self.paths, &env)?)
    }

    /// The providers, once every component is loaded. Whether the servers of this machine run is not asked.
    pub(super) fn providers(&self) -> Result<Arc<Providers>, Box<dyn Error>> {
        Ok(self.loaded_app(async |_, _| ())?.1)
    }

    /// The same, after looking which servers of this machine run: for commands that say what can be used.
    pub(super) fn providers_present(&self) -> Result<Arc<Providers>, Box<dyn Error>> {
        Ok(self.loaded_app(async |_, providers| queries::look_for_local(providers, false).await)?.1)
    }

    /// The same, with the models that these servers have now: for commands that say what a model's name leads to.
    pub(super) fn providers_with_local_models(&self) -> Result<Arc<Providers>, Box<dyn Error>> {
        let look = async |app: &App, providers: &Providers| {
            queries::look_for_local(providers, app.config.side_requests).await;
        };
        Ok(self.loaded_app(look)?.1)
    }

    /// The providers, after they were asked for everything of this kind; what could not be asked for is a warning, and
    /// what was known before holds.
    pub(super) fn providers_queried(
        &self,
        kind: SideKind,
        only: Option<&str>,
    ) -> Result<Arc<Providers>, Box<dyn Error>> {
        if !self.loaded.config.side_requests {
            let file = self.loaded.source.path().map(|file| file.display().to_string()).unwrap_or_default();
            return Err(format!("nothing is asked for, as `side_requests` is false in {file}").into());
        }
        let ask = async |app: &App, providers: &Providers| {
            // A server of this machine is asked only while it runs.
            queries::look_for_local(providers, false).await;
            let troubles = with_progress(queries::query_now(providers, kind, only), || "asking…".into()).await;
            // A token that was renewed meanwhile must reach the disk.
            providers.finish_refreshes().await;
            app.directory.windows().save();
            troubles
        };
        let (troubles, providers) = self.loaded_app(ask)?;
        for trouble in troubles {
            print::note(&format!("warning: {}", print::printable(&trouble.to_string())));
        }
        Ok(providers)
    }

    /// Loads every component, and does something with the providers while there is a runtime.
    fn loaded_app<T>(
        &self,
        and_then: impl AsyncFnOnce(&App, &Providers) -> T,
    ) -> Result<(T, Arc<Providers>), Box<dyn Error>> {
        runtime()?.block_on(async {
            let app = self.start()?;
            let loading = || {
                let count = app.directory.now().pending.max(1);
                format!("compiling {count} component{}…", if count == 1 { "" } else { "s" })
            };
            let providers = with_progress(app.directory.complete(), loading).await;
            Ok((and_then(&app, &providers).await, providers))
        })
    }
}

/// Where this process looks for its config.
pub(super) fn load_options(global: &Global) -> Result<LoadOptions, Box<dyn Error>> {
    let working_dir =
        std::env::current_dir().map_err(|error| format!("the working directory cannot be used: {error}"))?;
    let paths = Paths::find(&|name| std::env::var_os(name))?;
    Ok(LoadOptions { file: global.config.clone(), working_dir, paths })
}

/// A runtime. Only commands that wait for something build one: it starts a thread for each core.
pub(super) fn runtime() -> Result<Runtime, Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().on_thread_park(memory::before_sleep).build();
    runtime.map_err(|error| format!("no threads can be started: {error}").into())
}

/// What only the components know to be wrong with the config, each as a sentence with its place: blocks for providers
/// that are not there, and what a provider does not take. A refused component is there.
pub(super) fn provider_problems(loaded: &Loaded, providers: &Providers) -> Vec<String> {
    let Some(file) = loaded.source.path() else {
        return Vec::new();
    };
    let refused = providers.refused.iter().filter_map(Refused::called);
    let known: Vec<&str> = providers.by_id.keys().map(String::as_str).chain(refused).collect();
    let mut problems = match loaded.check_providers(&known) {
        Err(ConfigError::Invalid { problems, .. }) => problems.iter().map(|problem| problem.line(file)).collect(),
        Err(other) => vec![other.to_string()],
        Ok(()) => Vec::new(),
    };
    for (id, block) in &loaded.config.providers {
        let fault = providers.by_id.get(id).and_then(|provider| provider.fault.as_deref());
        let Position { line, column } = block.position;
        problems.extend(
            fault.map(|fault| {
                format!("{}:{line}:{column}: `providers.{id}`: {}", file.display(), print::printable(fault))
            }),
        );
    }
    let names = providers.name_problems(&loaded.config.models);
    problems.extend(names.iter().map(|problem| problem.line(file)));
    problems
}

/// Waits, and says for what on a terminal where it takes longer than a person expects.
pub(super) async fn with_progress<T>(work: impl Future<Output = T>, message: impl Fn() -> String) -> T {
    tokio::pin!(work);
    if let Ok(done) = tokio::time::timeout(PROGRESS_AFTER, &mut work).await {
        return done;
    }
    if !io::stderr().is_terminal() {
        return work.await;
    }
    let message = message();
    print::piece(&message);
    let done = work.await;
    // Back to the line's beginning, and over what is there: not every terminal can erase.
    print::piece(&format!("\r{}\r", " ".repeat(message.chars().count() + 2)));
    done
}

/// The problems of a file are lines of their own, below what they are.
pub(super) fn headed(error: ConfigError) -> Box<dyn Error> {
    match error {
        ConfigError::Invalid { .. } => format!("the config is not valid:\n{error}").into(),
        other => other.into(),
    }
}
