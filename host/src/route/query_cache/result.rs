//! The result of a query, checked. A component wrote it from a page that others control, so only its form is believed,
//! within bounds.

use std::collections::HashSet;

use bitrouter_contract::OPERATIONS;
use bitrouter_contract::described::Window;
use bitrouter_contract::description::{Model, SideKind};
use serde::{Deserialize, Serialize};

/// The most models of one list: aggregators have some hundreds.
pub(crate) const MOST_MODELS: usize = 4096;
/// The longest id of a model, in bytes.
const LONGEST_ID: usize = 256;
/// The longest name of a plan, in characters.
const LONGEST_PLAN: usize = 64;

/// The result of a query.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum QueryResult {
    /// The models that an account may use.
    Models(Vec<Model>),
    /// How much of an account's plan is used.
    Usage(Usage),
}

/// How much of an account's plan is used.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    /// The plan's windows.
    #[serde(default)]
    pub windows: Vec<Window>,
    /// The plan's name.
    #[serde(default)]
    pub plan: Option<String>,
}

#[derive(Deserialize)]
struct ModelsPage {
    models: Vec<Model>,
}

impl QueryResult {
    /// A list of models. The error says what is wrong with it.
    pub(crate) fn listed(all: Vec<Model>) -> Result<Self, String> {
        models(all).map(QueryResult::Models)
    }

    /// Reads the JSON that `interpret` returned. The error says what is wrong with it.
    pub(crate) fn read(kind: SideKind, json: &str) -> Result<Self, String> {
        match kind {
            SideKind::Models => {
                let page: ModelsPage = serde_json::from_str(json).map_err(|error| error.to_string())?;
                Self::listed(page.models)
            }
            SideKind::Usage => {
                let mut usage: Usage = serde_json::from_str(json).map_err(|error| error.to_string())?;
                let plain =
                    |plan: String| plan.chars().filter(|letter| !letter.is_control()).take(LONGEST_PLAN).collect();
                usage.plan = usage.plan.map(plain).filter(|plan: &String| !plan.is_empty());
                Ok(QueryResult::Usage(usage))
            }
            SideKind::Account => Err("side requests of the kind `account` are not there yet".into()),
        }
    }
}

/// A list in which every name can be asked for, each once.
fn models(mut models: Vec<Model>) -> Result<Vec<Model>, String> {
    if models.is_empty() {
        // Upstreams are known to answer so where they mean "what you had": it says nothing.
        return Err("it lists no models".into());
    }
    if models.len() > MOST_MODELS {
        return Err(format!("it lists {} models; at most {MOST_MODELS} are taken", models.len()));
    }
    for model in &models {
        let id = &model.id;
        if id.is_empty() || id.len() > LONGEST_ID || id.chars().any(char::is_control) {
            let shown: String = id.chars().take(40).flat_map(char::escape_debug).collect();
            return Err(format!("`{shown}` is not a model's name: 1 to {LONGEST_ID} bytes without control characters"));
        }
        if let Some(operation) = model.operations.iter().find(|name| !OPERATIONS.contains(&name.as_str())) {
            let shown: String = operation.chars().take(40).flat_map(char::escape_debug).collect();
            return Err(format!("the model `{id}` has an operation `{shown}` that is not known"));
        }
    }
    let mut seen = HashSet::new();
    models.retain(|model| seen.insert(model.id.clone()));
    Ok(models)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_models_is_read_and_each_name_is_there_once() {
        let json = r#"{"models":[{"id":"a","context_window":5,"new":1},{"id":"b"},{"id":"a"}],"more":true}"#;
        let QueryResult::Models(models) = QueryResult::read(SideKind::Models, json).unwrap() else {
            panic!("no models")
        };
        let ids: Vec<_> = models.iter().map(|model| (model.id.as_str(), model.facts.context_window)).collect();
        assert_eq!(ids, [("a", Some(5)), ("b", None)]);
    }

    #[test]
    fn what_is_not_in_the_form_of_its_kind_is_refused_with_a_reason() {
        let many = format!(r#"{{"models":[{}]}}"#, vec![r#"{"id":"m"}"#; MOST_MODELS + 1].join(","));
        let long = format!(r#"{{"models":[{{"id":"{}"}}]}}"#, "x".repeat(LONGEST_ID + 1));
        for (json, why) in [
            ("", "EOF"),
            ("[]", "invalid"),
            ("{}", "missing field `models`"),
            (r#"{"models":[]}"#, "it lists no models"),
            (r#"{"models":[{"id":7}]}"#, "expected a string"),
            (r#"{"models":[{"id":""}]}"#, "is not a model's name"),
            (r#"{"models":[{"id":"a\u001b[2J"}]}"#, "is not a model's name"),
            (r#"{"models":[{"id":"a","operations":["fly"]}]}"#, "`fly`"),
            (long.as_str(), "is not a model's name"),
            (many.as_str(), "at most 4096"),
        ] {
            let refused = QueryResult::read(SideKind::Models, json).unwrap_err();
            assert!(refused.contains(why), "{json:.60}: {refused}");
            assert!(!refused.contains('\u{1b}'), "{refused:?}");
        }
        assert!(
            QueryResult::read(SideKind::Usage, r#"{"windows":[{"used_percent":1}]}"#).unwrap_err().contains("name")
        );
    }

    #[test]
    fn usage_is_read_with_what_is_there() {
        let json = r#"{"windows":[{"name":"weekly","used_percent":7.5,"resets_at":9}],"plan":"plus\u0007"}"#;
        let QueryResult::Usage(usage) = QueryResult::read(SideKind::Usage, json).unwrap() else { panic!("no usage") };
        assert_eq!(usage.plan.as_deref(), Some("plus"));
        let windows = usage.windows;
        assert_eq!(
            (windows[0].name.as_str(), windows[0].used_percent, windows[0].resets_at),
            ("weekly", Some(7.5), Some(9))
        );
    }
}
