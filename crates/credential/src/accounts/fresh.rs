//! The same accounts, with logins that are fresh enough to be used.

use std::sync::Arc;

use bitrouter_files::Timestamp;

use super::super::Store;
use super::super::refresh::{Reason, RefreshError};
use super::super::source::{Credential, CredentialSource};
use super::super::token_file::{Entry, Kind};
use super::{AccountError, Accounts};

impl Accounts {
    /// The credential of the account with this label, or of the first account, ready to be attached: where its access
    /// token is over, it is refreshed first. Must be called inside a tokio runtime.
    pub async fn ready(&self, label: Option<&str>) -> Result<Arc<Credential>, AccountError> {
        let credential = self.select(label)?;
        if let Some(mint) = credential.mint() {
            return mint.ready(&credential).await.map_err(|error| self.not_minted(&credential.label, error));
        }
        if !self.is_over(&credential) {
            return Ok(credential);
        }
        self.refresh(&credential, Reason::Expiry).await
    }

    /// Once the provider has answered 401 to this credential: another to try the request with once more. It is what the
    /// account has by now, or what a refresh gives. An error means that the 401 stands.
    pub async fn refresh_after_unauthorized(&self, credential: &Credential) -> Result<Arc<Credential>, AccountError> {
        if let Ok(root) = self.select(Some(&credential.label))
            && let Some(mint) = root.mint()
        {
            let minted = mint.after_unauthorized(&root, credential.secret());
            return minted.await.map_err(|error| self.not_minted(&root.label, error));
        }
        if credential.source == CredentialSource::Store && self.refresher.is_some() {
            return self.refresh(credential, Reason::Unauthorized).await;
        }
        let (provider, label) = (credential.provider.clone(), credential.label.to_string());
        Err(AccountError::Rejected { provider, label })
    }

    /// Refreshes the logins that will soon be over. For a task that calls it again and again, each half a minute or so:
    /// what fails is logged, and waits before it is tried again.
    pub async fn refresh_due(&self) {
        self.look_at_files();
        for root in self.list().accounts() {
            let Some(mint) = root.mint() else { continue };
            if let Err(error) = mint.keep_fresh(root).await {
                tracing::warn!(provider = self.means.provider, account = &*root.label, %error, "no new token yet");
            }
        }
        let (Some(refresher), Ok(file)) = (&self.refresher, self.store.read()) else { return };
        let follows = |entry: &&Entry| matches!(&entry.kind, Kind::Oauth(login) if login.follows.is_some());
        let shared = file.entries.iter().filter(|entry| entry.provider == self.means.provider).filter(follows);
        for label in shared.map(|entry| &entry.label) {
            if let Err(RefreshError::Transient(why)) = refresher.keep_in_step(label).await {
                tracing::warn!(
                    provider = self.means.provider,
                    account = label,
                    why,
                    "not in step with the shared session yet"
                );
            }
        }
        let Ok(file) = self.store.read() else { return };
        for credential in self.list().accounts() {
            let Some(login) = file.login(&self.means.provider, &credential.label) else { continue };
            if credential.source != CredentialSource::Store || login.refresh_token.is_none() || !refresher.is_due(login)
            {
                continue;
            }
            let done = refresher.refresh(&credential.label, credential.secret().clone(), Reason::Expiry).await;
            if let Err(RefreshError::Transient(why)) = done {
                tracing::warn!(provider = self.means.provider, account = &*credential.label, why, "not refreshed yet");
            }
        }
    }

    /// Waits until no refresh is under way, so that the process can end without losing one's outcome.
    pub async fn finish_refreshes(&self) {
        if let Some(refresher) = &self.refresher {
            refresher.finish().await;
        }
    }

    /// Where this provider's logins are stored.
    pub fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// Takes what the files of vendors' tools hold now. Blocks briefly, and only where a provider reads any.
    fn look_at_files(&self) {
        if let Some(fixed) = self.means.find_again(&self.fixed.load()) {
            tracing::info!(provider = self.means.provider, "a file of credentials has changed, and was read again");
            self.fixed.store(Arc::new(fixed));
        }
    }

    fn not_minted(&self, label: &str, error: RefreshError) -> AccountError {
        let (provider, label, why) = (self.means.provider.clone(), label.to_owned(), error.to_string());
        AccountError::NotMinted { provider, label, why }
    }

    fn is_over(&self, credential: &Credential) -> bool {
        let Some(expiry) = credential.expires_at else { return false };
        self.refresher.as_ref().map_or_else(|| expiry <= Timestamp::now(), |refresher| refresher.is_over(expiry))
    }

    async fn refresh(&self, credential: &Credential, reason: Reason) -> Result<Arc<Credential>, AccountError> {
        let label = &*credential.label;
        let Some(refresher) = &self.refresher else { return Err(self.log_in_again(label)) };
        match refresher.refresh(label, credential.secret().clone(), reason).await {
            Ok(()) => self.select(Some(label)),
            Err(RefreshError::LogInAgain) => Err(self.log_in_again(label)),
            Err(RefreshError::Transient(why)) => {
                let (provider, label) = (self.means.provider.clone(), label.to_owned());
                Err(AccountError::NotRefreshed { provider, label, why })
            }
        }
    }

    pub(super) fn log_in_again(&self, label: &str) -> AccountError {
        AccountError::LogInAgain { provider: self.means.provider.clone(), label: label.to_owned() }
    }
}
