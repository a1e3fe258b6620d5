//! `bitrouter models MODEL`: all that is known of one model, by each provider that has it, and who says so.

use std::error::Error;
use std::process::ExitCode;

use bitrouter_contract::description::{Facts, Price, Rates};
use bitrouter_files::Timestamp;
use bitrouter_route::address::Address;

use super::shown::{self, Shown};
use crate::cli::Outcome;
use crate::cli::print::{self, Table};
use crate::cli::span::ago;
use crate::route::{FactSource, ModelEntry, Providers};

/// Shows the models of this name or address.
pub(super) fn show(name: &str, only: Option<&str>, providers: &Providers, json: bool) -> Outcome {
    let mut models = found(name, providers)?;
    models.retain(|model| only.is_none_or(|id| model.provider == id));
    if models.is_empty() {
        return Err(format!(
            "{}. To see what is known of it all the same: bitrouter models PROVIDER:{name}",
            providers.unknown(name)
        )
        .into());
    }
    let shown: Vec<Shown> = models.into_iter().map(|model| Shown::of(model, providers)).collect();
    match json {
        true => print::json(&shown)?,
        false => {
            let now = Timestamp::now();
            let texts: Vec<String> = shown.iter().map(|model| text(model, now)).collect();
            print::answer(&texts.join("\n"))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The models that the name is for: that of a provider, listed or not, or each that is listed so.
fn found(name: &str, providers: &Providers) -> Result<Vec<ModelEntry>, Box<dyn Error>> {
    if let Address::Provider { provider, model, .. } = providers.parse(name)? {
        let Some(of) = providers.by_id.get(&provider) else { return Err(providers.unknown(name).into()) };
        let listed = of.entry(&model);
        let operations = listed.as_ref().map(|listed| listed.operations.clone()).unwrap_or_default();
        let (told_at, trusted) = (listed.and_then(|listed| listed.told_at), of.plugin.trusted);
        return Ok(vec![ModelEntry { id: model, provider, operations, told_at, trusted }]);
    }
    let mut models = providers.models();
    models.retain(|model| {
        let provider = providers.by_id.get(&model.provider);
        model.trusted && provider.and_then(|provider| provider.listed(name)) == Some(model.id.as_str())
    });
    Ok(models)
}

fn text(model: &Shown, now: Timestamp) -> String {
    let mut table = Table::indented();
    let says = |fact: &str| model.sources.get(fact).map(|source| in_words(source, now)).unwrap_or_default();
    for (fact, name, value) in known(&model.facts) {
        table.row([name, &value, &says(fact)]);
    }
    for (name, value) in model.facts.price.iter().flat_map(prices) {
        table.row([&name, &value, &says("price")]);
    }
    table.row(["for", &shown::operations(&model.entry.operations), ""]);
    let paid = match model.price().as_str() {
        "plan" => "\n  A subscription covers its tokens: a price is that of the list, and is not asked for.\n",
        _ => "",
    };
    format!("{}\n{}{paid}", print::printable(&model.address()), table.text())
}

/// Each fact that is known: its name in JSON, its name here, its value.
fn known(facts: &Facts) -> Vec<(&'static str, &'static str, String)> {
    let tokens = |tokens: Option<u64>| tokens.map(|tokens| format!("{tokens} tokens"));
    let list = |list: &[String]| (!list.is_empty()).then(|| print::list(list));
    let yes = |yes: Option<bool>| yes.map(|yes| if yes { "yes".to_owned() } else { "no".to_owned() });
    let all = [
        ("context_window", "context", tokens(facts.context_window)),
        ("max_input", "request", tokens(facts.max_input)),
        ("max_output", "answer", tokens(facts.max_output)),
        ("input", "takes", list(&facts.input)),
        ("output", "gives", list(&facts.output)),
        ("reasoning", "thinks", yes(facts.reasoning)),
        ("tool_call", "calls tools", yes(facts.tool_call)),
        ("structured_output", "keeps to schemas", yes(facts.structured_output)),
    ];
    all.into_iter().filter_map(|(fact, name, value)| Some((fact, name, value?))).collect()
}

/// Lines of a price: US dollars for a million tokens.
fn prices(price: &Price) -> Vec<(String, String)> {
    let rates = |rates: &Rates| {
        let each = rates.each().map(|(kind, price)| format!("{} ${price}", kind.replace('_', " ")));
        each.collect::<Vec<_>>().join(", ")
    };
    let mut lines = vec![("1M tokens".to_owned(), rates(&price.rates))];
    lines.extend(price.tiers.iter().map(|tier| (format!("above {}", tier.above), rates(&tier.rates))));
    if !price.beside.is_empty() {
        lines.push(("charged beside".to_owned(), price.beside.join(", ")));
    }
    lines
}

fn in_words(source: &FactSource, now: Timestamp) -> String {
    match source {
        FactSource::LiveList { told_at } => {
            format!("its provider, {}", ago(u64::try_from(*told_at).unwrap_or_default(), now))
        }
        FactSource::Description => "its component".into(),
        FactSource::Vendored(source) => format!("{}, {}", source.name, source.date),
    }
}

#[cfg(test)]
mod tests {
    use bitrouter_contract::description::Billing;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_model_is_shown_with_all_that_is_known_and_who_says_it() {
        let source =
            bitrouter_catalogue::Source { name: "genai-prices", package: "genai-prices 1", date: "2026-11-09" };
        let sources = [
            ("context_window", FactSource::LiveList { told_at: 400 }),
            ("max_output", FactSource::Description),
            ("price", FactSource::Vendored(source)),
        ];
        let model = Shown {
            entry: ModelEntry { id: "m".into(), provider: "acme".into(), operations: Vec::new(), told_at: None, trusted: true },
            facts: serde_json::from_value(json!({
                "context_window": 1000, "max_output": 100, "reasoning": true,
                "price": { "input": 1.25, "cache_read": 0.1, "tiers": [{ "above": 200, "input": 2.5 }], "beside": ["web searches"] },
            }))
            .unwrap(),
            sources: sources.into_iter().map(|(name, source)| (name.to_owned(), source)).collect(),
            billing: Billing::Subscription,
        };
        assert_eq!(
            text(&model, Timestamp::from_unix(1120).unwrap()),
            "\
acme:m
  context         1000 tokens                   its provider, 12 min ago
  answer          100 tokens                    its component
  thinks          yes
  1M tokens       input $1.25, cache read $0.1  genai-prices, 2026-11-09
  above 200       input $2.5                    genai-prices, 2026-11-09
  charged beside  web searches                  genai-prices, 2026-11-09
  for             all

  A subscription covers its tokens: a price is that of the list, and is not asked for.
"
        );
    }
}
