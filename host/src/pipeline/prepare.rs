//! What the component makes of a call: `prepare`, `resume` after each exchange that it asks for, and the edits that the provider's
//! quirks ask for. An attempt calls it before it sends anything.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bitrouter_contract::{FailureKind, Scope};
use bitrouter_dialect::Dialect;
use bitrouter_dialect::quirks::Edited;
use bitrouter_document::{Document, Edit, Kind};
use bitrouter_plugin::contract::{self, Answer, Blob, Exchange, Reply};
use bitrouter_plugin::{HookBody, HookError, Prepared};

use super::attempt::Attempt;
use super::body::{self, BodyError};
use super::{deliver, page, send, whole};
use crate::call::CallBody;
use crate::error::Error;

/// What the hooks made of a call.
pub(super) enum Shaped {
    Send(Arc<contract::Request>),
    Reply(Box<Reply>),
}

impl Attempt<'_> {
    /// Runs `prepare`, and `resume` for each exchange that it asks for.
    pub(super) async fn shape(&self, call: &contract::Call, body: HookBody) -> Result<(Shaped, HookBody), Error> {
        let plugin = &self.provider.plugin;
        let exchanges = plugin.description.exchanges;
        let mut waits = Duration::from_millis(exchanges.wait_ms.into());
        let (mut step, mut body) = plugin.prepare(call, body, self.scrubber()).await;
        for _ in 0..exchanges.most {
            match self.step(step)? {
                Prepared::Send(request) => return Ok((Shaped::Send(request), body)),
                Prepared::Reply(reply) => return Ok((Shaped::Reply(reply), body)),
                Prepared::Ask(exchange) => {
                    let Exchange { request, memo, wait_ms } = *exchange;
                    send::check_memo(&memo).map_err(|reason| self.bad_request(reason))?;
                    let wait = Duration::from_millis(wait_ms.into());
                    waits = waits.checked_sub(wait).ok_or_else(|| {
                        let all = exchanges.wait_ms;
                        self.bad_request(format!(
                            "it wants to wait for more than {all} ms in all, as its description says"
                        ))
                    })?;
                    if !wait.is_zero() {
                        tokio::time::sleep(wait).await;
                    }
                    let answer = Box::pin(self.ask(&request, &mut body)).await?;
                    (step, body) = Box::pin(plugin.resume(call, body, &memo, &answer, self.scrubber())).await;
                }
            }
        }
        match self.step(step)? {
            Prepared::Send(request) => Ok((Shaped::Send(request), body)),
            Prepared::Reply(reply) => Ok((Shaped::Reply(reply), body)),
            Prepared::Ask(_) => {
                let most = exchanges.most;
                Err(self.bad_request(format!("it asked for more than {most} exchanges before sending")))
            }
        }
    }

    /// Why there is no body.
    pub(super) fn no_body(&self, error: BodyError) -> Error {
        match error {
            BodyError::Described(reason) => self.bad_request(reason),
            BodyError::Value(_) => Error::Refused {
                provider: self.id(),
                kind: FailureKind::InvalidRequest.word().into(),
                scope: Scope::Request.word().into(),
                message: error.to_string(),
                status: None,
            },
        }
    }

    /// Makes a body that goes up one that this provider takes, and names what had to be left out of it.
    pub(super) async fn suit(
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
    async fn ask(&self, request: &contract::Request, body: &mut HookBody) -> Result<Answer, Error> {
        let body = body::of(request, body).map_err(|error| self.no_body(error))?;
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
}

/// The body as the hooks get it, with the model's own name in the place of its address. generateContent has it in
/// the path, and refuses a body with a member that it does not know.
pub(super) fn hook_body(body: CallBody, call: &contract::Call) -> Result<HookBody, Error> {
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
        CallBody::Opaque { content_type, bytes } => {
            let length = Some(bytes.len() as u64);
            HookBody::Opaque { blob: Blob { content_type, length }, pieces: vec![bytes] }
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
            provider: "acme".into(),
            model_info: "{}".into(),
            attempt: 1,
            more: String::new(),
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
