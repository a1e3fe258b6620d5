//! Minting: a token that lasts a while, made of secrets that stay here. What is minted is a credential like any other: bound,
//! scrubbed, made anew before its end and once after a 401, by one at a time.
//!
//! Accounts calls it, as it does the refresh. Nothing of it is stored: what a token is made of lasts, and to mint one uses
//! nothing up. The secrets go to the origin that was accepted for that when they were obtained, and nowhere else.

mod command;
mod exchange;
mod google;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use bitrouter_contract::Origin;
use bitrouter_contract::description::{Attach, Exchange, GoogleServiceAccount};
use bitrouter_files::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};

use super::clock::Clock;
use super::{Reason, RefreshError, RefreshState, due};
use crate::found::{KeyFile, Secrets};
use crate::issuer::Issuer;
use crate::source::{Adds, Credential, Parts};
use crate::store::AccountLock;
pub use command::KeyCommand;

/// How a token is made.
pub(crate) enum Minting {
    /// Secrets are exchanged for it there.
    Exchange(Box<Exchange>, Origin),
    /// A key file of Google's is given it there.
    Google(Box<GoogleServiceAccount>, Origin, Box<KeyFile>),
    /// A command of the user's prints it.
    Command(KeyCommand),
}

/// What was made.
struct Minted {
    token: SecretString,
    expires_at: Option<Timestamp>,
}

/// The token of one account.
pub(crate) struct Mint {
    minting: Minting,
    rules: Vec<Attach>,
    early: Duration,
    issuer: Issuer,
    clock: Clock,
    last: ArcSwapOption<Last>,
    state: tokio::sync::Mutex<RefreshState>,
}

/// The token that there is.
struct Last {
    credential: Arc<Credential>,
    minted_at: Timestamp,
    /// Whether anybody wanted it: nothing is minted for nobody.
    used: AtomicBool,
}

impl Mint {
    pub(crate) fn new(minting: Minting, rules: &[Attach]) -> Self {
        let early = match &minting {
            Minting::Exchange(exchange, _) => exchange.early,
            Minting::Google(google, ..) => google.early,
            // A command may ask its user something: never before it must.
            Minting::Command(_) => 0,
        };
        Mint {
            minting,
            rules: rules.to_vec(),
            early: Duration::from_secs(early),
            issuer: Issuer::default(),
            clock: Clock::new(),
            last: ArcSwapOption::empty(),
            state: tokio::sync::Mutex::default(),
        }
    }

    /// When the token that there is expires; none before there is one.
    pub(crate) fn expires_at(&self) -> Option<Timestamp> {
        self.last.load().as_ref()?.credential.expires_at
    }

    /// The token of this account, minted first where there is none that is good.
    pub(crate) async fn ready(&self, root: &Credential) -> Result<Arc<Credential>, RefreshError> {
        if let Some(last) = &*self.last.load()
            && !self.is_over(last)
        {
            last.used.store(true, Ordering::Relaxed);
            return Ok(Arc::clone(&last.credential));
        }
        self.run(root, Reason::Expiry, true, |last| self.is_over(last)).await
    }

    /// Another token, once a provider refused this one: what there is by now, or a new one.
    pub(crate) async fn after_unauthorized(
        &self,
        root: &Credential,
        seen: &SecretString,
    ) -> Result<Arc<Credential>, RefreshError> {
        let is_seen = |last: &Last| last.credential.secret().expose_secret() == seen.expose_secret();
        self.run(root, Reason::Unauthorized, true, is_seen).await
    }

    /// Mints anew what is used and ends soon.
    pub(crate) async fn keep_fresh(&self, root: &Credential) -> Result<(), RefreshError> {
        let is_due = |last: &Last| last.used.load(Ordering::Relaxed) && self.is_due(last);
        if self.last.load().as_ref().is_none_or(|last| !is_due(last)) {
            return Ok(());
        }
        self.run(root, Reason::Expiry, false, is_due).await.map(drop)
    }

    /// Mints, unless another has done so meanwhile. `wanted` says of what there is that it does not serve.
    async fn run(
        &self,
        root: &Credential,
        reason: Reason,
        for_somebody: bool,
        wanted: impl Fn(&Last) -> bool,
    ) -> Result<Arc<Credential>, RefreshError> {
        let mut state = self.state.lock().await;
        if let Some(last) = self.last.load_full()
            && !wanted(&last)
        {
            return Ok(Arc::clone(&last.credential));
        }
        state.may_ask(reason, &Unshared)?;
        let minted = match self.mint(root).await {
            Ok(minted) => minted,
            Err(why) => return Err(state.back_off.failed(why, &Unshared)),
        };
        let credential = match self.credential(root, minted) {
            Ok(credential) => Arc::new(credential),
            Err(why) => return Err(state.back_off.failed(why, &Unshared)),
        };
        // One more after a 401, and then not again at once: a provider that refuses that one refuses the account.
        let refreshed = if reason == Reason::Unauthorized { Some(Instant::now()) } else { state.refreshed };
        *state = RefreshState { refreshed, ..RefreshState::default() };
        let (minted_at, used) = (self.clock.now(), AtomicBool::new(for_somebody));
        self.last.store(Some(Arc::new(Last { credential: Arc::clone(&credential), minted_at, used })));
        tracing::info!(provider = root.provider, account = &*root.label, "a token was minted");
        Ok(credential)
    }

    async fn mint(&self, root: &Credential) -> Result<Minted, String> {
        match &self.minting {
            Minting::Exchange(exchange, origin) => {
                exchange::mint(exchange, origin, root.secrets(), &self.issuer, &self.clock).await
            }
            Minting::Google(google, origin, file) => {
                google::mint(google, origin, file, &self.issuer, &self.clock).await
            }
            Minting::Command(command) => command::mint(command, self.clock.now()).await,
        }
    }

    /// The token as a credential: bound where its account is, and found in what comes back as its account's secrets are.
    fn credential(&self, root: &Credential, minted: Minted) -> Result<Credential, String> {
        let secrets: Secrets = vec![("token".to_owned(), minted.token)];
        let parts = Parts {
            provider: &root.provider,
            label: &root.label,
            source: root.source.clone(),
            secrets: &secrets,
            kept_back: root.all_secrets(),
            bound_to: root.bound_to.clone(),
            claims: Cow::Borrowed(&root.claims),
            expires_at: minted.expires_at,
            adds: Adds::Attach(&self.rules),
        };
        Credential::new(parts).map(Credential::minted).map_err(|why| format!("the token that was made {why}"))
    }

    fn is_over(&self, last: &Last) -> bool {
        last.credential.expires_at.is_some_and(|expiry| due::is_over(expiry, self.clock.now()))
    }

    fn is_due(&self, last: &Last) -> bool {
        let Some(expiry) = last.credential.expires_at else { return false };
        let early = due::lead(last.credential.secret(), self.early, expiry.since(last.minted_at));
        expiry <= self.clock.now().plus(early)
    }
}

impl fmt::Debug for Mint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mint")
    }
}

/// A mint is of one process: what it makes uses nothing up, so nobody else has to wait for it.
struct Unshared;

impl AccountLock for Unshared {
    fn note(&self) -> String {
        String::new()
    }

    fn leave(&self, _: &str) {}
}

#[cfg(test)]
mod tests;
