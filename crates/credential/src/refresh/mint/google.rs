//! The tokens of Google's key files: a service account signs for them, a user's refresh token is used.

use bitrouter_contract::Origin;
use bitrouter_contract::description::{Encoding, Endpoint, GoogleServiceAccount};
use secrecy::ExposeSecret as _;

use super::super::clock::Clock;
use super::Minted;
use crate::found::{Holder, KeyFile, assertion};
use crate::issuer::Issuer;

/// Asks for a token.
pub(super) async fn mint(
    google: &GoogleServiceAccount,
    origin: &Origin,
    file: &KeyFile,
    issuer: &Issuer,
    clock: &Clock,
) -> Result<Minted, String> {
    let signed;
    let members = match &file.holder {
        Holder::ServiceAccount { email, key_id, private_key } => {
            let key = (email.as_str(), key_id.as_deref(), private_key);
            let audience = google.token_url(origin)?;
            let assertion = assertion(key, &audience, &google.scopes, clock.now());
            signed = assertion.map_err(|why| format!("the key file {why}"))?;
            vec![("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"), ("assertion", signed.expose_secret())]
        }
        Holder::User { client_id, client_secret, refresh_token } => vec![
            ("grant_type", "refresh_token"),
            ("client_id", client_id.as_str()),
            ("client_secret", client_secret.expose_secret()),
            ("refresh_token", refresh_token.expose_secret()),
        ],
    };
    let endpoint = Endpoint { path: google.path.clone(), encoding: Encoding::Form };
    let reply = issuer.post(origin, &endpoint, &members).await.map_err(|error| error.to_string())?;
    // What was refused for its time is signed by the issuer's clock the next time.
    clock.set(reply.at);
    let tokens = reply.tokens().map_err(|error| error.to_string())?;
    let expires_at = tokens.expiry();
    let token = tokens.access_token.ok_or_else(|| format!("{} gave no access token", origin.host()))?;
    Ok(Minted { token, expires_at })
}
