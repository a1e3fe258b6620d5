//! What an author of a provider should hear of before a gateway does: more than a gateway refuses, as it puts up with
//! members and values that it does not know, which are typing errors more often than news.
//!
//! The test kits of the SDKs call it.

use serde_json::Value;

use super::problems;
use crate::description::{Description, understood};

/// Every mistake of a description, each a sentence with its place.
pub fn mistakes(json: &str) -> Vec<String> {
    let whole: Value = match serde_json::from_str(json) {
        Ok(value @ Value::Object(_)) => value,
        Ok(_) => return vec!["the description is not a JSON object".into()],
        Err(error) => return vec![format!("the description is not JSON: {error}")],
    };
    let mut known = whole.clone();
    let mut wrong = match understood::prune(&mut known) {
        Ok(not_understood) => not_understood.iter().map(|what| format!("{what} is not known")).collect(),
        Err(error) => vec![error.to_string()],
    };
    let description: Description = match serde_json::from_value(known.clone()) {
        Ok(description) => description,
        Err(error) => {
            wrong.push(error.to_string());
            return wrong;
        }
    };
    wrong.extend(problems(&description).into_iter().map(|(place, problem)| format!("{place}: {problem}")));
    if let Ok(read) = serde_json::to_value(&description) {
        unread("", &known, &read, &mut wrong);
    }
    wrong.extend(super::alike::unserved(&description));
    for model in &description.models {
        for operation in model.operations.iter().filter(|operation| !description.serves.contains_key(*operation)) {
            let model = &model.id;
            wrong.push(format!("the model `{model}` has the operation `{operation}`, which `serves` does not have"));
        }
    }
    wrong
}

/// Members that were written and that nothing reads.
fn unread(place: &str, written: &Value, read: &Value, wrong: &mut Vec<String>) {
    match (written, read) {
        (Value::Object(written), Value::Object(read)) => {
            for (name, value) in written.iter().filter(|(name, _)| *name != "$schema") {
                let place = if place.is_empty() { name.clone() } else { format!("{place}.{name}") };
                match read.get(name) {
                    Some(read) => unread(&place, value, read, wrong),
                    None => {
                        let names: Vec<&str> = read.keys().map(String::as_str).collect();
                        wrong.push(format!("`{place}` is no member; there are: {}", names.join(", ")));
                    }
                }
            }
        }
        (Value::Array(written), Value::Array(read)) => {
            for (at, (written, read)) in written.iter().zip(read).enumerate() {
                unread(&format!("{place}.{at}"), written, read, wrong);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::mistakes;

    #[test]
    fn a_mistake_is_named_with_its_place() {
        let text = r#"{
            "id": "Acme", "name": "Acme", "version": "1", "origin": {}, "origins": { "api": "http://acme.example" },
            "auth": [{ "method": "api-key", "attach": [{ "header": "a", "format": "Bearer", "claims": [] }] },
                     { "method": "api-key", "attach": [], "origins": ["auth"] }],
            "serves": { "generate": ["chat", "responses"] }, "models": [{ "id": "m", "operations": ["embeddings"] }]
        }"#;
        let wrong = mistakes(text).join("\n");
        for part in [
            "`origin` is no member",
            "`auth.0.attach.0.claims` is no member; there are: header, format, claim, secret",
            "`Acme` is not of the form",
            "http://acme.example",
            "no origin named `auth`",
            "`Bearer`",
            "`chat` is not known",
            "`embeddings`",
        ] {
            assert!(wrong.contains(part), "{part} is not in:\n{wrong}");
        }
    }

    #[test]
    fn what_is_no_description_at_all_is_one_sentence() {
        for (text, says) in [("{", "is not JSON"), ("[]", "is not a JSON object"), ("{}", "missing field `id`")] {
            assert!(matches!(&mistakes(text)[..], [only] if only.contains(says)), "{:?}", mistakes(text));
        }
    }

    #[test]
    fn a_fact_of_a_model_that_is_misspelt_is_named_with_those_that_there_are() {
        let text = r#"{
            "id": "acme", "name": "Acme", "version": "1", "origins": { "api": "https://acme.example" },
            "serves": { "generate": ["chat-completions"] },
            "models": [{ "id": "m", "max_outputs": 1, "max_input": null, "price": { "input": 1, "cached": 1 } }]
        }"#;
        let wrong = mistakes(text);
        assert_eq!(wrong.len(), 2, "{wrong:#?}");
        assert!(
            wrong[0].contains("`models.0.max_outputs` is no member") && wrong[0].contains("max_output,"),
            "{wrong:#?}"
        );
        assert!(wrong[1].contains("`models.0.price.cached` is no member"), "{wrong:#?}");
    }
}
