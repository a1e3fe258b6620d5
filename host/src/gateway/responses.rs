//! The pages of responses that the gateway keeps, as OpenAI has them: `/v1/responses/{id}`, which can be read and deleted, and
//! `/v1/responses/{id}/input_items`. Each caller sees its own; what a provider keeps is not here.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use bitrouter_dialect::Dialect;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Uri};
use serde_json::{Value, json};

use crate::app::Live;
use crate::call::{reply, request_id};
use crate::caller::Caller;
use crate::error::Error;

/// How many items a page of a list has, and may have.
const PAGE: usize = 20;
const MOST: usize = 100;

/// The response.
pub(super) async fn one(
    State(live): State<Arc<Live>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Response {
    match live.now().history.responses.of(caller).response(&id) {
        Some(response) => {
            let mut answer = Response::new(Body::from(response));
            answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            answer
        }
        None => missing(id),
    }
}

/// Forgets it.
pub(super) async fn delete(
    State(live): State<Arc<Live>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Response {
    match live.now().history.responses.of(caller).remove(&id) {
        true => Json(json!({"id": id, "object": "response", "deleted": true})).into_response(),
        false => missing(id),
    }
}

/// What its own request said, the last first unless the query says otherwise.
pub(super) async fn input_items(
    State(live): State<Arc<Live>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    uri: Uri,
) -> Response {
    let Some(items) = live.now().history.responses.of(caller).input(&id) else { return missing(id) };
    let items = items.iter().filter_map(|item| serde_json::from_slice(item).ok()).collect();
    Json(page(items, uri.query().unwrap_or_default())).into_response()
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

fn missing(id: String) -> Response {
    reply::error(&Error::NoResponse(id), Dialect::Responses, &request_id())
}
