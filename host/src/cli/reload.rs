//! `bitrouter reload`: has a running gateway read its config and its components again, and says how that ended.

use std::process::ExitCode;

use clap::Args;

use super::print;
use super::serve::NO_CONFIG;
use super::setup;
use super::status::unanswered;
use super::{Global, Outcome};
use crate::control::{Client, Reloaded};

#[derive(Debug, Args)]
#[command(after_help = "\
A gateway notices by itself that its config, plugins.lock or the plugin folder have changed, within some seconds. This \
command does it now and says how it ended. Where something is wrong, all of it is listed and nothing is applied.

Examples:
  bitrouter reload
  bitrouter config check && bitrouter reload")]
pub(super) struct Reload {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Reload {
    pub(super) fn run(self, global: &Global) -> Outcome {
        let client = Client::new(&setup::load_options(global)?.paths);
        match setup::runtime()?.block_on(client.reload()) {
            Err(error) => unanswered(&error),
            Ok(Ok(reloaded)) => {
                match self.json {
                    true => print::json(&reloaded)?,
                    false => print::answer(&text(&reloaded))?,
                }
                Ok(ExitCode::SUCCESS)
            }
            Ok(Err(refused)) if self.json => {
                print::json(&refused)?;
                Ok(ExitCode::FAILURE)
            }
            Ok(Err(refused)) => {
                let problems: Vec<String> =
                    refused.problems.iter().map(|line| line.replace('\u{1b}', "\u{fffd}")).collect();
                Err(format!("nothing was reloaded, the gateway goes on as it was:\n{}", problems.join("\n")).into())
            }
        }
    }
}

fn text(reloaded: &Reloaded) -> String {
    let config = reloaded.config.as_ref().map_or_else(|| NO_CONFIG.to_owned(), |file| file.display().to_string());
    let mut text = format!("reloaded\n  config  {}\n", print::printable(&config));
    for change in &reloaded.changes {
        text += &format!("  {}\n", print::printable(change));
    }
    for warning in &reloaded.warnings {
        text += &format!("warning: {}\n", print::printable(warning));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changed_and_what_is_worth_saying_are_lines_of_their_own() {
        let reloaded = Reloaded {
            config: Some("/c/bitrouter.yaml".into()),
            changes: vec!["echo: another build of its component".into()],
            warnings: vec!["`server.listen` waits\u{1b}[2J".into()],
        };
        assert_eq!(
            text(&reloaded),
            "reloaded\n  config  /c/bitrouter.yaml\n  echo: another build of its component\nwarning: `server.listen` waits\u{fffd}[2J\n"
        );
        assert_eq!(text(&Reloaded::default()), "reloaded\n  config  none, the defaults hold\n");
    }
}
