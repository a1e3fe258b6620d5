//! One attempt at one target: shaped by the component, paid for by one account, sent, and once more after a 401.
//!
//! The pipeline makes one for each attempt that a request's plan hands out. It ends in an answer that has begun, or in
//! what made it fail.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bitrouter_credential::{AccountError, Credential, Scrubber};
use bitrouter_dialect::history;
use bitrouter_dialect::translate::strip_foreign;
use bitrouter_document::Document;
use bitrouter_files::Timestamp;
use bitrouter_plugin::HookBody;
use bitrouter_plugin::contract::{self, Field};
use http::header::DATE;
use http::{HeaderMap, StatusCode};

use super::body::{self, Content};
use super::deliver::{self, Delivered};
use super::failed::Failed;
use super::keeping::{self, Keeping};
use super::over_websocket::Said;
use super::prepare::{Shaped, hook_body};
use super::translate::Translations;
use super::{Received, describe, owned, reply, send};
use crate::call::{Call, CallBody};
use crate::error::Error;
use crate::route::{Provider, Target};

/// What is tried.
pub(super) struct Try<'t> {
    pub target: &'t Target,
    /// Of the account that pays; none where nobody does.
    pub label: Option<Arc<str>>,
    /// Which attempt of the call it is, from 1.
    pub number: u32,
    /// How long a connection may take to open; none for as long as the connect deadline.
    pub connect_within: Option<Duration>,
}

/// Makes an attempt. The body is its own: what one component edits, the next does not see.
pub(super) async fn run(
    tried: Try<'_>,
    call: &Call,
    body: CallBody,
    translations: Translations,
) -> Result<Delivered, Failed> {
    let Try { target, label, number, connect_within } = tried;
    let provider = Arc::clone(&target.provider);
    let credential = match &label {
        // Refreshed where that is due.
        Some(label) => Some(provider.accounts.ready(Some(label)).await.map_err(no_credential)?),
        None => None,
    };
    let scrubber = credential.as_ref().map(|credential| Arc::clone(&credential.scrubber));
    let attempt = Attempt { provider, credential, headers: &call.headers, number, connect_within };
    let outcome = match attempt.send_call(target, call, body, translations).await {
        Ok(received) => deliver::deliver(received).await,
        Err(failed) => Err(failed),
    };
    outcome.map_err(|failed| failed.scrubbed_by(scrubber))
}

/// One that may not be usable any more is one that the next account may stand in for.
pub(super) fn no_credential(error: AccountError) -> Error {
    match error {
        AccountError::NotRefreshed { .. } | AccountError::NotMinted { .. } => Error::NotRefreshed(error.to_string()),
        AccountError::NoCredential { .. }
        | AccountError::NotLoggedIn { .. }
        | AccountError::LogInAgain { .. }
        | AccountError::Rejected { .. }
        | AccountError::UnknownLabel { .. }
        | AccountError::Refused { .. }
        | AccountError::Incomplete { .. }
        | AccountError::WrongKind { .. }
        | AccountError::UnknownKind { .. }
        | AccountError::OutOfReach { .. }
        | AccountError::Store(_) => Error::NoCredential(error.to_string()),
    }
}

/// One attempt at one target.
pub(super) struct Attempt<'c> {
    pub provider: Arc<Provider>,
    pub credential: Option<Arc<Credential>>,
    /// The client's.
    pub headers: &'c HeaderMap,
    /// Which attempt of the call it is, from 1; 0 where there is no call.
    pub number: u32,
    /// How long a connection may take to open; none for as long as the connect deadline.
    pub connect_within: Option<Duration>,
}

impl Attempt<'_> {
    /// From the call to the head of the provider's answer.
    async fn send_call(
        mut self,
        target: &Target,
        call: &Call,
        body: CallBody,
        translations: Translations,
    ) -> Result<Received, Failed> {
        let wanted = call.endpoint.wanted();
        let dialect = self.provider.dialect_for(wanted, &target.model).unwrap_or(wanted.dialect);
        let items = match (&call.socket, &body) {
            (Some(_), CallBody::Json(document)) => history::own_items(&document.output().into_bytes()).count(),
            _ => 0,
        };
        let (mut body, mut translating) = match body {
            CallBody::Json(document) if dialect != wanted.dialect => {
                let dialect = dialect.parse().map_err(|_| Error::Internal(format!("no translation into {dialect}")))?;
                let account = self.label();
                let translated = translations.translate(call, target, &account, dialect, document);
                let (document, translating) = Box::pin(translated).await?;
                (CallBody::Json(document), Some(translating))
            }
            body => (own_states_only(body, call), None),
        };
        let wished = if translating.is_none() { keeping::wished(&mut body, call) } else { None };
        let described = describe::call(&self, call.endpoint, dialect, target, call.streaming, call.query.as_deref());
        let described = Box::new(described);
        let body = hook_body(body, &described)?;
        let (shaped, body) = match &call.object {
            Some(object) => (Shaped::Send(owned::request(&self, &described, call, object)?), body),
            None => self.shape(&described, body).await?,
        };
        let (request, response, sent, keeping, learning) = match shaped {
            Shaped::Reply(reply) => {
                let (request, response) = reply::of(*reply).map_err(|reason| self.bad_request(reason))?;
                (request, response, Instant::now(), None, None)
            }
            Shaped::Send(mut request) => {
                let mut body = if self.provider.quirks.is_empty() {
                    body
                } else {
                    Box::pin(self.suit(&described, &mut request, body)).await?
                };
                let keeping = wished.filter(|_| keeping::is_refused(&mut body)).map(|sent| {
                    Keeping::of(translations.history.clone(), translations.caller.into(), call.previous(), &sent)
                });
                let learning = match translating {
                    None => owned::learning(&self, call, &translations, &mut body),
                    Some(_) => None,
                };
                if let Some(translating) = &mut translating {
                    translating.left_out(&request.dropped);
                    if let Some((name, value)) = translating.header.take() {
                        Arc::make_mut(&mut request).headers.push(Field { name: name.into(), value });
                    }
                }
                send::check_delivery(&request, &described).map_err(|reason| self.bad_request(reason))?;
                let sent = Instant::now();
                let said = match &body {
                    HookBody::Json(document)
                        if translating.is_none() && self.may_use_websocket(&described, &request) =>
                    {
                        Said::of(call, items, document.output().into_bytes())
                    }
                    _ => None,
                };
                let content = body::of(&request, &mut body).map_err(|error| self.no_body(error))?;
                // What is waited for may be minutes in coming.
                drop(body);
                let response = self.exchange(&request, content, said).await?;
                (request, response, sent, keeping, learning)
            }
        };
        Ok(Received {
            scrubber: self.scrubber(),
            account: self.label(),
            provider: self.provider,
            endpoint: call.endpoint,
            call: described,
            request,
            response,
            sent,
            translating,
            keeping,
            learning,
        })
    }

    /// Sends what was shaped, over a WebSocket where that can be, and once more where that may help.
    async fn exchange(
        &mut self,
        request: &contract::Request,
        content: Content,
        said: Option<Said>,
    ) -> Result<http::Response<bitrouter_upstream::Received>, Failed> {
        let again = self.may_ask_again().then(|| content.clone());
        let over_websocket = match &said {
            Some(said) => Box::pin(self.over_websocket(request, said)).await?,
            None => None,
        };
        let response = match over_websocket {
            Some(response) => response,
            None => self.send(request, content).await?,
        };
        match again.filter(|_| !response.status().is_success()) {
            Some(content) => Ok(Box::pin(self.once_more(request, content, response)).await?),
            None => Ok(response),
        }
    }

    /// The account's label; empty where there is none.
    pub(super) fn label(&self) -> Arc<str> {
        self.credential.as_ref().map_or_else(|| "".into(), |credential| Arc::clone(&credential.label))
    }

    pub(super) fn scrubber(&self) -> Option<Arc<Scrubber>> {
        self.credential.as_ref().map(|credential| Arc::clone(&credential.scrubber))
    }

    /// Whether a refusal may be the end of a credential that can be made fresh, or of a clock that can be set.
    pub(super) fn may_ask_again(&self) -> bool {
        self.credential.as_ref().is_some_and(|credential| credential.may_be_renewed() || credential.signs())
    }

    /// After a failure. A 401: refreshes the login, or makes a new token, and sends the request once more. Where the login is
    /// over, that is the error; where there is nothing to refresh, the 401 stands. A refusal of a signature that the clock is to
    /// blame for: signs by the answer's date. All else stands.
    pub(super) async fn once_more(
        &mut self,
        request: &contract::Request,
        content: Content,
        refused: http::Response<bitrouter_upstream::Received>,
    ) -> Result<http::Response<bitrouter_upstream::Received>, Error> {
        let Some(credential) = &self.credential else { return Ok(refused) };
        if credential.signs() {
            let date = refused.headers().get(DATE).and_then(|date| httpdate::parse_http_date(date.to_str().ok()?).ok());
            let behind = date.and_then(|date| credential.set_clock(refused.status(), Timestamp::from(date)));
            let Some(behind) = behind else { return Ok(refused) };
            tracing::warn!(
                provider = self.provider.id(),
                account = &*credential.label,
                "a signature was refused, and this machine's clock is {} s {} the provider's: requests are signed by the \
                 provider's. Set the clock right",
                behind.unsigned_abs(),
                if behind < 0 { "ahead of" } else { "behind" }
            );
            return self.send(request, content).await;
        }
        if refused.status() != StatusCode::UNAUTHORIZED || !credential.may_be_renewed() {
            return Ok(refused);
        }
        match self.provider.accounts.refresh_after_unauthorized(credential).await {
            Ok(fresh) => {
                self.credential = Some(fresh);
                self.send(request, content).await
            }
            Err(error @ AccountError::LogInAgain { .. }) => Err(Error::NoCredential(error.to_string())),
            Err(error) => {
                tracing::warn!(provider = self.provider.id(), account = &*credential.label, %error, "the 401 stands");
                Ok(refused)
            }
        }
    }

    pub(super) fn id(&self) -> String {
        self.provider.id().to_owned()
    }

    pub(super) fn bad_request(&self, reason: String) -> Error {
        Error::BadRequest { provider: self.id(), reason: bitrouter_contract::cut::sentence(reason) }
    }
}

/// The body of a call that is not translated, without the opaque states that the gateway wrapped for other targets: whoever
/// moves to this one within a session brings them along, and it would refuse them.
fn own_states_only(body: CallBody, call: &Call) -> CallBody {
    match body {
        CallBody::Json(document) if call.endpoint.operation == "generate" => {
            let stripped = strip_foreign(call.endpoint.shape, &document.output().into_bytes());
            CallBody::Json(stripped.and_then(|body| Document::parse(body).ok()).unwrap_or(document))
        }
        body => body,
    }
}
