//! The models that a request asks for: the address in `model`, or the list in `models`.
//!
//! The gateway reads every body through here, and `bitrouter route --request` a file. What an address stands for is not
//! known here, and no provider ever sees the list.

use std::ops::Deref;

use bitrouter_document::{Document, Edit, Kind};
use thiserror::Error;

use super::address::{self, AddressError};

/// The most addresses of one list, in a request or under a name of the config: each may cost a wait before the next.
pub const MOST_ADDRESSES: usize = 8;

/// The longest list, in bytes of its JSON: 8 addresses of 512 bytes, written with escapes.
const MAX_BYTES: u32 = 32 << 10;

/// Why a request asks for nothing that can be looked up.
#[derive(Debug, PartialEq, Eq, Error)]
pub enum RequestedModelsError {
    /// `models` is not what it should be.
    #[error(
        "`models` {problem}: it takes a list of 1 to {MOST_ADDRESSES} addresses, such as [\"openai-codex:gpt-5.5\", \"openai:gpt-5.5\"]"
    )]
    Models {
        /// What is wrong with it.
        problem: String,
    },
    /// `model` is not what it should be.
    #[error("`model` {problem}")]
    Model {
        /// What is wrong with it.
        problem: String,
    },
    /// `model` is no address.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// The body cannot be read.
    #[error(transparent)]
    Body(#[from] bitrouter_document::Error),
}

/// The addresses that a request names, in order; at least one. Nearly all name one, which takes no list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Addresses {
    /// `model`.
    One(String),
    /// `models`.
    Several(Vec<String>),
}

impl Addresses {
    /// Takes the addresses out of a JSON body, if it names any. `models` does not stay in it.
    pub fn take(document: &mut Document) -> Result<Option<Self>, RequestedModelsError> {
        let kind = document.kind("/models")?;
        let listed = match kind {
            // Some clients write what is not set.
            None | Some(Kind::Null) => None,
            Some(Kind::Array) => Some(list(document)?),
            Some(kind) => return Err(wrong(format!("is of type {kind}"))),
        };
        if kind.is_some() {
            document.patch(&[Edit::Remove { path: "/models" }])?;
        }
        let model = document.kind("/model")?;
        if model == Some(Kind::Null) {
            // As good as not there; what stands in for it is written later.
            document.patch(&[Edit::Remove { path: "/model" }])?;
        }
        if let Some(list) = listed {
            return Ok(Some(Addresses::Several(list)));
        }
        match model {
            None | Some(Kind::Null) => Ok(None),
            Some(Kind::String) => {
                let model = document.string("model")?.filter(|model| !model.is_empty());
                model.map(|model| Addresses::one(model.into_owned())).transpose()
            }
            Some(kind) => {
                let problem = format!("is of type {kind}: it takes a text, such as \"openai:gpt-5\"");
                Err(RequestedModelsError::Model { problem })
            }
        }
    }

    /// The one that a request names. What is too long for an address goes no further.
    pub fn one(model: String) -> Result<Self, RequestedModelsError> {
        match too_long(&model) {
            Some(error) => Err(error.into()),
            None => Ok(Addresses::One(model)),
        }
    }

    /// The addresses in the text of a list.
    pub fn parse_list(json: &str) -> Result<Vec<String>, RequestedModelsError> {
        let items: Vec<serde_json::Value> =
            serde_json::from_str(json).map_err(|error| wrong(format!("is not a list of JSON ({error})")))?;
        let addresses = items.into_iter().enumerate().map(|(at, item)| match item {
            serde_json::Value::String(address) => Ok(address),
            _ => Err(wrong(format!("has an entry that is not a text, the one at {at}"))),
        });
        check(addresses.collect::<Result<_, _>>()?)
    }
}

/// Refuses a list of no addresses and of too many.
pub fn check(list: Vec<String>) -> Result<Vec<String>, RequestedModelsError> {
    match list.len() {
        0 => Err(wrong("is empty".to_owned())),
        1..=MOST_ADDRESSES => match list.iter().position(|address| too_long(address).is_some()) {
            Some(at) => Err(wrong(format!("has an entry of {} bytes, the one at {at}", list[at].len()))),
            None => Ok(list),
        },
        many => Err(wrong(format!("has {many} entries"))),
    }
}

fn too_long(address: &str) -> Option<AddressError> {
    let bytes = address.len();
    (bytes > address::MAX_BYTES).then_some(AddressError::TooLong { bytes })
}

fn list(document: &mut Document) -> Result<Vec<String>, RequestedModelsError> {
    match document.get("/models", MAX_BYTES) {
        Ok(json) => Addresses::parse_list(&json.unwrap_or_default()),
        Err(bitrouter_document::Error::TooBig { size }) => Err(wrong(format!("has {size} bytes"))),
        Err(error) => Err(error.into()),
    }
}

fn wrong(problem: String) -> RequestedModelsError {
    RequestedModelsError::Models { problem }
}

impl Deref for Addresses {
    type Target = [String];

    fn deref(&self) -> &[String] {
        match self {
            Addresses::One(address) => std::slice::from_ref(address),
            Addresses::Several(list) => list,
        }
    }
}

impl From<String> for Addresses {
    fn from(address: String) -> Self {
        Addresses::One(address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The addresses of a body, and what is left of it.
    fn take(body: &str) -> Result<(Vec<String>, String), RequestedModelsError> {
        let mut document = Document::parse(body.to_owned()).unwrap();
        let addresses = Addresses::take(&mut document)?;
        let left = String::from_utf8(document.output().into_bytes().to_vec()).unwrap();
        Ok((addresses.map(|addresses| addresses.to_vec()).unwrap_or_default(), left))
    }

    #[test]
    fn a_body_with_one_model_stays_as_it_came() {
        let body = r#"{ "model" : "openai:gpt-5", "x": [1] }"#;
        assert_eq!(take(body).unwrap(), (vec!["openai:gpt-5".to_owned()], body.to_owned()));
    }

    #[test]
    fn the_list_replaces_the_model_and_is_taken_out() {
        for (body, left) in [
            (r#"{"model":"x","models":["a","b:c"],"y":1}"#, r#"{"model":"x","y":1}"#),
            (r#"{"models":["a","b:c"],"y":1}"#, r#"{"y":1}"#),
            (r#"{"model":null,"models":["a","b:c"],"y":1}"#, r#"{"y":1}"#),
            (r#"{"models":["a","b:c"]}"#, "{}"),
        ] {
            let (addresses, rest) = take(body).unwrap();
            assert_eq!(addresses, ["a", "b:c"], "{body}");
            assert_eq!(rest, left, "{body}");
        }
    }

    #[test]
    fn a_list_that_is_null_is_none() {
        assert_eq!(
            take(r#"{"model":"m","models":null}"#).unwrap(),
            (vec!["m".to_owned()], r#"{"model":"m"}"#.to_owned())
        );
        assert_eq!(take(r#"{"models":null}"#).unwrap().0, [""; 0]);
    }

    #[test]
    fn a_model_that_is_no_text_is_told_from_one_that_is_not_there() {
        for body in ["{}", r#"{"model":null}"#, r#"{"model":""}"#] {
            assert_eq!(take(body).unwrap().0, [""; 0], "{body}");
        }
        for (model, kind) in [("5", "number"), ("true", "boolean"), ("[\"m\"]", "array"), ("{}", "object")] {
            let error = take(&format!(r#"{{"model":{model}}}"#)).unwrap_err();
            assert!(matches!(error, RequestedModelsError::Model { .. }), "{model}");
            assert!(error.to_string().starts_with(&format!("`model` is of type {kind}: ")), "{error}");
        }
    }

    #[test]
    fn a_name_that_no_model_has_goes_no_further() {
        let long = "m".repeat(513);
        let error = take(&format!(r#"{{"model":"{long}"}}"#)).unwrap_err().to_string();
        assert_eq!(error, "the model is 513 bytes long, more than 512: check what was sent as its name");
        let error = take(&format!(r#"{{"models":["m","{long}"]}}"#)).unwrap_err().to_string();
        assert!(error.starts_with("`models` has an entry of 513 bytes, the one at 1:"), "{error}");
    }

    #[test]
    fn eight_entries_are_a_list_and_nine_are_not() {
        let body = |count: usize| serde_json::json!({"models": vec!["m"; count]}).to_string();
        assert_eq!(take(&body(8)).unwrap().0.len(), 8);
        assert_eq!(
            take(&body(9)).unwrap_err().to_string(),
            "`models` has 9 entries: it takes a list of 1 to 8 addresses, such as [\"openai-codex:gpt-5.5\", \"openai:gpt-5.5\"]"
        );
    }

    #[test]
    fn what_is_no_list_of_texts_is_refused() {
        let long = format!("[\"{}\"]", "m".repeat(40_000));
        for (models, problem) in [
            (r#""gpt-5""#, "`models` is of type string:"),
            ("{}", "`models` is of type object:"),
            ("5", "`models` is of type number:"),
            ("true", "`models` is of type boolean:"),
            ("[]", "`models` is empty:"),
            (r#"["a", 5]"#, "`models` has an entry that is not a text, the one at 1:"),
            (r#"[null]"#, "`models` has an entry that is not a text, the one at 0:"),
            (r#"[["a"]]"#, "`models` has an entry that is not a text, the one at 0:"),
            (&long, "`models` has 40004 bytes:"),
        ] {
            let error = take(&format!(r#"{{"model":"m","models":{models}}}"#)).unwrap_err();
            assert!(error.to_string().starts_with(problem), "{models:.40}: {error}");
            assert!(matches!(error, RequestedModelsError::Models { .. }), "{models:.40}");
        }
    }
}
