//! One request on its way: route, plugin, credential, upstream, and the answer back.
//!
//! The gateway hands over a call that it has read. Each step is a function below or in a file of this room, in the order
//! in which they run; what fails on the way becomes one `Error` in the client's dialect.

mod beside;
mod deliver;
mod describe;
mod explain;
mod fold;
mod limits;
mod rewrite;
mod send;
mod watch;

use std::sync::Arc;
use std::time::Instant;

use axum::response::Response;
use http::StatusCode;

use crate::app::App;
use crate::credential::{AccountError, Credential, Scrubber, Source};
use crate::error::Error;
use crate::gateway::{self, Call, CallBody};
use crate::plugin::contract::{self, Answer, Blob, Exchange};
use crate::plugin::{HookBody, Prepared};
use crate::route::{Provider, Target};
use crate::telemetry::{Finished, Outcome};
use crate::upstream;

pub(crate) use beside::beside;

/// Exchanges that a component may make before it sends.
const ASKS: u32 = 3;

/// Answers a call.
pub async fn run(app: &App, call: Call, mut finished: Finished) -> Response {
    let shape = call.endpoint.shape;
    match exchange(app, call, &mut finished).await {
        Ok(received) => deliver::deliver(received, finished).await,
        Err(error) => failed(&error, shape, finished),
    }
}

/// Ends a request with an error of the gateway's own.
fn failed(error: &Error, shape: bitrouter_dialect::Dialect, mut finished: Finished) -> Response {
    let response = gateway::error_reply(error, shape, &finished.id);
    finished.status = response.status().as_u16();
    finished.outcome = Outcome::Failed(error.to_string());
    response
}

/// An attempt whose answer has begun.
struct Received {
    provider: Arc<Provider>,
    endpoint: &'static gateway::Endpoint,
    call: Box<contract::Call>,
    request: Arc<contract::Request>,
    scrubber: Option<Arc<Scrubber>>,
    response: http::Response<upstream::Received>,
    sent: Instant,
}

/// Everything from the model's address to the head of the provider's answer.
async fn exchange(app: &App, call: Call, finished: &mut Finished) -> Result<Received, Error> {
    finished.model.clone_from(&call.address);
    let target = route(app, &call).await?;
    let provider = Arc::clone(&target.provider);
    finished.provider = Arc::clone(&provider.plugin.id);
    finished.model.clone_from(&target.model);
    let credential = credential(&target).await?;
    if let Some(credential) = &credential {
        finished.account = credential.label.as_str().into();
    }
    let mut attempt = Attempt { provider, credential, headers: call.headers };
    let query = call.query.as_deref();
    let described = describe::call(&attempt, call.endpoint, &target, call.streaming, query, &attempt.headers);
    let described = Box::new(described);
    let (body, form) = hook_body(call.body, &target.model)?;
    let (request, body) = attempt.shape(&described, body).await?;
    send::check_delivery(&request).map_err(|reason| attempt.bad_request(reason))?;
    finished.attempts += 1;
    finished.dialect_out = call.endpoint.dialect;
    let sent = Instant::now();
    let content = send::body(&request, body, form);
    let again = attempt.may_refresh().then(|| content.clone());
    let mut response = attempt.send(&request, content).await?;
    if let Some(content) = again.filter(|_| response.status() == StatusCode::UNAUTHORIZED) {
        response = Box::pin(attempt.once_more(&request, content, response)).await?;
    }
    finished.first_byte = Some(Instant::now());
    Ok(Received {
        scrubber: attempt.scrubber(),
        provider: attempt.provider,
        endpoint: call.endpoint,
        call: described,
        request,
        response,
        sent,
    })
}

/// The target of a call; waits a little for components that are still being compiled.
async fn route(app: &App, call: &Call) -> Result<Target, Error> {
    let providers = app.directory.now();
    let mut found = providers.resolve(&call.address);
    let mut providers = providers;
    if found.is_err() && providers.pending > 0 {
        providers = app.directory.settled().await;
        found = providers.resolve(&call.address);
        if found.is_err() && providers.pending > 0 {
            return Err(Error::Compiling);
        }
    }
    let target = found?;
    let endpoint = call.endpoint;
    if target.provider.plugin.dialects(endpoint.operation).iter().any(|dialect| dialect == endpoint.dialect) {
        return Ok(target);
    }
    let wanted = match endpoint.operation {
        "generate" => format!("the {} dialect", endpoint.dialect),
        operation => operation.to_owned(),
    };
    let served_by = providers.serving(endpoint.operation, endpoint.dialect);
    Err(Error::NotServed { provider: target.provider.id().to_owned(), wanted, served_by })
}

/// The credential of the target's account, refreshed where that is due; none where the provider needs none.
async fn credential(target: &Target) -> Result<Option<Arc<Credential>>, Error> {
    let provider = &target.provider;
    if provider.accounts.needs_credential() {
        let credential = provider.accounts.ready(target.label.as_deref()).await;
        return credential.map(Some).map_err(|error| Error::NoCredential(error.to_string()));
    }
    match &target.label {
        None => Ok(None),
        Some(label) => Err(Error::NoCredential(format!(
            "{id}: it needs no credential, so there is no account `{label}`. Use {id}:{}",
            target.model,
            id = provider.id()
        ))),
    }
}

/// The body as the hooks see it, and beside it the bytes of a form, with the model's own name in the place of its address.
fn hook_body(body: CallBody, model: &str) -> Result<(HookBody, send::Form), Error> {
    Ok(match body {
        CallBody::Json(mut document) => {
            if document.string("model")?.as_deref() != Some(model) {
                document.set_string("model", model)?;
            }
            (HookBody::Json(document), send::Form::default())
        }
        CallBody::Form { content_type, bytes, model_at } => {
            let pieces = [
                bytes.slice(..model_at.start),
                bytes::Bytes::copy_from_slice(model.as_bytes()),
                bytes.slice(model_at.end..),
            ];
            let length = pieces.iter().map(|piece| piece.len() as u64).sum();
            let blob = Blob { content_type: content_type.clone(), length: Some(length) };
            (HookBody::Opaque(blob), send::Form { content_type, pieces: pieces.into() })
        }
        CallBody::None => (HookBody::None, send::Form::default()),
    })
}

/// One attempt at one target.
struct Attempt {
    provider: Arc<Provider>,
    credential: Option<Arc<Credential>>,
    /// The client's.
    headers: http::HeaderMap,
}

impl Attempt {
    fn scrubber(&self) -> Option<Arc<Scrubber>> {
        self.credential.as_ref().map(|credential| Arc::clone(&credential.scrubber))
    }

    /// Whether a credential that is refused may be made fresh.
    fn may_refresh(&self) -> bool {
        self.credential.as_ref().is_some_and(|credential| credential.source == Source::Store)
    }

    /// After a 401: refreshes the login and sends the request once more. Where the login is over, that is the error; where
    /// there is nothing to refresh, the 401 stands.
    async fn once_more(
        &mut self,
        request: &contract::Request,
        content: send::Content,
        refused: http::Response<upstream::Received>,
    ) -> Result<http::Response<upstream::Received>, Error> {
        let Some(credential) = &self.credential else { return Ok(refused) };
        match self.provider.accounts.refresh_after_unauthorized(credential).await {
            Ok(fresh) => {
                self.credential = Some(fresh);
                self.send(request, content).await
            }
            Err(error @ AccountError::LogInAgain { .. }) => Err(Error::NoCredential(error.to_string())),
            Err(error) => {
                tracing::warn!(provider = self.provider.id(), account = credential.label, %error, "the 401 stands");
                Ok(refused)
            }
        }
    }

    fn id(&self) -> String {
        self.provider.id().to_owned()
    }

    /// Runs `prepare`, and `resume` for each exchange that it asks for.
    async fn shape(&self, call: &contract::Call, body: HookBody) -> Result<(Arc<contract::Request>, HookBody), Error> {
        let plugin = &self.provider.plugin;
        let (mut step, mut body) = plugin.prepare(call, body, self.scrubber()).await;
        for _ in 0..ASKS {
            match self.step(step)? {
                Prepared::Send(request) => return Ok((request, body)),
                Prepared::Ask(exchange) => {
                    let Exchange { request, memo } = *exchange;
                    send::check_memo(&memo).map_err(|reason| self.bad_request(reason))?;
                    let answer = Box::pin(self.ask(&request)).await?;
                    (step, body) = Box::pin(plugin.resume(call, body, &memo, &answer, self.scrubber())).await;
                }
            }
        }
        match self.step(step)? {
            Prepared::Send(request) => Ok((request, body)),
            Prepared::Ask(_) => {
                Err(self.bad_request(format!("it asked for more than {ASKS} exchanges before sending")))
            }
        }
    }

    fn step(
        &self,
        step: Result<Result<Prepared, contract::Failure>, crate::plugin::HookError>,
    ) -> Result<Prepared, Error> {
        match step {
            Ok(Ok(step)) => Ok(step),
            Ok(Err(failure)) => {
                Err(Error::Refused { provider: self.id(), kind: failure.kind, message: failure.message })
            }
            Err(error) => Err(Error::Hook { provider: self.id(), error }),
        }
    }

    /// Makes an exchange of the component's own.
    async fn ask(&self, request: &contract::Request) -> Result<Answer, Error> {
        let body = send::body(request, HookBody::None, send::Form::default());
        let response = self.send(request, body).await?;
        deliver::answer(response, self.scrubber().as_deref())
            .await
            .map(|(answer, _)| answer)
            .map_err(|reason| Error::Broken { provider: self.id(), reason })
    }

    fn bad_request(&self, reason: String) -> Error {
        Error::BadRequest { provider: self.id(), reason }
    }
}
