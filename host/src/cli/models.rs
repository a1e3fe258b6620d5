//! `bitrouter models`: what can be asked for by name; with a name, what is known of it.

mod one;
mod shown;

use std::collections::BTreeMap;
use std::error::Error;
use std::process::ExitCode;

use bitrouter_contract::description::SideKind;
use bitrouter_files::Timestamp;
use bitrouter_plugin::Refused;
use clap::Args;
use serde::Serialize;

use super::print::{self, Table};
use super::providers::{Row, below, known, not_loaded};
use super::setup::Setup;
use super::span::ago;
use super::{Components, Global, Outcome};
use crate::route::{ModelEntry, Providers};
use shown::Shown;

#[derive(Debug, Args)]
#[command(after_help = "\
With MODEL, a name or PROVIDER:MODEL, everything that is known of it is shown, and who says so. A model that is not listed \
can still be asked for as PROVIDER:MODEL.

CONTEXT is how many tokens a request and its answer may have together, OUTPUT how many the answer. TAKES is what a request \
may hold. $/1M IN OUT is what a million tokens cost by the provider's list, `plan` where a subscription covers them. \
OPERATIONS is what the model is for: `generate` is text, by /v1/chat/completions, /v1/responses or /v1/messages; anything else \
is a path below /v1/, such as `embeddings`; `all` is everything that its provider does.

A running gateway asks each provider for its live list every hour. Without --refresh nothing is sent: what was heard last \
is shown, and for a provider that was never asked what its component lists. What neither says of a model is filled in from \
data that comes with this program, and no request is refused for it.

Examples:
  bitrouter models
  bitrouter models gpt-5
  bitrouter models --refresh
  bitrouter models --provider openai --json")]
pub(super) struct Models {
    /// Show all that is known of this model
    #[arg(value_name = "MODEL")]
    model: Option<String>,
    /// Only the models of this provider
    #[arg(long, value_name = "ID")]
    provider: Option<String>,
    /// Ask the providers now
    #[arg(long)]
    refresh: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    components: Components,
}

impl Models {
    pub(super) fn run(self, global: &Global) -> Outcome {
        let setup = Setup::load_aloud(global, &self.components)?;
        let providers = match self.refresh {
            true => setup.providers_queried(SideKind::Models, self.provider.as_deref())?,
            false => setup.providers_with_local_models()?,
        };
        let mut models = providers.models();
        let mut names: Vec<Name<'_>> = Vec::new();
        if let Some(id) = &self.provider {
            check(id, &providers)?;
            models.retain(|model| model.provider == *id);
        }
        if let Some(name) = &self.model {
            return one::show(name, self.provider.as_deref(), &providers, self.json);
        }
        if self.provider.is_none() {
            names.extend(providers.names.exact().map(|(id, addresses)| Name { id, addresses }));
            if providers.active().is_empty() {
                print::note(&nothing(&providers.refused));
            }
        }
        let shown: Vec<Shown> = models.iter().map(|model| Shown::of(model.clone(), &providers)).collect();
        let listed: Vec<Listed<'_>> = names.iter().map(Listed::Name).chain(shown.iter().map(Listed::Model)).collect();
        match self.json {
            true => print::json(&listed)?,
            false if models.is_empty() => print::answer(&names_table(&names))?,
            false => {
                print::answer(&[names_table(&names), table(&shown), sources(&models, Timestamp::now())].concat())?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Refuses an id that lists nothing, and says why.
fn check(id: &str, providers: &Providers) -> Result<(), Box<dyn Error>> {
    match Row::of(known(id, providers)?).reason {
        Some(reason) => Err(format!("{id} is not active: {reason}").into()),
        None => Ok(()),
    }
}

/// Why there is nothing to list.
fn nothing(refused: &[Refused]) -> String {
    match refused {
        [] => "no provider is active, so there is nothing to list. See why: bitrouter providers".to_owned(),
        refused => format!("no provider is active, so there is nothing to list.{}", below(&not_loaded(refused))),
    }
}

/// A name of the config.
#[derive(Serialize)]
struct Name<'a> {
    id: &'a str,
    addresses: &'a [String],
}

/// What JSON lists: both can be asked for by their id.
#[derive(Serialize)]
#[serde(untagged)]
enum Listed<'a> {
    Name(&'a Name<'a>),
    Model(&'a Shown),
}

fn names_table(names: &[Name<'_>]) -> String {
    if names.is_empty() {
        return String::new();
    }
    let mut table = Table::new(&["name", "stands for"]);
    for name in names {
        table.row([name.id, &name.addresses.join(", ")]);
    }
    table.text() + "\n"
}

fn table(models: &[Shown]) -> String {
    if models.is_empty() {
        return String::new();
    }
    let head = ["address", "context", "output", "takes", "$/1M in out", "operations"];
    let mut table = Table::new(&head).sparing(&["operations", "takes", "output"]);
    for model in models {
        let operations = shown::operations(&model.entry.operations);
        let (context, output) = (shown::tokens(model.facts.context_window), shown::tokens(model.facts.max_output));
        table.row([&model.address(), &context, &output, &shown::modalities(&model.facts), &model.price(), &operations]);
    }
    table.text()
}

/// How old each provider's list is.
fn sources(models: &[ModelEntry], now: Timestamp) -> String {
    let mut oldest: BTreeMap<&str, Option<u64>> = BTreeMap::new();
    for model in models {
        let told = oldest.entry(&model.provider).or_insert(model.told_at);
        // Where one account has a live list and another has none, what is not known to be new counts.
        *told = told.zip(model.told_at).map(|(one, other)| one.min(other));
    }
    let mut table = Table::indented();
    for (provider, told_at) in oldest {
        let source = match told_at {
            Some(told_at) => format!("heard from the provider {}", ago(told_at, now)),
            None => {
                "built into its component, as the provider was not asked yet. To ask: bitrouter models --refresh".into()
            }
        };
        table.row([provider, &source]);
    }
    table.under("lists:")
}

#[cfg(test)]
mod tests {
    use bitrouter_contract::description::Billing;
    use serde_json::{Value, json};

    use super::*;

    fn told(id: &str, provider: &str, told_at: Option<u64>) -> ModelEntry {
        ModelEntry { id: id.into(), provider: provider.into(), operations: Vec::new(), told_at, trusted: true }
    }

    #[test]
    fn a_list_is_as_old_as_its_oldest_part() {
        let models =
            [told("a", "p", Some(1000)), told("b", "p", Some(400)), told("a", "q", Some(1000)), told("b", "q", None)];
        let text = sources(&models, Timestamp::from_unix(1120).unwrap());
        assert_eq!(
            text,
            "\nlists:\n  p  heard from the provider 12 min ago\n  q  built into its component, as the provider was not asked yet. \
             To ask: bitrouter models --refresh\n"
        );
    }

    #[test]
    fn components_that_did_not_load_are_why_nothing_is_listed() {
        let refused = Refused { file: "openai".into(), id: None, reason: "No space left on device".into() };
        assert_eq!(
            nothing(&[refused]),
            "no provider is active, so there is nothing to list.\nnot loaded:\n  openai  No space left on device"
        );
        assert!(nothing(&[]).ends_with("See why: bitrouter providers"));
    }

    #[test]
    fn a_name_of_the_config_is_shown_with_what_it_stands_for() {
        let addresses = ["openai-codex:gpt-5.5".to_owned(), "openai:gpt-5.5".to_owned()];
        assert_eq!(
            names_table(&[Name { id: "fast", addresses: &addresses }]),
            "NAME  STANDS FOR\nfast  openai-codex:gpt-5.5, openai:gpt-5.5\n\n"
        );
        assert_eq!(names_table(&[]), "");
    }

    #[test]
    fn a_model_is_shown_as_the_address_that_asks_for_it_with_what_is_known() {
        let model = |id: &str, facts: Value, billing, operations: &[&str]| Shown {
            entry: ModelEntry {
                operations: operations.iter().map(|&name| name.to_owned()).collect(),
                ..told(id, "openai", None)
            },
            facts: serde_json::from_value(facts).unwrap(),
            sources: BTreeMap::new(),
            billing,
        };
        let known = json!({
            "context_window": 400_000, "max_output": 128_000, "input": ["text", "image"], "output": ["text"],
            "price": { "input": 1.25, "output": 10 },
        });
        let pictures = json!({ "input": ["text"], "output": ["image"], "price": { "input": 5 } });
        let models = [
            model("gpt-5", known.clone(), Billing::PayPerToken, &["generate"]),
            model("plan", known, Billing::Subscription, &[]),
            model("draw", pictures, Billing::PayPerToken, &["images/generations"]),
            model("x", json!({}), Billing::Free, &[]),
        ];
        assert_eq!(
            table(&models),
            "\
ADDRESS       CONTEXT  OUTPUT  TAKES           $/1M IN OUT  OPERATIONS
openai:gpt-5  400000   128000  text,image      1.25 10      generate
openai:plan   400000   128000  text,image      plan         all
openai:draw   -        -       text for image  5 -          images/generations
openai:x      -        -       -               free         all
"
        );
    }
}
