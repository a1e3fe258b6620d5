//! Provider queries: what the host asks a provider by itself, such as its list of models and how much of
//! a plan is used. A component declares them and reads the answers; no client waits for them.
//!
//! `serve` runs those that are due in the background, commands run them on demand, and `route` reads the results. Results
//! are kept for each account, on disk too, and stay in use until there are newer ones.

mod presence;
mod query;

use std::sync::Arc;

use bitrouter_contract::description::SideKind;
use futures_util::StreamExt;

use crate::route::{Provider, Providers};

pub use presence::look_for_local;

/// How many queries run at once: a gateway with many accounts should not start with a burst.
const AT_ONCE: usize = 4;

/// Why a side request brought nothing, or may not have brought all. What was known before stays in use, or what has come
/// is used, and requests of clients go on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} of {whose} {}: {why}", .fallback.words())]
pub struct QueryError {
    /// The provider's id, and the account's label where it has accounts.
    pub whose: String,
    /// What was asked for, in words.
    pub what: &'static str,
    /// What happened, in one sentence.
    pub why: String,
    /// What is used in its place.
    pub fallback: Fallback,
    /// Whether it went well the time before, or this is the first time.
    pub is_new: bool,
}

/// What is in use where a side request did not go well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fallback {
    /// What has come now.
    WhatCame,
    /// What was heard the last time.
    TheLast,
    /// What the component brings along.
    BuiltIn,
    /// Nothing.
    Nothing,
}

impl Fallback {
    fn words(self) -> &'static str {
        match self {
            Fallback::WhatCame => "may not be whole",
            Fallback::TheLast => "could not be renewed, the last one stays",
            Fallback::BuiltIn => "could not be asked for, its component's own stays",
            Fallback::Nothing => "could not be asked for",
        }
    }
}

/// Runs the queries whose results are older than an hour, and those of new accounts. A failure is logged, and its query
/// waits before it runs again.
pub async fn query_due(providers: &Providers) {
    let mut due = Vec::new();
    for provider in serving(providers) {
        provider.follow_accounts();
        due.extend(provider.query_cache.due().into_iter().map(|key| (Arc::clone(provider), key)));
    }
    let asked = futures_util::stream::iter(due).for_each_concurrent(AT_ONCE, async |(provider, key)| {
        if let Err(trouble) = query::query(&provider, &key).await {
            // Said once, until it went well in between: nobody has to do anything about a provider that is away.
            match trouble.is_new {
                true => tracing::warn!("{trouble}"),
                false => tracing::debug!("{trouble}"),
            }
        }
    });
    asked.await;
}

/// Runs all queries of one kind now, of one provider where one is named, however new their results are. Returns the
/// failures.
pub async fn query_now(providers: &Providers, kind: SideKind, only: Option<&str>) -> Vec<QueryError> {
    let mut wanted = Vec::new();
    for provider in serving(providers).filter(|provider| only.is_none_or(|id| provider.id() == id)) {
        provider.follow_accounts();
        wanted.extend(provider.query_cache.all(kind).into_iter().map(|key| (Arc::clone(provider), key)));
    }
    let asked =
        futures_util::stream::iter(wanted).map(async |(provider, key)| query::query(&provider, &key).await.err());
    asked.buffered(AT_ONCE).filter_map(std::future::ready).collect().await
}

/// The providers that can answer clients.
fn serving(providers: &Providers) -> impl Iterator<Item = &Arc<Provider>> {
    providers.on().filter(|provider| provider.fault.is_none() && provider.is_there())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_not_be_asked_for_is_a_sentence_that_says_what_stays() {
        let told = |what, fallback| {
            let why = "no connection".to_owned();
            QueryError { whose: "openai@env".into(), what, why, fallback, is_new: true }.to_string()
        };
        assert_eq!(
            told("the list of models", Fallback::TheLast),
            "the list of models of openai@env could not be renewed, the last one stays: no connection"
        );
        assert_eq!(
            told("the list of models", Fallback::WhatCame),
            "the list of models of openai@env may not be whole: no connection"
        );
        assert_eq!(
            told("the list of models", Fallback::BuiltIn),
            "the list of models of openai@env could not be asked for, its component's own stays: no connection"
        );
        assert_eq!(
            told("the usage of the plan", Fallback::Nothing),
            "the usage of the plan of openai@env could not be asked for: no connection"
        );
    }
}
