//! The cache of one provider's queries: for each account and side request the last good result, and when it runs again.
//! Routing reads the live lists of models for each request, without a lock.

mod catalogue;
mod persisted;
mod result;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::{ArcSwap, Guard};
use bitrouter_contract::description::{Model, SideKind};
use bitrouter_credential::{AccountError, Credential};
use bitrouter_files::Timestamp;

use super::Provider;

pub use catalogue::Catalogue;
pub use persisted::CachedResult;
pub(crate) use result::MOST_MODELS;
pub use result::{QueryResult, Usage};

/// How long an answer is new.
const FRESH: Duration = Duration::from_secs(3600);
/// How long a request that failed waits: this, doubled with each failure in a row, up to an hour.
const FIRST_WAIT: Duration = Duration::from_secs(60);

/// The live lists of models, by account; the empty label where the provider has no accounts.
pub type Catalogues = BTreeMap<String, Arc<Catalogue>>;

/// The results of one provider's queries.
#[derive(Default)]
pub struct QueryCache {
    /// Where results are kept; none where side requests are switched off.
    folder: Option<PathBuf>,
    queries: Mutex<BTreeMap<QueryKey, Arc<Query>>>,
    live: ArcSwap<Catalogues>,
}

/// One side request of one account.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct QueryKey {
    /// The account's label; empty where the provider has no accounts.
    pub account: String,
    /// The side request's name in the description.
    pub request: String,
}

/// One query, with its last result.
pub(crate) struct Query {
    pub kind: SideKind,
    /// Whose answer it is: the account that had the label.
    pub identity: String,
    file: String,
    /// Held by the one caller that runs it.
    pub turn: tokio::sync::Mutex<()>,
    state: Mutex<QueryState>,
}

#[derive(Default)]
struct QueryState {
    cached: Option<CachedResult>,
    /// How often it ran, whatever came of it.
    rounds: u64,
    failures: u32,
    /// What went wrong the last time.
    why: Option<String>,
    /// Why the result may not be all.
    doubt: Option<&'static str>,
    not_before: Option<Instant>,
}

impl QueryCache {
    /// An empty cache, which keeps its results in this folder. Without a folder no query ever runs.
    pub fn persisted_in(folder: Option<PathBuf>) -> Self {
        QueryCache { folder, ..QueryCache::default() }
    }

    /// The live lists of models.
    pub fn live(&self) -> Guard<Arc<Catalogues>> {
        self.live.load()
    }

    /// The last good answer of this kind for an account.
    pub fn last(&self, account: &str, kind: SideKind) -> Option<CachedResult> {
        let queries = lock(&self.queries);
        let mut of_account = queries.iter().filter(|(key, query)| key.account == account && query.kind == kind);
        of_account.find_map(|(_, query)| lock(&query.state).cached.clone())
    }

    /// The queries that are due.
    pub(crate) fn due(&self) -> Vec<QueryKey> {
        let (now, today) = (Instant::now(), Timestamp::now());
        let queries = lock(&self.queries);
        queries.iter().filter(|(_, query)| query.is_due(now, today)).map(|(key, _)| key.clone()).collect()
    }

    /// All queries of one kind.
    pub(crate) fn all(&self, kind: SideKind) -> Vec<QueryKey> {
        let queries = lock(&self.queries);
        queries.iter().filter(|(_, query)| query.kind == kind).map(|(key, _)| key.clone()).collect()
    }

    pub(crate) fn get(&self, key: &QueryKey) -> Option<Arc<Query>> {
        lock(&self.queries).get(key).cloned()
    }

    /// Keeps a result, in memory and on disk.
    pub(crate) async fn learn(
        &self,
        provider: &Provider,
        key: &QueryKey,
        query: &Query,
        result: QueryResult,
        doubt: Option<&'static str>,
    ) -> bool {
        let cached = CachedResult { result, at: Timestamp::now() };
        let is_new = {
            let mut state = lock(&query.state);
            let (rounds, before) = (state.rounds + 1, state.doubt);
            *state = QueryState { cached: Some(cached.clone()), rounds, doubt, ..QueryState::default() };
            doubt != before
        };
        record_windows(provider, &key.account, &cached);
        self.publish();
        let Some(folder) = self.folder.clone() else { return is_new };
        let (file, whose) = (query.file.clone(), [provider.id().to_owned(), key.account.clone(), key.request.clone()]);
        let written = tokio::task::spawn_blocking(move || {
            persisted::store(&folder, &file, whose.each_ref().map(String::as_str), &cached)
                .map_err(|error| (folder, error))
        });
        if let Ok(Err((folder, error))) = written.await {
            tracing::warn!(folder = %folder.display(), %error, "an answer is not kept for the next start");
        }
        is_new
    }

    /// Makes the live lists anew from the results. A provider may have several lists (Bedrock's models and its profiles): an
    /// account's is all of them, and as old as the oldest.
    fn publish(&self) {
        let queries = lock(&self.queries);
        let mut lists: BTreeMap<&str, (Vec<Model>, Timestamp)> = BTreeMap::new();
        for (key, query) in &*queries {
            let Some(CachedResult { result: QueryResult::Models(models), at }) = &lock(&query.state).cached else {
                continue;
            };
            let (all, told_at) = lists.entry(&key.account).or_insert_with(|| (Vec::new(), *at));
            all.extend(models.iter().cloned());
            *told_at = (*told_at).min(*at);
        }
        let catalogues = lists
            .iter()
            .map(|(account, (models, told_at))| ((*account).to_owned(), Arc::new(Catalogue::new(models, *told_at))));
        self.live.store(Arc::new(catalogues.collect()));
    }
}

impl Query {
    fn is_due(&self, now: Instant, today: Timestamp) -> bool {
        let state = lock(&self.state);
        // An answer from the future is of a clock that was wrong.
        let age = state.cached.as_ref().and_then(|cached| today.since(cached.at));
        age.is_none_or(|age| age >= FRESH) && state.not_before.is_none_or(|then| then <= now)
    }

    /// How often it was asked for.
    pub(crate) fn rounds(&self) -> u64 {
        lock(&self.state).rounds
    }

    /// What went wrong the last time, if something did.
    pub(crate) fn why(&self) -> Option<String> {
        lock(&self.state).why.clone()
    }

    /// Whether there is an earlier result.
    pub(crate) fn has_result(&self) -> bool {
        lock(&self.state).cached.is_some()
    }

    /// Notes that it failed; `after` is how long the provider wants to be left alone. True for the first failure in a row.
    pub(crate) fn failed(&self, why: &str, after: Option<Duration>) -> bool {
        let mut state = lock(&self.state);
        let wait = FIRST_WAIT.saturating_mul(1 << state.failures.min(6)).max(after.unwrap_or_default()).min(FRESH);
        state.rounds += 1;
        state.failures += 1;
        state.why = Some(why.to_owned());
        state.not_before = Some(Instant::now() + wait);
        state.failures == 1
    }
}

impl Provider {
    /// Follows the accounts that there are now: reads the kept results of new ones, and forgets those of accounts that are
    /// gone or whose label has another account now. Reads files where something is new.
    pub fn follow_accounts(&self) {
        let Some(folder) = &self.query_cache.folder else { return };
        let sides = self.plugin.description.side_requests.iter().filter(|(_, side)| side.kind != SideKind::Account);
        let sides: Vec<_> = sides.collect();
        if sides.is_empty() {
            return;
        }
        let accounts: Vec<(String, String)> = if !self.accounts.goes_without() {
            let listing = self.accounts.list();
            if listing.faults().any(|fault| matches!(fault, AccountError::Store(_))) {
                // The store cannot be read at the moment, which is no reason to forget an account.
                return;
            }
            listing.accounts().map(|account| (account.label.to_string(), self.identity(account))).collect()
        } else {
            vec![Default::default()]
        };
        let mut changed = false;
        {
            let mut queries = lock(&self.query_cache.queries);
            let mut before = std::mem::take(&mut *queries);
            for (account, identity) in accounts {
                for (name, side) in &sides {
                    let key = QueryKey { account: account.clone(), request: (*name).clone() };
                    let known = before.remove(&key).filter(|known| known.identity == identity);
                    changed |= known.is_none();
                    let known = known.unwrap_or_else(|| {
                        let origin = self.origins.get(&side.origin).map(ToString::to_string).unwrap_or_default();
                        let query = format!("{:?}", side.query);
                        let parts = [self.plugin.digest.as_str(), self.id(), &account, &identity, name, &origin];
                        let file = persisted::name(&[parts.as_slice(), &[&side.path, &query]].concat());
                        let cached = persisted::load(folder, &file).filter(|cached| fits(&cached.result, side.kind));
                        if let Some(cached) = &cached {
                            record_windows(self, &account, cached);
                        }
                        let state = Mutex::new(QueryState { cached, ..QueryState::default() });
                        Arc::new(Query {
                            kind: side.kind,
                            identity: identity.clone(),
                            file,
                            turn: Default::default(),
                            state,
                        })
                    });
                    queries.insert(key, known);
                }
            }
            changed |= !before.is_empty();
        }
        if changed {
            self.query_cache.publish();
        }
    }

    /// Which account has a label, as far as its claims say it; nothing for a key.
    pub(crate) fn identity(&self, credential: &Credential) -> String {
        let names = self.accounts.login().map(|login| login.identity.as_slice()).unwrap_or_default();
        let claims = names.iter().filter_map(|name| credential.claims.iter().find(|(claim, _)| claim == name));
        claims.map(|(name, value)| format!("{name}={value}\n")).collect()
    }
}

/// Limits on a usage page count as those of an answer do.
fn record_windows(provider: &Provider, account: &str, cached: &CachedResult) {
    if let QueryResult::Usage(usage) = &cached.result {
        let at = u64::try_from(cached.at.unix()).unwrap_or_default();
        provider.learned.windows.record_at(provider.id(), account, usage.windows.clone(), at);
    }
}

fn fits(result: &QueryResult, kind: SideKind) -> bool {
    matches!((result, kind), (QueryResult::Models(_), SideKind::Models) | (QueryResult::Usage(_), SideKind::Usage))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic while the lock is held leaves nothing half done.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query() -> Query {
        Query {
            kind: SideKind::Models,
            identity: String::new(),
            file: String::new(),
            turn: Default::default(),
            state: Mutex::default(),
        }
    }

    fn cached_for(age: Duration) -> Option<CachedResult> {
        Some(CachedResult { result: QueryResult::Models(Vec::new()), at: Timestamp::now().minus(age) })
    }

    #[test]
    fn an_answer_is_asked_for_again_after_an_hour_or_if_it_is_of_the_future() {
        let query = query();
        let due = |cached| {
            lock(&query.state).cached = cached;
            query.is_due(Instant::now(), Timestamp::now())
        };
        assert!(due(None));
        assert!(!due(cached_for(Duration::from_secs(3000))));
        assert!(due(cached_for(Duration::from_secs(3601))));
        let future = CachedResult {
            result: QueryResult::Models(Vec::new()),
            at: Timestamp::now().plus(Duration::from_secs(999)),
        };
        assert!(due(Some(future)));
    }

    #[test]
    fn only_the_first_failure_in_a_row_is_news() {
        let query = query();
        assert!(query.failed("no connection", None));
        assert!(!query.failed("no connection", None));
        assert!(!query.has_result());
    }

    #[test]
    fn what_fails_waits_longer_each_time_and_at_most_an_hour() {
        let query = query();
        let wait = |query: &Query, after| {
            query.failed("no connection", after);
            let wait = lock(&query.state).not_before.unwrap() - Instant::now();
            // The clock has gone on by less than a second since.
            wait.as_secs() + 1
        };
        let waits: Vec<u64> = (0..9).map(|_| wait(&query, None)).collect();
        assert_eq!(waits, [60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]);
        assert_eq!(wait(&super::tests::query(), Some(Duration::from_secs(600))), 600);
        assert!(!query.is_due(Instant::now(), Timestamp::now()));
        assert!(query.is_due(Instant::now() + FRESH, Timestamp::now()));
        assert_eq!(query.why().as_deref(), Some("no connection"));
    }
}
