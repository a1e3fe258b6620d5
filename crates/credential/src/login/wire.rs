//! How the crate `oauth2` speaks to an issuer: through [`Issuer`], like login, refresh and logout without it. The crate
//! says what is sent; where it goes is the origin's and the endpoint's to say, not the request's. A failure never reaches
//! the crate with its body, because its errors keep bodies.

use std::pin::Pin;
use std::sync::OnceLock;

use bitrouter_contract::Origin;
use bitrouter_contract::description::Endpoint;
use bitrouter_files::Timestamp;
use oauth2::{AsyncHttpClient, HttpRequest, HttpResponse};

use crate::issuer::{Issuer, IssuerError};

/// The way to one endpoint.
pub(super) struct Wire<'w> {
    issuer: &'w Issuer,
    origin: &'w Origin,
    endpoint: &'w Endpoint,
    answered_at: OnceLock<Timestamp>,
}

impl<'w> Wire<'w> {
    pub(super) fn new(issuer: &'w Issuer, origin: &'w Origin, endpoint: &'w Endpoint) -> Self {
        Wire { issuer, origin, endpoint, answered_at: OnceLock::new() }
    }

    /// When the issuer answered, by its clock.
    pub(super) fn answered_at(&self) -> Timestamp {
        self.answered_at.get().copied().unwrap_or_else(Timestamp::now)
    }

    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, IssuerError> {
        // The crate knows forms only; an endpoint may want JSON.
        let members: Vec<_> = form_urlencoded::parse(request.body()).collect();
        let members: Vec<_> = members.iter().map(|(name, value)| (name.as_ref(), value.as_ref())).collect();
        let reply = self.issuer.post(self.origin, self.endpoint, &members).await?;
        let _ = self.answered_at.set(reply.at);
        Ok(HttpResponse::new(reply.success()?))
    }
}

impl<'c> AsyncHttpClient<'c> for Wire<'_> {
    type Error = IssuerError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, IssuerError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.send(request))
    }
}
