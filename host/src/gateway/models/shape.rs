//! How models are listed: in the shape that whoever asks reads, OpenAI's, Anthropic's or Google's.
//!
//! `models` finds them; here they are only written. What is not known is left out.

use bitrouter_dialect::Dialect;
use serde_json::{Value, json};

use super::page::Page;

/// A model as any of the shapes is written from.
pub(super) struct Entry {
    /// The name that a request would use.
    pub id: String,
    /// Who would answer it.
    pub owner: String,
    /// The most tokens that a call may hold, where that is known.
    pub context_window: Option<u64>,
    /// What Google's clients may do with it, in Google's words.
    pub methods: Vec<&'static str>,
}

/// A page of them.
pub(super) fn list(shape: Dialect, page: &Page<'_>) -> Value {
    let Page { entries, more } = page;
    let models: Vec<Value> = entries.iter().map(|entry| one(shape, entry)).collect();
    match shape {
        Dialect::GenerateContent => {
            let mut list = json!({ "models": models });
            if let Some(last) = entries.last().filter(|_| *more) {
                list["nextPageToken"] = json!(last.id);
            }
            list
        }
        Dialect::Messages => json!({
            "data": models,
            "has_more": more,
            "first_id": entries.first().map(|entry| &entry.id),
            "last_id": entries.last().map(|entry| &entry.id),
        }),
        Dialect::ChatCompletions | Dialect::Responses => json!({ "object": "list", "data": models }),
    }
}

/// One of them.
pub(super) fn one(shape: Dialect, entry: &Entry) -> Value {
    let Entry { id, owner, context_window, methods } = entry;
    match shape {
        Dialect::GenerateContent => {
            let name = format!("models/{id}");
            let mut model = json!({ "name": name, "displayName": id, "supportedGenerationMethods": methods });
            if let Some(window) = context_window {
                model["inputTokenLimit"] = json!(window);
            }
            model
        }
        // When a model came out is not known, and Anthropic says that by this very date.
        Dialect::Messages => {
            json!({ "type": "model", "id": id, "display_name": id, "created_at": "1970-01-01T00:00:00Z" })
        }
        Dialect::ChatCompletions | Dialect::Responses => {
            json!({ "id": id, "object": "model", "created": 0, "owned_by": owner })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(id: &str, context_window: Option<u64>) -> Entry {
        Entry { id: id.into(), owner: "acme".into(), context_window, methods: vec!["generateContent"] }
    }

    #[test]
    fn each_client_reads_the_list_in_its_own_shape() {
        let entries = [entry("a", None), entry("acme:b", Some(1000))];
        let list = |shape, entries, more| list(shape, &Page { entries, more });
        assert_eq!(
            list(Dialect::GenerateContent, &entries, false),
            json!({ "models": [
                { "name": "models/a", "displayName": "a", "supportedGenerationMethods": ["generateContent"] },
                {
                    "name": "models/acme:b", "displayName": "acme:b", "inputTokenLimit": 1000,
                    "supportedGenerationMethods": ["generateContent"],
                },
            ] })
        );
        let anthropic = list(Dialect::Messages, &entries, true);
        assert_eq!((&anthropic["first_id"], &anthropic["last_id"]), (&json!("a"), &json!("acme:b")));
        assert_eq!((&anthropic["has_more"], &anthropic["data"][1]["type"]), (&json!(true), &json!("model")));
        let openai = list(Dialect::ChatCompletions, &entries[..1], false);
        let model = json!({ "id": "a", "object": "model", "created": 0, "owned_by": "acme" });
        assert_eq!(openai, json!({ "object": "list", "data": [model] }));
        let nothing = list(Dialect::Messages, &[], false);
        assert_eq!(list(Dialect::GenerateContent, &entries, true)["nextPageToken"], "acme:b");
        assert_eq!((&nothing["first_id"], &nothing["data"]), (&Value::Null, &json!([])));
    }
}
