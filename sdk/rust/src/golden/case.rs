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
use crate::{Account, Answer, Blob, Call, Document, Event, Field, Head, Payload, Step, Trouble};

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
    #[serde(default = "acme")]
    provider: String,
    #[serde(default)]
    model_info: Map<String, Value>,
    #[serde(default = "first")]
    attempt: u32,
    /// The content type of a body that is not JSON.
    opaque: Option<String>,
    /// The answers to what the provider asks, in order.
    #[serde(default)]
    answers: Vec<AnswerFile>,
}

fn generate() -> String {
    "generate".into()
}

fn acme() -> String {
    "acme".into()
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
    /// An error event: its payload, or all of it as in `stream.json`.
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
    #[serde(default)]
    head: HeadFile,
    /// What each read brought.
    batches: Vec<Vec<EventFile>>,
}

/// `answer.json`: a whole answer that is edited.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WholeFile {
    call: CallFile,
    #[serde(default)]
    memo: String,
    #[serde(default)]
    head: HeadFile,
    body: Value,
}

/// How an answer began.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HeadFile {
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
    fn head(&self) -> Head {
        Head { status: self.status, headers: fields(&self.headers), more: String::new() }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EventFile {
    name: Option<String>,
    #[serde(default)]
    headers: Fields,
    /// A JSON value, or a string that is taken as it is.
    data: Value,
}

impl EventFile {
    fn event(&self) -> Event {
        let (headers, data) = (fields(&self.headers), text(&self.data));
        Event { name: self.name.clone(), headers, data, binary: Vec::new() }
    }
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
            more: String::new(),
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
        let trouble = match &trouble.event {
            None => Trouble::Answer(trouble.answer()),
            // An error is never an object with the member `data` alone, or beside these two.
            Some(event) => Trouble::Event(match serde_json::from_value::<EventFile>(event.clone()) {
                Ok(event) => event.event(),
                Err(_) => Event::data(text(event)),
            }),
        };
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
    if let Some(whole) = read::<WholeFile>(&folder.join("answer.json"))? {
        return shape(provider, &whole);
    }
    Err("there is none of call.json, trouble.json, limits.json, page.json, stream.json and answer.json".into())
}

/// Edits a whole answer.
fn shape(provider: &Provider, whole: &WholeFile) -> Result<String, String> {
    let before = text(&whole.body);
    let document = Lent::parse(&before)?;
    let memo = whole.memo.clone().into_bytes();
    let shaped = provider.shape(&whole.call.call(), memo, &whole.head.head(), &Document::lent(&document));
    let mut transcript = Transcript::default();
    match shaped.ok_or("the provider does not export `Answers`")? {
        Ok(()) => transcript.shaped(&before, &document.whole())?,
        Err(failure) => transcript.fail(&failure),
    }
    Ok(transcript.text())
}

/// Runs the rewriter over the batches of a stream.
fn rewrite(provider: &Provider, stream: &StreamFile) -> Result<String, String> {
    let mut rewriter = provider
        .rewriter(stream.call.call(), stream.memo.clone().into_bytes(), stream.head.head())
        .ok_or("the provider has no rewriter for this call")?;
    let mut transcript = Transcript::default();
    for batch in &stream.batches {
        if !transcript.events("push", &rewriter.push(batch.iter().map(EventFile::event).collect())) {
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
        Ok(Step::Reply(reply)) => {
            transcript.reply(&reply);
            return Ok(transcript.text());
        }
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
            provider: self.provider.clone(),
            model_info: Value::Object(self.model_info.clone()).to_string(),
            attempt: self.attempt,
            more: String::new(),
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
