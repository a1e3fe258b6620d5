//! One query: an exchange of the host's own. `queries` asks for it, never a client's request; it
//! takes the steps of a call, so that a credential has one way out: bound origin, attached last, echo scrubbed.

use std::sync::Arc;

use bitrouter_credential::{Credential, Scrubber};
use bitrouter_plugin::HookBody;
use bitrouter_plugin::{contract, contract::Answer};
use http::HeaderMap;

use super::attempt::Attempt;
use super::{body, deliver, page};
use crate::error::Error;
use crate::route::Provider;

/// Sends a request without a body and reads the whole answer, whatever its status, as a component sees it. With it comes
/// what scrubs the component's log: a 401 may have brought another credential.
pub(crate) async fn query(
    provider: &Arc<Provider>,
    credential: Option<Arc<Credential>>,
    request: &contract::Request,
) -> Result<(Answer, Option<Arc<Scrubber>>), Error> {
    let headers = HeaderMap::new();
    let (provider_of, number) = (Arc::clone(provider), 0);
    let mut attempt = Attempt { provider: provider_of, credential, headers: &headers, number, connect_within: None };
    let content = body::of(request, &mut HookBody::None).map_err(|error| attempt.bad_request(error.to_string()))?;
    let mut response = attempt.send(request, content.clone()).await?;
    if !response.status().is_success() && attempt.may_ask_again() {
        response = attempt.once_more(request, content, response).await?;
    }
    // Answers are few and far between, and of every account: nothing of this is kept for them.
    let scrubber = attempt.scrubber().map(|scrubber| Arc::new(scrubber.for_once()));
    if response.status().is_redirection() {
        let location = deliver::location(response.headers(), scrubber.as_deref());
        return Err(Error::Redirect { provider: attempt.id(), location });
    }
    let (status, headers) = (response.status(), response.headers().clone());
    let answer = deliver::page(response, scrubber.as_deref()).await;
    let answer = answer.map_err(|reason| Error::Broken { provider: attempt.id(), reason })?;
    // What a success holds the component can tell best.
    match page::of(status, &headers, answer.body.as_bytes()).filter(|_| !status.is_success()) {
        Some(page) => Err(page::error(provider, request, status, &headers, page)),
        None => Ok((answer, scrubber)),
    }
}
