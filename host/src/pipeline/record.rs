//! One exchange with a provider, kept as it was: for `plugin record`. It takes the steps of a call, so that a credential has one
//! way out, and what is kept of the answer is scrubbed as what a client reads is.

use std::sync::Arc;

use bitrouter_credential::Scrubber;
use bitrouter_document::Document;
use bitrouter_plugin::{HookBody, contract};
use http::HeaderMap;

use super::attempt::{self, Attempt};
use super::prepare::{Shaped, hook_body};
use super::{body, deliver, describe, send};
use crate::call::{CallBody, Endpoint};
use crate::error::Error;
use crate::route::Target;

/// An exchange: the call as the component saw it, its body before any edit, what was sent, and what came.
pub(crate) struct Exchanged {
    pub(crate) call: contract::Call,
    pub(crate) body: String,
    /// None where the component answered by itself.
    pub(crate) answered: Option<(Arc<contract::Request>, contract::Answer)>,
    /// Takes the credential's secrets out of a text.
    pub(crate) scrubber: Option<Arc<Scrubber>>,
}

/// Makes a call of this body, which is in the dialect of the endpoint. What the client would be told is not made of it.
pub(crate) async fn exchange(
    target: &Target,
    endpoint: &'static Endpoint,
    body: Document,
    streaming: bool,
) -> Result<Exchanged, Error> {
    let provider = Arc::clone(&target.provider);
    let (accounts, label) = (&provider.accounts, target.label.as_deref());
    let credential = match accounts.takes_credential() && !(label.is_none() && accounts.goes_without()) {
        true => Some(accounts.ready(label).await.map_err(attempt::no_credential)?),
        false => None,
    };
    let headers = HeaderMap::new();
    let mut attempt = Attempt { provider, credential, headers: &headers, number: 1, connect_within: None };
    let call = describe::call(&attempt, endpoint, endpoint.dialect, target, streaming, None);
    let body = hook_body(CallBody::Json(body), &call)?;
    let before = match &body {
        HookBody::Json(document) => String::from_utf8_lossy(&document.output().into_bytes()).into_owned(),
        HookBody::Opaque { .. } | HookBody::None => String::new(),
    };
    let (shaped, mut left) = attempt.shape(&call, body).await?;
    let answered = match shaped {
        Shaped::Reply(_) => None,
        Shaped::Send(mut request) => {
            if !attempt.provider.quirks.is_empty() {
                left = Box::pin(attempt.suit(&call, &mut request, left)).await?;
            }
            send::check_delivery(&request, &call).map_err(|reason| attempt.bad_request(reason))?;
            let content = body::of(&request, &mut left).map_err(|error| attempt.no_body(error))?;
            let mut response = attempt.send(&request, content.clone()).await?;
            if !response.status().is_success() && attempt.may_ask_again() {
                response = attempt.once_more(&request, content, response).await?;
            }
            let answer = deliver::page(response, attempt.scrubber().as_deref()).await;
            let answer = answer.map_err(|reason| Error::Broken { provider: attempt.id(), reason })?;
            Some((request, answer))
        }
    };
    Ok(Exchanged { call, body: before, answered, scrubber: attempt.scrubber() })
}
