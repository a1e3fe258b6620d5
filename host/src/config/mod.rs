//! The config: `bitrouter.yaml`, found, read, checked and typed, and the folders everything else lives in.
//!
//! The CLI calls [`load`] at start, a running gateway again when it is told to, and hands the [`Config`] to the steps. Nothing here opens a socket, and nothing
//! here prints: what is wrong comes back as one [`ConfigError`] that holds every problem of the file.

mod allowed_origin;
mod commented;
mod error;
mod expand;
mod find;
mod keys;
mod models;
mod paths;
mod read;
mod reference;
mod schema;
mod set;
mod tree;
mod trust;
mod typed;
mod value;

pub use commented::text as commented;
pub use error::{ConfigError, Fault, Guarded, Problem, Warning};
pub use find::Source;
pub use paths::{Paths, PlatformFolders};
pub use reference::markdown as reference_table;
pub use schema::json as schema;
pub use tree::Place;
pub use trust::{Trusted, trust};
pub use typed::{Config, Named, Plugins, Provider, Server, Timeouts};

use std::ffi::OsString;
use std::path::PathBuf;

use crate::route::nearest::nearest;

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
    pub source: Source,
    /// What is worth saying at start, but stops nothing.
    pub warnings: Vec<Warning>,
}

/// Finds, reads and checks the config. Without a file it is the defaults.
///
/// The error holds every problem of the file, so that one run shows them all.
pub fn load(options: &LoadOptions, env: Env<'_>) -> Result<Loaded, ConfigError> {
    let source = find::find(options)?;
    let Some(file) = source.path() else {
        let config = Config::defaults(&options.paths);
        return Ok(Loaded { config, source, warnings: Vec::new() });
    };
    let bytes = find::read(file)?;
    let standing = match source {
        Source::WorkingDirectory(_) => trust::standing(file, &bytes, &options.paths)?,
        _ => trust::Standing::Trusted,
    };
    let text = find::text(file, &bytes)?;
    let read = read::read(file, text, standing, env, Config::defaults(&options.paths))?;
    let warnings = find::warnings(&source, options, read.literal_secret);
    Ok(Loaded { config: read.config, source, warnings })
}

/// The files whose change may change what [`load`] gives, whether they are there or not.
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
                Problem { place: block.place, fault }
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
