//! The credentials that are there without a login: of the config, of the environment, of files. And how secrets of any place
//! become a credential by one way of paying.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use bitrouter_contract::Origin;
use bitrouter_contract::description::{Auth, Region};
use secrecy::{ExposeSecret as _, SecretString};

use super::super::found::{self, Found, KEY_FILE, KeyFile, Secrets};
use super::super::refresh::{KeyCommand, Minting};
use super::super::source::{Adds, Credential, CredentialSource, Parts};
use super::{AccountError, CONFIG_LABEL, ENV_LABEL, FILE_LABEL, make};

/// What a provider is configured with, and what surrounds it.
#[derive(Clone, Copy)]
pub struct Given<'g> {
    /// `api_key` of the config.
    pub key: Option<&'g SecretString>,
    /// `key_command` of the config.
    pub command: Option<&'g KeyCommand>,
    /// The process's environment as it was at the start; an empty variable counts as not set.
    pub env: &'g dyn Fn(&str) -> Option<String>,
    /// What the region of signatures is, by the description's setting.
    pub setting: &'g dyn Fn(&str) -> Option<String>,
}

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Fixed {
    /// In the order in which it is used, before what is stored.
    pub found: Vec<Result<Arc<Credential>, AccountError>>,
    /// What is there in part: said, and behind all else, since a variable may be there for another program.
    pub part: Vec<AccountError>,
    /// When the files that were read had been changed.
    files: Vec<Option<SystemTime>>,
}

/// One credential wherever it comes from, before it is known what it does to a request.
pub(super) struct Held<'p> {
    pub label: &'p str,
    pub source: CredentialSource,
    pub secrets: &'p Secrets,
    pub claims: &'p [(String, String)],
    /// Where it may go.
    pub bound_to: Vec<Origin>,
    /// Where tokens are made of it.
    pub issuer: Option<&'p Origin>,
}

/// What the credentials of one provider are made with.
pub(super) struct Means {
    pub provider: String,
    pub auth: Vec<Auth>,
    /// The provider's origins as they were accepted, by name.
    accepted: BTreeMap<String, Origin>,
    /// What signatures name as their region, where that is known.
    region: Option<String>,
    key: Option<SecretString>,
    command: Option<KeyCommand>,
    /// The variables that were asked for.
    env: BTreeMap<String, SecretString>,
}

impl Means {
    /// Finds what is there.
    pub(super) fn new(
        provider: &str,
        auth: &[Auth],
        accepted: &BTreeMap<String, Origin>,
        given: &Given<'_>,
    ) -> (Self, Fixed) {
        let region = auth.iter().find_map(|auth| match auth {
            Auth::AwsSigv4(aws) => match &aws.region {
                Region::Named(region) => Some(region.clone()),
                Region::Setting { setting } => (given.setting)(setting),
            },
            _ => None,
        });
        let mut means = Means {
            provider: provider.to_owned(),
            auth: auth.to_vec(),
            accepted: accepted.clone(),
            region,
            key: given.key.cloned(),
            command: given.command.cloned(),
            env: BTreeMap::new(),
        };
        let asked = RefCell::new(BTreeMap::new());
        let env = |name: &str| {
            let value = (given.env)(name)?;
            asked.borrow_mut().insert(name.to_owned(), SecretString::from(value.clone()));
            Some(value)
        };
        let fixed = means.find(&env);
        means.env = asked.into_inner();
        (means, fixed)
    }

    /// What is there now, if files have changed since; what is the same stays.
    pub(super) fn find_again(&self, before: &Fixed) -> Option<Fixed> {
        let env = |name: &str| self.env.get(name).map(|value| value.expose_secret().to_owned());
        if before.files.is_empty() || found::changed(&self.auth, &env) == before.files {
            return None;
        }
        let mut fixed = self.find(&env);
        for found in fixed.found.iter_mut().flatten() {
            let same = before.found.iter().flatten().find(|known| known.is_like(found));
            *found = same.unwrap_or(found).clone();
        }
        Some(fixed)
    }

    fn find(&self, env: &dyn Fn(&str) -> Option<String>) -> Fixed {
        let mut fixed = Fixed { files: found::changed(&self.auth, env), ..Fixed::default() };
        if let Some(auth) = self.auth.iter().find(|auth| matches!(auth, Auth::ApiKey(_))) {
            if let Some(key) = &self.key {
                let secrets = vec![("key".to_owned(), key.clone())];
                fixed.found.push(self.accepted(auth, CONFIG_LABEL, CredentialSource::Config, &secrets));
            }
            fixed.found.extend(self.command.as_ref().map(|command| self.commanded(auth, command)));
        }
        let in_environment = self.auth.iter().map(|auth| (auth, ENV_LABEL, found::in_environment(auth, env)));
        let in_files = self.auth.iter().map(|auth| {
            let to_google = auth.origins().iter().all(|name| self.accepted.get(name).is_some_and(is_googles));
            (auth, FILE_LABEL, found::in_files(auth, env, to_google))
        });
        for (auth, label, found) in in_environment.chain(in_files) {
            match found {
                Found::Nothing => {}
                Found::Part(why) => fixed.part.push(self.incomplete(label, why)),
                Found::Whole { source, secrets } => {
                    fixed.found.push(self.accepted(auth, label, source, &secrets));
                    // Whoever has set variables means those, and no file.
                    break;
                }
            }
        }
        fixed
    }

    /// A credential that goes where the provider's origins were accepted.
    fn accepted(
        &self,
        auth: &Auth,
        label: &str,
        source: CredentialSource,
        secrets: &Secrets,
    ) -> Result<Arc<Credential>, AccountError> {
        let issuer = auth.issuer().and_then(|name| self.accepted.get(name));
        let held = Held { label, source, secrets, claims: &[], bound_to: self.bound_to(auth), issuer };
        self.parts(auth, held).and_then(make)
    }

    fn commanded(&self, auth: &Auth, command: &KeyCommand) -> Result<Arc<Credential>, AccountError> {
        make(Parts {
            provider: &self.provider,
            label: CONFIG_LABEL,
            source: CredentialSource::Command,
            secrets: &vec![("command".to_owned(), SecretString::default())],
            kept_back: Vec::new(),
            bound_to: self.bound_to(auth),
            claims: Cow::Borrowed(&[]),
            expires_at: None,
            adds: Adds::Mint(Minting::Command(command.clone()), auth.attach()),
        })
    }

    fn bound_to(&self, auth: &Auth) -> Vec<Origin> {
        auth.origins().iter().filter_map(|name| self.accepted.get(name)).cloned().collect()
    }

    /// What a credential becomes by this way of paying.
    pub(super) fn parts<'p>(&'p self, auth: &'p Auth, held: Held<'p>) -> Result<Parts<'p>, AccountError> {
        let Held { label, source, secrets, claims, bound_to, issuer } = held;
        let incomplete = |why: String| self.incomplete(label, why);
        let is_there = |name: &str| secrets.iter().any(|(known, _)| known == name);
        if let Some(missing) = auth.secrets().iter().find(|secret| !secret.optional && !is_there(&secret.name)) {
            return Err(incomplete(format!("it has no `{}`: store it anew", missing.name)));
        }
        let no_issuer = || incomplete("it is bound to no address at which a token is made: store it anew".to_owned());
        let (mut kept_back, mut claims) = (Vec::new(), Cow::Borrowed(claims));
        let adds = match auth {
            Auth::ApiKey(_) | Auth::Keys(_) | Auth::Oauth(_) => Adds::Attach(auth.attach()),
            Auth::Basic(_) => Adds::Basic,
            Auth::AwsSigv4(aws) => match &self.region {
                Some(region) => Adds::Sign(&aws.service, region),
                None => {
                    let provider = &self.provider;
                    return Err(incomplete(format!(
                        "nothing says which region its signatures are for. Set AWS_REGION, or \
                         providers.{provider}.settings.region in bitrouter.yaml"
                    )));
                }
            },
            Auth::Exchange(exchange) => {
                Adds::Mint(Minting::Exchange(exchange.clone(), issuer.ok_or_else(no_issuer)?.clone()), auth.attach())
            }
            Auth::GoogleServiceAccount(google) => {
                let issuer = issuer.ok_or_else(no_issuer)?;
                let url = google.token_url(issuer).map_err(incomplete)?;
                let text = secrets.iter().find(|(name, _)| name == KEY_FILE).map(|(_, text)| text);
                let file = text.ok_or_else(|| "is missing: store it anew".to_owned());
                let file = file.and_then(|text| KeyFile::read(text, &url));
                let file = file.map_err(|why| incomplete(format!("the key file {why}")))?;
                kept_back = file.secrets();
                claims.to_mut().extend(file.claims.iter().cloned());
                Adds::Mint(Minting::Google(google.clone(), issuer.clone(), Box::new(file)), auth.attach())
            }
        };
        let (provider, expires_at) = (self.provider.as_str(), None);
        Ok(Parts { provider, label, source, secrets, kept_back, bound_to, claims, expires_at, adds })
    }

    fn incomplete(&self, label: &str, why: String) -> AccountError {
        AccountError::Incomplete { provider: self.provider.clone(), label: label.to_owned(), why }
    }
}

impl fmt::Debug for Means {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Means").field("provider", &self.provider).field("region", &self.region).finish_non_exhaustive()
    }
}

/// Whether an origin is Google's own, the only place for what its tools left in their file.
fn is_googles(origin: &Origin) -> bool {
    origin.host() == "googleapis.com" || origin.host().ends_with(".googleapis.com")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn listed(fixed: &Fixed) -> &Arc<Credential> {
        fixed.found[0].as_ref().unwrap()
    }

    #[test]
    fn a_file_that_changes_is_read_again_and_one_that_does_not_leaves_the_credential_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("credentials");
        let write = |secret: &str, age: u64| {
            let text = format!("[default]\naws_access_key_id = A\naws_secret_access_key = {secret}\n");
            std::fs::write(&file, text).unwrap();
            let time = SystemTime::now() - std::time::Duration::from_secs(age);
            std::fs::File::options().write(true).open(&file).unwrap().set_modified(time).unwrap();
        };
        write("one", 30);
        let path = file.display().to_string();
        let env = |name: &str| (name == "AWS_SHARED_CREDENTIALS_FILE").then(|| path.clone());
        let auth: Vec<Auth> =
            serde_json::from_value(json!([{ "method": "aws-sigv4", "service": "s", "region": "r" }])).unwrap();
        let given = Given { key: None, command: None, env: &env, setting: &|_| None };
        let (means, first) = Means::new("p", &auth, &BTreeMap::new(), &given);
        assert!(means.find_again(&first).is_none());
        write("one", 20);
        let second = means.find_again(&first).unwrap();
        assert!(Arc::ptr_eq(listed(&first), listed(&second)), "it says the same");
        write("two", 10);
        let third = means.find_again(&second).unwrap();
        assert!(!Arc::ptr_eq(listed(&second), listed(&third)));
        assert!(!format!("{means:?} {third:?}").contains("two"));
    }

    #[test]
    fn a_part_of_keys_hides_no_account_and_is_said_where_there_is_none() {
        let env = |name: &str| (name == "AWS_ACCESS_KEY_ID").then(|| "A".to_owned());
        let auth: Vec<Auth> =
            serde_json::from_value(json!([{ "method": "aws-sigv4", "service": "s", "region": "r" }])).unwrap();
        let given = Given { key: None, command: None, env: &env, setting: &|_| None };
        let (_, fixed) = Means::new("p", &auth, &BTreeMap::new(), &given);
        assert!(fixed.found.is_empty());
        assert_eq!(
            fixed.part[0].to_string(),
            "p@env: AWS_ACCESS_KEY_ID is set and AWS_SECRET_ACCESS_KEY is not: set both, or neither"
        );
    }
}
