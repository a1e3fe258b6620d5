//! The accounts of one provider: finds its credentials and puts them in order.
//!
//! Made once for each provider and config; route asks it on every request. A key in the config comes before one in the
//! environment before what is stored: logins and keys. A credential that is there and cannot be used is an error, never passed over for
//! another that someone else may pay for. Logins are kept fresh from here.

mod error;
mod fixed;
mod fresh;
mod renewal;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use bitrouter_contract::Origin;
use bitrouter_contract::description::{Auth, Oauth};
use bitrouter_files::Timestamp;

use super::found::Secrets;
use super::refresh::{Refresher, due};
use super::source::{Credential, CredentialSource, Parts};
use super::store::{Store, StoreError};
use super::token_file::{Entry, Kind, TokenFile};
pub use error::AccountError;
pub use fixed::Given;
use fixed::{Fixed, Held, Means};

/// The label of a key in the config.
pub const CONFIG_LABEL: &str = "config";
/// The label of a key in the environment.
pub const ENV_LABEL: &str = "env";
/// The label of what a file of a vendor's own tools holds.
pub const FILE_LABEL: &str = "file";
/// The label of a login that was given none.
pub const DEFAULT_LABEL: &str = "default";

/// What was found for a provider, in the order in which it is used.
#[derive(Debug, Default)]
pub struct Listing {
    found: Vec<Result<Arc<Credential>, AccountError>>,
}

impl Listing {
    /// The credentials that can be used, the first to be used first.
    pub fn accounts(&self) -> impl Iterator<Item = &Arc<Credential>> {
        self.found.iter().filter_map(|found| found.as_ref().ok())
    }

    /// Whether nothing is there, usable or not.
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// What is there and cannot be used, for `status` and the log.
    pub fn faults(&self) -> impl Iterator<Item = &AccountError> {
        self.found.iter().filter_map(|found| found.as_ref().err())
    }
}

/// The accounts of one provider.
#[derive(Debug)]
pub struct Accounts {
    means: Means,
    /// Of the config and the environment, which are read once, and of files, which may change.
    fixed: ArcSwap<Fixed>,
    store: Arc<Store>,
    refresher: Option<Arc<Refresher>>,
    last: ArcSwap<Last>,
    /// Held by whoever makes the next listing.
    listing: Mutex<()>,
}

/// What the store held when the listing was made.
#[derive(Debug, Default)]
struct Last {
    stored: Option<Stored>,
    fixed: Option<Arc<Fixed>>,
    listing: Arc<Listing>,
}

impl Last {
    /// The listing, if it is of these.
    fn of(&self, stored: &Stored, fixed: &Arc<Fixed>) -> Option<Arc<Listing>> {
        let is_same = self.stored.as_ref().is_some_and(|before| same(before, stored))
            && self.fixed.as_ref().is_some_and(|before| Arc::ptr_eq(before, fixed));
        is_same.then(|| Arc::clone(&self.listing))
    }
}

type Stored = Result<Arc<TokenFile>, Arc<StoreError>>;

impl Accounts {
    /// The accounts of a provider. Its `auth` is from its description; `accepted` are its origins as the binary, the
    /// trust file or a trusted config accepted them, by name: what is there without a login is bound to those that `auth`
    /// names. What is stored is bound to what was recorded with it, whatever is said here. May read files.
    pub fn for_provider(
        provider: &str,
        auth: &[Auth],
        accepted: &BTreeMap<String, Origin>,
        given: &Given<'_>,
        store: Arc<Store>,
    ) -> Self {
        let (means, fixed) = Means::new(provider, auth, accepted, given);
        let mut accounts = Accounts {
            means,
            fixed: ArcSwap::from_pointee(fixed),
            store,
            refresher: None,
            last: ArcSwap::default(),
            listing: Mutex::default(),
        };
        let refresher = accounts.login().and_then(|oauth| Refresher::new(provider, oauth, &accounts.store));
        accounts.refresher = refresher.map(Arc::new);
        accounts
    }

    /// Goes on where the accounts of the same provider were before its configuration or its component changed: what is
    /// known of refreshes is not lost.
    pub fn carry_on(&mut self, before: &Accounts) {
        if let (Some(now), Some(before)) = (self.refresher.as_mut().and_then(Arc::get_mut), &before.refresher) {
            now.carry_on(before);
        }
    }

    /// Whether the provider takes a credential at all. Where it does not, there is nothing to select.
    pub fn takes_credential(&self) -> bool {
        !self.means.auth.is_empty()
    }

    /// Whether nothing is served without a credential.
    pub fn needs_credential(&self) -> bool {
        self.takes_credential() && !self.means.auth.iter().any(Auth::is_optional)
    }

    /// Whether requests go up without a credential: none is needed, and there is none, as far as that can be told.
    pub fn goes_without(&self) -> bool {
        !self.takes_credential() || (!self.needs_credential() && self.list().is_empty())
    }

    /// What is there now. A credential stays the same `Arc` for as long as its source says the same. Where nobody watches
    /// the store, this may read it, which blocks briefly.
    pub fn list(&self) -> Arc<Listing> {
        let stored = self.store.read();
        if let Some(listing) = self.last.load().of(&stored, &self.fixed.load()) {
            return listing;
        }
        let _listing = self.listing.lock().unwrap_or_else(PoisonError::into_inner);
        // Who waited here may have what is no more.
        let (stored, fixed) = (self.store.read(), self.fixed.load_full());
        let last = self.last.load_full();
        last.of(&stored, &fixed).unwrap_or_else(|| {
            let listing = Arc::new(self.listing(&stored, &fixed, &last.listing));
            let last = Last { stored: Some(stored), fixed: Some(fixed), listing: Arc::clone(&listing) };
            self.last.store(Arc::new(last));
            listing
        })
    }

    /// The credential of the account with this label, or of the first account. Its access token may be over:
    /// [`Accounts::ready`] sees to that.
    pub fn select(&self, label: Option<&str>) -> Result<Arc<Credential>, AccountError> {
        let listing = self.list();
        match label {
            None => listing.found.first().cloned().unwrap_or_else(|| Err(self.no_credential())),
            Some(label) => self.labelled(&listing, label),
        }
    }

    fn labelled(&self, listing: &Listing, label: &str) -> Result<Arc<Credential>, AccountError> {
        let found = listing.found.iter().find(|found| label_of(found) == Some(label));
        // What cannot be read may hold the label that is asked for.
        let unread = || listing.found.iter().find(|found| matches!(found, Err(AccountError::Store(_))));
        if let Some(found) = found.or_else(unread) {
            return found.clone();
        }
        let known: Vec<String> = listing.found.iter().filter_map(label_of).map(str::to_owned).collect();
        if known.is_empty() {
            return Err(self.no_credential());
        }
        Err(AccountError::UnknownLabel { provider: self.means.provider.clone(), label: label.to_owned(), known })
    }

    fn listing(&self, stored: &Stored, fixed: &Fixed, before: &Listing) -> Listing {
        let mut found = fixed.found.clone();
        match stored {
            _ if !self.takes_credential() => {}
            Err(error) => found.push(Err(error.clone().into())),
            Ok(file) => found.extend(self.stored(file, before)),
        }
        found.extend(fixed.part.iter().cloned().map(Err));
        Listing { found }
    }

    fn stored(&self, file: &TokenFile, before: &Listing) -> Vec<Result<Arc<Credential>, AccountError>> {
        let mut entries: Vec<&Entry> =
            file.entries.iter().filter(|entry| entry.provider == self.means.provider).collect();
        entries.sort_by_key(|entry| order(entry));
        entries.into_iter().map(|entry| self.credential(entry, before)).collect()
    }

    /// The credential of an entry; the one before where it is the same still.
    fn credential(&self, entry: &Entry, before: &Listing) -> Result<Arc<Credential>, AccountError> {
        let mut secrets = Secrets::new();
        let parts = self.parts(entry, &mut secrets)?;
        match before.accounts().find(|credential| credential.is_of(&parts)) {
            Some(credential) => Ok(credential.clone()),
            None => make(parts),
        }
    }

    fn parts<'p>(&'p self, entry: &'p Entry, secrets: &'p mut Secrets) -> Result<Parts<'p>, AccountError> {
        let (label, source) = (entry.label.as_str(), CredentialSource::Store);
        let kind = || (self.means.provider.clone(), label.to_owned(), entry.kind.name().to_owned());
        if let Some(why) = entry.out_of_reach() {
            let (provider, label, _) = kind();
            return Err(AccountError::OutOfReach { provider, label, why: why.to_owned() });
        }
        if let Kind::Other(_) = entry.kind {
            let (provider, label, kind) = kind();
            return Err(AccountError::UnknownKind { provider, label, kind });
        }
        let taken = self.means.auth.iter().find(|auth| auth.method() == entry.kind.name());
        let auth = taken.ok_or_else(|| {
            let (provider, label, kind) = kind();
            AccountError::WrongKind { provider, label, kind }
        })?;
        match &entry.kind {
            Kind::ApiKey(key) => {
                secrets.push(("key".to_owned(), key.key.clone()));
                let bound_to = key.origins.iter().map(|(_, origin)| origin.clone()).collect();
                let (claims, issuer) = (&key.claims, None);
                self.means.parts(auth, Held { label, source, secrets, claims, bound_to, issuer })
            }
            Kind::Secrets(several) => {
                secrets.extend(several.secrets.iter().cloned());
                // Never the issuer's: what is made there may be attached elsewhere alone.
                let bound_to = auth.origins().iter().filter_map(|name| several.origin(name)).cloned().collect();
                let (claims, issuer) = (&several.claims, auth.issuer().and_then(|name| several.origin(name)));
                self.means.parts(auth, Held { label, source, secrets, claims, bound_to, issuer })
            }
            Kind::Oauth(login) => {
                let lasts = login.refresh_token.is_some() && self.refresher.is_some();
                let expired = || due::expiry(login).is_some_and(|expiry| expiry <= Timestamp::now());
                if login.log_in_again.is_some() || (!lasts && expired()) {
                    return Err(self.log_in_again(label));
                }
                secrets.push(("access_token".to_owned(), login.access_token.clone()));
                // Never the issuer's: what the access token may be attached for is not where it was obtained.
                let bound_to = auth.origins().iter().filter_map(|name| login.origin(name)).cloned().collect();
                let claims = &login.claims;
                let held = Held { label, source, secrets, claims, bound_to, issuer: None };
                let kept_back = login.refresh_token.iter().chain(&login.id_token).cloned().collect();
                Ok(Parts { kept_back, expires_at: due::expiry(login), ..self.means.parts(auth, held)? })
            }
            Kind::Other(_) => unreachable!("it was answered above"),
        }
    }

    /// The provider's ways of paying, the best first, with the config's changes.
    pub fn auth(&self) -> &[Auth] {
        &self.means.auth
    }

    /// How the provider's accounts log in; nothing where it takes none.
    pub fn login(&self) -> Option<&Oauth> {
        self.means.auth.iter().find_map(|auth| match auth {
            Auth::Oauth(oauth) => Some(&**oauth),
            _ => None,
        })
    }

    fn no_credential(&self) -> AccountError {
        let (provider, env) =
            (self.means.provider.clone(), self.means.auth.iter().flat_map(Auth::env).map(str::to_owned).collect());
        match self.login() {
            Some(_) => AccountError::NotLoggedIn { provider, env },
            None => AccountError::NoCredential { provider, env },
        }
    }
}

/// `default` first, then by login time, those without one last; what cannot be used by its kind after all others.
fn order(entry: &Entry) -> (bool, bool, bool, Option<&str>) {
    let unusable = matches!(entry.kind, Kind::Other(_));
    (unusable, entry.label != DEFAULT_LABEL, entry.created_at.is_none(), entry.created_at.as_deref())
}

fn make(parts: Parts<'_>) -> Result<Arc<Credential>, AccountError> {
    let (provider, label) = (parts.provider.to_owned(), parts.label.to_owned());
    let holder = match &parts.source {
        CredentialSource::Config => format!("`providers.{provider}.api_key` in bitrouter.yaml"),
        CredentialSource::Command => format!("`providers.{provider}.key_command` in bitrouter.yaml"),
        CredentialSource::Env(variable) => format!("the environment variable {variable}"),
        CredentialSource::File(file) => file.display().to_string(),
        CredentialSource::Store => "the stored credential".to_owned(),
    };
    Credential::new(parts).map(Arc::new).map_err(|why| AccountError::Refused { provider, label, holder, why })
}

fn label_of(found: &Result<Arc<Credential>, AccountError>) -> Option<&str> {
    match found {
        Ok(credential) => Some(&credential.label),
        Err(error) => error.label(),
    }
}

fn same(before: &Stored, now: &Stored) -> bool {
    match (before, now) {
        (Ok(before), Ok(now)) => Arc::ptr_eq(before, now),
        (Err(before), Err(now)) => Arc::ptr_eq(before, now),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
