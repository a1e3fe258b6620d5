//! What is known of one provider by its side requests: for each account and each request the last good answer, and when
//! it is asked for again. Route reads the live lists on the way of requests, without a lock.

mod catalogue;
mod found;
mod kept;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::{ArcSwap, Guard};
use bitrouter_contract::description::SideKind;
use bitrouter_credential::{AccountError, Credential};
use bitrouter_files::Timestamp;

use super::Provider;

pub use catalogue::Catalogue;
pub(crate) use found::MOST_MODELS;
pub use found::{Found, Usage};
pub use kept::Kept;

/// How long an answer is new.
const FRESH: Duration = Duration::from_secs(3600);
/// How long a request that failed waits: this, doubled with each failure in a row, up to an hour.
const FIRST_WAIT: Duration = Duration::from_secs(60);

/// The live lists of models, by account; the empty label where the provider has no accounts.
pub type Live = BTreeMap<String, Arc<Catalogue>>;

/// What is known of one provider.
#[derive(Default)]
pub struct Known {
    /// Where answers are kept; none where side requests are switched off.
    folder: Option<PathBuf>,
    asked: Mutex<BTreeMap<Key, Arc<Asked>>>,
    live: ArcSwap<Live>,
}

/// One side request of one account.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    /// The account's label; empty where the provider has no accounts.
    pub account: String,
    /// The side request's name in the description.
    pub side: String,
}

/// What is known by one side request of one account.
pub(crate) struct Asked {
    pub kind: SideKind,
    /// Whose answer it is: the account that had the label.
    pub identity: String,
    file: String,
    /// Held by the one caller that asks.
    pub turn: tokio::sync::Mutex<()>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    kept: Option<Kept>,
    /// How often it was asked for, with whatever outcome.
    rounds: u64,
    failures: u32,
    /// What went wrong the last time.
    why: Option<String>,
    not_before: Option<Instant>,
}

impl Known {
    /// Nothing yet; what is learned is kept in this folder. Without one, nothing is ever asked.
    pub fn kept_in(folder: Option<PathBuf>) -> Self {
        Known { folder, ..Known::default() }
    }

    /// The live lists of models.
    pub fn live(&self) -> Guard<Arc<Live>> {
        self.live.load()
    }

    /// The last good answer of this kind for an account.
    pub fn last(&self, account: &str, kind: SideKind) -> Option<Kept> {
        let asked = lock(&self.asked);
        let mut of_account = asked.iter().filter(|(key, asked)| key.account == account && asked.kind == kind);
        of_account.find_map(|(_, asked)| lock(&asked.state).kept.clone())
    }

    /// What is to be asked for now.
    pub(crate) fn due(&self) -> Vec<Key> {
        let (now, today) = (Instant::now(), Timestamp::now());
        let asked = lock(&self.asked);
        asked.iter().filter(|(_, asked)| asked.is_due(now, today)).map(|(key, _)| key.clone()).collect()
    }

    /// Everything of one kind.
    pub(crate) fn all(&self, kind: SideKind) -> Vec<Key> {
        let asked = lock(&self.asked);
        asked.iter().filter(|(_, asked)| asked.kind == kind).map(|(key, _)| key.clone()).collect()
    }

    pub(crate) fn get(&self, key: &Key) -> Option<Arc<Asked>> {
        lock(&self.asked).get(key).cloned()
    }

    /// Keeps an answer, in memory and on disk.
    pub(crate) async fn learn(&self, provider: &Provider, key: &Key, asked: &Asked, found: Found) {
        let kept = Kept { found, at: Timestamp::now() };
        {
            let mut state = lock(&asked.state);
            *state = State { kept: Some(kept.clone()), rounds: state.rounds + 1, ..State::default() };
        }
        tell_windows(provider, &key.account, &kept);
        self.publish();
        let Some(folder) = self.folder.clone() else { return };
        let (file, whose) = (asked.file.clone(), [provider.id().to_owned(), key.account.clone(), key.side.clone()]);
        let written = tokio::task::spawn_blocking(move || {
            kept::store(&folder, &file, whose.each_ref().map(String::as_str), &kept).map_err(|error| (folder, error))
        });
        if let Ok(Err((folder, error))) = written.await {
            tracing::warn!(folder = %folder.display(), %error, "an answer is not kept for the next start");
        }
    }

    /// Makes the live lists anew from what is known.
    fn publish(&self) {
        let asked = lock(&self.asked);
        let catalogues = asked.iter().filter_map(|(key, asked)| match &lock(&asked.state).kept {
            Some(Kept { found: Found::Models(models), at }) => {
                Some((key.account.clone(), Arc::new(Catalogue::new(models, *at))))
            }
            _ => None,
        });
        self.live.store(Arc::new(catalogues.collect()));
    }
}

impl Asked {
    fn is_due(&self, now: Instant, today: Timestamp) -> bool {
        let state = lock(&self.state);
        // An answer from the future is of a clock that was wrong.
        let age = state.kept.as_ref().and_then(|kept| today.since(kept.at));
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

    /// Whether there is an answer of before.
    pub(crate) fn is_known(&self) -> bool {
        lock(&self.state).kept.is_some()
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
    /// Sees which accounts there are now: what is kept of new ones is read, and what is known of those that are gone, or
    /// whose label has another account now, is forgotten. Reads files where something is new.
    pub fn follow_accounts(&self) {
        let Some(folder) = &self.known.folder else { return };
        let sides = self.plugin.description.side_requests.iter().filter(|(_, side)| side.kind != SideKind::Account);
        let sides: Vec<_> = sides.collect();
        if sides.is_empty() {
            return;
        }
        let accounts: Vec<(String, String)> = if self.accounts.needs_credential() {
            let listing = self.accounts.list();
            if listing.faults().any(|fault| matches!(fault, AccountError::Store(_))) {
                // Who is there cannot be read at the moment: that is no reason to forget anybody.
                return;
            }
            listing.accounts().map(|account| (account.label.clone(), self.identity(account))).collect()
        } else {
            vec![Default::default()]
        };
        let mut changed = false;
        {
            let mut asked = lock(&self.known.asked);
            let mut before = std::mem::take(&mut *asked);
            for (account, identity) in accounts {
                for (name, side) in &sides {
                    let key = Key { account: account.clone(), side: (*name).clone() };
                    let known = before.remove(&key).filter(|known| known.identity == identity);
                    changed |= known.is_none();
                    let known = known.unwrap_or_else(|| {
                        let origin = self.origins.get(&side.origin).map(ToString::to_string).unwrap_or_default();
                        let query = format!("{:?}", side.query);
                        let parts = [self.plugin.digest.as_str(), self.id(), &account, &identity, name, &origin];
                        let file = kept::name(&[parts.as_slice(), &[&side.path, &query]].concat());
                        let kept = kept::load(folder, &file).filter(|kept| fits(&kept.found, side.kind));
                        if let Some(kept) = &kept {
                            tell_windows(self, &account, kept);
                        }
                        let state = Mutex::new(State { kept, ..State::default() });
                        Arc::new(Asked {
                            kind: side.kind,
                            identity: identity.clone(),
                            file,
                            turn: Default::default(),
                            state,
                        })
                    });
                    asked.insert(key, known);
                }
            }
            changed |= !before.is_empty();
        }
        if changed {
            self.known.publish();
        }
    }

    /// Which account has a label, as far as its claims say it; nothing for a key.
    pub(crate) fn identity(&self, credential: &Credential) -> String {
        let names = self.accounts.login().map(|login| login.identity.as_slice()).unwrap_or_default();
        let claims = names.iter().filter_map(|name| credential.claims.iter().find(|(claim, _)| claim == name));
        claims.map(|(name, value)| format!("{name}={value}\n")).collect()
    }
}

/// What a page says of limits is as good as what an answer says.
fn tell_windows(provider: &Provider, account: &str, kept: &Kept) {
    if let Found::Usage(usage) = &kept.found {
        let at = u64::try_from(kept.at.unix()).unwrap_or_default();
        provider.learned.windows.record_at(provider.id(), account, usage.windows.clone(), at);
    }
}

fn fits(found: &Found, kind: SideKind) -> bool {
    matches!((found, kind), (Found::Models(_), SideKind::Models) | (Found::Usage(_), SideKind::Usage))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic while the lock is held leaves nothing half done.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked() -> Asked {
        Asked {
            kind: SideKind::Models,
            identity: String::new(),
            file: String::new(),
            turn: Default::default(),
            state: Mutex::default(),
        }
    }

    fn told(age: Duration) -> Option<Kept> {
        Some(Kept { found: Found::Models(Vec::new()), at: Timestamp::now().minus(age) })
    }

    #[test]
    fn an_answer_is_asked_for_again_after_an_hour_or_if_it_is_of_the_future() {
        let asked = asked();
        let due = |kept| {
            lock(&asked.state).kept = kept;
            asked.is_due(Instant::now(), Timestamp::now())
        };
        assert!(due(None));
        assert!(!due(told(Duration::from_secs(3000))));
        assert!(due(told(Duration::from_secs(3601))));
        let future = Kept { found: Found::Models(Vec::new()), at: Timestamp::now().plus(Duration::from_secs(999)) };
        assert!(due(Some(future)));
    }

    #[test]
    fn only_the_first_failure_in_a_row_is_news() {
        let asked = asked();
        assert!(asked.failed("no connection", None));
        assert!(!asked.failed("no connection", None));
        assert!(!asked.is_known());
    }

    #[test]
    fn what_fails_waits_longer_each_time_and_at_most_an_hour() {
        let asked = asked();
        let wait = |asked: &Asked, after| {
            asked.failed("no connection", after);
            let wait = lock(&asked.state).not_before.unwrap() - Instant::now();
            // The clock has gone on by less than a second since.
            wait.as_secs() + 1
        };
        let waits: Vec<u64> = (0..9).map(|_| wait(&asked, None)).collect();
        assert_eq!(waits, [60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]);
        assert_eq!(wait(&super::tests::asked(), Some(Duration::from_secs(600))), 600);
        assert!(!asked.is_due(Instant::now(), Timestamp::now()));
        assert!(asked.is_due(Instant::now() + FRESH, Timestamp::now()));
        assert_eq!(asked.why().as_deref(), Some("no connection"));
    }
}
