//! Finds mistakes in a description that a provider's author should hear of before the host does. `check` calls it. The
//! host tolerates members that it does not know, because descriptions grow; here they are taken for typing errors.

use serde_json::{Map, Value};

const MEMBERS: [&str; 16] = [
    "id",
    "name",
    "version",
    "vendor",
    "origins",
    "auth",
    "serves",
    "forward",
    "forward_query",
    "claims",
    "models",
    "side_requests",
    "observe",
    "settings",
    "billing",
    "$schema",
];

const DIALECTS: [&str; 5] = ["chat-completions", "responses", "messages", "generate-content", "openai"];

/// Every mistake, each with its place.
pub(super) fn mistakes(text: &str) -> Vec<String> {
    let description: Value = match serde_json::from_str(text) {
        Ok(description) => description,
        Err(error) => return vec![format!("the description is not JSON: {error}")],
    };
    let Some(members) = description.as_object() else {
        return vec!["the description is not a JSON object".into()];
    };
    let mut wrong = Vec::new();
    for name in members.keys().filter(|name| !MEMBERS.contains(&name.as_str())) {
        wrong.push(format!("`{name}` is no member of a description; there are: {}", MEMBERS.join(", ")));
    }
    for name in ["id", "name", "version"] {
        if !members.get(name).is_some_and(Value::is_string) {
            wrong.push(format!("`{name}` is missing, or no string"));
        }
    }
    let id = description["id"].as_str().unwrap_or_default();
    if !is_id(id) {
        wrong.push(format!("`id` is `{id}`, but must be [a-z][a-z0-9-]{{0,31}}"));
    }
    let origins = object(&description, "origins");
    for (name, url) in &origins {
        let url = url.as_str().unwrap_or_default();
        let plain = url.starts_with("http://127.0.0.1")
            || url.starts_with("http://localhost")
            || url.starts_with("http://[::1]");
        if !url.starts_with("https://") && !plain || url.contains(['?', '#']) {
            wrong.push(format!("origin `{name}` is `{url}`, but must be https without query or fragment"));
        }
    }
    let named = |wrong: &mut Vec<String>, place: String, origin: &Value| {
        let origin = origin.as_str().unwrap_or("api");
        if !origins.contains_key(origin) {
            wrong.push(format!("{place} names the origin `{origin}`, which `origins` does not have"));
        }
    };
    for (at, way) in array(&description, "auth").iter().enumerate() {
        match way["origins"].as_array() {
            Some(list) => list.iter().for_each(|origin| named(&mut wrong, format!("auth[{at}]"), origin)),
            None => named(&mut wrong, format!("auth[{at}]"), &Value::Null),
        }
        for attach in way["attach"].as_array().into_iter().flatten() {
            if attach["format"].as_str().is_some_and(|format| format.matches("{}").count() != 1) {
                wrong.push(format!("auth[{at}]: the format `{}` must hold `{{}}` once", attach["format"]));
            }
        }
    }
    for (name, side) in &object(&description, "side_requests") {
        named(&mut wrong, format!("the side request `{name}`"), &side["origin"]);
    }
    let serves = object(&description, "serves");
    for (operation, dialects) in &serves {
        for dialect in dialects.as_array().into_iter().flatten().filter_map(Value::as_str) {
            if !DIALECTS.contains(&dialect) {
                wrong.push(format!("`{operation}` is served as `{dialect}`; there are: {}", DIALECTS.join(", ")));
            }
        }
    }
    for model in array(&description, "models") {
        for operation in model["operations"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            if !serves.contains_key(operation) {
                wrong.push(format!(
                    "the model {} has the operation `{operation}`, which `serves` does not have",
                    model["id"]
                ));
            }
        }
    }
    wrong
}

fn is_id(id: &str) -> bool {
    let rest = id.strip_prefix(|first: char| first.is_ascii_lowercase());
    rest.is_some_and(|rest| {
        rest.len() < 32 && rest.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    })
}

fn object(value: &Value, name: &str) -> Map<String, Value> {
    value[name].as_object().cloned().unwrap_or_default()
}

fn array(value: &Value, name: &str) -> Vec<Value> {
    value[name].as_array().cloned().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::mistakes;

    #[test]
    fn a_mistake_is_named_with_its_place() {
        let text = r#"{
            "id": "Acme", "name": "Acme", "version": "1", "origin": {}, "origins": { "api": "http://acme.example" },
            "auth": [{ "method": "api-key", "attach": [{ "header": "a", "format": "Bearer" }], "origins": ["auth"] }],
            "serves": { "generate": ["chat"] }, "models": [{ "id": "m", "operations": ["embeddings"] }]
        }"#;
        let wrong = mistakes(text).join("\n");
        for part in [
            "`origin` is no member",
            "`Acme`, but must",
            "http://acme.example",
            "`auth`, which",
            "\"Bearer\"",
            "`chat`",
            "`embeddings`",
        ] {
            assert!(wrong.contains(part), "{part} is not in:\n{wrong}");
        }
    }
}
