//! What a renewal changed, in words for whoever reviews it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use bitrouter_catalogue::{Line, Record};

/// How many models of a provider are named in a line; of the others the number is.
const NAMED: usize = 12;

/// A line for each provider and kind of change; nothing where nothing changed.
pub(super) fn between(before: &[Line], now: &[Line]) -> String {
    let mut changed: BTreeMap<(&str, &str), Vec<String>> = BTreeMap::new();
    let known = by_name(before);
    for (name, record) in by_name(now) {
        let ((provider, model), mut note) =
            (name, |kind, what: String| changed.entry((name.0, kind)).or_default().push(what));
        let Some(old) = known.get(&(provider, model)) else {
            note("new", model.into());
            continue;
        };
        if (&old.facts.price, &old.changes) != (&record.facts.price, &record.changes) {
            note("price", format!("{model} {} -> {}", price(old), price(record)));
        }
        let facts = |record: &Record| bitrouter_contract::description::Facts { price: None, ..record.facts.clone() };
        if facts(old) != facts(record) {
            note("facts", model.into());
        }
    }
    let now = by_name(now);
    for (provider, model) in known.keys().filter(|name| !now.contains_key(*name)) {
        changed.entry((provider, "gone")).or_default().push((*model).into());
    }
    let mut text = String::new();
    for ((provider, kind), models) in changed {
        let more = models.len().saturating_sub(NAMED);
        let named = models[..models.len() - more].join(", ");
        let more = if more == 0 { String::new() } else { format!(" and {more} more") };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {provider}: {} {kind}: {named}{more}", models.len());
    }
    text
}

fn by_name(lines: &[Line]) -> BTreeMap<(&str, &str), &Record> {
    lines.iter().map(|(provider, model, record)| ((provider.as_str(), model.as_str()), record)).collect()
}

/// The newest price of input and output.
fn price(record: &Record) -> String {
    let newest = record.changes.last().map(|change| &change.price).or(record.facts.price.as_ref());
    let Some(price) = newest else { return "none".into() };
    let shown = |rate: Option<_>| {
        rate.map_or_else(|| "-".to_owned(), |rate: bitrouter_contract::description::TokenPrice| rate.to_string())
    };
    format!("{}/{}", shown(price.rates.input), shown(price.rates.output))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(model: &str, record: &str) -> Line {
        ("acme".into(), model.into(), serde_json::from_str(record).unwrap())
    }

    #[test]
    fn what_is_new_gone_or_changed_is_said_by_provider() {
        let before =
            [line("a", r#"{"price":{"input":1,"output":2}}"#), line("b", "{}"), line("c", r#"{"max_output":5}"#)];
        let now = [
            line("a", r#"{"price":{"input":1,"output":2},"changes":[{"from":"2026-10-01","input":3}]}"#),
            line("c", r#"{"max_output":6}"#),
            line("d", "{}"),
        ];
        let expected = "  acme: 1 facts: c\n  acme: 1 gone: b\n  acme: 1 new: d\n  acme: 1 price: a 1/2 -> 3/-\n";
        assert_eq!(between(&before, &now), expected);
        assert_eq!(between(&now, &now), "");
    }
}
