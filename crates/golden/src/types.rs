//! The contract's types, as plain data: what they mean is said in `wit/0.1.0/provider.wit`. Each driver has bindings of its
//! own for them; `conversions!` writes what lies between.

#![allow(missing_docs, reason = "what each member means is said in the contract")]

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Field {
    pub name: String,
    pub value: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Call {
    pub operation: String,
    pub dialect: String,
    pub model: String,
    pub streaming: bool,
    pub headers: Vec<Field>,
    pub query: Vec<Field>,
    pub settings: String,
    pub account: Option<Account>,
    pub provider: String,
    pub model_info: String,
    pub attempt: u32,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    pub label: String,
    pub claims: Vec<Field>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<Field>,
    pub body: String,
    pub truncated: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Head {
    pub status: u16,
    pub headers: Vec<Field>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Event {
    pub name: Option<String>,
    pub headers: Vec<Field>,
    pub data: String,
    pub binary: Vec<u8>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    Answer(Answer),
    Event(Event),
}

/// What `prepare` and `resume` came to, once a driver has done what was left to the description.
#[derive(Clone, Debug)]
pub enum Step {
    Send(Request),
    Ask(Exchange),
    Reply(Reply),
}

#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    pub origin: String,
    /// With its holes filled.
    pub path: String,
    pub query: Vec<Field>,
    pub headers: Vec<Field>,
    pub body: RequestBody,
    pub framing: String,
    pub delivery: Delivery,
    pub memo: Vec<u8>,
    pub dropped: Vec<String>,
    pub more: String,
}

#[derive(Clone, Debug)]
pub enum RequestBody {
    Forward,
    Json(String),
    Form(Vec<Field>),
    Multipart(Vec<Part>),
    Content(Content),
    Empty,
}

#[derive(Clone, Debug)]
pub struct Part {
    pub name: String,
    pub filename: Option<String>,
    pub content_type: Option<String>,
    pub content: Content,
}

#[derive(Clone, Debug)]
pub enum Content {
    Text(String),
    Value(String),
    Base64(String),
}

#[derive(Clone, Debug)]
pub enum Delivery {
    Pass,
    Rewrite(String),
}

#[derive(Clone, Debug)]
pub struct Exchange {
    pub request: Request,
    pub memo: Vec<u8>,
    pub wait_ms: u32,
}

#[derive(Clone, Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<Field>,
    pub framing: String,
    pub body: String,
    pub more: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub kind: String,
    pub scope: String,
    pub message: String,
    pub code: Option<String>,
    pub retry_after_ms: Option<u64>,
    pub resets_at: Option<u64>,
    pub status: Option<u16>,
    pub more: String,
}
