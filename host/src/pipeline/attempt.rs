//! One attempt at one target: shaped by the component, paid for by one account, sent, and once more after a 401.
//!
//! The pipeline makes one for each attempt that a request's plan hands out. It ends in an answer that has begun, or in
//! what made it fail.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bitrouter_credential::{AccountError, Credential, Scrubber};
use bitrouter_dialect::quirks::Edited;
use bitrouter_dialect::translate::strip_foreign;
use bitrouter_dialect::{Dialect, history};
use bitrouter_document::{Document, Edit, Kind};
use bitrouter_files::Timestamp;
use bitrouter_plugin::{HookBody, HookError, Prepared};
use bitrouter_plugin::{
    contract,
    contract::{Answer, Blob, Exchange, Field},
};
use http::header::DATE;
use http::{HeaderMap, StatusCode};

use super::deliver::{self, Delivered};
use super::failed::Failed;
use super::keeping::{self, Keeping};
use super::over_websocket::Said;
use super::translate::Translations;
use super::{Received, describe, page, send, whole};
use crate::call::{Call, CallBody};
use crate::error::Error;
use crate::route::{Provider, Target};

/// Exchanges that a component may make before it sends.
const ASKS: u32 = 3;

/// Makes an attempt. The body is its own: what one component edits, the next does not see. A connection that has to be
/// opened may take as long as `connect_within`, where that is set.
pub(super) async fn run(
    target: &Target,
    label: Option<Arc<str>>,
    call: &Call,
    body: CallBody,
    connect_within: Option<Duration>,
    translations: Translations,
) -> Result<Delivered, Failed> {
    let provider = Arc::clone(&target.provider);
    let credential = match &label {
        // Refreshed where that is due.
        Some(label) => Some(provider.accounts.ready(Some(label)).await.map_err(no_credential)?),
        None => None,
    };
    let scrubber = credential.as_ref().map(|credential| Arc::clone(&credential.scrubber));
    let attempt = Attempt { provider, credential, headers: &call.headers, connect_within };
    let outcome = match attempt.send_call(target, call, body, translations).await {
        Ok(received) => deliver::deliver(received).await,
        Err(failed) => Err(failed),
    };
    outcome.map_err(|failed| failed.scrubbed_by(scrubber))
}

/// One that may not be usable any more is one that the next account may stand in for.
fn no_credential(error: AccountError) -> Error {
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
        let (mut request, body) = self.shape(&described, body).await?;
        let mut body = if self.provider.quirks.is_empty() {
            body
        } else {
            Box::pin(self.suit(&described, &mut request, body)).await?
        };
        let keeping = wished
            .filter(|_| keeping::is_refused(&mut body))
            .map(|sent| Keeping::of(translations.history.clone(), translations.caller.into(), call.previous(), &sent));
        if let Some(translating) = &mut translating {
            translating.left_out(&request.dropped);
            if let Some((name, value)) = translating.header.take() {
                Arc::make_mut(&mut request).headers.push(Field { name: name.into(), value });
            }
        }
        send::check_delivery(&request, &described).map_err(|reason| self.bad_request(reason))?;
        let sent = Instant::now();
        let said = match &body {
            HookBody::Json(document) if translating.is_none() && self.may_use_websocket(&described, &request) => {
                Said::of(call, items, document.output().into_bytes())
            }
            _ => None,
        };
        let content = send::body(&request, body);
        let again = self.may_ask_again().then(|| content.clone());
        let over_websocket = match &said {
            Some(said) => Box::pin(self.over_websocket(&request, said)).await?,
            None => None,
        };
        let mut response = match over_websocket {
            Some(response) => response,
            None => self.send(&request, content).await?,
        };
        if let Some(content) = again.filter(|_| !response.status().is_success()) {
            response = Box::pin(self.once_more(&request, content, response)).await?;
        }
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
        })
    }

    /// The account's label; empty where there is none.
    fn label(&self) -> Arc<str> {
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
        content: send::Content,
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

    /// Makes a body that goes up one that this provider takes, and names what had to be left out of it.
    async fn suit(
        &self,
        call: &contract::Call,
        request: &mut Arc<contract::Request>,
        body: HookBody,
    ) -> Result<HookBody, Error> {
        let mut document = match (body, &request.body) {
            (HookBody::Json(document), contract::types::Body::Forward) => document,
            (body, _) => return Ok(body),
        };
        let (provider, dialect) = (Arc::clone(&self.provider), call.dialect.clone());
        let (generates, streaming) = (call.operation == "generate", call.streaming);
        let bytes = document.body_len();
        let work = move || {
            let edited = Edited { dialect: &dialect, generates, streaming };
            let left_out = provider.quirks.apply(edited, &mut document)?;
            Ok::<_, Error>((document, left_out))
        };
        let (document, left_out) = whole::work(bytes, work).await??;
        if !left_out.is_empty() {
            Arc::make_mut(request).dropped.extend(left_out);
        }
        Ok(HookBody::Json(document))
    }

    fn step(&self, step: Result<Result<Prepared, contract::Failure>, HookError>) -> Result<Prepared, Error> {
        match step {
            Ok(Ok(step)) => Ok(step),
            Ok(Err(failure)) => Err(Error::refused(self.id(), failure)),
            Err(error) => Err(Error::Hook { provider: self.id(), error }),
        }
    }

    /// Makes an exchange of the component's own.
    async fn ask(&self, request: &contract::Request) -> Result<Answer, Error> {
        let body = send::body(request, HookBody::None);
        let sent = Instant::now();
        let response = self.send(request, body).await?;
        let until = deliver::complete_by(&self.provider.deadlines, sent);
        let (status, headers) = (response.status(), response.headers().clone());
        let (answer, body) = deliver::answer(response, self.scrubber().as_deref(), until)
            .await
            .map_err(|reason| Error::Broken { provider: self.id(), reason })?;
        match page::of(status, &headers, &body).filter(|_| !status.is_success()) {
            Some(page) => Err(page::error(&self.provider, request, status, &headers, page)),
            None => Ok(answer),
        }
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

/// The body as the hooks get it, with the model's own name in the place of its address. generateContent has it in
/// the path, and refuses a body with a member that it does not know.
fn hook_body(body: CallBody, call: &contract::Call) -> Result<HookBody, Error> {
    let model = call.model.as_str();
    Ok(match body {
        CallBody::Json(mut document) if call.dialect == Dialect::GenerateContent.as_str() => {
            rename(&mut document, model)?;
            HookBody::Json(document)
        }
        CallBody::Json(mut document) => {
            if document.string("model")?.as_deref() != Some(model) {
                document.set_string("model", model)?;
            }
            HookBody::Json(document)
        }
        CallBody::Form { content_type, bytes, model_at } => {
            let pieces = [
                bytes.slice(..model_at.start),
                bytes::Bytes::copy_from_slice(model.as_bytes()),
                bytes.slice(model_at.end..),
            ];
            let length = pieces.iter().map(|piece| piece.len() as u64).sum();
            HookBody::Opaque { blob: Blob { content_type, length: Some(length) }, pieces: pieces.into() }
        }
        CallBody::None => HookBody::None,
    })
}

/// Google's clients may name the model in the body as well, as a resource: a provider compares it with the path.
fn rename(document: &mut Document, model: &str) -> Result<(), Error> {
    let prefix = if model.contains('/') { "" } else { "models/" };
    let name = serde_json::Value::from(format!("{prefix}{model}")).to_string();
    for path in ["/model", "/generateContentRequest/model", "/generate_content_request/model"] {
        if document.kind(path)? == Some(Kind::String) {
            document.patch(&[Edit::Replace { path, value: &name }])?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(dialect: &str, body: &'static str) -> String {
        let call = contract::Call {
            operation: "generate".into(),
            dialect: dialect.into(),
            model: "m".into(),
            streaming: false,
            headers: Vec::new(),
            query: Vec::new(),
            settings: "{}".into(),
            account: None,
        };
        let document = Document::parse(body).unwrap();
        let HookBody::Json(document) = hook_body(CallBody::Json(document), &call).unwrap() else {
            return String::new();
        };
        document.output().into_chunks().into_iter().map(|part| String::from_utf8(part.to_vec()).unwrap()).collect()
    }

    #[test]
    fn the_body_names_the_model_in_every_dialect_that_has_it_there() {
        assert_eq!(sent("messages", r#"{"model":"acme:m","x":1}"#), r#"{"model":"m","x":1}"#);
        assert_eq!(sent("messages", r#"{"x":1}"#), r#"{"x":1,"model":"m"}"#);
    }

    #[test]
    fn a_model_that_the_path_names_is_put_into_no_body_that_has_none() {
        for (body, expected) in [
            (r#"{"contents":[]}"#, r#"{"contents":[]}"#),
            (r#"{"model":"models/g:m","x":1.0}"#, r#"{"model":"models/m","x":1.0}"#),
            (
                r#"{"generateContentRequest":{"model":"models/g:m","contents":[]}}"#,
                r#"{"generateContentRequest":{"model":"models/m","contents":[]}}"#,
            ),
            (r#"{"model":7}"#, r#"{"model":7}"#),
        ] {
            assert_eq!(sent("generate-content", body), expected);
        }
    }
}
