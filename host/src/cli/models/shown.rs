//! A model as `bitrouter models` shows it: where it is listed, what is known of it, and the words for that.

use std::collections::BTreeMap;

use bitrouter_contract::description::{Billing, Facts, TokenPrice};
use serde::Serialize;

use crate::cli::print;
use crate::route::{FactSource, ModelEntry, Providers};

/// A model of a provider.
#[derive(Serialize)]
pub(super) struct Shown {
    #[serde(flatten)]
    pub entry: ModelEntry,
    #[serde(flatten)]
    pub facts: Facts,
    /// Who says each of the facts.
    pub sources: BTreeMap<String, FactSource>,
    /// Whether its tokens are paid for at all.
    pub billing: Billing,
}

impl Shown {
    pub(super) fn of(entry: ModelEntry, providers: &Providers) -> Self {
        let provider = providers.by_id.get(&entry.provider);
        let known = provider.map(|provider| provider.known(&entry.id)).unwrap_or_default();
        let billing = provider.map(|provider| provider.billing()).unwrap_or_default();
        Shown { entry, facts: known.facts(), sources: known.sources(), billing }
    }

    /// What asks for it.
    pub(super) fn address(&self) -> String {
        format!("{}:{}", self.entry.provider, self.entry.id)
    }

    /// What a million tokens of the request and of the answer cost.
    pub(super) fn price(&self) -> String {
        let rates = self.facts.price.as_ref().map(|price| &price.rates);
        match (self.billing, rates) {
            (Billing::Subscription, _) => "plan".into(),
            (Billing::Free, _) => "free".into(),
            (Billing::PayPerToken, None) => "-".into(),
            (Billing::PayPerToken, Some(rates)) => format!("{} {}", dollars(rates.input), dollars(rates.output)),
        }
    }
}

fn dollars(price: Option<TokenPrice>) -> String {
    price.map_or_else(|| "-".into(), |price| price.to_string())
}

pub(super) fn tokens(tokens: Option<u64>) -> String {
    tokens.map_or_else(|| "-".into(), |tokens| tokens.to_string())
}

/// What a request may hold, and an answer where that is not text alone.
pub(super) fn modalities(facts: &Facts) -> String {
    let takes = if facts.input.is_empty() { "-".into() } else { facts.input.join(",") };
    match facts.output.as_slice() {
        [] => takes,
        [text] if text == "text" => takes,
        gives => format!("{takes} for {}", gives.join(",")),
    }
}

pub(super) fn operations(operations: &[String]) -> String {
    if operations.is_empty() { "all".into() } else { print::list(operations) }
}
