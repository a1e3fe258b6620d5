//! A page of a list of models that the description's reader read, as the JSON in which a component would say it.

use bitrouter_contract::described::Page;
use bitrouter_contract::description::Model;
use serde_json::{Value, json};

/// The page as JSON of the kind `models`, with how the next one is asked for.
pub fn written(page: Page) -> String {
    let model = |model: Model| {
        let mut shown = json!({ "id": model.id });
        if !model.operations.is_empty() {
            shown["operations"] = Value::from(model.operations);
        }
        if let Some(window) = model.facts.context_window {
            shown["context_window"] = Value::from(window);
        }
        if let Some(tokens) = model.facts.max_output {
            shown["max_output"] = Value::from(tokens);
        }
        shown
    };
    let mut read = json!({ "models": page.models.into_iter().map(model).collect::<Vec<_>>() });
    if let Some((query, value)) = page.next {
        read["next"] = json!({ query: value });
    }
    read.to_string()
}
