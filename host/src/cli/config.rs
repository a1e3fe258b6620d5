//! `bitrouter config`: checks, accepts and describes `bitrouter.yaml`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::print::{self, Table};
use super::setup::{self, Setup};
use super::{Components, Global, NoConfig, Outcome};
use crate::config::{self, ConfigError, FILE_NAME, LoadOptions, Source, Trusted};

#[derive(Debug, Subcommand)]
pub(super) enum Config {
    /// Show everything that is wrong with the config
    Check(Check),
    /// Accept a config from a working directory as it stands
    Trust(Trust),
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
A bitrouter.yaml in the working directory may be somebody else's. Until you accept it, it may not say where keys \
are sent, name a folder of plugins, read environment variables, or open the gateway to others. Read it first. A \
later change asks again.

Examples:
  bitrouter config trust
  bitrouter config trust project/bitrouter.yaml")]
pub(super) struct Trust {
    /// The config to accept
    #[arg(value_name = "FILE", default_value = FILE_NAME)]
    file: PathBuf,
}

impl Config {
    pub(super) fn run(self, global: &Global) -> Outcome {
        match self {
            Config::Check(command) => command.run(global),
            Config::Trust(command) => command.run(global),
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
        let setup = match Setup::load_aloud(global, self.components.plugins.as_deref()) {
            Ok(setup) => setup,
            Err(_) => return failed(&options),
        };
        // Which ids there are and what each takes, only the components know.
        let config = &setup.loaded.config;
        let problems = match config.providers.is_empty() && config.models.is_empty() {
            true => Vec::new(),
            false => setup::provider_problems(&setup.loaded, &*setup.providers()?),
        };
        if problems.is_empty() {
            print::answer(&fine(&setup.loaded.source, &options))?;
            return Ok(ExitCode::SUCCESS);
        }
        print::answer(&format!("{}\n", problems.join("\n")))?;
        Ok(ExitCode::FAILURE)
    }
}

/// The problems as lines on standard output, for editors and scripts.
fn failed(options: &LoadOptions) -> Outcome {
    match config::load(options, &|name| std::env::var_os(name)) {
        Err(error @ ConfigError::Invalid { .. }) => {
            print::answer(&format!("{error}\n"))?;
            Ok(ExitCode::FAILURE)
        }
        Err(other) => Err(other.into()),
        // It was mended in between.
        Ok(loaded) => {
            print::answer(&fine(&loaded.source, options))?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn fine(source: &Source, options: &LoadOptions) -> String {
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
        let file = options.working_dir.join(&self.file);
        let trusted = config::trust(&file, &options.paths)?;
        print::answer(&accepted(&trusted, &options.paths.trusted_configs()))?;
        Ok(ExitCode::SUCCESS)
    }
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
    for (place, key, guarded) in &trusted.accepted {
        keys.row([&format!("line {}", place.line), key, &guarded.to_string()]);
    }
    text += "As it stands, it may now:\n";
    text + &keys.text()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Guarded, Place};

    fn trusted(accepted: Vec<(Place, String, Guarded)>) -> String {
        let trusted = Trusted { file: "/p/bitrouter.yaml".into(), sha256: "ab12".into(), accepted };
        super::accepted(&trusted, Path::new("/d/trusted-configs.json"))
    }

    #[test]
    fn what_an_accepted_config_may_do_is_shown_with_its_lines() {
        let base = (Place { line: 3, column: 5 }, "providers.openai.api_base".to_owned(), Guarded::Origins);
        let env = (Place { line: 12, column: 5 }, "server.keys[0]".to_owned(), Guarded::Environment);
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
