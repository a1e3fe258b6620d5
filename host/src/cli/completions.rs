//! `bitrouter completions`: scripts that complete commands.

use std::process::ExitCode;

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::{Cli, NAME, NoConfig, Outcome, print};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bitrouter completions bash > ~/.local/share/bash-completion/completions/bitrouter
  bitrouter completions zsh > ~/.zfunc/_bitrouter      (with ~/.zfunc in $fpath)
  bitrouter completions fish > ~/.config/fish/completions/bitrouter.fish")]
pub(super) struct Completions {
    /// The shell
    shell: Shell,
    #[command(flatten)]
    none: NoConfig,
}

impl Completions {
    pub(super) fn run(self) -> Outcome {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), NAME, &mut script);
        print::answer(&String::from_utf8(script)?)?;
        Ok(ExitCode::SUCCESS)
    }
}
