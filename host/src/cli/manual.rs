//! `bitrouter manual`: the manual pages, one for each command.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory};

use super::{Cli, NoConfig, Outcome, print};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bitrouter manual ~/.local/share/man/man1     then: man bitrouter, man bitrouter-serve")]
pub(super) struct Manual {
    /// The folder that they are written into
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    #[command(flatten)]
    none: NoConfig,
}

impl Manual {
    pub(super) fn run(self) -> Outcome {
        let failed = |error: std::io::Error| format!("{}: {error}", self.folder.display());
        std::fs::create_dir_all(&self.folder).map_err(failed)?;
        clap_mangen::generate_to(Cli::command(), &self.folder).map_err(failed)?;
        print::answer(&format!("the manual pages are in {}\n", print::printable(&self.folder.display().to_string())))?;
        Ok(ExitCode::SUCCESS)
    }
}
