//! The accounts of one provider: finds its credentials and puts them in order.
//!
//! Made once for each provider and config; route asks it on every request. A key in the config comes before one in the
//! environment before what is stored: logins and keys. A credential that is there and cannot be used is an error, never passed over for
//! another that someone else may pay for. Logins are kept fresh from here.

mod error;
mod fresh;
mod renewal;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use bitrouter_contract::Origin;
use bitrouter_contract::description::{Auth, Oauth};
use bitrouter_files::Timestamp;
use secrecy::SecretString;

use super::refresh::{Refresher, due};
use super::source::{Credential, CredentialSource, Parts};
use super::store::{Store, StoreError};
use super::token_file::{Entry, Kind, TokenFile};
pub use error::AccountError;

/// The label of a key in the config.
pub const CONFIG_LABEL: &str = "config";
/// The label of a key in the environment.
pub const ENV_LABEL: &str = "env";
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
    provider: String,
    auth: Vec<Auth>,
    /// Of the config and the environment, which are read once.
    fixed: Vec<Result<Arc<Credential>, AccountError>>,
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
    listing: Arc<Listing>,
}

impl Last {
    /// The listing, if it is of this.
    fn of(&self, stored: &Stored) -> Option<Arc<Listing>> {
        let is_same = self.stored.as_ref().is_some_and(|before| same(before, stored));
        is_same.then(|| Arc::clone(&self.listing))
    }
}

type Stored = Result<Arc<TokenFile>, Arc<StoreError>>;

impl Accounts {
    /// The accounts of a provider. Its `auth` is from its description; `accepted` are its origins as the binary, the
    /// trust file or a trusted config accepted them, by name: keys of the config and the environment are bound to those
    /// that `auth` names. What is stored is bound to what was recorded with it, whatever is said here. `env` reads the
    /// process's environment as it was at the start; an empty variable counts as not set.
    pub fn for_provider(
        provider: &str,
        auth: &[Auth],
        accepted: &BTreeMap<String, Origin>,
        config_key: Option<&SecretString>,
        env: &dyn Fn(&str) -> Option<String>,
        store: Arc<Store>,
    ) -> Self {
        let fixed = |auth: &Auth, label: &str, source: CredentialSource, secret: &SecretString| {
            let bound_to = auth.origins().iter().filter_map(|name| accepted.get(name)).cloned().collect();
            let (kept_back, rules) = (Vec::new(), auth.attach());
            let (claims, expires_at) = (&[], None);
            make(Parts { provider, label, source, secret, kept_back, bound_to, rules, claims, expires_at })
        };
        let takes_key = auth.iter().find(|auth| matches!(auth, Auth::ApiKey(_)));
        let from_config = takes_key.zip(config_key);
        let from_config = from_config.map(|(auth, key)| fixed(auth, CONFIG_LABEL, CredentialSource::Config, key));
        let set = |variable: &String| env(variable).filter(|value| !value.is_empty()).map(SecretString::from);
        let mut variables = auth.iter().flat_map(|auth| auth.env().iter().map(move |variable| (auth, variable)));
        let from_env = variables.find_map(|(auth, variable)| set(variable).map(|key| (auth, variable, key)));
        let from_env =
            from_env.map(|(auth, variable, key)| fixed(auth, ENV_LABEL, CredentialSource::Env(variable.clone()), &key));
        let mut accounts = Accounts {
            provider: provider.to_owned(),
            auth: auth.to_vec(),
            fixed: from_config.into_iter().chain(from_env).collect(),
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
    pub fn needs_credential(&self) -> bool {
        !self.auth.is_empty()
    }

    /// What is there now. A credential stays the same `Arc` for as long as its source says the same. Where nobody watches
    /// the store, this may read it, which blocks briefly.
    pub fn list(&self) -> Arc<Listing> {
        let stored = self.store.read();
        if let Some(listing) = self.last.load().of(&stored) {
            return listing;
        }
        let _listing = self.listing.lock().unwrap_or_else(PoisonError::into_inner);
        // Who waited here may have what is no more.
        let stored = self.store.read();
        let last = self.last.load_full();
        last.of(&stored).unwrap_or_else(|| {
            let listing = Arc::new(self.listing(&stored, &last.listing));
            self.last.store(Arc::new(Last { stored: Some(stored), listing: Arc::clone(&listing) }));
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
        Err(AccountError::UnknownLabel { provider: self.provider.clone(), label: label.to_owned(), known })
    }

    fn listing(&self, stored: &Stored, before: &Listing) -> Listing {
        let mut found = self.fixed.clone();
        match stored {
            _ if !self.needs_credential() => {}
            Err(error) => found.push(Err(error.clone().into())),
            Ok(file) => found.extend(self.stored(file, before)),
        }
        Listing { found }
    }

    fn stored(&self, file: &TokenFile, before: &Listing) -> Vec<Result<Arc<Credential>, AccountError>> {
        let mut entries: Vec<&Entry> = file.entries.iter().filter(|entry| entry.provider == self.provider).collect();
        entries.sort_by_key(|entry| order(entry));
        entries.into_iter().map(|entry| self.credential(entry, before)).collect()
    }

    /// The credential of an entry; the one before where it is the same still.
    fn credential(&self, entry: &Entry, before: &Listing) -> Result<Arc<Credential>, AccountError> {
        let parts = self.parts(entry)?;
        match before.accounts().find(|credential| credential.is_of(&parts)) {
            Some(credential) => Ok(credential.clone()),
            None => make(parts),
        }
    }

    fn parts<'p>(&'p self, entry: &'p Entry) -> Result<Parts<'p>, AccountError> {
        let (provider, label, source) = (self.provider.as_str(), entry.label.as_str(), CredentialSource::Store);
        let kind = || (provider.to_owned(), label.to_owned(), entry.kind.name().to_owned());
        let takes = |wanted: fn(&Auth) -> bool| {
            let (provider, label, kind) = kind();
            self.auth.iter().find(|auth| wanted(auth)).ok_or(AccountError::WrongKind { provider, label, kind })
        };
        if let Some(why) = entry.out_of_reach() {
            let (provider, label, _) = kind();
            return Err(AccountError::OutOfReach { provider, label, why: why.to_owned() });
        }
        match &entry.kind {
            Kind::ApiKey(key) => {
                let rules = takes(|auth| matches!(auth, Auth::ApiKey(_)))?.attach();
                let bound_to = key.origins.iter().map(|(_, origin)| origin.clone()).collect();
                let (secret, claims, kept_back, expires_at) = (&key.key, &key.claims, Vec::new(), None);
                Ok(Parts { provider, label, source, secret, kept_back, bound_to, rules, claims, expires_at })
            }
            Kind::Oauth(login) => {
                let auth = takes(|auth| matches!(auth, Auth::Oauth(_)))?;
                let lasts = login.refresh_token.is_some() && self.refresher.is_some();
                let expired = || due::expiry(login).is_some_and(|expiry| expiry <= Timestamp::now());
                if login.log_in_again.is_some() || (!lasts && expired()) {
                    return Err(self.log_in_again(label));
                }
                // Never the issuer's: what the access token may be attached for is not where it was obtained.
                let bound_to = auth.origins().iter().filter_map(|name| login.origin(name)).cloned().collect();
                let kept_back = login.refresh_token.iter().chain(&login.id_token).cloned().collect();
                let (secret, claims, rules) = (&login.access_token, &login.claims, auth.attach());
                let expires_at = due::expiry(login);
                Ok(Parts { provider, label, source, secret, kept_back, bound_to, rules, claims, expires_at })
            }
            Kind::Other(_) => {
                let (provider, label, kind) = kind();
                Err(AccountError::UnknownKind { provider, label, kind })
            }
        }
    }

    /// The provider's ways of paying, the best first, with the config's changes.
    pub fn auth(&self) -> &[Auth] {
        &self.auth
    }

    /// How the provider's accounts log in; nothing where it takes none.
    pub fn login(&self) -> Option<&Oauth> {
        self.auth.iter().find_map(|auth| match auth {
            Auth::Oauth(oauth) => Some(&**oauth),
            Auth::ApiKey(_) => None,
        })
    }

    fn no_credential(&self) -> AccountError {
        let (provider, env) = (self.provider.clone(), self.auth.iter().flat_map(Auth::env).cloned().collect());
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
        CredentialSource::Env(variable) => format!("the environment variable {variable}"),
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
