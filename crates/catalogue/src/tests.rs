//! The vendored files themselves: their form, and that they tell of the providers that are built in what they must.

use std::collections::BTreeSet;

use bitrouter_contract::Description;
use bitrouter_contract::description::family;
use time::Month;

use super::*;

fn day(year: i32, month: Month, day: u8) -> Date {
    Date::from_calendar_date(year, month, day).unwrap()
}

fn today() -> Date {
    day(2026, Month::November, 30)
}

/// What is known as the host would show it.
fn facts(provider: &str, vendor: Option<&str>, model: &str) -> Facts {
    find(provider, vendor, model, today()).iter().fold(Facts::default(), |known, (_, facts)| known.or(facts))
}

fn tables() -> [(&'static Table, Vec<Line>); 2] {
    [&MODELS_DEV, &GENAI_PRICES].map(|table| (table, read(table.text()).unwrap_or_else(|bad| panic!("{bad:?}"))))
}

#[test]
fn the_files_are_sorted_say_where_they_are_from_and_are_found_in_line_by_line() {
    for (table, records) in tables() {
        let Source { name, package, date } = table.source();
        assert!(!name.is_empty() && package.contains(' ') && date.len() == 10, "{name} {package} {date}");
        assert!(records.len() > 1000, "{name}: {}", records.len());
        for (provider, model, record) in &records {
            assert_eq!(table.get(provider, model).as_ref(), Some(record), "{name}: {provider} {model}");
            assert!(PROVIDERS.iter().any(|known| known.id == provider), "{name}: {provider}");
        }
        for (provider, model) in
            [("", ""), ("a", "a"), ("openai", "gpt"), ("openai", "gpt-5\t"), ("zzz", "z"), ("é", "ü")]
        {
            assert_eq!(table.get(provider, model), None, "{name}: {provider} {model}");
        }
    }
}

#[test]
fn a_file_is_written_the_same_whatever_the_order_and_read_again() {
    for (table, mut records) in tables() {
        let Source { name, package, date } = table.source();
        let licence = format!("MIT, see LICENSE-{name}");
        let head = [
            ("source", name),
            ("package", package),
            ("date", date),
            ("licence", &licence),
            ("made by", "cargo xtask update-models, and not to be edited"),
        ];
        records.reverse();
        assert!(write(&head, records).unwrap() == table.text(), "{name}");
    }
}

#[test]
fn a_file_out_of_order_or_form_is_told_by_its_line() {
    for (text, line, problem) in [
        ("# a: b\nopenai\tb\t{}\nopenai\ta\t{}\n", 3, "openai a does not stand behind openai b"),
        ("openai\ta\t{}\nopenai\ta\t{}\n", 2, "does not stand behind"),
        ("openai\ta\n", 1, "no three columns"),
        ("openai\ta\t{\"price\":{\"input\":-1}}\n", 1, "US dollars"),
        ("openai\ta\t{ }\n", 1, "not written as they would be"),
    ] {
        let bad = read(text).unwrap_err();
        assert!(bad.line == line && bad.problem.contains(problem), "{text}: {bad:?}");
    }
}

#[test]
fn what_is_said_is_plausible() {
    for (table, records) in tables() {
        let (mut limited, mut contradicting, mut priced, mut dear_caches) = (0, 0, 0, 0);
        for (provider, model, record) in &records {
            let place = format!("{}: {provider} {model}", table.source().name);
            let Facts { context_window, max_input, max_output, .. } = record.facts;
            assert!(
                context_window.is_none_or(|tokens| (1..=20_000_000).contains(&tokens)),
                "{place}: {context_window:?}"
            );
            assert!(max_input.is_none_or(|tokens| Some(tokens) < context_window), "{place}: {max_input:?}");
            limited += usize::from(context_window.is_some() && max_output.is_some());
            contradicting += usize::from(max_output > context_window && context_window.is_some());
            let prices = record.facts.price.iter().chain(record.changes.iter().map(|change| &change.price));
            for price in prices {
                assert!(price.rates.each().next().is_some(), "{place}: a price without rates");
                assert!(price.tiers.is_sorted_by(|one, next| one.above < next.above), "{place}: {:?}", price.tiers);
                priced += 1;
                dear_caches += usize::from(price.rates.cache_read > price.rates.input);
            }
            assert!(record.changes.is_sorted_by(|one, next| one.from < next.from), "{place}");
            assert!(record.changes.iter().all(|change| change.from.len() == 10), "{place}");
        }
        // Windows that count the request alone, as Google's speech models have, and mistakes of the sources.
        assert!(contradicting * 50 <= limited, "{}: {contradicting} of {limited}", table.source().name);
        // To be cheaper is what a cache is for.
        assert!(dear_caches * 100 <= priced, "{}: {dear_caches} of {priced}", table.source().name);
    }
}

/// The descriptions in `plugins/` that list models themselves.
fn built_in() -> Vec<Description> {
    let plugins = concat!(env!("CARGO_MANIFEST_DIR"), "/../../plugins");
    let folders = std::fs::read_dir(plugins).unwrap().map(|entry| entry.unwrap().path().join("description.json"));
    let texts = folders.filter(|file| file.is_file()).map(|file| std::fs::read_to_string(file).unwrap());
    let entries = texts.flat_map(|text| family::entries(&text).unwrap());
    let described = entries.map(|entry| serde_json::from_str::<Description>(&entry).unwrap());
    described.filter(|description| !description.models.is_empty()).collect()
}

#[test]
fn every_built_in_provider_has_models_with_limits_and_prices() {
    let descriptions = built_in();
    assert!(descriptions.len() >= 4);
    for description in descriptions {
        let generates = |model: &&bitrouter_contract::description::Model| {
            model.operations.is_empty() || model.operations.iter().any(|operation| operation == "generate")
        };
        let models: Vec<&str> = description.models.iter().filter(generates).map(|model| model.id.as_str()).collect();
        let facts = |model: &&&str| facts(&description.id, description.vendor.as_deref(), model);
        let known = |has: fn(&Facts) -> bool| models.iter().filter(|model| has(&facts(model))).count();
        let (limited, priced) = (known(|facts| facts.context_window.is_some()), known(|facts| facts.price.is_some()));
        // The newest are in no data yet.
        let least = models.len() / 2;
        assert!(limited > least && priced > least, "{}: {limited} and {priced} of {models:?}", description.id);
    }
}

#[test]
fn the_vendors_own_models_write_no_more_than_they_hold() {
    for (provider, model, record) in tables().into_iter().flat_map(|(_, records)| records) {
        let Facts { context_window, max_output, .. } = record.facts;
        if ["openai", "anthropic"].contains(&provider.as_str()) && context_window.is_some() {
            assert!(max_output <= context_window, "{provider} {model}");
        }
    }
}

#[test]
fn a_price_is_that_of_the_day() {
    let changing = tables()[1].1.iter().find(|(_, _, record)| !record.changes.is_empty()).cloned().unwrap();
    let (first, change) = (changing.2.facts.price.clone(), changing.2.changes[0].clone());
    let from = Date::parse(&change.from, &time::format_description::well_known::Iso8601::DATE).unwrap();
    assert_eq!(changing.2.clone().on(from.previous_day().unwrap()).price, first);
    assert_eq!(changing.2.on(from).price, Some(change.price));
}

#[test]
fn a_snapshot_is_priced_as_its_model_and_a_reseller_by_itself() {
    let snapshot = facts("openai", None, "gpt-5-2099-12-31");
    assert_eq!(snapshot.price, facts("openai", None, "gpt-5").price);
    assert!(snapshot.price.is_some() && snapshot.context_window.is_some());
    // Of a provider that serves OpenAI's models the limits are known, and what it asks for them is not.
    let resold = facts("acme", Some("openai"), "gpt-5");
    assert_eq!((resold.context_window, resold.price), (snapshot.context_window, None));
    let through = facts("openrouter", None, "openai/gpt-5");
    assert!(through.price.is_some());
}

#[test]
fn of_what_is_in_no_data_nothing_is_known() {
    for (provider, model) in
        [("acme", "gpt-5"), ("openai", "gpt-5x"), ("openai", "gpt"), ("openai", ""), ("", ""), ("ollama", "llama3.2")]
    {
        assert_eq!(find(provider, None, model, today()), [], "{provider} {model}");
    }
}

#[test]
fn the_prices_of_two_sources_are_of_one_kind() {
    // Where both have a price it is of the same order: a unit that was misread would be off by a thousand.
    let mut compared = 0;
    let mut far = BTreeSet::new();
    for (provider, model, _) in &tables()[0].1 {
        let price = |table: &Table| table.get(provider, model)?.on(today()).price?.rates.input;
        let (Some(one), Some(other)) = (price(&MODELS_DEV), price(&GENAI_PRICES)) else { continue };
        compared += 1;
        let (least, most) = (one.min(other).picodollars(), one.max(other).picodollars());
        if least > 0 && most > 100 * least {
            far.insert(format!("{provider} {model}: {one} and {other}"));
        }
    }
    assert!(compared > 500, "{compared}");
    assert!(far.is_empty(), "{far:#?}");
}
