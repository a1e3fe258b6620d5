//! What a person types: the commands and their flags. Each command is a file here.
//!
//! `main` calls it. Answers go to standard output and everything else to standard error; only `serve` writes log lines.

mod accounts;
mod completions;
mod config;
mod connect;
mod core_dumps;
mod login;
mod logout;
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

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::upstream;

/// The program's name, as completions and help have it.
const NAME: &str = "bitrouter";

/// How a command ends: with an exit code, or with a sentence on standard error and exit code 1.
type Outcome = Result<ExitCode, Box<dyn Error>>;

/// The exit code of a command that needs a running gateway where there is none.
const NOT_RUNNING: u8 = 3;

#[derive(Debug, Parser)]
#[command(
    name = NAME,
    version,
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
    command: Command,
}

/// What holds for every command.
#[derive(Debug, Args)]
struct Global {
    /// The config to use, instead of ./bitrouter.yaml or the one in your config folder
    #[arg(short, long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// What holds for every command that looks at components.
#[derive(Debug, Args)]
struct Components {
    /// The folder of .wasm components, instead of `plugins.dir`
    #[arg(long, value_name = "DIR")]
    plugins: Option<PathBuf>,
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
    /// List the providers: what is ready, what is missing, who pays
    Providers(providers::ListProviders),
    /// Look at components, and accept them
    #[command(subcommand)]
    Plugin(plugin::Plugin),
    /// Check, accept and describe bitrouter.yaml
    #[command(subcommand)]
    Config(config::Config),
    /// Point a client at the gateway, by its own config
    #[command(subcommand)]
    Connect(connect::Connect),
    /// Print a script that completes commands in your shell
    Completions(completions::Completions),
}

/// Runs the command that the process was started with.
pub fn main() -> ExitCode {
    core_dumps::turn_off();
    let Cli { global, command } = Cli::parse();
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
            | Command::Providers(_) => Ok(upstream::check_environment(&|name| std::env::var_os(name))?),
            Command::Status(_)
            | Command::Reload(_)
            | Command::Plugin(_)
            | Command::Config(_)
            | Command::Connect(_)
            | Command::Completions(_) => Ok(()),
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
            Command::Completions(command) => command.run(),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

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
