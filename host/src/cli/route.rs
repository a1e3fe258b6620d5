//! `bitrouter route`: where a request would go, and why, without sending anything.

use std::error::Error;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use bitrouter_document::Document;
use bitrouter_route::{Addresses, Conversation};
use clap::Args;
use http::HeaderMap;

use super::print::{self, Table};
use super::providers::{below, not_loaded};
use super::setup::Setup;
use super::{Components, Global, Outcome};
use crate::call::{self, Endpoint};
use crate::gateway;
use crate::route::{Explanation, Providers};

#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("asked").required(true))]
#[command(after_help = "\
An address is what a request has as its `model`:
  MODEL                  the active providers that list it, all paid for in the same way
  VENDOR/MODEL           the same, for a vendor's model
  PROVIDER:MODEL         that provider, any of its accounts
  PROVIDER@LABEL:MODEL   that provider, that account
or a name under `models` in bitrouter.yaml. A request's list `models` is tried in its order.

It needs no running gateway, no config and no network. The exit code is 0 where a request would be sent, and 1 where \
none would: nothing serves the address, or there is no login or key to pay with.

Examples:
  bitrouter route gpt-5
  bitrouter route openai@env:gpt-5 --json
  bitrouter route gpt-5 --endpoint /v1/messages
  bitrouter route --request body.json")]
pub(super) struct Route {
    /// The model's address; or --request FILE
    #[arg(group = "asked")]
    address: Option<String>,
    /// Read `model` or `models` from a request's body, `-` for standard input
    #[arg(long, value_name = "FILE", group = "asked")]
    request: Option<PathBuf>,
    /// The endpoint that is asked, such as `/v1/messages`; else what the body looks like
    #[arg(long, value_name = "PATH", value_parser = endpoint)]
    endpoint: Option<&'static Endpoint>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    components: Components,
}

/// What is asked: the addresses, the conversation and the endpoint where they are known, and whether that was inferred.
struct Question {
    addresses: Addresses,
    conversation: Option<Conversation>,
    endpoint: Option<&'static Endpoint>,
    inferred: bool,
}

impl Route {
    pub(super) fn run(self, global: &Global) -> Outcome {
        // Before anything is compiled: a mistake in the question is answered at once.
        let body = self.request.as_deref().map(read).transpose()?;
        let setup = Setup::load_aloud(global, &self.components)?;
        let providers = setup.providers_with_local_models()?;
        let question = match body {
            Some(body) => Question::of(body, self.endpoint, &providers)?,
            None => {
                let addresses = self.address.unwrap_or_default().into();
                Question { addresses, conversation: None, endpoint: self.endpoint, inferred: false }
            }
        };
        let explanation = question.answer(&providers);
        match self.json {
            true => print::json(&explanation)?,
            false => print::answer(&text(&explanation))?,
        }
        if let Some(problem) = explanation.problem.as_ref().filter(|_| !self.json) {
            let refused = not_loaded(&providers.refused);
            print::note(&format!("error: {}{}", print::printable(problem), below(&refused)));
        }
        Ok(if explanation.problem.is_none() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

impl Question {
    /// What a body asks for.
    fn of(
        mut body: Document,
        endpoint: Option<&'static Endpoint>,
        providers: &Providers,
    ) -> Result<Self, Box<dyn Error>> {
        let addresses = Addresses::take(&mut body)?.ok_or(crate::error::Error::NoModel)?;
        let conversation = Conversation::of(&HeaderMap::new(), Some(&mut body));
        if endpoint.is_some() {
            return Ok(Question { addresses, conversation, endpoint, inferred: false });
        }
        let operations = addresses.first().map(|first| providers.operations(first)).unwrap_or_default();
        let endpoint = gateway::infer_endpoint(&mut body, &operations)?;
        Ok(Question { addresses, conversation, endpoint, inferred: true })
    }

    fn answer(&self, providers: &Providers) -> Explanation {
        let mut explanation =
            providers.explain(&self.addresses, self.endpoint.map(Endpoint::wanted), self.conversation);
        explanation.endpoint = self.endpoint.map(|endpoint| endpoint.path.to_owned());
        if self.inferred {
            explanation.notes.push(match self.endpoint {
                Some(endpoint) => format!("the body looks like one for {}; --endpoint names another", endpoint.path),
                None => {
                    "the body does not show its endpoint, so dialects were not compared: name it with --endpoint".into()
                }
            });
        }
        explanation
    }
}

/// A request's body, as a client would send it.
fn read(file: &Path) -> Result<Document, Box<dyn Error>> {
    let mut bytes = Vec::new();
    let from = match file.to_str() {
        Some("-") => {
            std::io::stdin().lock().read_to_end(&mut bytes)?;
            "standard input".to_owned()
        }
        _ => {
            bytes = std::fs::read(file).map_err(|error| format!("{}: {error}", file.display()))?;
            file.display().to_string()
        }
    };
    Document::parse(bytes).map_err(|error| format!("{from}: this is no request's body: {error}").into())
}

fn endpoint(path: &str) -> Result<&'static Endpoint, String> {
    let paths = || call::paths().collect::<Vec<_>>().join(", ");
    call::endpoint(path).ok_or_else(|| format!("there is no such endpoint; there are {}", paths()))
}

fn text(explanation: &Explanation) -> String {
    let mut text = String::new();
    if !explanation.targets.is_empty() {
        let mut table = Table::new(&["", "provider", "model", "account", "billing", "origin", "dialects"]);
        for (index, target) in explanation.targets.iter().enumerate() {
            let dialects = match &target.dialect {
                Some(dialect) if target.translated => format!("{dialect}, translated"),
                Some(dialect) => format!("{dialect}, passed through"),
                None => print::list(&target.dialects),
            };
            table.row([
                &(index + 1).to_string(),
                &target.provider,
                &target.model,
                &print::list(&target.accounts),
                target.billing,
                &target.origin,
                &dialects,
            ]);
        }
        text += &table.text();
    }
    for target in &explanation.targets {
        if let Some(choice) = &target.choice {
            text += &format!("{}:{}: {}\n", target.provider, target.model, print::printable(choice));
        }
        if let Some(cooling) = &target.cooling {
            text += &format!("cooling down: {}:{}: {}\n", target.provider, target.model, print::printable(cooling));
        }
    }
    if explanation.is_rearranged {
        let order = print::list(&explanation.order);
        text += &format!("now: {}\n", print::printable(&order));
    }
    for skipped in &explanation.skipped {
        let (model, why) = (print::printable(&skipped.model), print::printable(&skipped.why));
        text += &format!("skipped: {}:{model}: {why}\n", skipped.provider);
    }
    for note in &explanation.notes {
        text += &format!("note: {}\n", print::printable(note));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route::{ExplainedSkip, ExplainedTarget};

    fn explanation() -> Explanation {
        let target = ExplainedTarget {
            provider: "openai".into(),
            model: "gpt-5".into(),
            account: Some("env".into()),
            accounts: vec!["env".into()],
            choice: None,
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
            "   PROVIDER  MODEL  ACCOUNT  BILLING        ORIGIN                     DIALECTS\n\
             1  openai    gpt-5  env      pay-per-token  https://api.openai.com/v1  responses, chat-completions\n"
        );
    }

    #[test]
    fn notes_stand_below_and_a_missing_account_is_a_dash() {
        let mut explanation = explanation();
        explanation.targets[0].accounts = Vec::new();
        explanation.notes = vec!["openai: no credential".into()];
        let text = text(&explanation);
        assert!(text.contains("gpt-5  -        pay-per-token"), "{text}");
        assert!(text.ends_with("note: openai: no credential\n"), "{text}");
    }

    #[test]
    fn what_is_skipped_or_cools_down_is_said_with_its_reason() {
        let mut explanation = explanation();
        explanation.targets[0].dialect = Some("responses".into());
        explanation.targets[0].cooling = Some("429 until 12:00".into());
        explanation.skipped =
            vec![ExplainedSkip { provider: "plan".into(), model: "gpt-5".into(), why: "switched off".into() }];
        let text = text(&explanation);
        assert!(text.contains("responses, passed through\n"), "{text}");
        assert!(
            text.ends_with("cooling down: openai:gpt-5: 429 until 12:00\nskipped: plan:gpt-5: switched off\n"),
            "{text}"
        );
    }

    #[test]
    fn an_address_that_nothing_serves_has_no_table() {
        let nothing = Explanation { targets: Vec::new(), problem: Some("no".into()), ..explanation() };
        assert_eq!(text(&nothing), "");
    }
}
