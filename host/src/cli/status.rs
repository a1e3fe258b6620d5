//! `bitrouter status`: how a running gateway is, once or again and again.

mod screen;

use std::io::{self, IsTerminal};
use std::process::ExitCode;
use std::time::Duration;

use bitrouter_files::Timestamp;
use clap::Args;

use super::print;
use super::setup;
use super::{Global, NOT_RUNNING, Outcome};
use crate::control::{AskError, Client, Which};

/// How often `--watch` looks.
const REDRAW_EVERY: Duration = Duration::from_secs(1);

#[derive(Debug, Args)]
#[command(after_help = "\
Shows accounts with the limits that their providers tell, requests under way, and the last errors. The exit code is 3 \
where no gateway is running with this home.

Examples:
  bitrouter status
  bitrouter status --watch
  bitrouter status --clear                     all cooldowns
  bitrouter status --clear openai-codex@work   those of one account
  bitrouter status --json | jq '.accounts[].windows'")]
pub(super) struct ShowStatus {
    /// Show it again each second; with --json, a line of JSON each second
    #[arg(long)]
    watch: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Lift cooldowns: all, or those of an ADDRESS, which is PROVIDER or PROVIDER@LABEL
    #[arg(long, value_name = "ADDRESS", num_args = 0..=1, default_missing_value = "", conflicts_with = "watch")]
    clear: Option<String>,
}

impl ShowStatus {
    pub(super) fn run(self, global: &Global) -> Outcome {
        let client = Client::new(&setup::load_options(global)?.paths);
        match &self.clear {
            Some(address) => setup::runtime()?.block_on(self.lift(&client, address)),
            None => setup::runtime()?.block_on(self.show(&client)),
        }
    }

    async fn lift(&self, client: &Client, address: &str) -> Outcome {
        let cleared = match client.clear(&which(address)).await {
            Ok(Ok(cleared)) => cleared,
            Ok(Err(refused)) => return Err(format!("--clear {address}: {}", refused.reason).into()),
            Err(error) => return unanswered(&error),
        };
        match (self.json, cleared.cleared) {
            (true, _) => print::json(&cleared)?,
            (false, 1) => print::answer("1 cooldown was lifted\n")?,
            (false, count) => print::answer(&format!("{count} cooldowns were lifted\n"))?,
        }
        Ok(ExitCode::SUCCESS)
    }

    async fn show(&self, client: &Client) -> Outcome {
        let redraws = self.watch && !self.json && io::stdout().is_terminal();
        loop {
            let status = match client.status().await {
                Ok(status) => status,
                Err(error) => return unanswered(&error),
            };
            let reader = match (self.json, self.watch) {
                (true, true) => print::json_line(&status)?,
                (true, false) => return done(print::json(&status)),
                (false, watch) => {
                    let text = screen::text(&status, Timestamp::now());
                    match (watch, redraws) {
                        (false, _) => return done(print::answer(&text)),
                        (true, true) => print::answer_again(&screen::redraw(&text, screen::size()))?,
                        (true, false) => print::answer_again(&format!("{text}\n"))?,
                    }
                }
            };
            if reader == print::Reader::Gone {
                return Ok(ExitCode::SUCCESS);
            }
            tokio::time::sleep(REDRAW_EVERY).await;
        }
    }
}

fn done(printed: io::Result<()>) -> Outcome {
    printed?;
    Ok(ExitCode::SUCCESS)
}

/// What `provider@label`, `provider` or nothing names.
fn which(address: &str) -> Which {
    let (provider, label) = match address.split_once('@') {
        Some((provider, label)) => (provider, Some(label)),
        None => (address, None),
    };
    let named = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    Which { provider: named(provider), label: label.and_then(named) }
}

/// How a command ends that got no answer.
pub(super) fn unanswered(error: &AskError) -> Outcome {
    print::note(&format!("error: {error}"));
    let code = match error {
        AskError::NotRunning(_) => NOT_RUNNING,
        AskError::NotHere | AskError::Failed { .. } => 1,
    };
    Ok(ExitCode::from(code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cooldowns_are_named_by_provider_and_label() {
        let of = |provider: Option<&str>, label: Option<&str>| Which {
            provider: provider.map(str::to_owned),
            label: label.map(str::to_owned),
        };
        assert_eq!(which(""), of(None, None));
        assert_eq!(which("openai"), of(Some("openai"), None));
        assert_eq!(which("openai@me@example.com"), of(Some("openai"), Some("me@example.com")));
    }
}
