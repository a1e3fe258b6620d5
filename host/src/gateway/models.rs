//! The pages of models, `/v1/models` and `/v1beta/models` and below them one for each model; and which model is meant where a
//! call names none. `shape` writes them as whoever asks reads them.

mod page;
mod shape;

use std::collections::HashSet;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use bitrouter_contract::description::Facts;
use bitrouter_dialect::Dialect;
use bitrouter_route::Addresses;
use bitrouter_route::Wanted;
use bitrouter_route::address::Address;
use http::request::Parts;
use http::{Request, StatusCode};
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use crate::app::{App, Live};
use crate::call::{CATALOGUE, Call, CallBody, Endpoint, destination, query, reply, request_id, resource};
use crate::caller::Caller;
use crate::error::Error;
use crate::pipeline;
use crate::route::Providers;
use crate::telemetry::RequestRecord;
use shape::Entry;

/// The largest catalogue that is looked through for one model.
const LARGEST: usize = 8 << 20;

/// The Codex CLI, which says its version, is shown the catalogue of the provider that has one in its form. It keeps its
/// own where that is empty. Any other client gets the list of models.
pub(super) async fn list(
    State(live): State<Arc<Live>>,
    Extension(caller): Extension<Caller>,
    request: Request<Body>,
) -> Response {
    let (app, head) = (live.now(), request.into_parts().0);
    if wants_catalogue(&head) {
        let catalogue = catalogue(app, caller, &head).await;
        return catalogue.unwrap_or_else(|| Json(json!({"models": []})).into_response());
    }
    let providers = app.directory.settled().await;
    let entries: Vec<Entry> = listed(&providers).map(|(id, owner)| entry(&providers, id, owner)).collect();
    let shape = destination::asker(&head.uri, &head.headers);
    match page::page(shape, head.uri.query().unwrap_or_default(), &entries) {
        Ok(page) => Json(shape::list(shape, &page)).into_response(),
        Err(sentence) => reply::error(&Error::NoPage(sentence), shape, &request_id()),
    }
}

/// One of them, in the form of the list that the client would get.
pub(super) async fn one(
    State(live): State<Arc<Live>>,
    Extension(caller): Extension<Caller>,
    request: Request<Body>,
) -> Response {
    let (app, head) = (live.now(), request.into_parts().0);
    let name = destination::model_of(head.uri.path()).unwrap_or_default();
    let name = percent_decode_str(name).decode_utf8_lossy();
    let shape = destination::asker(&head.uri, &head.headers);
    let name = if shape == Dialect::GenerateContent { resource::plain(&name) } else { &*name };
    let found = match wants_catalogue(&head) {
        true => in_catalogue(app, caller, &head, name).await,
        false => find(&app, name).await.map(|entry| Json(shape::one(shape, &entry)).into_response()),
    };
    found.unwrap_or_else(|error| reply::error(&error, shape, &request_id()))
}

fn wants_catalogue(head: &Parts) -> bool {
    if head.uri.path().starts_with("/v1beta/") {
        return false;
    }
    let query = head.uri.query().unwrap_or_default();
    form_urlencoded::parse(query.as_bytes()).any(|(name, _)| name == "client_version")
}

/// The catalogue in the form of the Codex CLI; none where no provider has one.
async fn catalogue(app: Arc<App>, caller: Caller, head: &Parts) -> Option<Response> {
    let serving = app.directory.settled().await.serving(CATALOGUE.wanted());
    let provider = serving.first()?;
    let call = Box::new(Call {
        endpoint: &CATALOGUE,
        caller,
        query: head.uri.query().and_then(|query| query::without_ours(query, false)),
        headers: head.headers.clone(),
        addresses: format!("{provider}:{}", CATALOGUE.operation).into(),
        streaming: false,
        as_array: false,
        body: CallBody::None,
        continued: None,
        socket: None,
        object: None,
    });
    let record = RequestRecord::start(&app.requests, request_id(), caller, CATALOGUE.dialect);
    Some(pipeline::run(app, call, record).await)
}

async fn in_catalogue(app: Arc<App>, caller: Caller, head: &Parts, name: &str) -> Result<Response, Error> {
    let providers = app.directory.settled().await;
    let Some(answer) = catalogue(app, caller, head).await else { return Err(unknown(&providers, name)) };
    if answer.status() != StatusCode::OK {
        return Ok(answer);
    }
    let body = axum::body::to_bytes(answer.into_body(), LARGEST).await;
    let body = body.map_err(|error| Error::Internal(format!("the catalogue could not be read: {error}")))?;
    let mut catalogue: Value = serde_json::from_slice(&body).unwrap_or_default();
    let model = address(&providers, name).map_or_else(|| name.to_owned(), |address| address.model().to_owned());
    let models = catalogue["models"].as_array_mut().map(std::mem::take).unwrap_or_default();
    let found = models.into_iter().find(|entry| entry["slug"] == model.as_str());
    found.map(|entry| Json(entry).into_response()).ok_or_else(|| unknown(&providers, name))
}

/// The model of this name or address, if it is the user's own or one that is listed.
async fn find(app: &App, name: &str) -> Result<Entry, Error> {
    let providers = app.directory.settled().await;
    if let Some((id, Some(provider))) = names(&providers).find(|(id, _)| id == name) {
        return Ok(entry(&providers, id, provider));
    }
    let owner = match address(&providers, name) {
        Some(Address::Provider { provider, model, .. }) => {
            let provider = providers.by_id.get(&provider).filter(|provider| provider.is_active());
            provider.filter(|provider| provider.lists(&model)).map(|provider| provider.id().to_owned())
        }
        Some(Address::Model(name)) => owner(&providers, &name),
        None => None,
    };
    match owner {
        Some(owner) => Ok(entry(&providers, name.to_owned(), owner)),
        None if providers.pending > 0 => Err(Error::Compiling),
        None => Err(unknown(&providers, name)),
    }
}

fn address(providers: &Providers, name: &str) -> Option<Address> {
    providers.parse(name).ok()
}

fn unknown(providers: &Providers, name: &str) -> Error {
    match Address::parse(name, |_| false) {
        Err(error) => Error::NotListed(error.to_string()),
        Ok(_) => Error::NotListed(providers.unknown(name)),
    }
}

/// Who owns the user's own names.
const OURS: &str = "bitrouter";

/// Who answers a request for a name: the user's own list, or the provider that is asked first. None where nobody would.
fn owner(providers: &Providers, name: &str) -> Option<String> {
    match providers.names.find(name) {
        Some(_) => Some(OURS.to_owned()),
        None => providers.answering(name).map(|provider| provider.id().to_owned()),
    }
}

/// The user's own names, then the models of all active providers by which a request would be answered; a name that several
/// of them serve is listed once, for the one that is asked first. Those of a component that is not trusted are listed as
/// what they answer to, `PROVIDER:MODEL`.
fn listed(providers: &Providers) -> impl Iterator<Item = (String, String)> {
    names(providers).filter_map(|(id, only)| only.or_else(|| owner(providers, &id)).map(|owner| (id, owner)))
}

/// All names, each once, and for that of a component which is not trusted who alone serves it.
fn names(providers: &Providers) -> impl Iterator<Item = (String, Option<String>)> {
    let mut seen = HashSet::new();
    let names: Vec<_> = providers.names.exact().map(|(name, _)| (name.to_owned(), None)).collect();
    let models = providers.models().into_iter().map(|model| (model.name(), (!model.trusted).then_some(model.provider)));
    names.into_iter().chain(models).filter(move |(id, _)| seen.insert(id.clone()))
}

/// What is known of a model whose request this owner would answer.
fn entry(providers: &Providers, id: String, owner: String) -> Entry {
    let provider = providers.by_id.get(&owner);
    let model = match address(providers, &id) {
        Some(Address::Provider { model, .. } | Address::Model(model)) => model,
        None => id.clone(),
    };
    let listed = provider.and_then(|provider| provider.entry(provider.listed(&model)?));
    let operations = listed.as_ref().map(|listed| listed.operations.as_slice()).unwrap_or_default();
    let has = |operation: &str| match operations {
        [] => provider.is_none_or(|provider| !provider.plugin.dialects(operation, &model).is_empty()),
        some => some.iter().any(|known| known == operation),
    };
    let mut methods = Vec::new();
    if has("generate") {
        // What no provider counts is estimated.
        methods.extend(["generateContent", "countTokens"]);
    }
    let embeds = Wanted { operation: "embeddings", dialect: "generate-content" };
    if has("embeddings") && provider.is_some_and(|provider| provider.serves(embeds, &model)) {
        methods.push("embedContent");
    }
    let own = provider.and_then(|provider| provider.listed(&model));
    let facts = match provider.zip(own) {
        Some((provider, model)) => provider.known(model).facts(),
        // One of the user's own names is as large as the first that it stands for.
        None if owner == OURS => providers.facts(&id),
        None => Facts::default(),
    };
    Entry { facts, id, owner, methods }
}

/// What stands in for a model that was left out: the user's own name that is the operation's, else the first model that the
/// component of the first provider lists with it.
pub(super) async fn usual(app: &App, endpoint: &Endpoint) -> Result<Addresses, Error> {
    let providers = app.directory.settled().await;
    if providers.names.find(endpoint.operation).is_some() {
        return Ok(endpoint.operation.to_owned().into());
    }
    let serving = providers.active().into_iter().filter(|provider| provider.serves_some(endpoint.wanted()));
    let mut usual = serving.filter_map(|provider| {
        let models = &provider.plugin.description.models;
        let first = models.iter().find(|model| model.operations.iter().any(|known| known == endpoint.operation))?;
        Some(format!("{}:{}", provider.id(), first.id))
    });
    match usual.next() {
        Some(address) => Ok(address.into()),
        None if providers.pending > 0 => Err(Error::Compiling),
        None => Err(Error::NoModel),
    }
}
