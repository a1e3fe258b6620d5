//! `bitrouter plugin untrust`: takes the acceptance of a component back.

use std::path::PathBuf;
use std::process::ExitCode;

use bitrouter_plugin::Digest;
use bitrouter_plugin::trust::{Entry, Lock};
use clap::Args;

use super::{describe, find};
use crate::cli::print;
use crate::cli::setup::Setup;
use crate::cli::{Components, Global, Outcome};

#[derive(Debug, Args)]
#[command(after_help = "\
A running gateway notices within some seconds. The file stays where it is.

Examples:
  bitrouter plugin untrust example
  bitrouter plugin untrust example.wasm")]
pub(crate) struct Untrust {
    /// The component: its id, or its file
    #[arg(value_name = "ID|FILE")]
    component: PathBuf,
    #[command(flatten)]
    components: Components,
}

impl Untrust {
    pub(super) fn run(self, global: &Global) -> Outcome {
        let setup = Setup::load_aloud(global, &self.components)?;
        let lock_file = setup.plugins_lock();
        let lock = Lock::read(&lock_file)?;
        let named = self.component.to_str().unwrap_or_default();
        let ids: Vec<String> = match lock.entry_of(named) {
            Some(_) => vec![named.to_owned()],
            None => {
                // What was accepted of this build, else of the providers whose build this is.
                let (file, bytes) = find(&self.component, &setup)?;
                let digest = Digest::of(&bytes);
                let of_build = lock.entry_with(&digest).into_iter().flat_map(Entry::ids);
                let of_build: Vec<String> = of_build.map(str::to_owned).collect();
                match of_build.is_empty() {
                    false => of_build,
                    true => {
                        let (descriptions, _) = describe(&setup, &bytes, &digest)
                            .map_err(|error| format!("{}: {}", file.display(), print::printable(&error.to_string())))?;
                        descriptions.into_iter().map(|description| description.id).collect()
                    }
                }
            }
        };
        let withdrawn = Lock::withdraw(&ids, &lock_file)?;
        if withdrawn.is_empty() {
            let ids = print::printable(&ids.join("`, `"));
            return Err(format!("`{ids}` was not accepted: nothing was changed").into());
        }
        let withdrawn = withdrawn.join(", ");
        print::answer(&format!("not accepted any more: {withdrawn}. Taken out of {}\n", lock_file.display()))?;
        Ok(ExitCode::SUCCESS)
    }
}
