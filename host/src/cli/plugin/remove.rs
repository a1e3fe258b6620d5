//! `bitrouter plugin remove`: takes a component out of the plugin folder, and its acceptance back.

use std::path::PathBuf;
use std::process::ExitCode;

use bitrouter_plugin::trust::{Entry, Lock, signature};
use clap::Args;
use serde_json::json;

use super::of_id;
use crate::cli::print;
use crate::cli::setup::Setup;
use crate::cli::{Components, Global, Outcome};

#[derive(Debug, Args)]
#[command(after_help = "\
Its file is deleted. A running gateway notices within some seconds; open streams of it finish. Stored credentials stay: bitrouter \
logout takes them out.

Examples:
  bitrouter plugin remove example
  bitrouter plugin remove example --json")]
pub(crate) struct Remove {
    /// The provider's id, as `plugin list` shows it
    #[arg(value_name = "ID")]
    id: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    components: Components,
}

impl Remove {
    pub(super) fn run(self, global: &Global) -> Outcome {
        let setup = Setup::load_aloud(global, &self.components)?;
        let (lock_file, folder) = (setup.plugins_lock(), &setup.loaded.config.plugins.dir);
        let lock = Lock::read(&lock_file)?;
        let file: Option<PathBuf> = of_id(&self.id, &setup, folder);
        let ids: Vec<String> = lock.entry_of(&self.id).into_iter().flat_map(Entry::ids).map(str::to_owned).collect();
        if file.is_none() && ids.is_empty() {
            let id = print::printable(&self.id);
            return Err(format!("no component with the id `{id}` is in {}, and none was accepted. bitrouter plugin list shows what there is", folder.display()).into());
        }
        if let Some(file) = &file {
            std::fs::remove_file(file).map_err(|error| format!("{} cannot be deleted: {error}", file.display()))?;
            let _ = std::fs::remove_file(signature::beside(file));
        }
        let withdrawn = if ids.is_empty() { Vec::new() } else { Lock::withdraw(&ids, &lock_file)? };
        if self.json {
            print::json(&json!({ "file": file, "withdrawn": withdrawn }))?;
            return Ok(ExitCode::SUCCESS);
        }
        let deleted =
            file.map_or_else(|| "no file of it was there".to_owned(), |file| format!("deleted {}", file.display()));
        let accepted = match withdrawn.is_empty() {
            true => "It was not accepted".to_owned(),
            false => format!("Not accepted any more: {}", withdrawn.join(", ")),
        };
        print::answer(&format!("{deleted}. {accepted}\n"))?;
        Ok(ExitCode::SUCCESS)
    }
}
