//! The config: `bitrouter.yaml`, found, read, checked and typed, and the folders everything else lives in.
//!
//! The CLI calls [`load`] at start and a running gateway [`load_again`] when it is told to, and hands the [`Config`] to the steps. Nothing here opens a socket, and nothing
//! here prints: what is wrong comes back as one [`ConfigError`] that holds every problem of the file.

mod addresses;
mod commented;
mod error;
mod expand;
mod find;
mod keys;
mod kinds;
mod models;
mod paths;
mod providers;
mod read;
mod reference;
mod secrets;
mod section;
mod signers;
mod tree;
mod trust;
mod typed;

pub use commented::text as commented;
pub use error::{ConfigError, Fault, Guarded, Problem, Warning};
pub use find::ConfigSource;
pub use keys::{CallsIn, Config, Credentials, Plugins, Provider, Server, State, Timeouts};
pub use models::Named;
pub use paths::{Paths, PlatformFolders};
pub use reference::{markdown as reference_table, schema};
pub use secrets::Secret;
pub use tree::Position;
pub use trust::{Trusted, trust, untrust};

use std::ffi::OsString;
use std::path::PathBuf;

use bitrouter_route::nearest::nearest;

/// Looks an environment variable up. A closure, so that a test never changes its process.
pub type Env<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// The name of the config file, in the working directory and in the config folder.
pub const FILE_NAME: &str = "bitrouter.yaml";

/// Where to look for a config.
#[derive(Clone, Debug)]
pub struct LoadOptions {
    /// What `-c` named, if anything. Such a file is trusted: the user asked for it by name.
    pub file: Option<PathBuf>,
    /// The working directory, absolute.
    pub working_dir: PathBuf,
    /// The folders of this user.
    pub paths: Paths,
}

/// A config and where it came from.
#[derive(Debug)]
pub struct Loaded {
    /// The typed config.
    pub config: Config,
    /// Where it was found.
    pub source: ConfigSource,
    /// What is worth saying at start, but stops nothing.
    pub warnings: Vec<Warning>,
    accepted: bool,
    says_nothing: bool,
}

/// What a running gateway remembers of the config that it holds.
#[derive(Clone, Debug)]
pub struct HeldConfig {
    /// The file.
    pub source: ConfigSource,
    /// Whether it is the user's own, or one that was accepted.
    accepted: bool,
    says_nothing: bool,
}

/// Finds, reads and checks the config. Without a file it is the defaults.
///
/// The error holds every problem of the file, so that one run shows them all.
pub fn load(options: &LoadOptions, env: Env<'_>) -> Result<Loaded, ConfigError> {
    Loaded::of(find::find(options)?, options, env)
}

/// Reads the config again that a running gateway holds. Which file that is does not change: a file that appears where this
/// one would have come after it waits for the next start. One that says nothing by now is refused, as it may be half
/// written.
pub fn load_again(held: &HeldConfig, options: &LoadOptions, env: Env<'_>) -> Result<Loaded, ConfigError> {
    let loaded = Loaded::of(find::find_again(options, held)?, options, env)?;
    match loaded.source.path() {
        Some(file) if loaded.says_nothing && !held.says_nothing => {
            let problems = vec![Problem { position: Position { line: 1, column: 1 }, fault: Fault::SaysNothing }];
            Err(ConfigError::Invalid { file: file.to_owned(), problems })
        }
        _ => Ok(loaded),
    }
}

/// The files whose change may change what [`load_again`] gives, whether they are there or not.
pub fn watched(options: &LoadOptions) -> Vec<PathBuf> {
    match &options.file {
        Some(named) => vec![options.working_dir.join(named)],
        None => vec![options.working_dir.join(FILE_NAME), options.paths.config_file(), options.paths.trusted_configs()],
    }
}

/// What `bitrouter config check` prints: one line for each problem and warning, none when all is well.
pub fn check(options: &LoadOptions, env: Env<'_>) -> Vec<String> {
    match load(options, env) {
        Ok(loaded) => loaded.warnings.iter().map(Warning::to_string).collect(),
        Err(error) => error.lines(),
    }
}

impl Loaded {
    fn of(found: find::FoundConfig, options: &LoadOptions, env: Env<'_>) -> Result<Self, ConfigError> {
        let defaults = Config::defaults(&options.paths);
        let accepted = found.standing == trust::Standing::Trusted;
        let mut warnings: Vec<Warning> = found.passed_over.into_iter().collect();
        let Some(file) = found.source.path() else {
            let (source, says_nothing) = (found.source, true);
            return Ok(Loaded { config: defaults, source, warnings, accepted, says_nothing });
        };
        let text = find::text(file, &found.bytes)?;
        let read = read::read(file, text, found.standing, env, defaults)?;
        warnings.extend(find::exposed(file, read.literal_secret));
        let (config, says_nothing) = (read.config, read.says_nothing);
        Ok(Loaded { config, source: found.source, warnings, accepted, says_nothing })
    }

    /// What a gateway that runs with it has to remember.
    pub fn held(&self) -> HeldConfig {
        HeldConfig { source: self.source.clone(), accepted: self.accepted, says_nothing: self.says_nothing }
    }

    /// Refuses blocks under `providers:` whose id no component has. The plugin room knows the ids, so it asks.
    pub fn check_providers(&self, known: &[&str]) -> Result<(), ConfigError> {
        let Some(file) = self.source.path() else {
            return Ok(());
        };
        let unknown = self.config.providers.iter().filter(|(id, _)| !known.contains(&id.as_str()));
        let problems: Vec<Problem> = unknown
            .map(|(id, block)| {
                let near = nearest(id, known.iter().copied(), 1);
                let near = near.first().map(|name| (*name).to_owned());
                let fault = Fault::UnknownProvider { id: id.clone(), near };
                Problem { position: block.position, fault }
            })
            .collect();
        match problems.is_empty() {
            true => Ok(()),
            false => Err(ConfigError::Invalid { file: file.to_owned(), problems }),
        }
    }
}

#[cfg(test)]
mod tests;
