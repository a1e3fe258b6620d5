//! What is taken of models.dev: limits, modalities, abilities and prices of the providers that are vendored.

use std::collections::HashMap;

use anyhow::{Result, ensure};
use bitrouter_catalogue::{Line, PROVIDERS, Record};
use bitrouter_contract::description::{Facts, Price, Rates, Tier, TokenPrice};
use serde::Deserialize;

/// The database, as `export.py` prints it.
#[derive(Deserialize)]
pub(super) struct Package {
    pub(super) generated_at: String,
    pub(super) licence: String,
    models: Vec<Model>,
    modalities: Vec<Modality>,
    prices: Vec<Costs>,
}

/// Yes and no are 1 and 0; a limit of 0 is one that is not known.
#[derive(Deserialize)]
struct Model {
    full_id: String,
    provider_id: String,
    id: String,
    family: Option<String>,
    reasoning: u8,
    tool_call: u8,
    structured_output: Option<u8>,
    limit_context: u64,
    limit_input: Option<u64>,
    limit_output: u64,
}

#[derive(Deserialize)]
struct Modality {
    model_full_id: String,
    direction: String,
    value: String,
}

#[derive(Deserialize)]
struct Costs {
    model_full_id: String,
    min_context: u64,
    cost_input: Option<TokenPrice>,
    cost_output: Option<TokenPrice>,
    cost_reasoning: Option<TokenPrice>,
    cost_cache_read: Option<TokenPrice>,
    cost_cache_write: Option<TokenPrice>,
    cost_input_audio: Option<TokenPrice>,
    cost_output_audio: Option<TokenPrice>,
}

pub(super) fn cut(package: &Package) -> Result<Vec<Line>> {
    let mut modalities: HashMap<&str, Vec<&Modality>> = HashMap::new();
    for modality in &package.modalities {
        modalities.entry(&modality.model_full_id).or_default().push(modality);
    }
    let mut costs: HashMap<&str, Vec<&Costs>> = HashMap::new();
    for cost in &package.prices {
        costs.entry(&cost.model_full_id).or_default().push(cost);
    }
    let mut lines = Vec::new();
    for provider in &PROVIDERS {
        for name in provider.models_dev {
            let before = lines.len();
            for model in package.models.iter().filter(|model| model.provider_id == *name) {
                let of = |direction: &str| {
                    let all = modalities.get(model.full_id.as_str()).map(Vec::as_slice).unwrap_or_default();
                    all.iter().filter(|all| all.direction == direction).map(|all| all.value.clone()).collect()
                };
                let price = price(model, costs.get(model.full_id.as_str()).map(Vec::as_slice).unwrap_or_default());
                let facts = Facts { input: of("input"), output: of("output"), price, ..limits(model) };
                lines.push((provider.id.into(), model.id.clone(), Record { facts, changes: Vec::new() }));
            }
            ensure!(lines.len() > before, "models.dev has no model of `{name}`: has the provider another name?");
        }
    }
    Ok(lines)
}

fn limits(model: &Model) -> Facts {
    let known = |tokens: u64| Some(tokens).filter(|tokens| *tokens > 0);
    // What stands there for embeddings is how many numbers they have.
    let embeds = [Some(&model.id), model.family.as_ref()].into_iter().flatten().any(|name| name.contains("embed"));
    let context_window = known(model.limit_context);
    Facts {
        context_window,
        max_input: model.limit_input.and_then(known).filter(|tokens| context_window.is_some_and(|all| *tokens < all)),
        max_output: known(model.limit_output).filter(|_| !embeds),
        reasoning: Some(model.reasoning != 0),
        tool_call: Some(model.tool_call != 0),
        structured_output: model.structured_output.map(|yes| yes != 0),
        ..Facts::default()
    }
}

/// The first row is for all requests; those after it are for longer ones. Where nothing costs anything, a plan or an
/// offer of a while is meant, or nothing is known: that is no price, but for names that end in `:free`.
fn price(model: &Model, rows: &[&Costs]) -> Option<Price> {
    let (first, longer) = rows.split_first().filter(|(first, _)| first.min_context == 0)?;
    let free = |rates: &Rates| rates.each().all(|(_, price)| price.picodollars() == 0);
    let rates = rates(first);
    if free(&rates) && !model.id.ends_with(":free") {
        return None;
    }
    let tiers = longer.iter().map(|row| Tier { above: row.min_context, rates: self::rates(row) }).collect();
    Some(Price { rates, tiers, beside: Vec::new() })
}

fn rates(row: &Costs) -> Rates {
    Rates {
        input: row.cost_input,
        output: row.cost_output,
        reasoning: row.cost_reasoning,
        cache_read: row.cost_cache_read,
        cache_write: row.cost_cache_write,
        input_audio: row.cost_input_audio,
        output_audio: row.cost_output_audio,
        ..Rates::default()
    }
}
