//! `bitrouter plugin trust`: shows all that a component asks for, and writes a yes to `plugins.lock`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use bitrouter_plugin::trust::Lock;
use clap::Args;

use super::is_loaded;
use super::subject::{Consent, Subject};
use crate::cli::print;
use crate::cli::setup::Setup;
use crate::cli::{Components, Global, Outcome};

#[derive(Debug, Args)]
#[command(after_help = "\
What you accept is all that is shown: where it sends requests, which credentials go there, which names it answers to, what it \
asks by itself. Another build that comes from the same place and asks for no more goes on, and is said to; one that asks for \
more waits. A component that is not accepted serves nothing if it wants a credential, takes another's id, or sends into this \
machine or its network; else it answers to ID:MODEL alone.

Examples:
  bitrouter plugin trust example
  bitrouter plugin trust ~/Downloads/example.wasm
  bitrouter plugin trust example.wasm --accept
  bitrouter plugin trust example --lock ./plugins.lock")]
pub(crate) struct Trust {
    /// The component: a file, one of the plugin folder's, or the id of one there
    #[arg(value_name = "FILE|ID")]
    file: PathBuf,
    /// Accept without asking, for scripts
    #[arg(long, short = 'y', visible_alias = "yes")]
    accept: bool,
    /// Accept it only with a signature by a key of `plugins.signers`
    #[arg(long)]
    require_signature: bool,
    #[command(flatten)]
    components: Components,
}

impl Trust {
    pub(super) fn run(self, global: &Global) -> Outcome {
        let setup = Setup::load_aloud(global, &self.components)?;
        // Read once: what is shown is what is accepted.
        let subject = Subject::read(&self.file, &setup)?;
        let (lock_file, folder) = (setup.plugins_lock(), &setup.loaded.config.plugins.dir);
        let entry = subject.entry();
        let lock = Lock::read(&lock_file)?;
        let is_there = entry.providers.iter().all(|grant| lock.accepts(&subject.digest, grant));
        let consent = Consent { given: self.accept || is_there, signed: self.require_signature, quiet: false };
        if !subject.asks(&setup, &consent)? {
            print::note("not accepted: nothing was changed");
            return Ok(ExitCode::FAILURE);
        }
        if is_there && lock.entry_with(&subject.digest).is_some_and(|known| known.signed_by == entry.signed_by) {
            print::answer(&format!("It is accepted already.\n{}", next_step(&subject.file, folder)))?;
            return Ok(ExitCode::SUCCESS);
        }
        Lock::accept(entry, &lock_file)?;
        print::answer(&format!("accepted: kept in {}\n{}", lock_file.display(), next_step(&subject.file, folder)))?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Where the file has to be, unless it is there.
fn next_step(file: &Path, folder: &Path) -> String {
    let parent = file.parent().and_then(|parent| parent.canonicalize().ok());
    let is_there = parent.is_some() && parent == folder.canonicalize().ok();
    match (is_there, is_loaded(file)) {
        (true, true) => "It is in the plugin folder: the next `bitrouter serve` loads it.\n".to_owned(),
        (true, false) => {
            "It is in the plugin folder, but only files that end in .wasm or .json are loaded: rename it.\n".to_owned()
        }
        (false, _) => format!("It is not in the plugin folder yet. Copy it there: {}\n", folder.display()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_step_is_the_copy_that_is_missing() {
        let folder = tempfile::tempdir().unwrap();
        let (inside, outside) = (folder.path().join("x.wasm"), Path::new("/nowhere/x.wasm"));
        assert!(next_step(&inside, folder.path()).contains("the next `bitrouter serve` loads it"));
        assert!(next_step(&inside.with_extension("bin"), folder.path()).contains("rename it"));
        assert!(next_step(outside, folder.path()).contains(&folder.path().display().to_string()));
    }
}
