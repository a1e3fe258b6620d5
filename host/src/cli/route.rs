//! `bitrouter route`: where a request would go, and why, without sending anything.

use std::process::ExitCode;

use clap::Args;

use super::print::{self, Table};
use super::setup::Setup;
use super::{Components, Global, Outcome};
use crate::route::Explanation;

#[derive(Debug, Args)]
#[command(after_help = "\
An address is what a request has as its `model`:
  MODEL                  whichever active provider lists it
  PROVIDER:MODEL         that provider, any of its accounts
  PROVIDER@LABEL:MODEL   that provider, that account

It needs no running gateway, no config and no network. The exit code is 1 where nothing would serve the \
address; a login that is yet to be made is a note.

Examples:
  bitrouter route gpt-5
  bitrouter route openai@env:gpt-5 --json")]
pub(super) struct Route {
    /// The model's address
    address: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    components: Components,
}

impl Route {
    pub(super) fn run(self, global: &Global) -> Outcome {
        let setup = Setup::load_aloud(global, self.components.plugins.as_deref())?;
        let providers = setup.providers()?;
        let explanation = providers.explain(std::slice::from_ref(&self.address), None);
        match self.json {
            true => print::json(&explanation)?,
            false => print::answer(&text(&explanation))?,
        }
        if let Some(problem) = explanation.problem.as_ref().filter(|_| !self.json) {
            print::note(&format!("error: {}", print::printable(problem)));
        }
        Ok(if explanation.problem.is_none() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

fn text(explanation: &Explanation) -> String {
    let mut text = String::new();
    if !explanation.targets.is_empty() {
        let mut table = Table::new(&["", "provider", "model", "account", "origin", "dialects"]);
        for (index, target) in explanation.targets.iter().enumerate() {
            table.row([
                &(index + 1).to_string(),
                &target.provider,
                &target.model,
                target.account.as_deref().unwrap_or("-"),
                &target.origin,
                &print::list(&target.dialects),
            ]);
        }
        text += &table.text();
    }
    for note in &explanation.notes {
        text += &format!("note: {}\n", print::printable(note));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route::ExplainedTarget;

    fn explanation() -> Explanation {
        let target = ExplainedTarget {
            provider: "openai".into(),
            model: "gpt-5".into(),
            account: Some("env".into()),
            accounts: vec!["env".into()],
            missing: None,
            billing: "pay-per-token",
            origin: "https://api.openai.com/v1".into(),
            dialects: vec!["responses".into(), "chat-completions".into()],
            dialect: None,
            translated: false,
            known: true,
            cooling: None,
        };
        Explanation { address: "gpt-5".into(), targets: vec![target], ..Explanation::default() }
    }

    #[test]
    fn targets_are_numbered_in_the_order_in_which_they_are_tried() {
        assert_eq!(
            text(&explanation()),
            "   PROVIDER  MODEL  ACCOUNT  ORIGIN                     DIALECTS\n\
             1  openai    gpt-5  env      https://api.openai.com/v1  responses, chat-completions\n"
        );
    }

    #[test]
    fn notes_stand_below_and_a_missing_account_is_a_dash() {
        let mut explanation = explanation();
        explanation.targets[0].account = None;
        explanation.notes = vec!["openai: no credential".into()];
        let text = text(&explanation);
        assert!(text.contains("gpt-5  -        https://"), "{text}");
        assert!(text.ends_with("note: openai: no credential\n"), "{text}");
    }

    #[test]
    fn an_address_that_nothing_serves_has_no_table() {
        let nothing = Explanation { targets: Vec::new(), problem: Some("no".into()), ..explanation() };
        assert_eq!(text(&nothing), "");
    }
}
