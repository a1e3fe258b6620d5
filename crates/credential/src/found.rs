//! Credentials that are there without a login: in the config, in the environment, and in files of the vendors' own tools.
//!
//! Accounts reads them when a provider is made, and files again when they change. Where several secrets are one credential and
//! only some are there, that is said with what is missing.

mod aws;
mod google;

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use bitrouter_contract::description::{Auth, Secret};
use secrecy::{ExposeSecret as _, SecretString};

use super::attach::{AttachError, check_copied, check_secret};
use super::source::CredentialSource;
pub use google::check_key_file;
pub(crate) use google::{Holder, KeyFile, assertion};

/// Secrets by name, the one that is attached first.
pub type Secrets = Vec<(String, SecretString)>;

/// The name under which a key file is stored.
pub const KEY_FILE: &str = "key_file";

/// Reads a variable of the environment.
pub(super) type Env<'e> = &'e dyn Fn(&str) -> Option<String>;

/// What was found for one way of paying.
#[derive(Debug)]
pub(super) enum Found {
    /// Nothing.
    Nothing,
    /// All that it takes.
    Whole {
        /// Where.
        source: CredentialSource,
        /// What.
        secrets: Secrets,
    },
    /// Something, and not all that it takes: a sentence that says what is missing.
    Part(String),
}

/// Looks into the environment for one way of paying.
pub(super) fn in_environment(auth: &Auth, env: Env<'_>) -> Found {
    match auth {
        Auth::ApiKey(key) => {
            let found = key.env.iter().find_map(|variable| Some((variable, set(env, variable)?)));
            found.map_or(Found::Nothing, |(variable, value)| Found::Whole {
                source: CredentialSource::Env(variable.clone()),
                secrets: vec![("key".to_owned(), value)],
            })
        }
        Auth::GoogleServiceAccount(google) => {
            let named =
                google.env.iter().find_map(|variable| Some((variable, env(variable).filter(|path| !path.is_empty())?)));
            named.map_or(Found::Nothing, |(variable, path)| of_file(Path::new(&path), Some(variable)))
        }
        Auth::Oauth(_) => Found::Nothing,
        Auth::Keys(_) | Auth::Basic(_) | Auth::AwsSigv4(_) | Auth::Exchange(_) => several(auth.secrets(), env),
    }
}

/// Looks into files of the vendor's own tools for one way of paying. `goes_to_google` says that nobody else is sent what is
/// found: such a file is not meant for this gateway.
pub(super) fn in_files(auth: &Auth, env: Env<'_>, goes_to_google: bool) -> Found {
    match auth {
        Auth::AwsSigv4(_) => aws::profile(env),
        Auth::GoogleServiceAccount(google) if google.adc && goes_to_google => match google::well_known(env) {
            Some(path) if path.exists() => of_file(&path, None),
            _ => Found::Nothing,
        },
        _ => Found::Nothing,
    }
}

/// When the files were changed that [`in_environment`] and [`in_files`] read; to be compared.
pub(super) fn changed(auth: &[Auth], env: Env<'_>) -> Vec<Option<SystemTime>> {
    let mut files: Vec<PathBuf> = Vec::new();
    for auth in auth {
        match auth {
            Auth::AwsSigv4(_) => files.extend(aws::files(env)),
            Auth::GoogleServiceAccount(google) => {
                files.extend(google.env.iter().filter_map(|variable| env(variable).map(PathBuf::from)));
                files.extend(google::well_known(env));
            }
            _ => {}
        }
    }
    files.iter().map(|file| std::fs::metadata(file).and_then(|data| data.modified()).ok()).collect()
}

fn several(secrets: &[Secret], env: Env<'_>) -> Found {
    let (mut found, mut first, mut missing) = (Secrets::new(), None, Vec::new());
    for secret in secrets {
        match secret.env.iter().find_map(|variable| Some((variable, set(env, variable)?))) {
            Some((variable, value)) => {
                first.get_or_insert_with(|| variable.clone());
                found.push((secret.name.clone(), value));
            }
            None if secret.optional => {}
            None => missing.push(secret),
        }
    }
    match (first, missing.first()) {
        (None, _) => Found::Nothing,
        (Some(first), None) => Found::Whole { source: CredentialSource::Env(first), secrets: found },
        (Some(first), Some(missing)) if missing.env.is_empty() => {
            Found::Part(format!("{first} is set, and no environment variable holds `{}`", missing.name))
        }
        (Some(first), Some(missing)) => {
            Found::Part(format!("{first} is set and {} is not: set both, or neither", missing.env.join(" or ")))
        }
    }
}

/// A key file. It may not be readable, which is said and never passed over: somebody named it, or made it.
fn of_file(path: &Path, variable: Option<&str>) -> Found {
    let named = variable.map_or_else(String::new, |variable| format!(", which {variable} names,"));
    match std::fs::read_to_string(path) {
        Ok(text) => {
            let source = match variable {
                Some(variable) => CredentialSource::Env(variable.to_owned()),
                None => CredentialSource::File(path.to_owned()),
            };
            Found::Whole { source, secrets: vec![(KEY_FILE.to_owned(), text.into())] }
        }
        Err(error) => Found::Part(format!("{}{named} cannot be read: {error}", path.display())),
    }
}

fn set(env: Env<'_>, variable: &str) -> Option<SecretString> {
    env(variable).filter(|value| !value.is_empty()).map(SecretString::from)
}

/// The user's home, as the environment has it.
fn home(env: Env<'_>) -> Option<PathBuf> {
    let variable = if cfg!(windows) { "USERPROFILE" } else { "HOME" };
    env(variable).filter(|home| !home.is_empty()).map(PathBuf::from)
}

/// Whether these secrets are what this way of paying takes, before they are stored. The error is a sentence without any of
/// them.
pub fn check_secrets(auth: &Auth, secrets: &Secrets) -> Result<(), String> {
    let known: Vec<&str> = auth.secrets().iter().map(|secret| secret.name.as_str()).collect();
    if let Some((name, _)) = secrets.iter().find(|(name, _)| !known.contains(&name.as_str())) {
        return Err(format!("`{}` is not one of {}", name.escape_debug(), known.join(", ")));
    }
    let is_there = |name: &str| secrets.iter().any(|(known, _)| known == name);
    if let Some(missing) = auth.secrets().iter().find(|secret| !secret.optional && !is_there(&secret.name)) {
        return Err(format!("`{}` is missing", missing.name));
    }
    if let Auth::Basic(_) = auth {
        return Ok(());
    }
    secrets.iter().try_for_each(|(name, secret)| check(secret).map_err(|why| format!("`{name}` {why}")))
}

fn check(secret: &SecretString) -> Result<(), AttachError> {
    check_secret(secret.expose_secret())?;
    check_copied(secret.expose_secret(), false)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn gclouds_own_file_is_looked_at_only_where_all_of_a_credential_goes_to_google() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("application_default_credentials.json"), "{}").unwrap();
        let config = folder.path().display().to_string();
        let env = |name: &str| (name == "CLOUDSDK_CONFIG").then(|| config.clone());
        let way = |adc: bool| -> Auth {
            serde_json::from_value(json!({ "method": "google-service-account", "adc": adc })).unwrap()
        };
        let found = |adc, to_google| !matches!(in_files(&way(adc), &env, to_google), Found::Nothing);
        assert!(found(true, true));
        assert!(!found(true, false) && !found(false, true));
        assert!(matches!(in_environment(&way(true), &env), Found::Nothing));
    }

    #[test]
    fn a_file_that_a_variable_names_and_nobody_can_read_is_said() {
        let way: Auth = serde_json::from_value(json!({ "method": "google-service-account" })).unwrap();
        let env = |name: &str| (name == "GOOGLE_APPLICATION_CREDENTIALS").then(|| "/no/such/key.json".to_owned());
        let Found::Part(why) = in_environment(&way, &env) else { panic!("it was passed over") };
        assert!(
            why.starts_with("/no/such/key.json, which GOOGLE_APPLICATION_CREDENTIALS names, cannot be read"),
            "{why}"
        );
    }
}
