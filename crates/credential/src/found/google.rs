//! Google's key files: a service account's, and what `gcloud auth application-default login` leaves.
//!
//! Minting reads one, and so does whatever checks one at a login. Where a file says that tokens are minted is compared with what
//! was accepted and never followed: a file from anywhere could send its reader's secrets to whoever wrote it.

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bitrouter_files::Timestamp;
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};

use super::super::wipe::Wiped;
use super::{Env, home};

/// How long an assertion is good for, in seconds: the longest that Google takes.
const LASTS: i64 = 3600;

/// The place where `gcloud` leaves application default credentials.
pub(super) fn well_known(env: Env<'_>) -> Option<PathBuf> {
    const FILE: &str = "application_default_credentials.json";
    if let Some(folder) = env("CLOUDSDK_CONFIG").filter(|folder| !folder.is_empty()) {
        return Some(PathBuf::from(folder).join(FILE));
    }
    let folder = match cfg!(windows) {
        true => PathBuf::from(env("APPDATA")?).join("gcloud"),
        false => home(env)?.join(".config/gcloud"),
    };
    Some(folder.join(FILE))
}

/// What a key file holds.
#[derive(Debug)]
pub(crate) struct KeyFile {
    pub(crate) holder: Holder,
    /// `project_id`, `quota_project_id` and `email`, where they are there.
    pub(crate) claims: Vec<(String, String)>,
}

/// Whose file it is.
#[derive(Debug)]
pub(crate) enum Holder {
    /// A service account, which signs for its tokens.
    ServiceAccount { email: String, key_id: Option<String>, private_key: SecretString },
    /// A user, whose refresh token is used.
    User { client_id: String, client_secret: SecretString, refresh_token: SecretString },
}

/// Whether a text is a key file whose tokens are minted there. The error is a sentence without any secret.
pub fn check_key_file(text: &SecretString, token_url: &str) -> Result<(), String> {
    let file = KeyFile::read(text, token_url)?;
    match &file.holder {
        Holder::ServiceAccount { private_key, .. } => key_pair(private_key).map(drop),
        Holder::User { .. } => Ok(()),
    }
}

impl KeyFile {
    /// Reads a key file, if its tokens are minted there.
    pub(crate) fn read(text: &SecretString, token_url: &str) -> Result<Self, String> {
        let value = serde_json::from_str(text.expose_secret()).map(Wiped);
        let value =
            value.map_err(|error| format!("is not JSON (line {}): give the file as Google made it", error.line()))?;
        let value = &value.0;
        let maybe = |name: &str| value.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let text = |name: &str| maybe(name).map(str::to_owned).ok_or_else(|| format!("has no `{name}`"));
        let secret = |name: &str| text(name).map(SecretString::from);
        if let Some(elsewhere) = maybe("token_uri").filter(|&uri| uri != token_url) {
            let elsewhere = bitrouter_contract::cut::word(elsewhere.escape_debug().to_string());
            return Err(format!(
                "says that its tokens are minted at `{elsewhere}`, and {token_url} was accepted: it is not used. Make a new \
                 key file, or accept that address as the provider's `auth` origin"
            ));
        }
        let holder = match maybe("type") {
            Some("service_account") => Holder::ServiceAccount {
                email: text("client_email")?,
                key_id: maybe("private_key_id").map(str::to_owned),
                private_key: secret("private_key")?,
            },
            Some("authorized_user") => Holder::User {
                client_id: text("client_id")?,
                client_secret: secret("client_secret")?,
                refresh_token: secret("refresh_token")?,
            },
            Some("external_account" | "external_account_authorized_user") => {
                return Err("takes its identity from another cloud, which BitRouter does not do. Let gcloud mint the token, as a \
                            `key_command`: [gcloud, auth, application-default, print-access-token]"
                    .into());
            }
            Some("impersonated_service_account") => {
                return Err(
                    "impersonates a service account, which BitRouter does not do. Let gcloud mint the token, as a \
                            `key_command`: [gcloud, auth, application-default, print-access-token]"
                        .into(),
                );
            }
            Some(_) | None => {
                return Err("is no key file of a service account and no application default credentials".into());
            }
        };
        let names = [("project_id", "project_id"), ("quota_project_id", "quota_project_id"), ("email", "client_email")];
        let claims = names.iter().filter_map(|(claim, name)| Some(((*claim).to_owned(), maybe(name)?.to_owned())));
        Ok(KeyFile { claims: claims.collect(), holder })
    }

    /// What of it is secret.
    pub(crate) fn secrets(&self) -> Vec<SecretString> {
        match &self.holder {
            Holder::ServiceAccount { private_key, .. } => vec![private_key.clone()],
            Holder::User { client_secret, refresh_token, .. } => vec![client_secret.clone(), refresh_token.clone()],
        }
    }
}

/// A signed assertion of a service account (RFC 7523): what a token is given for.
pub(crate) fn assertion(
    (email, key_id, private_key): (&str, Option<&str>, &SecretString),
    audience: &str,
    scopes: &[String],
    now: Timestamp,
) -> Result<SecretString, String> {
    let mut header = json!({ "alg": "RS256", "typ": "JWT" });
    if let Some(key_id) = key_id {
        header["kid"] = key_id.into();
    }
    let (issued, scope) = (now.unix(), scopes.join(" "));
    let claims = json!({ "iss": email, "scope": scope, "aud": audience, "iat": issued, "exp": issued + LASTS });
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(&header), part(&claims));
    let pair = key_pair(private_key)?;
    let mut signature = vec![0; pair.public().modulus_len()];
    let made = pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature);
    made.map_err(|_| "has a private key that cannot sign".to_owned())?;
    Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)).into())
}

/// The key of a PEM text (PKCS #8), as Google writes it.
fn key_pair(pem: &SecretString) -> Result<RsaKeyPair, String> {
    const WRONG: &str = "has a `private_key` that is no RSA key in PEM (PKCS #8): make a new key file";
    let pem = pem.expose_secret().trim();
    let inner =
        pem.strip_prefix("-----BEGIN PRIVATE KEY-----").and_then(|pem| pem.strip_suffix("-----END PRIVATE KEY-----"));
    let base64: Zeroizing<String> = Zeroizing::new(inner.ok_or(WRONG)?.split_ascii_whitespace().collect());
    let der = Zeroizing::new(STANDARD.decode(base64.as_bytes()).map_err(|_| WRONG)?);
    RsaKeyPair::from_pkcs8(&der).map_err(|_| WRONG.to_owned())
}

#[cfg(test)]
mod tests;
