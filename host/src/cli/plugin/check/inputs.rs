//! What hooks are tried with: what clients and upstreams send on a good day, and on a bad one.

use bitrouter_contract::Description;
use bitrouter_document::{Document, Error as DocumentError};
use bitrouter_golden::{Account, Answer, Body, Call, Event, Field, Trouble};
use serde_json::{Value, json};

/// A number beyond all that a program counts with, one beyond 64 bits, and one that is none of both.
const NUMBERS: &str = r#"{"n": 1e999, "max_tokens": 99999999999999999999999, "temperature": -0.0, "big": 1E-400}"#;

/// The body of a call.
pub(super) enum Given {
    Text(String),
    Opaque,
    None,
}

impl Given {
    /// As a hook gets it. One whose top level is no JSON a gateway refuses before it asks any hook.
    pub(super) fn given(&self) -> Result<Body, DocumentError> {
        Ok(match self {
            Given::Text(text) => Body::Json(Document::parse(text.clone())?),
            Given::Opaque => Body::Opaque("multipart/form-data; boundary=x".into()),
            Given::None => Body::None,
        })
    }
}

/// The call that most hooks see: the first operation in its first dialect.
pub(super) fn call(description: &Description) -> Call {
    let (operation, dialect) = served(description).into_iter().next().unwrap_or_default();
    let model = description.models.first().map_or("a-model", |model| model.id.as_str()).to_owned();
    let account = Account { label: "default".into(), claims: Vec::new() };
    Call {
        operation,
        dialect,
        model,
        settings: "{}".into(),
        model_info: "{}".into(),
        account: Some(account),
        provider: description.id.clone(),
        attempt: 1,
        ..Call::default()
    }
}

/// Each operation with each of its dialects, conversations first.
fn served(description: &Description) -> Vec<(String, String)> {
    let all = description.serves.iter();
    let mut served: Vec<_> = all
        .flat_map(|(operation, dialects)| dialects.iter().map(|dialect| (operation.clone(), dialect.clone())))
        .collect();
    served.sort_by_key(|(operation, _)| operation != "generate");
    served
}

/// Calls of everything that is served, and calls that are odd.
pub(super) fn calls(description: &Description) -> Vec<(String, Call, Given)> {
    let usual = call(description);
    let mut calls = Vec::new();
    for (operation, dialect) in served(description) {
        let streams = if operation == "generate" { &[true, false][..] } else { &[false][..] };
        for streaming in streams {
            let call =
                Call { operation: operation.clone(), dialect: dialect.clone(), streaming: *streaming, ..usual.clone() };
            let body = body(&operation, &dialect, &usual.model, *streaming);
            let how = if *streaming { ", streamed" } else { "" };
            calls.push((format!("{operation} in {dialect}{how}"), call, body));
        }
    }
    let odd = |input: &str, text: &str| (input.to_owned(), usual.clone(), Given::Text(text.to_owned()));
    calls.push(odd("an empty body", "{}"));
    calls.push(odd("numbers beyond 64 bits", NUMBERS));
    calls.push(odd(
        "members of the wrong kind",
        r#"{"model": 7, "messages": "x", "input": {"a": []}, "contents": 1, "stream": "yes", "tools": {}, "system": 0}"#,
    ));
    calls.push(odd(
        "nulls",
        r#"{"model": null, "messages": [null, {}], "input": [null, {"type": null}], "contents": [null]}"#,
    ));
    calls.push(odd(
        "a body that is broken inside",
        r#"{"model": "m", "messages": [{"role": "user", "content": tru}], "input": [{"type": nul}]}"#,
    ));
    calls.push(odd(
        "a member twice",
        r#"{"model": "m", "messages": [{"role": "user", "role": "tool"}], "input": [{"id": 1, "id": 2}]}"#,
    ));
    let deep = format!(
        r#"{{"model": "m", "messages": {}1{}, "input": [], "contents": []}}"#,
        "[".repeat(100),
        "]".repeat(100)
    );
    calls.push(odd("lists in lists, 100 deep", &deep));
    let message = json!({ "role": "user", "content": "x".repeat(400), "parts": [{ "text": "x" }] });
    let long = json!({ "model": usual.model, "messages": vec![message.clone(); 1000], "input": vec![message; 1000] });
    calls.push(odd("a conversation of 1000 messages", &long.to_string()));
    // What a hook may take grows with the body's bytes: whoever loops over messages is told by short ones.
    let message = json!({ "role": "user", "content": "yes" });
    let short = json!({ "model": usual.model, "messages": vec![message; 1000] });
    calls.push(odd("a conversation of 1000 short messages", &short.to_string()));
    calls.push(("no body".into(), usual.clone(), Given::None));
    calls.push(("a body that is not JSON".into(), usual.clone(), Given::Opaque));
    let unknown =
        |operation: &str, dialect: &str| Call { operation: operation.into(), dialect: dialect.into(), ..usual.clone() };
    calls.push((
        "an operation of a later version".into(),
        unknown("no-such-operation", "openai"),
        Given::Text("{}".into()),
    ));
    calls.push((
        "a dialect of a later version".into(),
        unknown("generate", "no-such-dialect"),
        Given::Text("{}".into()),
    ));
    let odd_model = Call { model: "../x?y=1&z=ü%2F".into(), ..usual.clone() };
    calls.push(("a model's name that a path must not have".into(), odd_model, Given::Text("{}".into())));
    let settings = r#"{"no-such-setting": [1e999, {"a": null}]}"#;
    calls.push((
        "settings of a later version".into(),
        Call { settings: settings.into(), account: None, ..usual },
        Given::Text("{}".into()),
    ));
    calls
}

/// The body of a call as hooks get it.
fn body(operation: &str, dialect: &str, model: &str, streaming: bool) -> Given {
    match (operation, plain_body(operation, dialect, model, streaming)) {
        (_, Some(body)) => Given::Text(body.to_string()),
        ("models", None) => Given::None,
        (_, None) => Given::Opaque,
    }
}

/// A plain body of an operation in a dialect; none where it is no JSON.
pub(in crate::cli::plugin) fn plain_body(
    operation: &str,
    dialect: &str,
    model: &str,
    streaming: bool,
) -> Option<Value> {
    let said = "Say hello.";
    let mut body = match (operation, dialect) {
        ("audio/transcriptions" | "audio/translations" | "images/edits" | "images/variations" | "files", _)
        | ("models", _) => return None,
        (_, "chat-completions" | "messages") => {
            json!({ "model": model, "max_tokens": 100, "messages": [{ "role": "user", "content": said }] })
        }
        (_, "responses") => {
            json!({ "model": model, "input": [{ "type": "message", "role": "user", "content": said }] })
        }
        (_, "generate-content") => json!({ "contents": [{ "role": "user", "parts": [{ "text": said }] }] }),
        _ => json!({ "model": model, "input": said, "prompt": said }),
    };
    if streaming && dialect != "generate-content" {
        body["stream"] = Value::Bool(true);
    }
    Some(body)
}

fn answer(status: u16, body: &str) -> Answer {
    Answer { status, headers: vec![field("content-type", "application/json")], body: body.into(), truncated: false }
}

fn field(name: &str, value: &str) -> Field {
    Field { name: name.into(), value: value.into() }
}

/// Answers, for hooks that read whole ones.
pub(super) fn answers() -> Vec<(&'static str, Answer)> {
    vec![
        ("a list", answer(200, r#"{"object": "list", "data": [{"id": "a-model"}], "models": [{"name": "models/a"}]}"#)),
        ("an empty answer", answer(200, "")),
        ("an empty object", answer(200, "{}")),
        ("an empty list", answer(200, r#"{"data": [], "models": []}"#)),
        ("what is no JSON", answer(200, "<html><body>Service</body></html>")),
        ("JSON that is cut off", Answer { truncated: true, ..answer(200, r#"{"data": [{"id": "a"#) }),
        ("numbers beyond 64 bits", answer(200, NUMBERS)),
        ("members of the wrong kind", answer(200, r#"{"data": {"id": 1}, "models": 7, "usage": [null], "error": 1}"#)),
        ("a list at the top", answer(200, r#"[1, null, {"id": {}}]"#)),
        ("a failure", answer(500, r#"{"error": {"message": "broken"}}"#)),
        ("an empty failure", answer(503, "")),
    ]
}

/// Failures: answers, and events in a stream.
pub(super) fn troubles() -> Vec<(&'static str, Trouble)> {
    let mut troubles: Vec<_> = vec![
        (
            "too many requests",
            answer(429, r#"{"error": {"message": "slow down", "type": "rate_limit_error", "code": "x"}}"#),
        ),
        ("a wrong key", answer(401, r#"{"error": {"message": "wrong key", "type": "authentication_error"}}"#)),
        ("an empty answer", answer(500, "")),
        ("a page of HTML", answer(502, "<html><body>Bad gateway</body></html>")),
        ("a status that nobody has", answer(599, "{}")),
        ("an error that is a text", answer(400, r#"{"error": "no"}"#)),
        ("members of the wrong kind", answer(400, r#"{"error": {"message": {"a": []}, "code": 1e999, "type": null}}"#)),
        ("JSON that is cut off", Answer { truncated: true, ..answer(400, r#"{"error": {"mess"#) }),
        ("numbers beyond 64 bits", answer(429, NUMBERS)),
    ];
    let waits = ["-1", "99999999999999999999", "soon", "Mon, 31 Feb 2099 99:99:99 GMT"];
    let headers = waits.map(|wait| field("retry-after", wait)).to_vec();
    troubles.push(("a wait that is none", Answer { headers, ..answer(429, "{}") }));
    let troubles = troubles.into_iter().map(|(input, answer)| (input, Trouble::Answer(answer)));
    troubles.chain(events().into_iter().map(|(input, event)| (input, Trouble::Event(event)))).collect()
}

/// Events that a component may not expect.
fn events() -> Vec<(&'static str, Event)> {
    let event =
        |name: Option<&str>, data: &str| Event { name: name.map(Into::into), data: data.into(), ..Event::default() };
    vec![
        ("an event of a later version", event(Some("no-such-event"), r#"{"type": "no-such-event", "x": [null]}"#)),
        ("an event without data", event(None, "")),
        ("an event that is no JSON", event(Some("error"), "overloaded")),
        ("an event that is cut off", event(None, r#"{"type": "mess"#)),
        ("an event of numbers beyond 64 bits", event(None, NUMBERS)),
        ("an event of the wrong kind", event(None, r#"[{"choices": 1, "delta": null}, 7]"#)),
        ("an event of bytes", Event { binary: vec![0xff, 0, 0xfe], ..event(None, "") }),
    ]
}

/// Headers and events that limits are read in.
pub(super) fn limits() -> Vec<(&'static str, Vec<Field>, Option<&'static str>)> {
    let usual = vec![field("x-ratelimit-limit-requests", "100"), field("x-ratelimit-remaining-requests", "7")];
    let odd = vec![
        field("x-ratelimit-limit-requests", "99999999999999999999999"),
        field("x-ratelimit-remaining-requests", "-1"),
        field("x-ratelimit-reset-requests", "NaN"),
        field("x-ratelimit-remaining-tokens", ""),
    ];
    vec![
        ("headers of limits", usual, None),
        ("no header", Vec::new(), None),
        ("headers that are no numbers", odd, None),
        ("an event of a later version", Vec::new(), Some(r#"{"type": "no-such-event"}"#)),
        ("an event that is no JSON", Vec::new(), Some("none")),
        ("an event of numbers beyond 64 bits", Vec::new(), Some(NUMBERS)),
    ]
}

/// Whole answers that are to be edited.
pub(super) fn documents() -> Vec<(&'static str, &'static str)> {
    vec![
        (
            "an answer of its own form",
            r#"{"output": {"text": "hi"}, "usage": {"in": 1, "out": 2}, "vectors": [{"values": [0.5]}]}"#,
        ),
        ("an empty object", "{}"),
        ("numbers beyond 64 bits", NUMBERS),
        (
            "members of the wrong kind",
            r#"{"output": 7, "usage": [], "vectors": {"a": 1}, "choices": null, "error": []}"#,
        ),
        ("a failure at status 200", r#"{"error": {"message": "overloaded"}, "fault": "overloaded"}"#),
        ("an answer that is broken inside", r#"{"output": {"text": tru}, "vectors": [{"values": nul}]}"#),
    ]
}

/// Streams that are to be rewritten.
pub(super) fn streams() -> Vec<(&'static str, Vec<Event>)> {
    let all = events();
    let mut streams: Vec<(&'static str, Vec<Event>)> =
        vec![("a stream of all of the events below", all.iter().map(|(_, event)| event.clone()).collect())];
    streams.push(("a stream that ends at once", Vec::new()));
    streams.extend(all.into_iter().map(|(input, event)| (input, vec![event])));
    streams
}
