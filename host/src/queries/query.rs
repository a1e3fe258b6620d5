//! Runs one query: sends the side request of the description, with the account's credential attached as to every call, and
//! has the component read the answer.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use bitrouter_contract::description::{Model, SideKind, SideRequest};
use bitrouter_plugin::Read;
use bitrouter_plugin::contract::types::Body;
use bitrouter_plugin::contract::{Answer, Delivery, Failure, Field, Request};

use super::{Fallback, QueryError};
use crate::pipeline;
use crate::route::Provider;
use crate::route::query_cache::{MOST_MODELS, QueryKey, QueryResult};

/// How long all of it may take: a page that takes longer is as good as none.
const DEADLINE: Duration = Duration::from_secs(60);
/// Pages of one list at most: it need not have an end.
const MOST_PAGES: usize = 64;

/// What is said of a server that does not know the parameter.
const SAME_PAGE: &str = "where the next page was asked for, the same one came again";

/// Why the query failed.
struct QueryFailure {
    sentence: String,
    /// How long the provider wants to be left alone.
    after: Option<Duration>,
}

impl<E: std::error::Error> From<E> for QueryFailure {
    fn from(error: E) -> Self {
        QueryFailure { sentence: error.to_string(), after: None }
    }
}

fn because(sentence: String) -> QueryFailure {
    QueryFailure { sentence, after: None }
}

/// Runs the query and caches its result. One caller runs it at a time; those that wait meanwhile get its outcome.
pub(super) async fn query(provider: &Arc<Provider>, key: &QueryKey) -> Result<(), QueryError> {
    let side = provider.plugin.description.side_requests.get(&key.request);
    let (Some(query), Some(side)) = (provider.query_cache.get(key), side) else { return Ok(()) };
    let whose = match key.account.as_str() {
        "" => provider.id().to_owned(),
        account => format!("{}@{account}", provider.id()),
    };
    let trouble = |why: String, is_new: bool| QueryError {
        // The sentences of other rooms begin with it too.
        why: without(&[&whose, provider.id()], why),
        whose: whose.clone(),
        fallback: match side.kind {
            _ if query.has_result() => Fallback::TheLast,
            SideKind::Models => Fallback::BuiltIn,
            SideKind::Usage | SideKind::Account => Fallback::Nothing,
        },
        is_new,
        what: match side.kind {
            SideKind::Models => "the list of models",
            SideKind::Usage => "the usage of the plan",
            SideKind::Account => "the account",
        },
    };
    let before = query.rounds();
    let _turn = query.turn.lock().await;
    if query.rounds() != before {
        return query.why().map_or(Ok(()), |why| Err(trouble(why, false)));
    }
    let result = match tokio::time::timeout(DEADLINE, exchange(provider, key, side, &query.identity)).await {
        Ok(result) => result,
        Err(_) => Err(because(format!("no answer within {} s", DEADLINE.as_secs()))),
    };
    match result {
        Ok((result, doubt)) => {
            let is_new = provider.query_cache.learn(provider, key, &query, result, doubt).await;
            doubt.map_or(Ok(()), |why| {
                Err(QueryError { fallback: Fallback::WhatCame, ..trouble(why.to_owned(), is_new) })
            })
        }
        Err(QueryFailure { sentence, after }) => {
            let is_new = query.failed(&sentence, after);
            Err(trouble(sentence, is_new))
        }
    }
}

/// Brings what was asked for, and why it may not be all.
async fn exchange(
    provider: &Arc<Provider>,
    key: &QueryKey,
    side: &SideRequest,
    identity: &str,
) -> Result<(QueryResult, Option<&'static str>), QueryFailure> {
    let credential = match key.account.as_str() {
        "" => None,
        account => Some(provider.accounts.ready(Some(account)).await?),
    };
    if credential.as_ref().is_some_and(|credential| provider.identity(credential) != identity) {
        return Err(because("another account has the label now".into()));
    }
    let mut request = request(side);
    let described = request.query.len();
    let mut models: Vec<Model> = Vec::new();
    let (mut ids, mut pages) = (HashSet::new(), HashSet::new());
    for _ in 0..MOST_PAGES {
        let (page, scrubber) = pipeline::query(provider, credential.clone(), &request).await?;
        let (next, is_known) = match provider.plugin.interpret(&key.request, &page, scrubber).await? {
            Ok(Read::Json(json)) => {
                return QueryResult::read(side.kind, &json)
                    .map(|result| (result, None))
                    .map_err(|why| because(format!("what the component made of it is of no use: {why}")));
            }
            Ok(Read::Page(page)) => {
                let (before, is_empty) = (models.len(), page.models.is_empty());
                models.extend(page.models.into_iter().filter(|model| ids.insert(model.id.clone())));
                (page.next, models.len() == before && !is_empty)
            }
            Err(failure) => return Err(refused(&page, &failure)),
        };
        let Some((name, value)) = next.filter(|_| models.len() <= MOST_MODELS) else {
            return Ok((QueryResult::listed(models).map_err(because)?, None));
        };
        if is_known || !pages.insert(value.clone()) {
            return Ok((QueryResult::listed(models).map_err(because)?, Some(SAME_PAGE)));
        }
        request.query.truncate(described);
        request.query.retain(|field| field.name != name);
        request.query.push(Field { name, value });
    }
    Err(because(format!("its list has more than {MOST_PAGES} pages")))
}

/// What an answer says went wrong.
fn refused(page: &Answer, failure: &Failure) -> QueryFailure {
    if page.truncated {
        return because("the answer has more than 4 MiB".into());
    }
    let sentence: String = failure.message.replace(char::is_control, " ").chars().take(500).collect();
    let after = failure.retry_after_ms.map(Duration::from_millis);
    QueryFailure { sentence: format!("{sentence} (the answer's status is {})", page.status), after }
}

/// The sentence without the name that it begins with.
fn without(names: &[&str], sentence: String) -> String {
    let rest = names.iter().find_map(|name| sentence.strip_prefix(name)?.strip_prefix(": "));
    rest.map_or(sentence.clone(), str::to_owned)
}

/// The described request.
fn request(side: &SideRequest) -> Request {
    let fields = |map: &BTreeMap<String, String>| {
        map.iter().map(|(name, value)| Field { name: name.clone(), value: value.clone() }).collect()
    };
    Request { query: fields(&side.query), headers: fields(&side.headers), ..get(&side.origin, &side.path) }
}

/// A GET of JSON.
pub(super) fn get(origin: &str, path: &str) -> Request {
    Request {
        method: "GET".into(),
        origin: origin.into(),
        path: path.into(),
        values: Vec::new(),
        query: Vec::new(),
        headers: Vec::new(),
        body: Body::Empty,
        framing: "json".into(),
        delivery: Delivery::Pass,
        memo: Vec::new(),
        dropped: Vec::new(),
        more: String::new(),
    }
}
