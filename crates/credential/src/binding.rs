//! Keeps a credential to the origins that its owner agreed to.
//!
//! The pipeline asks before it attaches, and follows no redirect. There is no way around an error from here: neither a
//! component, nor a config file, nor a redirect can move a credential.

use std::fmt;

use bitrouter_contract::Origin;
use http::Uri;
use thiserror::Error;

use super::source::{Credential, CredentialSource};

/// A credential was about to go where its owner has not agreed to.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{provider}@{label}: this credential {bound}, and `{wanted}` is not under that. Nothing was sent. {next}",
    bound = Bound(.bound_to), next = Next { provider, label, came_from })]
pub struct BindingError {
    /// The provider's id.
    pub provider: String,
    /// The account's label.
    pub label: String,
    /// Where the credential came from.
    pub came_from: CredentialSource,
    /// The origin that wanted it; of a redirect, without path and query.
    pub wanted: String,
    /// The origins that it may go to.
    pub bound_to: Vec<Origin>,
}

/// Whether this credential may go to this origin.
pub fn check(credential: &Credential, origin: &Origin) -> Result<(), BindingError> {
    if credential.bound_to.iter().any(|bound| bound.covers(origin)) {
        return Ok(());
    }
    Err(error(credential, origin.to_string()))
}

/// Whether this credential may go to this URL, such as where a redirect leads.
pub fn check_url(credential: &Credential, url: &Uri) -> Result<(), BindingError> {
    if credential.bound_to.iter().any(|bound| bound.covers_url(url)) {
        return Ok(());
    }
    // The path and query of a redirect can hold a secret, and so can user information.
    let host = match (url.host(), url.port()) {
        (Some(host), Some(port)) => format!("{host}:{port}"),
        (Some(host), None) => host.to_owned(),
        (None, _) => "an address without a host".to_owned(),
    };
    Err(error(credential, url.scheme_str().map_or(host.clone(), |scheme| format!("{scheme}://{host}"))))
}

fn error(credential: &Credential, wanted: String) -> BindingError {
    BindingError {
        provider: credential.provider.clone(),
        label: credential.label.to_string(),
        came_from: credential.source.clone(),
        wanted,
        bound_to: credential.bound_to.clone(),
    }
}

struct Bound<'b>(&'b [Origin]);

impl fmt::Display for Bound<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((first, rest)) = self.0.split_first() else {
            return f.write_str("is bound to no address");
        };
        write!(f, "is bound to `{first}`")?;
        rest.iter().try_for_each(|origin| write!(f, " and `{origin}`"))
    }
}

struct Next<'n> {
    provider: &'n str,
    label: &'n str,
    came_from: &'n CredentialSource,
}

impl fmt::Display for Next<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.came_from {
            CredentialSource::Store => {
                write!(
                    f,
                    "If that address is right, store the credential anew for it, as {}@{}",
                    self.provider, self.label
                )
            }
            CredentialSource::Config
            | CredentialSource::Command
            | CredentialSource::Env(_)
            | CredentialSource::File(_) => f.write_str(
                "If that address is right, accept it: bitrouter config trust (for one in the config), \
                 or bitrouter plugin trust (for one in a plugin)",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::super::source::{Adds, Parts};
    use super::*;

    fn credential(source: CredentialSource, bound_to: &[&str]) -> Credential {
        let parts = Parts {
            provider: "openai",
            label: "work",
            source,
            secrets: &vec![("key".to_owned(), "sk-canary-0123456789".into())],
            kept_back: Vec::new(),
            bound_to: bound_to.iter().map(|url| url.parse().unwrap()).collect(),
            claims: Cow::Borrowed(&[]),
            expires_at: None,
            adds: Adds::Attach(&[]),
        };
        Credential::new(parts).unwrap()
    }

    #[test]
    fn a_credential_goes_to_what_it_is_bound_to_and_below() {
        let credential = credential(CredentialSource::Store, &["https://api.openai.com/v1", "https://eu.openai.com"]);
        for url in ["https://api.openai.com/v1", "https://api.openai.com/v1/files", "https://eu.openai.com/v2"] {
            assert_eq!(check(&credential, &url.parse().unwrap()), Ok(()), "{url}");
            assert_eq!(check_url(&credential, &url.parse().unwrap()), Ok(()), "{url}");
        }
    }

    #[test]
    fn a_credential_goes_nowhere_else() {
        let credential = credential(CredentialSource::Store, &["https://api.openai.com/v1"]);
        for url in
            ["https://api.openai.com", "https://api.openai.com/v10", "https://evil.example/v1", "http://localhost/v1"]
        {
            assert!(check(&credential, &url.parse().unwrap()).is_err(), "{url}");
            assert!(check_url(&credential, &url.parse().unwrap()).is_err(), "{url}");
        }
    }

    #[test]
    fn a_refusal_names_the_credential_both_addresses_and_the_next_step() {
        let wanted: Origin = "https://evil.example/v1".parse().unwrap();
        let stored = credential(CredentialSource::Store, &["https://api.openai.com/v1"]);
        assert_eq!(
            check(&stored, &wanted).unwrap_err().to_string(),
            "openai@work: this credential is bound to `https://api.openai.com/v1`, and `https://evil.example/v1` is not \
             under that. Nothing was sent. If that address is right, store the credential anew for it, as openai@work"
        );
        let from_env = credential(CredentialSource::Env("OPENAI_API_KEY".into()), &[]);
        let error = check(&from_env, &wanted).unwrap_err().to_string();
        assert!(error.contains("bound to no address") && error.contains("bitrouter config trust"), "{error}");
    }

    #[test]
    fn a_refused_redirect_shows_neither_its_path_nor_a_user() {
        let credential = credential(CredentialSource::Store, &["https://api.openai.com/v1"]);
        let redirect = "https://canary:canary@evil.example:8443/canary?key=canary".parse().unwrap();
        let error = check_url(&credential, &redirect).unwrap_err();
        assert!(error.to_string().contains("`https://evil.example:8443`"), "{error}");
        assert!(!format!("{error} {error:?}").contains("canary"), "{error}");
    }

    #[test]
    fn debug_shows_no_secret() {
        let debug = format!("{:?}", credential(CredentialSource::Config, &["https://api.openai.com"]));
        assert!(debug.contains("work") && !debug.contains("canary"), "{debug}");
    }
}
