//! A file of several descriptions: `{"providers": [{…}, {…}]}`. What stands beside `providers` holds for each of them that
//! does not say it itself.
//!
//! The plugin room takes files and `describe`d texts apart with it before anything of them is checked.

use serde_json::{Map, Value};

use crate::validate::Invalid;

/// The member that holds the entries.
const PROVIDERS: &str = "providers";
/// The most entries of one file.
const MAX_ENTRIES: usize = 256;

/// The descriptions that a text holds, each as JSON text: the text itself where it is of one provider.
///
/// # Errors
///
/// It is not JSON, or its `providers` is no list of objects.
pub fn entries(text: &str) -> Result<Vec<String>, Invalid> {
    let Value::Object(mut whole) = serde_json::from_str(text)? else { return Ok(vec![text.to_owned()]) };
    let Some(entries) = whole.remove(PROVIDERS) else { return Ok(vec![text.to_owned()]) };
    let wrong = |problem: String| Invalid::Member { place: PROVIDERS.into(), problem };
    let Value::Array(entries) = entries else { return Err(wrong("it must be a list of descriptions".into())) };
    if entries.is_empty() || entries.len() > MAX_ENTRIES {
        return Err(wrong(format!("it has {} entries; a file has 1 to {MAX_ENTRIES}", entries.len())));
    }
    let entry = |(at, entry): (usize, Value)| match entry {
        Value::Object(entry) => Ok(Value::Object(joined(&whole, entry)).to_string()),
        _ => Err(wrong(format!("entry {at} is no object"))),
    };
    entries.into_iter().enumerate().map(entry).collect()
}

/// The entry, with what is shared and it does not say.
fn joined(shared: &Map<String, Value>, entry: Map<String, Value>) -> Map<String, Value> {
    let mut joined = shared.clone();
    joined.remove("$schema");
    joined.extend(entry);
    joined
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(text: &Value) -> Vec<Value> {
        entries(&text.to_string()).unwrap().iter().map(|entry| serde_json::from_str(entry).unwrap()).collect()
    }

    #[test]
    fn what_stands_beside_the_entries_holds_for_each_that_does_not_say_it() {
        let family = json!({
            "$schema": "s", "version": "2", "limits": { "headers": ["a-{value}"] },
            "providers": [{ "id": "a" }, { "id": "b", "version": "3", "limits": {} }],
        });
        let shared = json!({ "id": "a", "version": "2", "limits": { "headers": ["a-{value}"] } });
        assert_eq!(read(&family), [shared, json!({ "id": "b", "version": "3", "limits": {} })]);
    }

    #[test]
    fn a_description_of_one_provider_is_itself_to_the_byte() {
        let text = "{ \"id\": \"a\" }";
        assert_eq!(entries(text).unwrap(), [text]);
    }

    #[test]
    fn a_family_without_entries_or_with_something_else_in_it_is_refused() {
        for (family, says) in [
            (json!({ "providers": [] }), "has 0 entries"),
            (json!({ "providers": vec![json!({}); 257] }), "has 257 entries"),
            (json!({ "providers": {} }), "a list of descriptions"),
            (json!({ "providers": [{}, 7] }), "entry 1 is no object"),
        ] {
            let refused = entries(&family.to_string()).unwrap_err().to_string();
            assert!(refused.starts_with("providers: ") && refused.contains(says), "{refused}");
        }
        assert!(entries("{").is_err());
    }
}
