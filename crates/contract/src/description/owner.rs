//! Who owns an id: which objects (responses, conversations, files, uploads, batches) the requests of an operation make and
//! name, so that each is asked for where it was made and nowhere else.
//!
//! What holds for a dialect stands in `owner.json`; a description says only what it has otherwise. The host reads it.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Description;

/// The operations on objects that a provider keeps under an id, which are also what the objects are called.
pub const OBJECTS: [&str; 5] = ["responses", "conversations", "files", "uploads", "batches"];

/// Which objects requests make and name. Each is called as its operation is: `responses`, `conversations`, `files`, `uploads` or
/// `batches`. Places are JSON pointers (RFC 6901) in which `*` stands for every item of a list.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
pub struct Owner {
    /// Where an answer, or an event of one, has the ids of objects that its account has from then on.
    #[serde(default)]
    pub makes: BTreeMap<String, String>,
    /// Where a request names objects: in its body, or `?` and the name of a parameter of its query.
    #[serde(default)]
    pub names: BTreeMap<String, String>,
    /// Requests that make nothing: those that have one of these JSON values there.
    #[serde(default)]
    pub unless: BTreeMap<String, String>,
}

/// Operations, each with what its requests make and name in each dialect.
pub type Owners = BTreeMap<String, BTreeMap<String, Owner>>;

/// What holds where a description says nothing.
static USUAL: LazyLock<Owners> =
    LazyLock::new(|| serde_json::from_str(include_str!("owner.json")).expect("a test reads the same text"));

impl Description {
    /// Which objects the requests of an operation make and name, in a dialect; none where they do neither.
    pub fn owner_of(&self, operation: &str, dialect: &str) -> Option<&Owner> {
        let own = self.owner.get(operation).and_then(|dialects| dialects.get(dialect));
        own.or_else(|| USUAL.get(operation)?.get(dialect))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{OPERATIONS, validate};

    #[test]
    fn what_usually_holds_is_of_known_operations_and_objects_and_its_places_are_pointers() {
        let mut places = 0;
        for (operation, owners) in &*USUAL {
            assert!(OPERATIONS.contains(&operation.as_str()), "{operation}");
            for (place, object) in owners.values().flat_map(|owner| owner.makes.iter().chain(&owner.names)) {
                assert!(place.starts_with('/') || place.starts_with('?'), "{operation}: {place}");
                assert!(OBJECTS.contains(&object.as_str()), "{operation}: {object}");
                places += 1;
            }
        }
        assert!(places > 30, "{places}");
        assert!(OBJECTS.iter().all(|object| OPERATIONS.contains(object)));
    }

    #[test]
    fn what_a_description_says_takes_the_place_of_what_its_dialect_has() {
        let mut text = json!({
            "id": "acme", "name": "Acme", "version": "1", "origins": { "api": "https://acme.example" },
            "serves": { "generate": ["responses"], "files": ["openai"] },
        });
        let read = |text: &serde_json::Value| validate::description(&text.to_string()).unwrap();
        let usual = read(&text);
        let named = |description: &Description| {
            let owner = description.owner_of("generate", "responses").unwrap();
            owner.names.get("/previous_response_id").cloned()
        };
        assert_eq!(named(&usual).as_deref(), Some("responses"));
        assert_eq!(usual.owner_of("generate", "generate-content"), None);
        text["owner"] = json!({ "generate": { "responses": { "makes": { "/answer": "responses" } } } });
        let own = read(&text);
        assert_eq!(named(&own), None);
        assert_eq!(own.owner_of("generate", "responses").unwrap().makes["/answer"], "responses");
        assert_eq!(own.owner_of("files", "openai"), usual.owner_of("files", "openai"));
    }
}
