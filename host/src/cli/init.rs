//! `bitrouter init`: writes a config with everything in it as a comment.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::process::ExitCode;

use clap::Args;

use super::setup;
use super::{Global, Outcome, print};
use crate::config;

#[derive(Debug, Args)]
#[command(after_help = "\
No config is needed; this one says what holds without it. It is written into your config folder, or where -c says, and \
never over a file that is there.

Examples:
  bitrouter init
  bitrouter init -c deploy/bitrouter.yaml")]
pub(super) struct Init {}

impl Init {
    pub(super) fn run(self, global: &Global) -> Outcome {
        let options = setup::load_options(global)?;
        let file = match &options.file {
            Some(named) => options.working_dir.join(named),
            None => options.paths.config_file(),
        };
        if let Some(folder) = file.parent() {
            std::fs::create_dir_all(folder)
                .map_err(|error| format!("{}: the folder cannot be made: {error}", folder.display()))?;
        }
        let mut new = OpenOptions::new();
        new.write(true).create_new(true);
        // Keys may come to stand in it.
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut new, 0o600);
        let written = new.open(&file).and_then(|mut new| new.write_all(config::commented().as_bytes()));
        written.map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => {
                format!(
                    "{}: there is a config already, and it stays as it is. To check it: bitrouter config check",
                    file.display()
                )
            }
            _ => format!("{}: {error}", file.display()),
        })?;
        print::answer(&format!(
            "{} is written: every key is in it, as a comment.\nNext: change it, then bitrouter config check\n",
            print::printable(&file.display().to_string())
        ))?;
        Ok(ExitCode::SUCCESS)
    }
}
