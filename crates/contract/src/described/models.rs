//! Reads a page of a list of models, by the pointers that its side request gives, and says how the next one is asked for.

use serde_json::Value;

use crate::description::{Description, Facts, Model, SideRequest};

/// Where the list is with most.
const LIST: &str = "/data";
/// Where a model's name is with most.
const ID: &str = "/id";

/// A page of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Its models, in its order. What has no name is left out.
    pub models: Vec<Model>,
    /// The query parameter that asks for the next page, where there is one.
    pub next: Option<(String, String)>,
}

impl Page {
    /// Reads the body of an answer to this side request of the provider.
    ///
    /// # Errors
    ///
    /// A sentence: it is not JSON, or has no list where one should be.
    pub fn read(description: &Description, side: &SideRequest, body: &str) -> Result<Self, String> {
        let Description { id, name, .. } = description;
        let page: Value = serde_json::from_str(body)
            .map_err(|_| format!("the list of models is cut off, or not in the form of {name}"))?;
        let list = side.list.as_deref().unwrap_or(LIST);
        let Some(items) = page.pointer(list) else {
            let place = if list == LIST { String::new() } else { format!(": there is no list at `{list}`") };
            return Err(format!("the list of models is not in the form that {id} documents{place}"));
        };
        let items = items.as_array().map(Vec::as_slice).unwrap_or_default();
        Ok(Page { models: items.iter().filter_map(|item| model(side, item)).collect(), next: next(side, &page) })
    }
}

fn model(side: &SideRequest, item: &Value) -> Option<Model> {
    let left_out = |(pointer, value): (&String, &String)| item.pointer(pointer).and_then(Value::as_str) == Some(value);
    if side.unless.iter().any(left_out) {
        return None;
    }
    // A list of nothing but names.
    let id = if item.is_string() { item } else { item.pointer(side.id.as_deref().unwrap_or(ID))? };
    let id = id.as_str()?;
    let id = side.prefix.as_deref().and_then(|prefix| id.strip_prefix(prefix)).unwrap_or(id);
    let tokens = |pointer: &Option<String>| item.pointer(pointer.as_deref()?)?.as_u64();
    let (context_window, max_output) = (tokens(&side.context_window), tokens(&side.max_output));
    let facts = Facts { context_window, max_output, ..Facts::default() };
    Some(Model { id: id.to_owned(), operations: operations(side, item)?, facts })
}

/// The operations that an item names, empty for all of the provider's; nothing where it is for none of ours.
fn operations(side: &SideRequest, item: &Value) -> Option<Vec<String>> {
    let Some(described) = &side.operations else { return Some(Vec::new()) };
    let Some(names) = item.pointer(&described.list).and_then(Value::as_array) else { return Some(Vec::new()) };
    let mut operations: Vec<String> = Vec::new();
    for operation in names.iter().filter_map(|name| described.names.get(name.as_str()?)) {
        if !operations.contains(operation) {
            operations.push(operation.clone());
        }
    }
    (!operations.is_empty()).then_some(operations)
}

fn next(side: &SideRequest, page: &Value) -> Option<(String, String)> {
    let next = side.next.as_ref()?;
    let more = next.more.as_deref().is_none_or(|more| page.pointer(more) == Some(&Value::Bool(true)));
    let value = page.pointer(&next.value).filter(|_| more)?;
    let value = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    (!value.is_empty()).then(|| (next.query.clone(), value))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn acme() -> Description {
        let description = json!({
            "id": "acme", "name": "Acme AI", "version": "1", "origins": { "api": "https://acme.example" },
            "serves": { "generate": ["messages"] },
        });
        serde_json::from_value(description).unwrap()
    }

    fn read(side: Value, page: Value) -> Result<Page, String> {
        let mut whole = json!({ "kind": "models", "path": "/models" });
        whole.as_object_mut().unwrap().extend(side.as_object().cloned().unwrap());
        Page::read(&acme(), &serde_json::from_value(whole).unwrap(), &page.to_string())
    }

    fn names(side: Value, page: Value) -> Vec<String> {
        let models = read(side, page).unwrap().models.into_iter();
        let tokens = |tokens: Option<u64>| tokens.map_or(String::new(), |tokens| format!(" {tokens}"));
        models.map(|model| model.id + &tokens(model.facts.context_window) + &tokens(model.facts.max_output)).collect()
    }

    #[test]
    fn lists_are_read_as_openai_together_ollama_codex_and_google_write_them() {
        for (side, page, expected) in [
            (json!({}), json!({ "data": [{ "id": "a" }, { "id": "b" }, { "name": "c" }, 7, null] }), &["a", "b"][..]),
            (json!({ "list": "" }), json!([{ "id": "a" }, "b"]), &["a", "b"]),
            (json!({ "list": "/models", "id": "/name" }), json!({ "models": [{ "name": "a:7b" }] }), &["a:7b"]),
            (
                json!({ "list": "/models", "id": "/slug", "context_window": "/limits/0", "unless": { "/visibility": "hide" } }),
                json!({ "models": [
                    { "slug": "a", "limits": [9] }, { "slug": "b", "visibility": "hide" }, { "slug": "c", "limits": null },
                ] }),
                &["a 9", "c"],
            ),
            (
                json!({
                    "list": "/models", "id": "/name", "prefix": "models/", "context_window": "/inputTokenLimit",
                    "max_output": "/outputTokenLimit",
                }),
                json!({ "models": [
                    { "name": "models/gemini-3", "inputTokenLimit": 1048576, "outputTokenLimit": 65536 }, { "name": "tuned" },
                ] }),
                &["gemini-3 1048576 65536", "tuned"],
            ),
        ] {
            assert_eq!(names(side.clone(), page), expected, "{side}");
        }
    }

    #[test]
    fn what_an_item_is_good_for_is_read_and_what_is_for_nothing_here_is_left_out() {
        let side = json!({ "operations": { "list": "/methods", "names": { "make": "generate", "makeLong": "generate", "count": "count-tokens" } } });
        let page = json!({ "data": [
            { "id": "chat", "methods": ["make", "bake", "count", "makeLong"] }, { "id": "film", "methods": ["shoot"] },
            { "id": "none", "methods": [] }, { "id": "silent" },
        ] });
        let models = read(side, page).unwrap().models;
        let read: Vec<_> = models.iter().map(|model| format!("{} {}", model.id, model.operations.join(" "))).collect();
        assert_eq!(read, ["chat generate count-tokens", "silent "]);
    }

    #[test]
    fn the_next_page_is_asked_for_as_anthropic_and_google_want_it() {
        let anthropic = json!({ "next": { "query": "after_id", "value": "/last_id", "more": "/has_more" } });
        let google = json!({ "next": { "query": "pageToken", "value": "/nextPageToken" } });
        for (side, page, expected) in [
            (&anthropic, json!({ "data": [], "last_id": "m 2", "has_more": true }), Some(("after_id", "m 2"))),
            (&anthropic, json!({ "data": [], "last_id": "m2", "has_more": false }), None),
            (&anthropic, json!({ "data": [], "last_id": "m2" }), None),
            (&anthropic, json!({ "data": [], "last_id": null, "has_more": true }), None),
            (&google, json!({ "data": [], "nextPageToken": "t" }), Some(("pageToken", "t"))),
            (&google, json!({ "data": [], "nextPageToken": 2 }), Some(("pageToken", "2"))),
            (&google, json!({ "data": [], "nextPageToken": "" }), None),
            (&google, json!({ "data": [] }), None),
            (&json!({}), json!({ "data": [], "nextPageToken": "t" }), None),
        ] {
            let next = read(side.clone(), page.clone()).unwrap().next;
            let next = next.as_ref().map(|(name, value)| (name.as_str(), value.as_str()));
            assert_eq!(next, expected, "{side} {page}");
        }
    }

    #[test]
    fn what_is_no_list_is_said_with_the_place_where_it_should_be() {
        let side = json!({ "list": "/models" });
        let refused = read(side.clone(), json!({ "data": [] })).unwrap_err();
        assert_eq!(refused, "the list of models is not in the form that acme documents: there is no list at `/models`");
        let whole: SideRequest = serde_json::from_value(json!({ "kind": "models", "path": "/models" })).unwrap();
        assert_eq!(
            Page::read(&acme(), &whole, "{\"data\":[{\"id\":").unwrap_err(),
            "the list of models is cut off, or not in the form of Acme AI"
        );
    }
}
