//! The files of the cases that one exchange makes.

use bitrouter_contract::{Description, pattern};
use bitrouter_dialect::{EventKind, EventReader, StreamFraming};
use bitrouter_plugin::contract::{Answer, Call, Delivery};
use serde_json::{Map, Value, json};

use super::redact::{Redaction, stands_for};
use crate::pipeline::Exchanged;

/// A case: its folder, and the files in it but for `expected.txt`.
type Case = (&'static str, Vec<(&'static str, String)>);

/// The cases of an exchange: the call, what came of it, and what it says of limits.
///
/// # Errors
///
/// The answer was longer than what is read of one, or cannot be told apart into events.
pub(super) fn cases(exchanged: &Exchanged, description: &Description) -> Result<Vec<Case>, String> {
    let redaction = Redaction::of(&exchanged.call, exchanged.scrubber.as_deref());
    let call = call(&exchanged.call);
    let body = redaction.text(&exchanged.body);
    let body = serde_json::from_str::<Value>(&body).map_or(body, |body| pretty(&body));
    let mut cases: Vec<Case> = vec![("call", vec![("call.json", pretty(&call)), ("body.json", body)])];
    let Some((request, answer)) = &exchanged.answered else { return Ok(cases) };
    if answer.truncated {
        return Err("its answer is longer than 4 MiB: ask for less".into());
    }
    let (headers, memo) = (headers(answer, &redaction), String::from_utf8_lossy(&request.memo).into_owned());
    let head = json!({ "status": answer.status, "headers": headers });
    match request.delivery {
        _ if !(200..300).contains(&answer.status) => {
            let mut trouble = head.clone();
            trouble["body"] = value(&redaction.text(&answer.body));
            with_memo(&mut trouble, &memo);
            cases.push(("failure", vec![("trouble.json", pretty(&trouble))]));
        }
        // It goes to the client as it is: no hook sees it.
        Delivery::Pass => {}
        Delivery::Rewrite(_) => {
            let mut file = json!({ "call": call, "head": head });
            with_memo(&mut file, &memo);
            let name = match StreamFraming::named(&request.framing) {
                Some(framing) => {
                    file["batches"] = batches(framing, answer, &redaction)?;
                    "stream.json"
                }
                None => {
                    file["body"] = value(&redaction.text(&answer.body));
                    "answer.json"
                }
            };
            cases.push(("answer", vec![(name, pretty(&file))]));
        }
    }
    let limits = limits(answer, description, &redaction);
    if !limits.is_empty() {
        cases.push(("limits", vec![("limits.json", pretty(&json!({ "headers": limits })))]));
    }
    Ok(cases)
}

/// `call.json`, with what stands for the account.
fn call(call: &Call) -> Value {
    let mut file = json!({
        "operation": call.operation, "dialect": call.dialect, "model": call.model, "streaming": call.streaming,
    });
    if let Ok(Value::Object(settings)) = serde_json::from_str(&call.settings)
        && !settings.is_empty()
    {
        file["settings"] = Value::Object(settings);
    }
    if let Some(account) = &call.account {
        let claims = account.claims.iter().map(|claim| (claim.name.clone(), Value::from(stands_for(&claim.name))));
        file["account"] = json!({ "label": "default", "claims": claims.collect::<Map<_, _>>() });
    }
    file
}

fn headers(answer: &Answer, redaction: &Redaction<'_>) -> Map<String, Value> {
    redaction.headers(&answer.headers).map(|(name, value)| (name.to_owned(), Value::from(value))).collect()
}

/// The headers that `quota` would be shown.
fn limits(answer: &Answer, description: &Description, redaction: &Redaction<'_>) -> Map<String, Value> {
    let observed = |name: &str| description.limits.name(name) || pattern::any(&description.observe.headers, name);
    let headers = answer.headers.iter().filter(|field| observed(&field.name));
    headers.map(|field| (field.name.clone(), Value::from(redaction.text(&field.value)))).collect()
}

/// Each event as a batch of its own: how they came together is up to the network.
fn batches(framing: StreamFraming, answer: &Answer, redaction: &Redaction<'_>) -> Result<Value, String> {
    if framing == StreamFraming::AwsEventStream {
        return Err("its answer is in binary frames, which are no text: write stream.json by hand".into());
    }
    let mut events = Vec::new();
    let mut keep = |framed: bitrouter_dialect::Framed<'_>| {
        let event = framed.event;
        if event.kind == EventKind::Oversized || event.data.is_empty() {
            return;
        }
        let mut said = json!({ "data": value(&redaction.text(&String::from_utf8_lossy(event.data))) });
        if let Some(name) = event.name {
            said["name"] = String::from_utf8_lossy(name).into();
        }
        events.push(json!([said]));
    };
    let mut reader = EventReader::new(framing);
    reader.feed(answer.body.as_bytes(), &mut keep).map_err(|error| error.to_string())?;
    reader.finish(&mut keep);
    Ok(Value::Array(events))
}

fn with_memo(file: &mut Value, memo: &str) {
    if !memo.is_empty() {
        file["memo"] = memo.into();
    }
}

/// A text as the JSON that it is, else as itself.
fn value(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| text.into())
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default() + "\n"
}
