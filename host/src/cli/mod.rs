//! What a person types: the commands and their flags. Each command is a file here.
//!
//! `main` calls it. Answers go to standard output and everything else to standard error; only `serve` writes log lines.

mod accounts;
mod as_client;
mod completions;
mod config;
mod connect;
mod core_dumps;
mod doctor;
mod first_run;
mod init;
mod login;
mod logout;
mod manual;
mod models;
pub mod open_page;
mod plugin;
mod print;
mod providers;
mod reload;
mod route;
mod serve;
mod setup;
mod span;
mod status;
mod terminal;
mod window;

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Args, CommandFactory, Parser, Subcommand};

/// The program's name, as completions and help have it.
const NAME: &str = "bitrouter";

/// The version, with the commit where the build was told it, as `cargo xtask install` does.
const VERSION: &str = env!("BITROUTER_VERSION");

/// How a command ends: with an exit code, or with a sentence on standard error and exit code 1.
type Outcome = Result<ExitCode, Box<dyn Error>>;

/// The exit code of a command line that is wrong, as the parser of the command line has it too.
const WRONG_LINE: u8 = 2;

/// The exit code of a command that needs a running gateway where there is none.
const NOT_RUNNING: u8 = 3;

#[derive(Debug, Parser)]
#[command(
    name = NAME,
    version = VERSION,
    about = "The LLM gateway: one address for every provider, with credentials that stay yours",
    max_term_width = 100,
    after_help = "\
Examples:
  OPENAI_API_KEY=sk-… bitrouter serve    run the gateway
  bitrouter login openai-codex           use a ChatGPT plan
  bitrouter route gpt-5                  show where a request would go
  bitrouter providers                    show what is ready and what is missing
  bitrouter status --watch               show how a running gateway is

Exit codes: 0 all is well, 1 it failed, 2 the command line is wrong, 3 no gateway is running."
)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Option<Command>,
}

/// What holds for every command.
#[derive(Debug, Args)]
struct Global {
    /// The config to use, instead of ./bitrouter.yaml or the one in your config folder
    #[arg(short, long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// What stands in the place of [`Global`] where no config is read, so that the flag is neither shown nor taken.
#[derive(Debug, Args)]
struct NoConfig {
    /// Not taken here
    #[arg(id = "config", short, long, hide = true, value_name = "FILE", value_parser = no_config)]
    config: Option<PathBuf>,
}

fn no_config(_: &str) -> Result<PathBuf, String> {
    Err("this command reads no config".to_owned())
}

/// What holds for every command that looks at components.
#[derive(Debug, Args)]
struct Components {
    /// The folder of components and descriptions that are providers too, instead of `plugins.dir`
    #[arg(long, value_name = "DIR")]
    plugins: Option<PathBuf>,
    /// A prepared plugins.lock that says which components are accepted, instead of your own: for CI, or one of a repository
    #[arg(long, value_name = "FILE")]
    lock: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the gateway
    Serve(serve::Serve),
    /// Show how a running gateway is: accounts, limits, requests, errors
    Status(status::ShowStatus),
    /// Have a running gateway read its config and its components again
    Reload(reload::Reload),
    /// Show where a request for a model would go, without sending anything
    Route(route::Route),
    /// List the models that can be asked for
    Models(models::Models),
    /// Log in to a provider, or store a key for it
    Login(login::Login),
    /// Take a stored account or key out
    Logout(logout::Logout),
    /// List the accounts: whose they are, and whether they work
    Accounts(accounts::ListAccounts),
    /// List the providers: what is ready, what is missing, how each is paid for
    Providers(providers::ListProviders),
    /// Look at components, and accept them
    #[command(subcommand, arg_required_else_help = false)]
    Plugin(plugin::Plugin),
    /// Check, accept and describe bitrouter.yaml
    #[command(subcommand, arg_required_else_help = false)]
    Config(config::Config),
    /// Point clients at the gateway, by their own settings
    Connect(connect::Connect),
    /// Write a config with everything in it as a comment
    Init(init::Init),
    /// Try what a request needs, and say what is wrong
    Doctor(doctor::Doctor),
    /// Print a script that completes commands in your shell
    Completions(completions::Completions),
    /// Write the manual pages
    Manual(manual::Manual),
}

impl Command {
    /// Whether `-c` means anything to it.
    fn reads_config(&self) -> bool {
        !matches!(
            self,
            Command::Completions(_)
                | Command::Manual(_)
                | Command::Config(config::Config::Schema(_))
                | Command::Plugin(plugin::Plugin::New(_) | plugin::Plugin::Build(_))
        )
    }
}

/// Runs the command that the process was started with.
pub fn main() -> ExitCode {
    core_dumps::turn_off();
    print::begin();
    let Cli { global, command } = Cli::parse();
    let Some(command) = command else { return first_run::show_or_help(&global) };
    if global.config.is_some() && !command.reads_config() {
        Cli::command().error(ErrorKind::ArgumentConflict, "-c is not for this command: it reads no config").exit();
    }
    let outcome = command.check_surroundings().and_then(|()| command.run(&global));
    outcome.unwrap_or_else(|error| {
        print::note(&format!("error: {error}"));
        ExitCode::FAILURE
    })
}

impl Command {
    /// What the environment says about the way to providers must be usable, for the commands that go it or show it: whoever
    /// set a proxy does not want it to be passed by.
    fn check_surroundings(&self) -> Result<(), Box<dyn Error>> {
        match self {
            Command::Serve(_)
            | Command::Route(_)
            | Command::Models(_)
            | Command::Login(_)
            | Command::Logout(_)
            | Command::Accounts(_)
            | Command::Plugin(plugin::Plugin::Try(_) | plugin::Plugin::Record(_))
            | Command::Providers(_) => Ok(bitrouter_upstream::check_environment(&|name| std::env::var_os(name))?),
            Command::Status(_)
            | Command::Reload(_)
            | Command::Plugin(_)
            | Command::Config(_)
            | Command::Connect(_)
            | Command::Init(_)
            | Command::Doctor(_)
            | Command::Completions(_)
            | Command::Manual(_) => Ok(()),
        }
    }

    fn run(self, global: &Global) -> Outcome {
        match self {
            Command::Serve(command) => command.run(global),
            Command::Status(command) => command.run(global),
            Command::Reload(command) => command.run(global),
            Command::Route(command) => command.run(global),
            Command::Models(command) => command.run(global),
            Command::Login(command) => command.run(global),
            Command::Logout(command) => command.run(global),
            Command::Accounts(command) => command.run(global),
            Command::Providers(command) => command.run(global),
            Command::Plugin(command) => command.run(global),
            Command::Config(command) => command.run(global),
            Command::Connect(command) => command.run(global),
            Command::Init(command) => command.run(global),
            Command::Doctor(command) => command.run(global),
            Command::Completions(command) => command.run(),
            Command::Manual(command) => command.run(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_config_can_be_named_before_and_after_the_command() {
        for line in [["bitrouter", "-c", "a.yaml", "serve"], ["bitrouter", "serve", "--config", "a.yaml"]] {
            let cli = Cli::try_parse_from(line).unwrap();
            assert_eq!(cli.global.config, Some(PathBuf::from("a.yaml")), "{line:?}");
        }
    }

    #[test]
    fn a_config_is_neither_offered_nor_taken_where_none_is_read() {
        for command in ["completions bash", "config schema", "manual man1"] {
            for line in [format!("bitrouter {command} -c a.yaml"), format!("bitrouter {command} --config a.yaml")] {
                let error = Cli::try_parse_from(line.split(' ')).unwrap_err().to_string();
                assert!(error.contains("this command reads no config"), "{line}: {error}");
            }
            let before = Cli::try_parse_from(format!("bitrouter -c a.yaml {command}").split(' ')).unwrap();
            assert!(before.global.config.is_some() && !before.command.unwrap().reads_config(), "{command}");
            let help = Cli::try_parse_from(format!("bitrouter {command} --help").split(' ')).unwrap_err().to_string();
            assert!(!help.contains("--config"), "{help}");
        }
    }

    #[test]
    fn a_command_that_is_missing_is_said_to_be() {
        for command in ["plugin", "config"] {
            let error = Cli::try_parse_from(["bitrouter", command]).unwrap_err();
            assert_eq!(error.exit_code(), 2);
            let said = error.to_string();
            assert!(said.contains("requires a subcommand but one was not provided"), "{said}");
            assert!(said.contains("subcommands:"), "{said}");
        }
    }

    #[test]
    fn every_command_and_flag_has_a_help_text() {
        fn check(command: &clap::Command) {
            assert!(command.get_about().is_some(), "{} has no help", command.get_name());
            for arg in command.get_arguments() {
                assert!(arg.get_help().is_some(), "{} {} has no help", command.get_name(), arg.get_id());
            }
            command.get_subcommands().for_each(check);
        }
        check(&Cli::command());
    }
}
