//! `bitrouter init`: writes a config with everything in it as a comment, below what was found on this machine.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::process::ExitCode;

use clap::Args;

use super::connect::Desk;
use super::print::{self, Table};
use super::providers::{ProviderState, Row};
use super::setup::{self, Setup};
use super::{Global, Outcome};
use crate::config;
use crate::connect::Machine;

#[derive(Debug, Args)]
#[command(after_help = "\
No config is needed; this one says what holds without it, and what was found here: keys in the environment, logins, \
servers of this machine, clients. It is written into your config folder, or where -c says, and never over a file that is \
there.

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
        // Before there is a file that says nothing yet.
        let found = if file.exists() { String::new() } else { found().unwrap_or_default() };
        let text = with_found(config::commented(), &found);
        let written = new.open(&file).and_then(|mut new| new.write_all(text.as_bytes()));
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
            "{} is written: every key is in it, as a comment.\n{}Next: change it, then bitrouter config check\n",
            print::printable(&file.display().to_string()),
            if found.is_empty() { String::new() } else { format!("found here:\n{found}") }
        ))?;
        Ok(ExitCode::SUCCESS)
    }
}

/// What is there on this machine, a line each: providers that can be used and why, and clients.
fn found() -> Result<String, Box<dyn std::error::Error>> {
    // The file that is to be written cannot be read yet.
    let setup = Setup::load(&Global { config: None }, None)?;
    let mut table = Table::indented();
    for row in Row::all(&*setup.providers_present()?).iter().filter(|row| row.state == ProviderState::Active) {
        let by = match row.accounts.is_empty() {
            true => "needs no account".to_owned(),
            false => format!("account {}", row.accounts.join(", ")),
        };
        let by = by.replace("account env", "a key in the environment");
        table.row([&row.id, &format!("{by}, {}", row.billing)]);
    }
    let env = |name: &str| std::env::var_os(name);
    let desk = Desk { machine: Machine::of(&env), records: setup.paths.connected() };
    for client in desk.installed() {
        table.row([client, &format!("a client. To point it here: bitrouter connect {client}")]);
    }
    Ok(table.text())
}

/// The config with remarks on what was found, below its first lines.
fn with_found(config: String, found: &str) -> String {
    let remarks: String = found.lines().map(|line| format!("# {line}\n")).collect();
    match config.split_once("\n\n") {
        Some((head, rest)) if !remarks.is_empty() => {
            format!("{head}\n#\n# Found here when it was written:\n{remarks}\n{rest}")
        }
        _ => config,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_found_stands_below_the_first_lines_as_remarks() {
        let text = with_found("# a\n# b\n\nserver:\n".to_owned(), "  openai  a key\n");
        assert_eq!(text, "# a\n# b\n#\n# Found here when it was written:\n#   openai  a key\n\nserver:\n");
        assert_eq!(with_found("# a\n\nserver:\n".to_owned(), ""), "# a\n\nserver:\n");
    }
}
