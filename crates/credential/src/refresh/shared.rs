//! Sessions that are shared with a vendor's own program: its file is read before the issuer is asked, and gets the pair
//! that the issuer gives, so that neither signs the other out. Where a kill or a full disk came between the two, the next
//! look at the file puts it right.

use std::sync::Arc;

use bitrouter_files::Timestamp;
use secrecy::{ExposeSecret, SecretString};

use super::super::claims;
use super::super::issuer::Tokens;
use super::super::token_file::{Follows, StoredLogin};
use super::super::vendor::{self, Session, VendorError, Writable, WrittenBack};
use super::{RefreshError, Refresher, due};

impl Refresher {
    /// Brings a shared session in step where it is not: takes over what its program has refreshed, also where ours is over
    /// for good, and puts what was refreshed here into a file that still holds the pair before.
    pub(crate) async fn keep_in_step(self: &Arc<Self>, label: &str) -> Result<(), RefreshError> {
        let account = self.account(label);
        let _state = account.lock().await;
        let login = self.login(label).await?;
        let Some(session) = self.shared(label, &login).await else { return Ok(()) };
        let in_step = session.access_token.expose_secret() == login.access_token.expose_secret();
        if in_step || !(self.is_fresher(&session, &login) || self.is_behind(&session, &login)) {
            return Ok(());
        }
        // Only now the lock between processes, under which both are read anew: mostly there is nothing to be done.
        let _lock = self.lock(label).await?;
        let login = self.login(label).await?;
        if self.take_shared(label, &login).await? {
            return Ok(());
        }
        let behind = self.shared(label, &login).await.filter(|session| self.is_behind(session, &login));
        if let Some(theirs) = behind.and_then(|session| session.refresh_token) {
            let writable = self.writable(&login, &theirs).await?;
            let tokens = Tokens {
                access_token: Some(login.access_token.clone()),
                refresh_token: login.refresh_token.clone(),
                id_token: login.id_token.clone(),
                expires_in: None,
                at: login.refreshed_at.unwrap_or_else(|| self.clock.now()),
            };
            self.give_back(label, writable, &theirs, tokens).await;
        }
        Ok(())
    }

    /// The session as the vendor's file has it. One that is gone or cannot be read is no error: the account lives on by
    /// itself.
    async fn shared(&self, label: &str, login: &StoredLogin) -> Option<Session> {
        let Follows { source, file } = login.follows.clone()?;
        let ours = self.store.copies();
        let read = move || {
            vendor::mend(&source, &file, &ours)?;
            vendor::read(&source, &file)
        };
        match tokio::task::spawn_blocking(read).await {
            Ok(Ok(session)) => Some(session),
            Ok(Err(error)) => {
                tracing::debug!(provider = self.provider, account = label, %error, "the shared session was not read");
                None
            }
            Err(_) => None,
        }
    }

    /// Takes the session from the vendor's file into the store, if it is of the same account and fresher. Says whether it
    /// did.
    pub(super) async fn take_shared(self: &Arc<Self>, label: &str, login: &StoredLogin) -> Result<bool, RefreshError> {
        let (Some(session), Some(used)) = (self.shared(label, login).await, &login.refresh_token) else {
            return Ok(false);
        };
        if !self.is_fresher(&session, login) {
            return Ok(false);
        }
        let tokens = Tokens {
            access_token: Some(session.access_token),
            refresh_token: session.refresh_token,
            id_token: session.id_token,
            expires_in: None,
            at: session.refreshed_at.unwrap_or_else(|| self.clock.now()),
        };
        let oauth = self.oauth.clone();
        self.change(label, used, None, move |login| login.renew(tokens, &oauth)).await?;
        tracing::info!(
            provider = self.provider,
            account = label,
            "took over what the shared session's program has refreshed"
        );
        Ok(true)
    }

    fn is_fresher(&self, session: &Session, login: &StoredLogin) -> bool {
        let access_token = session.access_token.expose_secret();
        if access_token == login.access_token.expose_secret() {
            return false;
        }
        // The program may be logged in to another account by now, or to another workspace.
        if self.is_same_account(session, login) == Some(false) {
            return false;
        }
        let later = |theirs: Option<Timestamp>, ours: Option<Timestamp>| Some(theirs? > ours?);
        later(claims::expires_at(access_token), due::expiry(login))
            .or_else(|| later(session.refreshed_at, login.refreshed_at))
            .unwrap_or(false)
    }

    /// Whether the file holds an earlier pair of this very account, beyond doubt: it is to be overwritten.
    fn is_behind(&self, session: &Session, login: &StoredLogin) -> bool {
        let theirs = claims::expires_at(session.access_token.expose_secret());
        let ours = claims::expires_at(login.access_token.expose_secret());
        login.log_in_again.is_none()
            && theirs.zip(ours).is_some_and(|(theirs, ours)| theirs < ours)
            && self.is_same_account(session, login) == Some(true)
    }

    fn is_same_account(&self, session: &Session, login: &StoredLogin) -> Option<bool> {
        let id_token = session.id_token.as_ref().map(ExposeSecret::expose_secret);
        let claims = claims::of_tokens(&self.oauth.claims, id_token, session.access_token.expose_secret());
        claims::same_account(&self.oauth.identity, &claims, &login.claims)
    }

    /// The vendor's file, where it has to get what the issuer gives for this refresh token. An error where it could not be
    /// put there: then the issuer is not asked, for the vendor's program would be left with a token that is used up.
    pub(super) async fn writable(
        &self,
        login: &StoredLogin,
        used: &SecretString,
    ) -> Result<Option<Writable>, RefreshError> {
        let Some(Follows { source, file }) = login.follows.clone() else { return Ok(None) };
        let (used, ours, provider) = (used.clone(), self.store.copies(), self.provider.clone());
        let find = move || {
            vendor::Writable::find(&source, &file, &used, &ours)
                .map_err(|error| RefreshError::Transient(cannot_be_renewed(&provider, &source, &error)))
        };
        match tokio::task::spawn_blocking(find).await {
            Ok(found) => found,
            Err(_) => Err(RefreshError::Transient("the shared session was cut off".into())),
        }
    }

    /// Puts the issuer's new pair into the vendor's file. What goes wrong there is said and changes nothing here.
    pub(super) async fn give_back(&self, label: &str, writable: Option<Writable>, used: &SecretString, tokens: Tokens) {
        let Some(writable) = writable else { return };
        let used = used.clone();
        let written = tokio::task::spawn_blocking(move || writable.write_back(&used, &tokens)).await;
        let provider = self.provider.as_str();
        match written {
            Ok(Ok(WrittenBack::Yes)) | Err(_) => {}
            Ok(Ok(WrittenBack::ChangedMeanwhile)) => {
                tracing::debug!(provider, account = label, "the shared session's file holds another session by now");
            }
            Ok(Err(error)) => {
                tracing::warn!(provider, account = label, %error, "the program that shares the session may have to log in again");
            }
        }
    }
}

/// Why a shared session is not renewed here, and what to do.
pub(crate) fn cannot_be_renewed(provider: &str, source: &str, error: &VendorError) -> String {
    format!(
        "{error}: so BitRouter cannot put renewed tokens there, and does not renew the session of {source} itself. Make the \
         file and its folder writable (in a container mount the folder, not the file alone), or log in separately: \
         bitrouter login {provider}"
    )
}
