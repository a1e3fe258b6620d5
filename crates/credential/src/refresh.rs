//! Keeping logins fresh: one refresh of an account at a time, across threads and processes, and nothing lost on the way.
//!
//! Accounts calls it: in the background before expiry, for a request that finds its token expired, and once after a 401.
//! A refresh runs to its end even where nobody waits for it any more: the refresh token that it sends is used up. It goes:
//! lock the account, read the store anew, see whether the work is still there to do, set room on the disk aside (in the
//! file of a program that shares the session too), record the intent, ask the issuer, store what it gave, and only then use it. The store's own lock is never held while the
//! issuer is asked.

mod back_off;
mod clock;
pub(super) mod due;
mod mint;
mod shared;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bitrouter_contract::description::{Oauth, Refresh};
use secrecy::{ExposeSecret, SecretString};
use thiserror::Error;

use super::accounts::AccountError;
use super::claims;
use super::issuer::{Issuer, Tokens};
use super::store::{AccountLock, Store, StoreError};
use super::token_file::{Entry, LogInAgain, Refreshing, StoredLogin};
use back_off::BackOff;
use bitrouter_files::{Reserved, Timestamp};
use clock::Clock;
use due::Stage;
pub use mint::KeyCommand;
pub(crate) use mint::{Mint, Minting};
pub(crate) use shared::cannot_be_renewed;

/// How long another process may refresh an account: two exchanges with an issuer that is slow to answer.
const REFRESH_LOCK_WITHIN: Duration = Duration::from_secs(75);
/// How often an account that another process refreshes is looked at again.
const LOCK_AGAIN: Duration = Duration::from_millis(15);

/// Why a refresh was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    /// The access token expires soon, or has.
    Expiry,
    /// The provider answered 401.
    Unauthorized,
}

/// Why an account is not fresh.
#[derive(Clone, Debug, Error)]
pub(crate) enum RefreshError {
    /// Only a new login helps.
    #[error("the account must log in again")]
    LogInAgain,
    /// It may help to wait.
    #[error("{0}")]
    Transient(String),
}

/// The logins of one provider.
#[derive(Debug)]
pub(super) struct Refresher {
    provider: String,
    oauth: Oauth,
    how: Refresh,
    store: Arc<Store>,
    issuer: Issuer,
    clock: Arc<Clock>,
    states: Arc<RefreshStates>,
}

/// What this process knows of the refreshes of each account, by label.
type RefreshStates = Mutex<HashMap<String, Arc<tokio::sync::Mutex<RefreshState>>>>;

/// What this process knows of the refreshes of one account.
#[derive(Debug, Default)]
struct RefreshState {
    back_off: BackOff,
    /// When the issuer last gave tokens.
    refreshed: Option<Instant>,
    /// What the issuer gave for this refresh token and the disk did not take.
    unsaved: Option<(SecretString, Tokens)>,
}

impl Refresher {
    /// For a provider whose description says how; nothing where it does not.
    pub(super) fn new(provider: &str, oauth: &Oauth, store: &Arc<Store>) -> Option<Self> {
        Some(Refresher {
            provider: provider.to_owned(),
            oauth: oauth.clone(),
            how: oauth.refresh.clone()?,
            store: Arc::clone(store),
            issuer: Issuer::default(),
            clock: Arc::new(Clock::new()),
            states: Arc::default(),
        })
    }

    /// Goes on where another of this provider was, before the configuration changed: one refresh of an account at a time,
    /// the same waits, and tokens that the disk did not take.
    pub(super) fn carry_on(&mut self, before: &Refresher) {
        self.states = Arc::clone(&before.states);
        self.clock = Arc::clone(&before.clock);
    }

    /// Whether a token with this expiry can be used no more.
    pub(super) fn is_over(&self, expiry: Timestamp) -> bool {
        due::is_over(expiry, self.clock.now())
    }

    /// Whether a login should be refreshed before it is over.
    pub(super) fn is_due(&self, login: &StoredLogin) -> bool {
        self.stage(login) != Stage::Fresh
    }

    /// Refreshes an account, or waits for who does so already. `seen` is the access token that does not serve: where the
    /// store has another by now, that is used. Returns once the store has what is to be used.
    pub(super) async fn refresh(
        self: &Arc<Self>,
        label: &str,
        seen: SecretString,
        reason: Reason,
    ) -> Result<(), RefreshError> {
        let (this, label) = (Arc::clone(self), label.to_owned());
        // A task of its own: a client that goes away must not take a used-up refresh token with it.
        let work = tokio::spawn(async move { this.run(&label, &seen, reason).await });
        work.await.unwrap_or_else(|_| Err(RefreshError::Transient("the refresh was cut off".into())))
    }

    /// Waits until no refresh is under way, so that the process can end.
    pub(super) async fn finish(&self) {
        let accounts: Vec<_> = self.states.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect();
        for account in accounts {
            drop(account.lock().await);
        }
    }

    async fn run(self: &Arc<Self>, label: &str, seen: &SecretString, reason: Reason) -> Result<(), RefreshError> {
        let account = self.account(label);
        let mut state = account.lock().await;
        let lock = self.lock(label).await?;
        if let Some((used, tokens)) = state.unsaved.take() {
            self.save(label, &used, tokens, None, &mut state).await?;
        }
        let wanted = |login: &StoredLogin| match reason {
            Reason::Expiry => self.is_due(login),
            Reason::Unauthorized => login.access_token.expose_secret() == seen.expose_secret(),
        };
        let mut login = self.login(label).await?;
        if login.log_in_again.is_some() {
            return Err(RefreshError::LogInAgain);
        }
        if wanted(&login) && self.take_shared(label, &login).await? {
            login = self.login(label).await?;
        }
        if !wanted(&login) {
            return Ok(());
        }
        state.may_ask(reason, &*lock)?;
        self.ask(label, &login, reason, &mut state, &*lock).await
    }

    /// One exchange with the issuer, and what follows from its answer.
    async fn ask(
        self: &Arc<Self>,
        label: &str,
        login: &StoredLogin,
        reason: Reason,
        state: &mut RefreshState,
        lock: &dyn AccountLock,
    ) -> Result<(), RefreshError> {
        // The recorded one alone: neither a component nor a config moves a refresh token.
        let issuer = login.origin(&self.oauth.origin);
        let (Some(used), Some(issuer)) = (&login.refresh_token, issuer) else {
            return Err(RefreshError::LogInAgain);
        };
        let writable = match self.writable(login, used).await {
            Ok(writable) => writable,
            Err(error) => return Err(state.back_off.failed(error.to_string(), lock)),
        };
        let reserved = self.blocking(|store| store.backend().reserve()).await?;
        let now = self.clock.now();
        self.change(label, used, None, move |login| login.refreshing = Some(Refreshing { since: now })).await?;

        let added = match reason {
            Reason::Expiry => &self.how.on_expiry,
            Reason::Unauthorized => &self.how.on_unauthorized,
        };
        let mut members = vec![
            ("client_id", login.client_id.as_deref().unwrap_or(&self.oauth.client_id)),
            ("grant_type", "refresh_token"),
            ("refresh_token", used.expose_secret()),
        ];
        members.extend(added.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        let error = match self.issuer.tokens(issuer, &self.how.endpoint, &members).await {
            Ok(tokens) => {
                self.clock.set(tokens.at);
                state.back_off.ends(lock);
                self.save(label, used, tokens.clone(), reserved, state).await?;
                self.give_back(label, writable, used, tokens).await;
                tracing::info!(provider = self.provider, account = label, "refreshed");
                return Ok(());
            }
            Err(error) => error,
        };
        drop(reserved);
        if let Some(code) = error.permanent(&self.how) {
            // Another program that shares the session may have been first.
            if self.take_shared(label, login).await? {
                return Ok(());
            }
            self.give_up(label, used, code).await?;
            let (provider, label) = (self.provider.clone(), label.to_owned());
            let said = AccountError::LogInAgain { provider, label };
            tracing::warn!(provider = self.provider, %error, "{said}");
            return Err(RefreshError::LogInAgain);
        }
        // A record that stood before stays: the refresh that left it may have used the token up, and an issuer that takes it
        // once more does so for a short time only.
        if !error.leaves_open() && login.refreshing.is_none() {
            self.change(label, used, None, |login| login.refreshing = None).await?;
        }
        Err(state.back_off.failed(error.to_string(), lock))
    }

    /// Records that only a new login helps, unless there was one meanwhile.
    async fn give_up(&self, label: &str, used: &SecretString, code: String) -> Result<(), RefreshError> {
        let since = self.clock.now();
        let change = move |login: &mut StoredLogin| {
            login.refreshing = None;
            login.log_in_again = Some(LogInAgain { since, reason: code });
        };
        self.change(label, used, None, change).await
    }

    /// Stores what the issuer gave. What the disk does not take is kept for the next attempt.
    async fn save(
        &self,
        label: &str,
        used: &SecretString,
        tokens: Tokens,
        reserved: Option<Reserved>,
        state: &mut RefreshState,
    ) -> Result<(), RefreshError> {
        let (oauth, new) = (self.oauth.clone(), tokens.clone());
        let saved = self.change(label, used, reserved, move |login| login.renew(new, &oauth)).await;
        match &saved {
            Ok(()) => *state = RefreshState { refreshed: Some(Instant::now()), ..RefreshState::default() },
            Err(error) => {
                tracing::error!(provider = self.provider, account = label, %error, "new tokens could not be stored yet");
                state.unsaved = Some((used.clone(), tokens));
            }
        }
        saved
    }

    /// Changes a stored login, if it is still the one with this refresh token: not logged out, not logged in anew.
    async fn change(
        &self,
        label: &str,
        used: &SecretString,
        reserved: Option<Reserved>,
        change: impl FnOnce(&mut StoredLogin) + Send + 'static,
    ) -> Result<(), RefreshError> {
        let (provider, label, used) = (self.provider.clone(), label.to_owned(), used.clone());
        let change = move |file: &mut super::token_file::TokenFile| {
            let login = file.login_mut(&provider, &label);
            let has_it = |login: &&mut StoredLogin| {
                login.refresh_token.as_ref().is_some_and(|token| token.expose_secret() == used.expose_secret())
            };
            if let Some(login) = login.filter(has_it) {
                change(login);
            }
        };
        self.blocking(move |store| store.update_into(reserved, change)).await
    }

    /// The login as the file has it at this moment.
    async fn login(&self, label: &str) -> Result<StoredLogin, RefreshError> {
        let (provider, label) = (self.provider.clone(), label.to_owned());
        let read = move |store: &Store| {
            let file = store.read_anew()?;
            // Without its refresh token it would look as if it had none.
            if let Some(why) = file.find(&provider, &label).and_then(Entry::out_of_reach) {
                return Err(StoreError::OutOfReach { why: why.to_owned() });
            }
            let login = file.login(&provider, &label).cloned();
            // What another process refreshed is to be seen by whoever waited for it.
            store.look_again();
            Ok(login)
        };
        let login = self.blocking(read).await?;
        login.ok_or_else(|| RefreshError::Transient("the account was logged out".into()))
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, RefreshError> {
        let store = Arc::clone(&self.store);
        match tokio::task::spawn_blocking(move || work(&store)).await {
            Ok(done) => done.map_err(unstored),
            Err(_) => Err(RefreshError::Transient("the store was cut off".into())),
        }
    }

    /// The lock of an account between processes.
    async fn lock(&self, label: &str) -> Result<Box<dyn AccountLock>, RefreshError> {
        let until = Instant::now() + REFRESH_LOCK_WITHIN;
        loop {
            let (provider, label) = (self.provider.clone(), label.to_owned());
            let try_it = move |store: &Store| match store.backend().lock_account(&provider, &label) {
                Err(StoreError::Held { .. }) if Instant::now() < until => Ok(None),
                lock => lock.map(Some),
            };
            match self.blocking(try_it).await? {
                Some(lock) => return Ok(lock),
                None => tokio::time::sleep(LOCK_AGAIN).await,
            }
        }
    }

    fn stage(&self, login: &StoredLogin) -> Stage {
        due::stage(login, &self.how, self.clock.now())
    }

    fn account(&self, label: &str) -> Arc<tokio::sync::Mutex<RefreshState>> {
        let mut states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(states.entry(label.to_owned()).or_default())
    }
}

impl StoredLogin {
    /// Takes what an issuer gave: after a login as after a refresh. What it did not give stays as it was.
    pub fn renew(&mut self, tokens: Tokens, oauth: &Oauth) {
        let (at, expiry) = (tokens.at, tokens.expiry());
        if let Some(access_token) = tokens.access_token {
            self.expires_at = expiry;
            self.access_token = access_token;
        }
        self.refresh_token = tokens.refresh_token.or_else(|| self.refresh_token.take());
        self.id_token = tokens.id_token.or_else(|| self.id_token.take());
        self.refreshed_at = Some(at);
        self.refreshing = None;
        self.log_in_again = None;
        let id_token = self.id_token.as_ref().map(ExposeSecret::expose_secret);
        for (name, value) in claims::of_tokens(&oauth.claims, id_token, self.access_token.expose_secret()) {
            match self.claims.iter_mut().find(|(known, _)| *known == name) {
                Some((_, known)) => *known = value,
                None => self.claims.push((name, value)),
            }
        }
    }
}

impl RefreshState {
    /// Whether the issuer may be asked: not within a minute of a failure, nor of a refresh after which a 401 came still.
    fn may_ask(&mut self, reason: Reason, lock: &dyn AccountLock) -> Result<(), RefreshError> {
        self.back_off.allows(lock)?;
        let just_refreshed = self.refreshed.is_some_and(|refreshed| refreshed.elapsed() < back_off::SHORTEST_WAIT);
        match reason {
            Reason::Unauthorized if just_refreshed => {
                Err(RefreshError::Transient("the provider refuses an access token that was just issued".into()))
            }
            _ => Ok(()),
        }
    }
}

fn unstored(error: StoreError) -> RefreshError {
    RefreshError::Transient(error.to_string())
}

#[cfg(test)]
mod tests;
