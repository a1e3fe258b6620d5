//! Going one way to a login: the browser, a device or another program's session.

use std::error::Error;

use bitrouter_contract::Origin;
use bitrouter_contract::description::{Import, Oauth};
use bitrouter_credential::issuer::Tokens;
use bitrouter_credential::keyring::SystemKeyring;
use bitrouter_credential::token_file::{Follows, StoredLogin};
use bitrouter_credential::vendor;
use bitrouter_credential::{
    login,
    login::{Attempt, LoginError, Return, Way},
};
use bitrouter_files::Timestamp;

use super::Run;
use crate::cli::print::{self, Table};

/// What a session that is shared with another program means.
const SHARED: &str = "BitRouter uses what that program refreshes. It refreshes the session itself only where that \
program has not, some minutes before that program would, and writes the new tokens back into its file. Should both do \
it at the same moment, the issuer may end the session: then log in again. `bitrouter logout` only forgets it.";
/// What a copied session means.
const COPIED: &str = "CAUTION: two programs have the same refresh token now. With an issuer that takes each only \
once, whichever refreshes second is logged out. A login of its own, through a browser or with a code, has no such end.";

/// What a way of logging in led to.
pub(super) struct Obtained {
    pub login: StoredLogin,
    /// The description's claims that say which account it is.
    pub identity: Vec<String>,
}

impl Run<'_> {
    /// Goes one way to its end; nothing where it is a key or a file of keys, which is read when it is kept.
    pub(super) async fn obtain(
        &self,
        way: &Way,
        label: &str,
    ) -> Result<Result<Option<Obtained>, LoginError>, Box<dyn Error>> {
        let (oauth, from) = match way {
            Way::ApiKey(_) | Way::Secrets(_) | Way::KeyFile(_) => return Ok(Ok(None)),
            Way::Import(oauth, import) => return self.import(oauth, import, label).map(|obtained| Ok(Some(obtained))),
            Way::Browser(oauth, _) | Way::Paste(oauth, _) => (oauth, "browser"),
            Way::Device(oauth, _) => (oauth, "device"),
        };
        let origin = self.origin(&oauth.origin)?;
        let attempt = Attempt { oauth, origin, issuer: &self.issuer, person: self.terminal };
        let tokens = match way {
            Way::Browser(_, browser) => login::browser(&attempt, browser, Return::Listen { open: self.open }).await,
            Way::Paste(_, browser) => login::browser(&attempt, browser, Return::Paste).await,
            Way::Device(_, device) => login::device(&attempt, device).await,
            Way::Import(..) | Way::ApiKey(_) | Way::Secrets(_) | Way::KeyFile(_) => return Ok(Ok(None)),
        };
        match tokens {
            Ok(tokens) => {
                Ok(Ok(Some(Obtained { login: self.stored(oauth, tokens, from)?, identity: oauth.identity.clone() })))
            }
            Err(error) => Ok(Err(error)),
        }
    }

    /// Says what the config changed, because the account will be bound to it.
    pub(super) fn tell_changes(&self) {
        let configured = self.setup.loaded.config.provider(self.id());
        let mut table = Table::indented();
        let mut any = false;
        let mut row = |name: &str, value: &str| {
            table.row([name, value]);
            any = true;
        };
        for (name, origin) in &self.provider.origins {
            let own = self.provider.plugin.description.origins.get(name);
            if own.and_then(|url| url.parse::<Origin>().ok()).as_ref() != Some(origin) {
                row(&format!("origins.{name}"), &origin.to_string());
            }
        }
        for (member, value) in &configured.auth {
            row(&format!("auth.{member}"), &value.to_string());
        }
        if any {
            print::note(&format!("From your config, and kept with the account:\n{}", table.text()));
        }
    }

    pub(super) fn origin(&self, name: &str) -> Result<&Origin, Box<dyn Error>> {
        let origin = self.provider.origins.get(name);
        origin.ok_or_else(|| format!("{}: the component has no origin named `{name}`", self.id()).into())
    }

    /// The origins that a login is bound to: where its access token goes, and its issuer.
    fn bound(&self, oauth: &Oauth) -> Result<Vec<(String, Origin)>, Box<dyn Error>> {
        let mut names: Vec<&String> = oauth.origins.iter().collect();
        if !names.contains(&&oauth.origin) {
            names.push(&oauth.origin);
        }
        names.into_iter().map(|name| Ok((name.clone(), self.origin(name)?.clone()))).collect()
    }

    fn stored(&self, oauth: &Oauth, tokens: Tokens, from: &str) -> Result<StoredLogin, Box<dyn Error>> {
        let access = tokens.access_token.clone().ok_or("the issuer gave no access token")?;
        let mut login = StoredLogin::new(access, self.bound(oauth)?);
        login.client_id = Some(oauth.client_id.clone());
        login.from = Some(from.to_owned());
        login.renew(tokens, oauth);
        Ok(login)
    }

    /// Takes another program's session.
    fn import(&self, oauth: &Oauth, import: &Import, label: &str) -> Result<Obtained, Box<dyn Error>> {
        let source = &import.source;
        let bound = self.bound(oauth)?;
        if let Some((name, origin)) = bound.iter().find(|(_, origin)| !vendor::may_go_to(source, origin)) {
            let why = format!("a session of {source} stays with its vendor, and `{name}` is {origin}");
            return Err(format!("{}: {why}. Log in another way", self.id()).into());
        }
        let env = |name: &str| std::env::var_os(name);
        let home = std::env::home_dir();
        let found = vendor::find(source, &env, home.as_deref(), &SystemKeyring).map_err(|error| {
            format!("{}: {error}. Log in another way, or log in with that program first", self.id())
        })?;
        let tokens = Tokens {
            access_token: Some(found.session.access_token),
            refresh_token: found.session.refresh_token,
            id_token: found.session.id_token,
            expires_in: None,
            at: found.session.refreshed_at.unwrap_or_else(Timestamp::now),
        };
        let mut login = self.stored(oauth, tokens, "import")?;
        login.refreshed_at = found.session.refreshed_at;
        match found.file.filter(|_| !self.copy) {
            Some(file) => {
                print::note(&format!("This session is shared with {source}, from {}.\n{SHARED}", file.display()));
                login.follows = Some(Follows { source: source.clone(), file });
            }
            None => print::note(&format!("This is a copy of the session of {source}.\n{COPIED}")),
        }
        if let Some(why) = self.provider.accounts.why_not_renewed(label, &login) {
            print::note(&format!("CAUTION: {why}"));
        }
        Ok(Obtained { login, identity: oauth.identity.clone() })
    }
}
