//! What most providers do alike, as members of the description: where operations live, what failures mean, which headers
//! say what of limits. The host does it; a component that exports a hook for one of these does it itself.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{FailureKind, Scope};

/// Where an operation lives: a path below the origin `api`, with a query behind a `?` where it takes one. `{model}` stands
/// for the model's name as one segment.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
#[serde(untagged, expecting = "it is neither a path nor {\"whole\": path, \"streaming\": path}")]
pub enum Path {
    /// One path for all answers.
    Same(String),
    /// One for whole answers and one for streams, as Google has them.
    Apart {
        /// For an answer in one piece.
        whole: String,
        /// For a stream.
        streaming: String,
    },
}

impl Path {
    /// The one for such an answer.
    pub fn of(&self, streaming: bool) -> &str {
        match self {
            Path::Same(path) => path,
            Path::Apart { streaming: path, .. } if streaming => path,
            Path::Apart { whole, .. } => whole,
        }
    }

    /// All that are written.
    pub fn all(&self) -> impl Iterator<Item = &str> {
        let (first, second) = match self {
            Path::Same(path) => (path, None),
            Path::Apart { whole, streaming } => (whole, Some(streaming)),
        };
        std::iter::once(first.as_str()).chain(second.map(String::as_str))
    }
}

/// What failures mean, where that is not what everybody means by them. The host knows the codes, statuses and shapes of
/// OpenAI, Anthropic, Google and those who copied them.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
pub struct Errors {
    /// The first that fits a failure says what it means, before all that the host knows.
    #[serde(default)]
    pub rules: Vec<ErrorRule>,
    /// How answers are told that fail although their status is a success. They are failures like any other then.
    #[serde(default)]
    pub inside: Option<InsideFailure>,
    /// What an error event inside a stream is whose code nothing here and nothing in the host knows.
    #[serde(default)]
    pub unknown_event: Option<FailureKind>,
}

/// What some failures mean: those that fit all of its conditions, of which it has at least one.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
pub struct ErrorRule {
    /// The error's code or type, whatever its case; a number as it is written.
    #[serde(default)]
    pub code: Option<String>,
    /// A part of its sentence.
    #[serde(default)]
    pub message: Option<String>,
    /// The answer's status, or that which an event names.
    #[serde(default)]
    pub status: Option<u16>,
    /// What it is.
    pub kind: FailureKind,
    /// What it concerns; where nothing is said, what such a failure mostly concerns.
    #[serde(default)]
    pub scope: Option<Scope>,
}

/// Where a document, or an event of a stream, says that it is a failure, though its status is that of a success.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
pub struct InsideFailure {
    /// Where its code is: a JSON pointer (RFC 6901) of names. What has none there is no failure.
    pub code: String,
    /// Where its sentence is.
    #[serde(default)]
    pub message: Option<String>,
    /// The codes of what is no failure; a number as it is written.
    #[serde(default = "zero")]
    pub well: Vec<String>,
}

fn zero() -> Vec<String> {
    vec!["0".into()]
}

/// Where requests may go over a WebSocket, at the paths of their operations: each message is `response.create` with the body of
/// a POST, and the events of the answer come back as messages.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
pub struct WebSocket {
    /// The dialects in which answers are generated so. Known is `responses`.
    #[serde(default)]
    pub dialects: Vec<String>,
    /// Headers of the handshake beside those of a request, names in lower case.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
}

/// What an answer's headers say of limits.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
pub struct Limits {
    /// Names of headers, the first that fits wins, such as `x-ratelimit-{value}-{window}`. `{window}` stands for the name
    /// of a window (`requests` where there is no such hole), `{value}` for one of `limit`, `remaining`, `reset`,
    /// `used-percent`, `utilization` (a share of 1), `window-minutes`, `window-seconds`, `reset-at` and `reset-after`.
    #[serde(default)]
    pub headers: Vec<String>,
}

/// Where the items of a list of models say what a model is good for.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
pub struct ModelOperations {
    /// Where in an item its list of names is: a JSON pointer (RFC 6901). An item without one is for all operations.
    pub list: String,
    /// The operation that each name means. A model that has none of these names is left out.
    pub names: BTreeMap<String, String>,
}

/// How a list of models goes on.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
pub struct NextPage {
    /// The query parameter that asks for the next page.
    pub query: String,
    /// Where its value stands in this page: a JSON pointer (RFC 6901). Without a text or a number there, this is the last.
    pub value: String,
    /// Where the page says whether there is another; without it, there is one as long as there is a value.
    #[serde(default)]
    pub more: Option<String>,
}

/// Operations, each with a path for its dialects.
pub type Paths = BTreeMap<String, BTreeMap<String, Path>>;
