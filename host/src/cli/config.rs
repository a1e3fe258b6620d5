//! `bitrouter config`: checks, accepts and describes `bitrouter.yaml`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::print::{self, Table};
use super::setup::{self, Setup};
use super::{Components, Global, NoConfig, Outcome};
use crate::config::{self, ConfigError, ConfigSource, FILE_NAME, LoadOptions, Trusted};

#[derive(Debug, Subcommand)]
pub(super) enum Config {
    /// Show everything that is wrong with the config
    Check(Check),
    /// Accept a config from a working directory as it stands
    Trust(Trust),
    /// Take the acceptance of a config back
    Untrust(Untrust),
    /// Print the JSON Schema of bitrouter.yaml, for editors
    Schema(NoConfig),
}

#[derive(Debug, Args)]
#[command(after_help = "\
Each problem is one line: FILE:LINE:COLUMN: what is wrong, and the next step.

Examples:
  bitrouter config check
  bitrouter config check -c deploy/bitrouter.yaml")]
pub(super) struct Check {
    #[command(flatten)]
    components: Components,
}

#[derive(Debug, Args)]
#[command(after_help = "\
A bitrouter.yaml in the working directory may be somebody else's. Until you accept it, it is not read where you have a \
config of your own, and may set nothing else than server.drain_ms where you have none. Read it first. A later change asks \
again. A file that is named with -c when the gateway is started needs no acceptance.

Examples:
  bitrouter config trust
  bitrouter config trust project/bitrouter.yaml")]
pub(super) struct Trust {
    /// The config to accept [default: the one of -c, else ./bitrouter.yaml]
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(after_help = "\
The file may be gone. A gateway that runs with it goes on with what it has read until it is started anew.

Examples:
  bitrouter config untrust
  bitrouter config untrust project/bitrouter.yaml")]
pub(super) struct Untrust {
    /// The config [default: the one of -c, else ./bitrouter.yaml]
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
}

impl Config {
    pub(super) fn run(self, global: &Global) -> Outcome {
        match self {
            Config::Check(command) => command.run(global),
            Config::Trust(command) => command.run(global),
            Config::Untrust(command) => command.run(global),
            Config::Schema(_) => {
                print::answer(&config::schema())?;
                Ok(ExitCode::SUCCESS)
            }
        }
    }
}

impl Check {
    fn run(self, global: &Global) -> Outcome {
        let options = setup::load_options(global)?;
        let loaded = match config::load(&options, &|name| std::env::var_os(name)) {
            Ok(loaded) => loaded,
            // As lines on standard output, for editors and scripts.
            Err(error @ ConfigError::Invalid { .. }) => {
                print::answer(&format!("{error}\n"))?;
                return Ok(ExitCode::FAILURE);
            }
            Err(other) => return Err(other.into()),
        };
        let fine = fine(&loaded.source, &options);
        let setup = Setup::of(loaded, options, &self.components);
        setup.warn();
        // Which ids there are and what each takes, only the components know.
        let config = &setup.loaded.config;
        let problems = match config.providers.is_empty() && config.models.is_empty() {
            true => Vec::new(),
            false => setup::provider_problems(&setup.loaded, &*setup.providers_with_local_models()?),
        };
        if problems.is_empty() {
            print::answer(&fine)?;
            return Ok(ExitCode::SUCCESS);
        }
        print::answer(&format!("{}\n", problems.join("\n")))?;
        Ok(ExitCode::FAILURE)
    }
}

fn fine(source: &ConfigSource, options: &LoadOptions) -> String {
    match source.path() {
        Some(file) => format!("{}: no problems\n", file.display()),
        None => format!(
            "there is no config, so the defaults hold. Looked for: {}, {}\n",
            options.working_dir.join(FILE_NAME).display(),
            options.paths.config_file().display()
        ),
    }
}

impl Trust {
    fn run(self, global: &Global) -> Outcome {
        let options = setup::load_options(global)?;
        let file = named(self.file, &options)?;
        let trusted = config::trust(&file, &options.paths)?;
        print::answer(&accepted(&trusted, &options.paths.trusted_configs()))?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Untrust {
    fn run(self, global: &Global) -> Outcome {
        let options = setup::load_options(global)?;
        let file = named(self.file, &options)?;
        match config::untrust(&file, &options.paths)? {
            Some(file) => {
                let file = print::printable(&file.display().to_string());
                print::answer(&format!("not accepted any more: {file}\n"))?;
                Ok(ExitCode::SUCCESS)
            }
            None => Err(format!("{} was not accepted: nothing was changed", file.display()).into()),
        }
    }
}

/// The file that is meant: by its own argument, by `-c`, or the working directory's.
fn named(file: Option<PathBuf>, options: &LoadOptions) -> Result<PathBuf, String> {
    let file = match (file, &options.file) {
        (Some(file), Some(other)) if file != *other => {
            return Err(format!("both {} and, by -c, {} are named: name one", file.display(), other.display()));
        }
        (Some(file), _) => file,
        (None, Some(file)) => file.clone(),
        (None, None) => FILE_NAME.into(),
    };
    Ok(options.working_dir.join(file))
}

fn accepted(trusted: &Trusted, list: &Path) -> String {
    let mut about = Table::indented();
    about.row(["sha256", &trusted.sha256]);
    about.row(["kept in", &list.display().to_string()]);
    let mut text = format!("accepted: {}\n{}", print::printable(&trusted.file.display().to_string()), about.text());
    if trusted.accepted.is_empty() {
        return text + "It asks for nothing that needs to be accepted.\n";
    }
    let mut keys = Table::indented();
    for (position, key, guarded) in &trusted.accepted {
        keys.row([&format!("line {}", position.line), key, &guarded.to_string()]);
    }
    text += "As it stands, it may now:\n";
    text + &keys.text()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Guarded, Position};

    fn trusted(accepted: Vec<(Position, String, Guarded)>) -> String {
        let trusted = Trusted { file: "/p/bitrouter.yaml".into(), sha256: "ab12".into(), accepted };
        super::accepted(&trusted, Path::new("/d/trusted-configs.json"))
    }

    #[test]
    fn what_an_accepted_config_may_do_is_shown_with_its_lines() {
        let base = (Position { line: 3, column: 5 }, "providers.openai.api_base".to_owned(), Guarded::Origins);
        let env = (Position { line: 12, column: 5 }, "server.keys[0]".to_owned(), Guarded::Environment);
        assert_eq!(
            trusted(vec![base, env]),
            "accepted: /p/bitrouter.yaml\n  sha256   ab12\n  kept in  /d/trusted-configs.json\n\
             As it stands, it may now:\n  line 3   providers.openai.api_base  say where keys are sent\n  \
             line 12  server.keys[0]             read environment variables\n"
        );
    }

    #[test]
    fn a_config_that_asks_for_nothing_says_so() {
        assert!(trusted(Vec::new()).ends_with("It asks for nothing that needs to be accepted.\n"));
    }
}
