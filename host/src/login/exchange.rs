//! What the flows ask of the token and revocation endpoints.

use secrecy::{ExposeSecret, SecretString};

use super::{Attempt, LoginError};
use crate::credential::Origin;
use crate::credential::issuer::{Issuer, IssuerError, Tokens};
use crate::plugin::description::Oauth;

/// An authorization code and what proves that it is ours.
pub(super) struct Code<'c> {
    pub code: &'c str,
    pub verifier: &'c str,
    /// Exactly that of the authorization.
    pub redirect_uri: &'c str,
}

/// Exchanges a code for tokens (RFC 6749, section 4.1.3; RFC 7636, section 4.5).
pub(super) async fn exchange<P>(attempt: &Attempt<'_, P>, code: Code<'_>) -> Result<Tokens, LoginError> {
    let members = [
        ("grant_type", "authorization_code"),
        ("client_id", &attempt.oauth.client_id),
        ("code", code.code),
        ("redirect_uri", code.redirect_uri),
        ("code_verifier", code.verifier),
    ];
    complete(attempt, attempt.issuer.tokens(attempt.origin, &attempt.oauth.token, &members).await?)
}

/// Refuses an answer that is of no use.
pub(super) fn complete<P>(attempt: &Attempt<'_, P>, tokens: Tokens) -> Result<Tokens, LoginError> {
    match tokens.access_token {
        Some(_) => Ok(tokens),
        None => Err(LoginError::Incomplete { issuer: attempt.origin.to_string(), missing: "access_token" }),
    }
}

/// Gives a refresh token back (RFC 7009). False where the provider has no such endpoint.
pub async fn revoke(
    oauth: &Oauth,
    origin: &Origin,
    issuer: &Issuer,
    client_id: &str,
    token: &SecretString,
) -> Result<bool, IssuerError> {
    let Some(endpoint) = &oauth.revoke else {
        return Ok(false);
    };
    let members = [("client_id", client_id), ("token", token.expose_secret()), ("token_type_hint", "refresh_token")];
    let reply = issuer.post(origin, endpoint, &members).await?;
    if reply.is_success() { Ok(true) } else { Err(reply.refusal()) }
}
