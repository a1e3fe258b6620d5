//! The files of a case, as they are written. `run` reads them; it must not know what is expected.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::{Account, Answer, Call, Event, Field, Head, Trouble};

/// Headers and the like, in the order of their names.
type Fields = BTreeMap<String, Value>;

/// `call.json`. What is left out is as for a plain Chat Completions call.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CallFile {
    #[serde(default = "generate")]
    operation: String,
    #[serde(default = "chat_completions")]
    dialect: String,
    model: String,
    #[serde(default)]
    streaming: bool,
    #[serde(default)]
    headers: Fields,
    #[serde(default)]
    query: Fields,
    #[serde(default)]
    settings: Map<String, Value>,
    account: Option<AccountFile>,
    provider: Option<String>,
    #[serde(default)]
    model_info: Map<String, Value>,
    #[serde(default = "first")]
    attempt: u32,
    /// The content type of a body that is not JSON.
    pub(crate) opaque: Option<String>,
    /// The answers to what the provider asks, in order.
    #[serde(default)]
    pub(crate) answers: Vec<AnswerFile>,
}

fn generate() -> String {
    "generate".into()
}

fn first() -> u32 {
    1
}

fn chat_completions() -> String {
    "chat-completions".into()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AccountFile {
    label: String,
    #[serde(default)]
    claims: Fields,
}

/// An answer: the body is a JSON value, or a string that is taken as it is.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AnswerFile {
    pub(crate) side: Option<String>,
    /// Which of several providers is meant.
    pub(crate) provider: Option<String>,
    #[serde(default = "ok")]
    status: u16,
    #[serde(default)]
    headers: Fields,
    #[serde(default)]
    body: Value,
    /// Whether the body goes on behind what is shown of it.
    #[serde(default)]
    truncated: bool,
    /// An error event: its payload, or all of it as in `stream.json`.
    pub(crate) event: Option<Value>,
    /// What the request kept for `explain`.
    #[serde(default)]
    pub(crate) memo: String,
}

/// `stream.json`: an answer that is rewritten.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StreamFile {
    pub(crate) call: CallFile,
    #[serde(default)]
    pub(crate) memo: String,
    #[serde(default)]
    pub(crate) head: HeadFile,
    /// What each read brought.
    pub(crate) batches: Vec<Vec<EventFile>>,
}

/// `answer.json`: a whole answer that is edited.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WholeFile {
    pub(crate) call: CallFile,
    #[serde(default)]
    pub(crate) memo: String,
    #[serde(default)]
    pub(crate) head: HeadFile,
    pub(crate) body: Value,
}

/// How an answer began.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct HeadFile {
    #[serde(default = "ok")]
    status: u16,
    #[serde(default)]
    headers: Fields,
}

impl Default for HeadFile {
    fn default() -> Self {
        Self { status: ok(), headers: Fields::new() }
    }
}

impl HeadFile {
    pub(crate) fn head(&self) -> Head {
        Head { status: self.status, headers: fields(&self.headers) }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EventFile {
    name: Option<String>,
    #[serde(default)]
    headers: Fields,
    /// A JSON value, or a string that is taken as it is.
    data: Value,
}

impl EventFile {
    pub(crate) fn event(&self) -> Event {
        let (headers, data) = (fields(&self.headers), text(&self.data));
        Event { name: self.name.clone(), headers, data, binary: Vec::new() }
    }
}

fn ok() -> u16 {
    200
}

impl AnswerFile {
    pub(crate) fn answer(&self) -> Answer {
        let Self { status, truncated, .. } = *self;
        Answer { status, headers: self.headers(), body: text(&self.body), truncated }
    }

    pub(crate) fn headers(&self) -> Vec<Field> {
        fields(&self.headers)
    }

    pub(crate) fn trouble(&self) -> Trouble {
        match &self.event {
            None => Trouble::Answer(self.answer()),
            // An error is never an object with the member `data` alone, or beside these two.
            Some(event) => Trouble::Event(match serde_json::from_value::<EventFile>(event.clone()) {
                Ok(event) => event.event(),
                Err(_) => Event { data: text(event), ..Event::default() },
            }),
        }
    }
}

impl CallFile {
    /// The call; `provider` is whom it is for where the file does not say.
    pub(crate) fn call(&self, provider: &str) -> Call {
        let account = |account: &AccountFile| Account { label: account.label.clone(), claims: fields(&account.claims) };
        Call {
            operation: self.operation.clone(),
            dialect: self.dialect.clone(),
            model: self.model.clone(),
            streaming: self.streaming,
            headers: fields(&self.headers),
            query: fields(&self.query),
            settings: Value::Object(self.settings.clone()).to_string(),
            account: self.account.as_ref().map(account),
            provider: self.provider.as_deref().unwrap_or(provider).to_owned(),
            model_info: Value::Object(self.model_info.clone()).to_string(),
            attempt: self.attempt,
        }
    }
}

fn fields(map: &Fields) -> Vec<Field> {
    map.iter().map(|(name, value)| Field { name: name.clone(), value: text(value) }).collect()
}

/// A JSON value as its text; a string is taken as it is.
pub(crate) fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), Into::into)
}

/// A file of a case, if it is there.
pub(crate) fn read<T: DeserializeOwned>(file: &Path) -> Result<Option<T>, String> {
    let Ok(text) = fs::read_to_string(file) else {
        return Ok(None);
    };
    serde_json::from_str(&text).map(Some).map_err(|error| format!("{}: {error}", file.display()))
}
