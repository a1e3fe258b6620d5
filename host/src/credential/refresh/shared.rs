//! Sessions that are shared with a vendor's own program: its file is read before the issuer is asked, and gets the pair
//! that the issuer gives, so that neither signs the other out.

use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};

use super::super::issuer::Tokens;
use super::super::token_file::{Follows, StoredLogin};
use super::super::vendor::{self, Session, WrittenBack};
use super::super::{Timestamp, claims};
use super::{RefreshError, Refresher, due};

impl Refresher {
    /// Takes the session from the vendor's file into the store, if it is of the same account and fresher. Says whether it
    /// did. A file that is gone or cannot be read is no error: the account lives on by itself.
    pub(super) async fn take_shared(self: &Arc<Self>, label: &str, login: &StoredLogin) -> Result<bool, RefreshError> {
        let (Some(Follows { source, file }), Some(used)) = (login.follows.clone(), &login.refresh_token) else {
            return Ok(false);
        };
        let read = tokio::task::spawn_blocking(move || vendor::read(&source, &file)).await;
        let session = match read {
            Ok(Ok(session)) => session,
            Ok(Err(error)) => {
                tracing::debug!(provider = self.provider, account = label, %error, "the shared session was not read");
                return Ok(false);
            }
            Err(_) => return Ok(false),
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
        let id_token = session.id_token.as_ref().map(ExposeSecret::expose_secret);
        let claims = claims::of_tokens(&self.oauth.claims, id_token, access_token);
        // The program may be logged in to another account by now, or to another workspace.
        if claims::same_account(&self.oauth.identity, &claims, &login.claims) == Some(false) {
            return false;
        }
        let later = |theirs: Option<Timestamp>, ours: Option<Timestamp>| Some(theirs? > ours?);
        later(claims::expires_at(access_token), due::expiry(login))
            .or_else(|| later(session.refreshed_at, login.refreshed_at))
            .unwrap_or(false)
    }

    /// Puts the issuer's new pair into the vendor's file. What goes wrong there is said and changes nothing here.
    pub(super) async fn give_back(&self, label: &str, login: &StoredLogin, used: &SecretString, tokens: Tokens) {
        let Some(Follows { source, file }) = login.follows.clone() else { return };
        let used = used.clone();
        let written = tokio::task::spawn_blocking(move || vendor::write_back(&source, &file, &used, &tokens)).await;
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
