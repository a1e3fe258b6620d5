//! What is taken of genai-prices: the prices of tokens by date and by the request's length, of the providers that are
//! vendored. Prices of service tiers and of batches are not, and of what is no token only its name is.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};
use bitrouter_catalogue::{Change, Line, PROVIDERS, Record};
use bitrouter_contract::description::{Facts, Price, Rates, Tier, TokenPrice};
use serde::Deserialize;
use serde_json::Value;

/// The module, as `export.py` prints it.
#[derive(Deserialize)]
pub(super) struct Package {
    pub(super) licence: String,
    providers: Vec<Provider>,
}

#[derive(Deserialize)]
struct Provider {
    id: String,
    models: Vec<Model>,
}

/// A name, and the prices that the package's own rules find for it: an object for all times, or a list by times.
#[derive(Deserialize)]
struct Model {
    name: String,
    prices: Value,
    context_window: Option<u64>,
}

pub(super) fn cut(package: &Package) -> Result<Vec<Line>> {
    let mut lines = Vec::new();
    for provider in PROVIDERS.iter().filter(|provider| !provider.genai_prices.is_empty()) {
        let name = provider.genai_prices;
        let found = package.providers.iter().find(|known| known.id == name);
        let found = found.with_context(|| format!("genai-prices has no `{name}`: has the provider another name?"))?;
        for model in &found.models {
            let record = record(model).with_context(|| format!("genai-prices: {name} {}", model.name))?;
            if record != Record::default() {
                lines.push((provider.id.into(), model.name.clone(), record));
            }
        }
    }
    Ok(lines)
}

fn record(model: &Model) -> Result<Record> {
    let facts = Facts { context_window: model.context_window, ..Facts::default() };
    let mut record = Record { facts, changes: Vec::new() };
    let Value::Array(by_time) = &model.prices else {
        record.facts.price = price(&model.prices)?;
        return Ok(record);
    };
    for conditional in by_time {
        let Some(price) = price(&conditional["prices"])? else { continue };
        let constraint = &conditional["constraint"];
        match (constraint["is"].as_str(), constraint["start_date"].as_str()) {
            (None, _) => record.facts.price = Some(price),
            (Some("StartDateConstraint"), Some(from)) => record.changes.push(Change { from: from.into(), price }),
            // Hours of a day: what is kept is the dearest, so that no cost is taken for lower than it is.
            (Some("TimeOfDateConstraint"), _) => {
                let last = record.changes.last_mut().map(|change| &mut change.price).or(record.facts.price.as_mut());
                match last {
                    Some(last) if last.rates.input < price.rates.input => *last = price,
                    Some(_) => {}
                    None => record.facts.price = Some(price),
                }
            }
            (Some(other), _) => bail!("the constraint {other} is not known"),
        }
    }
    let sorted = record.changes.is_sorted_by(|one, next| one.from < next.from);
    ensure!(sorted, "its prices are not in the order of their days");
    Ok(record)
}

/// A `ModelPrice`; none where it prices no token.
fn price(prices: &Value) -> Result<Option<Price>> {
    let prices = prices.as_object().context("its prices are no object")?;
    let (mut base, mut tiers) = (serde_json::Map::new(), BTreeMap::<u64, serde_json::Map<String, Value>>::new());
    let mut beside = Vec::new();
    for (unit, value) in prices.iter().filter(|(unit, _)| *unit != "is") {
        let Some(kind) = kind(unit) else {
            beside.push(in_words(unit));
            continue;
        };
        if value["is"] == "TieredPrices" {
            base.insert(kind.into(), checked(&value["base"])?);
            for tier in value["tiers"].as_array().context("its tiers are no list")? {
                let start = tier["start"].as_u64().context("a tier has no start")?;
                tiers.entry(start).or_default().insert(kind.into(), checked(&tier["price"])?);
            }
        } else {
            base.insert(kind.into(), checked(value)?);
        }
    }
    if base.is_empty() {
        return Ok(None);
    }
    let rates = |map| serde_json::from_value::<Rates>(Value::Object(map));
    let tiers = tiers.into_iter().map(|(above, map)| Ok(Tier { above, rates: rates(map)? })).collect::<Result<_>>()?;
    beside.sort();
    Ok(Some(Price { rates: rates(base)?, tiers, beside }))
}

fn checked(value: &Value) -> Result<Value> {
    let _: TokenPrice = serde_json::from_value(value.clone())?;
    Ok(value.clone())
}

/// The kind of tokens that a unit counts by the million.
fn kind(unit: &str) -> Option<&'static str> {
    Some(match unit {
        "input_mtok" => "input",
        "output_mtok" => "output",
        "cache_read_mtok" => "cache_read",
        "cache_write_mtok" => "cache_write",
        "cache_write_1h_mtok" => "cache_write_1h",
        "output_reasoning_mtok" => "reasoning",
        "input_audio_mtok" => "input_audio",
        "output_audio_mtok" => "output_audio",
        "cache_audio_read_mtok" => "cache_read_audio",
        "input_image_mtok" => "input_image",
        "output_image_mtok" => "output_image",
        _ => return None,
    })
}

/// `web_searches_kcount` is `web searches`.
fn in_words(unit: &str) -> String {
    let scales = ["_kcount", "_mtok", "_hours", "_mchars", "_kpages"];
    let bare = scales.iter().find_map(|scale| unit.strip_suffix(scale)).unwrap_or(unit);
    bare.replace('_', " ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(prices: Value) -> String {
        let model = Model { name: "m".into(), prices, context_window: None };
        let record = record(&model).unwrap();
        json!({ "price": record.facts.price, "changes": record.changes }).to_string()
    }

    #[test]
    fn prices_are_taken_by_their_days_and_the_length_of_requests() {
        let tiered = |base: &str, tier: &str| json!({ "is": "TieredPrices", "base": base, "tiers": [{ "is": "Tier", "start": 200000, "price": tier }] });
        let first = json!({ "is": "ModelPrice", "input_mtok": tiered("5", "10"), "output_mtok": tiered("25", "37.5"), "web_searches_kcount": "10" });
        let later = json!({ "is": "ModelPrice", "input_mtok": "5", "output_mtok": "25" });
        let since = json!({ "is": "StartDateConstraint", "start_date": "2026-03-13" });
        assert_eq!(
            of(json!([{ "is": "ConditionalPrice", "prices": first }, { "is": "ConditionalPrice", "constraint": since, "prices": later }])),
            r#"{"price":{"input":5,"output":25,"tiers":[{"above":200000,"input":10,"output":37.5}],"beside":["web searches"]},"#.to_owned()
                + r#""changes":[{"from":"2026-03-13","input":5,"output":25}]}"#
        );
    }

    #[test]
    fn of_prices_by_the_hour_the_dearest_is_kept() {
        let hours = json!({ "is": "TimeOfDateConstraint", "start_time": "time", "end_time": "time" });
        let priced = |input: &str| json!({ "is": "ModelPrice", "input_mtok": input });
        let by_hour = |first: &str, hour: &str| {
            of(json!([{ "prices": priced(first) }, { "constraint": hours, "prices": priced(hour) }]))
        };
        assert_eq!(by_hour("0.15", "0.3"), r#"{"price":{"input":0.3},"changes":[]}"#);
        assert_eq!(by_hour("0.3", "0.15"), r#"{"price":{"input":0.3},"changes":[]}"#);
    }

    #[test]
    fn what_is_charged_by_the_hour_alone_has_no_price_of_tokens() {
        assert_eq!(of(json!({ "is": "ModelPrice", "audio_hours": "0.1" })), r#"{"price":null,"changes":[]}"#);
    }
}
