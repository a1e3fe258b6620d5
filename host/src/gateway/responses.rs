//! The responses that the gateway keeps itself, as OpenAI has them: each can be read and deleted, and so can what its request
//! said be read. Each caller sees its own. What is not here is a provider's, if it is there at all.

use axum::Json;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method};
use serde_json::{Value, json};

use crate::app::App;
use crate::call::{Object, reply, request_id};
use crate::caller::Caller;
use crate::error::Error;

/// How many items a page of a list has, and may have.
const PAGE: usize = 20;
const MOST: usize = 100;

/// The answer about a response that is kept; none where it is no response, or none that is kept.
pub(super) fn kept(app: &App, caller: Caller, object: &Object, query: Option<&str>) -> Option<Response> {
    let id = object.id().filter(|_| object.endpoint.operation == "responses")?;
    let responses = app.history.responses.of(caller);
    let below = object.segments.get(1).map(String::as_str);
    match (&object.method, below) {
        (&Method::GET, None) => {
            let mut answer = Response::new(Body::from(responses.response(id)?));
            answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            Some(answer)
        }
        (&Method::GET, Some(_)) => {
            let items = responses.input(id)?;
            let items = items.iter().filter_map(|item| serde_json::from_slice(item).ok()).collect();
            Some(Json(page(items, query.unwrap_or_default())).into_response())
        }
        (&Method::DELETE, _) => {
            let deleted = || Json(json!({"id": id, "object": "response", "deleted": true})).into_response();
            responses.remove(id).then(deleted)
        }
        _ => {
            responses.response(id)?;
            Some(reply::error(&Error::NotInBackground(id.to_owned()), object.endpoint.shape, &request_id()))
        }
    }
}

/// The part of a list that a query asks for.
fn page(mut items: Vec<Value>, query: &str) -> Value {
    let value =
        |name: &str| form_urlencoded::parse(query.as_bytes()).find(|(it, _)| it == name).map(|(_, value)| value);
    if value("order").is_none_or(|order| order != "asc") {
        items.reverse();
    }
    let begin = value("after").and_then(|after| items.iter().position(|item| item["id"] == *after));
    let limit = value("limit").and_then(|limit| limit.parse().ok()).unwrap_or(PAGE).clamp(1, MOST);
    let rest = &items[begin.map_or(0, |at| at + 1)..];
    let shown = &rest[..rest.len().min(limit)];
    let id = |item: Option<&Value>| item.map_or(Value::Null, |item| item["id"].clone());
    json!({
        "object": "list", "data": shown, "first_id": id(shown.first()), "last_id": id(shown.last()),
        "has_more": shown.len() < rest.len(),
    })
}
