//! `bitrouter status`: how a running gateway is, once or again and again.

mod screen;

use std::io::{self, IsTerminal};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use super::print;
use super::setup;
use super::{Global, NOT_RUNNING, Outcome};
use crate::control::{AskError, Client};
use crate::credential::Timestamp;

/// How often `--watch` looks.
const EVERY: Duration = Duration::from_secs(1);

#[derive(Debug, Args)]
#[command(after_help = "\
Shows accounts with the limits that their providers tell, requests under way, and the last errors. The exit code is 3 \
where no gateway is running with this home.

Examples:
  bitrouter status
  bitrouter status --watch
  bitrouter status --json | jq '.accounts[].windows'")]
pub(super) struct ShowStatus {
    /// Show it again each second; with --json, a line of JSON each second
    #[arg(long)]
    watch: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl ShowStatus {
    pub(super) fn run(self, global: &Global) -> Outcome {
        let client = Client::new(&setup::load_options(global)?.paths);
        setup::runtime()?.block_on(self.show(&client))
    }

    async fn show(&self, client: &Client) -> Outcome {
        let redraws = self.watch && !self.json && io::stdout().is_terminal();
        loop {
            let status = match client.status().await {
                Ok(status) => status,
                Err(error) => return unanswered(&error),
            };
            match (self.json, self.watch) {
                (true, true) => print::answer(&format!("{}\n", serde_json::to_string(&status)?))?,
                (true, false) => print::json(&status)?,
                (false, _) => {
                    let text = screen::text(&status, Timestamp::now());
                    match redraws {
                        true => print::answer(&screen::redraw(&text, screen::size()))?,
                        false if self.watch => print::answer(&format!("{text}\n"))?,
                        false => print::answer(&text)?,
                    }
                }
            }
            if !self.watch {
                return Ok(ExitCode::SUCCESS);
            }
            tokio::time::sleep(EVERY).await;
        }
    }
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
