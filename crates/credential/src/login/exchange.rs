//! What the flows ask of the token and revocation endpoints. The code's exchange is built and read by the crate `oauth2`,
//! over [`Wire`], so that it goes where every other request to an issuer goes and no error holds what came back.

use bitrouter_contract::Origin;
use bitrouter_contract::description::Oauth;
use oauth2::basic::{BasicErrorResponse, BasicRevocationErrorResponse, BasicTokenIntrospectionResponse};
use oauth2::{
    AuthorizationCode, ClientId, PkceCodeVerifier, RedirectUrl, RequestTokenError, StandardRevocableToken, TokenUrl,
};
use secrecy::{ExposeSecret, SecretString};

use super::granted::Granted;
use super::wire::Wire;
use super::{Attempt, LoginError};
use crate::issuer::{Issuer, IssuerError, Tokens};

/// The crate's client, with our own reading of a success. Its error types are never used: [`Wire`] answers for a failure.
pub(super) type Client = oauth2::Client<
    BasicErrorResponse,
    Granted,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
>;

/// An authorization code and what proves that it is ours.
pub(super) struct Code {
    pub code: AuthorizationCode,
    pub verifier: PkceCodeVerifier,
    /// Exactly that of the authorization.
    pub redirect_uri: RedirectUrl,
}

/// Exchanges a code for tokens (RFC 6749, section 4.1.3; RFC 7636, section 4.5).
pub(super) async fn exchange<P>(attempt: &Attempt<'_, P>, code: Code) -> Result<Tokens, LoginError> {
    let endpoint = &attempt.oauth.token;
    let url = attempt.origin.join::<&str, &str>(&endpoint.path, &[])?.to_string();
    let client = Client::new(ClientId::new(attempt.oauth.client_id.clone()))
        .set_token_uri(TokenUrl::new(url).map_err(LoginError::address)?)
        .set_redirect_uri(code.redirect_uri);
    let wire = Wire::new(attempt.issuer, attempt.origin, endpoint);
    let request = client.exchange_code(code.code).set_pkce_verifier(code.verifier);
    match request.request_async(&wire).await {
        Ok(granted) => complete(attempt, granted.tokens(wire.answered_at())),
        Err(RequestTokenError::Request(error)) => Err(error.into()),
        // A success without an access token. The body that the crate puts in here ends here.
        Err(RequestTokenError::ServerResponse(_) | RequestTokenError::Parse(..) | RequestTokenError::Other(_)) => {
            Err(LoginError::Incomplete { issuer: attempt.origin.to_string(), missing: "access_token" })
        }
    }
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
