//! `bitrouter plugin check`: all that an author of a provider wants to know before a gateway does: mistakes of the description,
//! what the component imports and exports, and what each hook does with good and bad input. Nothing is sent.

pub(super) mod inputs;
mod probe;
mod report;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use bitrouter_contract::validate;
use bitrouter_plugin::{Digest, Origin, contract};
use clap::Args;

use super::find;
use crate::app;
use crate::cli::setup::{self, Setup};
use crate::cli::{Components, Global, Outcome, print};
use probe::Probe;
use report::{Description, Report};

#[derive(Debug, Args)]
#[command(after_help = "\
For who writes a provider: names each member of its description that is wrong or not known, and what is; shows what a component \
imports and exports; and runs each of its hooks in the sandbox with good and bad input. Nothing is sent. Exits with 1 where \
there is a mistake, or where a hook crashes or breaks the contract.

Examples:
  bitrouter plugin check acme.json
  bitrouter plugin check target/acme.wasm
  bitrouter plugin check acme.wasm --json")]
pub(in crate::cli) struct Check {
    /// A component or a description: a file, one of the plugin folder's, or the id of one there
    #[arg(value_name = "FILE|ID")]
    file: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    components: Components,
}

impl Check {
    pub(in crate::cli) fn run(self, global: &Global) -> Outcome {
        let setup = Setup::load_aloud(global, &self.components)?;
        let (file, bytes) = find(&self.file, &setup)?;
        let shown = print::printable(&file.display().to_string());
        let loader = app::loader(&setup.loaded.config, &setup.paths)?;
        let digest = Digest::of(&bytes);
        let runtime = setup::runtime()?;
        let asked = setup::with_progress(loader.says(&bytes, &digest), || "compiling 1 component…".to_owned());
        let (texts, described) =
            runtime.block_on(asked).map_err(|error| format!("{shown}: {}", print::printable(&error.to_string())))?;
        let mut report = Report::of(&file, bytes.len(), &digest);
        report.names = contract::names(&bytes).ok();
        for json in &texts {
            let mut mistakes = validate::mistakes(json);
            if let Ok(description) = validate::description(json) {
                mistakes
                    .extend(validate::paths(&description).err().filter(|_| described).map(|error| error.to_string()));
                report.descriptions.push(Description::of(&description));
            }
            let of = if texts.len() == 1 { String::new() } else { format!("{}: ", id_of(json)) };
            report.mistakes.extend(mistakes.into_iter().map(|mistake| format!("{of}{mistake}")));
        }
        // Of one that does not load the mistakes are said already.
        if let Ok(plugins) = runtime.block_on(loader.load(&bytes, digest, Origin::File(file.clone()))) {
            report.probes = Probe::all(&runtime, &plugins);
        }
        match self.json {
            true => print::json(&report.json())?,
            false => print::answer(&report.text())?,
        }
        Ok(if report.is_sound() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// A file's name without its folder, for a line.
fn named(file: &Path) -> String {
    print::printable(&file.display().to_string())
}

/// What an unchecked description calls itself.
fn id_of(json: &str) -> String {
    let id =
        serde_json::from_str::<serde_json::Value>(json).ok().and_then(|it| Some(it.get("id")?.as_str()?.to_owned()));
    id.unwrap_or_else(|| "one without an id".into())
}
