//! What is known of models without asking anybody: how much they take, what they can do, what they cost. It is vendored
//! as data in `data/`, which `cargo xtask update-models` renews; `find` looks a model up in it.
//!
//! The host asks where a provider and its description say nothing. It does no I/O, guesses no names, and nobody may refuse a
//! request for what it says: the data is older than the models.

#![forbid(unsafe_code)]

mod providers;
mod same;
mod table;

use bitrouter_contract::description::Facts;
pub use time::Date;

pub use providers::{PROVIDERS, Vendored};
pub use table::{Change, Line, Malformed, Record, Source, Table, read, write};

/// Limits, abilities and prices of [models.dev](https://models.dev).
pub static MODELS_DEV: Table = Table::new(include_str!("../data/models.dev.tsv"));
/// Prices of [genai-prices](https://github.com/pydantic/genai-prices), which knows them by date and by the request's length.
pub static GENAI_PRICES: Table = Table::new(include_str!("../data/genai-prices.tsv"));

/// What is known of a provider's model on a day, with where it is from: the first that says something is right. Empty
/// where nothing is known.
///
/// `vendor` is whose models the provider serves, where they are one vendor's. The file `same.rs` has the rules by which a
/// name is found.
pub fn find(provider: &str, vendor: Option<&str>, model: &str, day: Date) -> Vec<(Source, Facts)> {
    let mut found: Vec<(Source, Facts)> = Vec::new();
    // A price is looked for at the provider alone: another asks for another.
    let priced = |table: &Table| {
        let names = same::priced(provider, model);
        names
            .iter()
            .find_map(|(provider, model)| Some(table.get(provider, model)?.on(day)).filter(|it| it.price.is_some()))
    };
    let limits = |table: &Table| {
        let names = same::limits(provider, vendor, model);
        let facts = names.iter().find_map(|(provider, model)| Some(table.get(provider, model)?.on(day)))?;
        Some(Facts { price: None, ..facts })
    };
    for table in [&GENAI_PRICES, &MODELS_DEV] {
        let price = priced(table).and_then(|facts| facts.price);
        found.extend(price.map(|price| (table.source(), Facts { price: Some(price), ..Facts::default() })));
    }
    for table in [&MODELS_DEV, &GENAI_PRICES] {
        found.extend(limits(table).filter(|facts| *facts != Facts::default()).map(|facts| (table.source(), facts)));
    }
    found
}

#[cfg(test)]
mod tests;
