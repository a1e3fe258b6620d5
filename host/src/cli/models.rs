//! `bitrouter models`: what can be asked for by name.

use std::error::Error;
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;

use super::print::{self, Table};
use super::providers::{Row, known};
use super::setup::Setup;
use super::{Components, Global, Outcome};
use crate::route::{ModelEntry, Providers};

#[derive(Debug, Args)]
#[command(after_help = "\
A model that is not listed can still be asked for as PROVIDER:MODEL.

Examples:
  bitrouter models
  bitrouter models --provider openai --json")]
pub(super) struct Models {
    /// Only the models of this provider
    #[arg(long, value_name = "ID")]
    provider: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    components: Components,
}

impl Models {
    pub(super) fn run(self, global: &Global) -> Outcome {
        let setup = Setup::load_aloud(global, self.components.plugins.as_deref())?;
        let providers = setup.providers()?;
        let mut models = providers.models();
        let mut names: Vec<Name<'_>> = Vec::new();
        if let Some(id) = &self.provider {
            check(id, &providers)?;
            models.retain(|model| model.provider == *id);
        } else {
            names.extend(providers.names.exact().map(|(id, addresses)| Name { id, addresses }));
            if providers.active().is_empty() {
                print::note("no provider is active, so there is nothing to list. See why: bitrouter providers");
            }
        }
        let listed: Vec<Listed<'_>> = names.iter().map(Listed::Name).chain(models.iter().map(Listed::Model)).collect();
        match self.json {
            true => print::json(&listed)?,
            false => print::answer(&[names_table(&names), table(&models)].concat())?,
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
    Model(&'a ModelEntry),
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

fn table(models: &[ModelEntry]) -> String {
    if models.is_empty() {
        return String::new();
    }
    let mut table = Table::new(&["address", "context", "operations"]);
    for model in models {
        let address = format!("{}:{}", model.provider, model.id);
        let context = model.context_window.map_or_else(|| "-".to_owned(), |tokens| tokens.to_string());
        let operations = if model.operations.is_empty() { "all".to_owned() } else { model.operations.join(", ") };
        table.row([&address, &context, &operations]);
    }
    table.text()
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn a_model_is_shown_as_the_address_that_asks_for_it() {
        let model = |id: &str, context_window, operations: &[&str]| ModelEntry {
            id: id.into(),
            provider: "openai".into(),
            context_window,
            operations: operations.iter().map(|&name| name.to_owned()).collect(),
        };
        assert_eq!(
            table(&[model("gpt-5", Some(400_000), &["generate"]), model("x", None, &[])]),
            "ADDRESS       CONTEXT  OPERATIONS\nopenai:gpt-5  400000   generate\nopenai:x      -        all\n"
        );
    }
}
