//! The file that is tried, in a folder that lasts as long as the run: a copy of it, and the acceptance of that very copy. When
//! the file changes, the copy does, too, and the gateway finds it as it finds any other build.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};
use std::{fs, thread};

use bitrouter_contract::Description;
use bitrouter_plugin::compile::MAX_COMPONENT;
use bitrouter_plugin::trust::{Entry, Grant, Lock};
use bitrouter_plugin::{Digest, Loader, file};
use tempfile::TempDir;

use crate::app;
use crate::cli::print;
use crate::cli::setup::{self, Setup};
use crate::config::Config;

/// How often the file is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// One file of a provider, staged for a run. Clones are the same.
#[derive(Clone)]
pub(in crate::cli::plugin) struct Staged(Arc<Inner>);

struct Inner {
    file: PathBuf,
    folder: TempDir,
    loader: Loader,
    /// The digest of what is staged now.
    staged: Mutex<Digest>,
}

impl Staged {
    /// Makes the folder; nothing is in it yet.
    pub(in crate::cli::plugin) fn of(file: &Path, setup: &Setup) -> Result<Self, Box<dyn Error>> {
        let loader = app::loader(&setup.loaded.config, &setup.paths)?;
        let folder = tempfile::Builder::new().prefix("bitrouter-try-").tempdir()?;
        fs::create_dir(folder.path().join("plugins"))?;
        let file = std::path::absolute(file)?;
        let staged = Mutex::new(Digest::of(b""));
        Ok(Staged(Arc::new(Inner { file, folder, loader, staged })))
    }

    /// Stages the file as it is now; answers what it says of itself.
    pub(in crate::cli::plugin) fn renew(&self) -> Result<Vec<Description>, Box<dyn Error>> {
        let Inner { file, loader, .. } = &*self.0;
        let shown = print::printable(&file.display().to_string());
        let bytes =
            file::read(file, MAX_COMPONENT as u64).map_err(|error| format!("{shown} cannot be read: {error}"))?;
        let digest = Digest::of(&bytes);
        let describing = setup::with_progress(loader.describe(&bytes, &digest), || "compiling 1 component…".to_owned());
        let descriptions = setup::runtime()?
            .block_on(describing)
            .map_err(|error| format!("{shown}: {}", print::printable(&error.to_string())))?;
        let entry = Entry {
            sha256: digest.as_str().to_owned(),
            source: Entry::source_of(file),
            providers: descriptions.iter().map(Grant::of).collect(),
            ..Entry::default()
        };
        // The acceptance first: a gateway that sees the file must not find it untrusted.
        Lock::accept(entry, &self.folder().join("plugins.lock"))?;
        let name = file.file_name().ok_or_else(|| format!("{shown}: it has no name"))?;
        let unfinished = self.folder().join("part");
        fs::write(&unfinished, &bytes)?;
        fs::rename(unfinished, self.plugins().join(name))?;
        *self.0.staged.lock().unwrap_or_else(PoisonError::into_inner) = digest;
        Ok(descriptions)
    }

    /// Stages it again whenever it changes, until the process ends.
    pub(in crate::cli::plugin) fn follow(&self) {
        let staged = self.clone();
        let mut seen = staged.changed();
        thread::spawn(move || {
            loop {
                thread::sleep(LOOK_EVERY);
                let now = staged.changed();
                if now.is_none() || now == seen {
                    continue;
                }
                seen = now;
                let before = staged.digest();
                match staged.renew() {
                    Ok(_) if staged.digest() == before => {}
                    Ok(_) => print::note(&format!("{} has changed: it is served anew", staged.0.file.display())),
                    Err(error) => print::note(&format!("warning: what was there before is served on: {error}")),
                }
            }
        });
    }

    /// The folder of this run.
    pub(in crate::cli::plugin) fn folder(&self) -> &Path {
        self.0.folder.path()
    }

    /// The folder of components.
    fn plugins(&self) -> PathBuf {
        self.folder().join("plugins")
    }

    /// Makes a config one of this run: its components, and its lock in the place of a prepared one.
    pub(in crate::cli::plugin) fn enter(&self, config: &mut Config) {
        config.plugins.dir = self.plugins();
        config.plugins.lock = None;
    }

    /// The digest of what is staged.
    pub(in crate::cli::plugin) fn digest(&self) -> Digest {
        self.0.staged.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn changed(&self) -> Option<SystemTime> {
        fs::metadata(&self.0.file).ok()?.modified().ok()
    }
}
