//! Reads one case and runs the hook that it is for. `check` calls it; it must not know what is expected.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::described::Provider;
use super::lent::Lent;
use super::transcript::{self, Transcript};
use crate::{Account, Answer, Blob, Call, Document, Event, Field, Payload, Step, Trouble};

/// Headers and the like, in the order of their names.
type Fields = BTreeMap<String, Value>;

/// `call.json`. What is left out is as for a plain Chat Completions call.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CallFile {
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
    /// The content type of a body that is not JSON.
    opaque: Option<String>,
    /// The answers to what the provider asks, in order.
    #[serde(default)]
    answers: Vec<AnswerFile>,
}

fn generate() -> String {
    "generate".into()
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
struct AnswerFile {
    side: Option<String>,
    #[serde(default = "ok")]
    status: u16,
    #[serde(default)]
    headers: Fields,
    #[serde(default)]
    body: Value,
    /// Whether the body goes on behind what is shown of it.
    #[serde(default)]
    truncated: bool,
    event: Option<Value>,
    /// What the request kept for `explain`.
    #[serde(default)]
    memo: String,
}

/// `stream.json`: an answer that is rewritten.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StreamFile {
    call: CallFile,
    #[serde(default)]
    memo: String,
    /// What each read brought.
    batches: Vec<Vec<EventFile>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EventFile {
    name: Option<String>,
    /// A JSON value, or a string that is taken as it is.
    data: Value,
}

fn ok() -> u16 {
    200
}

impl AnswerFile {
    fn answer(&self) -> Answer {
        Answer {
            status: self.status,
            headers: fields(&self.headers),
            body: text(&self.body),
            truncated: self.truncated,
        }
    }
}

/// Runs the hook whose input file is there, and tells what it returned.
pub(super) fn run(provider: &Provider, folder: &Path) -> Result<String, String> {
    if let Some(call) = read::<CallFile>(&folder.join("call.json"))? {
        return prepare(provider, folder, &call);
    }
    if let Some(trouble) = read::<AnswerFile>(&folder.join("trouble.json"))? {
        let memo = trouble.memo.clone().into_bytes();
        let trouble =
            trouble.event.as_ref().map_or_else(|| Trouble::Answer(trouble.answer()), |e| Trouble::Event(text(e)));
        return Ok(transcript::failure(&provider.explain(&trouble, memo)));
    }
    if let Some(limits) = read::<AnswerFile>(&folder.join("limits.json"))? {
        let event = limits.event.as_ref().map(text);
        return Ok(transcript::windows(&provider.quota(&fields(&limits.headers), event.as_deref())));
    }
    if let Some(page) = read::<AnswerFile>(&folder.join("page.json"))? {
        let side = page.side.as_deref().ok_or("page.json does not say which `side` request it answers")?;
        return match provider.interpret(side, page.answer()) {
            Ok(json) => transcript::pretty(&json).map(|text| text + "\n"),
            Err(failure) => Ok(transcript::failure(&failure)),
        };
    }
    if let Some(stream) = read::<StreamFile>(&folder.join("stream.json"))? {
        return rewrite(provider, &stream);
    }
    Err("there is none of call.json, trouble.json, limits.json, page.json and stream.json".into())
}

/// Runs the rewriter over the batches of a stream.
fn rewrite(provider: &Provider, stream: &StreamFile) -> Result<String, String> {
    let mut rewriter = provider
        .rewriter(stream.call.call(), stream.memo.clone().into_bytes())
        .ok_or("the provider has no rewriter for this call")?;
    let mut transcript = Transcript::default();
    for batch in &stream.batches {
        let event = |event: &EventFile| Event { name: event.name.clone(), data: text(&event.data) };
        if !transcript.events("push", &rewriter.push(batch.iter().map(event).collect())) {
            return Ok(transcript.text());
        }
    }
    transcript.events("finish", &rewriter.finish());
    Ok(transcript.text())
}

fn prepare(provider: &Provider, folder: &Path, file: &CallFile) -> Result<String, String> {
    let body = fs::read_to_string(folder.join("body.json")).ok();
    let document = body.as_deref().map(Lent::parse).transpose()?;
    let payload = match (&document, &file.opaque) {
        (Some(document), _) => Payload::Json(Document::lent(document)),
        (None, Some(content_type)) => Payload::Opaque(Blob { content_type: content_type.clone(), length: None }),
        (None, None) => Payload::None,
    };
    let call = file.call();
    let mut transcript = Transcript::default();
    let mut step = provider.prepare(&call, &payload);
    let mut answers = file.answers.iter();
    while let Ok(Step::Ask(exchange)) = step {
        transcript.ask(&exchange);
        let answer = answers.next().ok_or("the provider asks more often than call.json has `answers`")?;
        step = provider.resume(&call, &payload, exchange.memo, answer.answer());
    }
    match step {
        Ok(Step::Send(request)) => transcript.send(&request),
        Ok(Step::Ask(_) | Step::Described) => return Err("the provider still asks".into()),
        Err(failure) => {
            transcript.fail(&failure);
            return Ok(transcript.text());
        }
    }
    if let (Some(before), Some(document)) = (&body, &document) {
        transcript.body(before, &document.whole())?;
    }
    Ok(transcript.text())
}

impl CallFile {
    fn call(&self) -> Call {
        Call {
            operation: self.operation.clone(),
            dialect: self.dialect.clone(),
            model: self.model.clone(),
            streaming: self.streaming,
            headers: fields(&self.headers),
            query: fields(&self.query),
            settings: Value::Object(self.settings.clone()).to_string(),
            account: self
                .account
                .as_ref()
                .map(|account| Account { label: account.label.clone(), claims: fields(&account.claims) }),
        }
    }
}

fn fields(map: &Fields) -> Vec<Field> {
    map.iter().map(|(name, value)| Field::new(name, text(value))).collect()
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), Into::into)
}

fn read<T: DeserializeOwned>(file: &Path) -> Result<Option<T>, String> {
    let Ok(text) = fs::read_to_string(file) else {
        return Ok(None);
    };
    serde_json::from_str(&text).map(Some).map_err(|error| format!("{}: {error}", file.display()))
}
