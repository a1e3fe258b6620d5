//! From a component's description of a request to the request that is sent: checked, credentials attached last.

use std::sync::Arc;

use bitrouter_contract::description::Auth;
use bitrouter_credential::{Credential, binding};
use bitrouter_dialect::StreamFraming;
use bitrouter_plugin::contract::{self, Delivery, types::Body};
use bitrouter_upstream::Outgoing;
use http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue, USER_AGENT};
use http::{Method, Request, Response};
use serde::de::IgnoredAny;

use super::attempt::Attempt;
use super::body::Content;
use crate::error::Error;

/// The most headers and query parameters that a component may describe, and the bytes of all of them.
const MAX_FIELDS: usize = 128;
const MAX_FIELD_BYTES: usize = 64 << 10;
/// The longest memo.
const MAX_MEMO: usize = 64 << 10;

/// Refuses what the contract names and this host does not do yet, before anything is sent.
pub(super) fn check_delivery(request: &contract::Request, call: &contract::Call) -> Result<(), String> {
    let not_yet = |what: String| Err(format!("{what} is not there yet in this version of BitRouter"));
    match request.framing.as_str() {
        "sse" | "json" | "raw" | "ndjson" | "aws-event-stream" => {}
        "websocket" => return not_yet("the framing `websocket`".to_owned()),
        other => return Err(format!("there is no framing `{}`", other.escape_debug())),
    }
    let stream = StreamFraming::named(&request.framing);
    match &request.delivery {
        // What is a stream for a client that asked for none is folded, and only conversations can be.
        _ if stream.is_some() && !call.streaming && call.operation != "generate" => {
            not_yet(format!("folding a stream of `{}`", call.operation.escape_debug()))
        }
        Delivery::Pass if stream.is_some_and(|stream| stream != StreamFraming::Sse) => {
            Err(format!("no client reads a stream that is framed as `{}`: have it rewritten to `sse`", request.framing))
        }
        Delivery::Pass => Ok(()),
        Delivery::Rewrite(to) if to == "sse" && (stream.is_some() || request.framing == "json") => Ok(()),
        Delivery::Rewrite(to) => {
            not_yet(format!("rewriting `{}` to `{}`", request.framing.escape_debug(), to.escape_debug()))
        }
    }
}

/// Refuses a memo that is too long.
pub(super) fn check_memo(memo: &[u8]) -> Result<(), String> {
    if memo.len() > MAX_MEMO { Err(format!("its memo has {} bytes; at most {MAX_MEMO}", memo.len())) } else { Ok(()) }
}

impl Attempt<'_> {
    /// Sends a request that the component described.
    pub(super) async fn send(
        &self,
        request: &contract::Request,
        body: Content,
    ) -> Result<Response<bitrouter_upstream::Received>, Error> {
        let request = self.build(request, body)?;
        let provider = &self.provider;
        let answer = provider.upstream.send(request, &provider.deadlines, self.connect_within).await;
        let answer = answer.map_err(|error| Error::Send { provider: self.id(), error })?;
        if !answer.headers().contains_key(CONTENT_ENCODING) {
            return Ok(answer);
        }
        bitrouter_upstream::unpack(answer).or_else(|(encoding, answer)| {
            if !answer.status().is_success() {
                // Its status and its headers still mean what they say.
                return Ok(answer);
            }
            let reason = format!("the upstream's answer is compressed ({encoding}), which cannot be read");
            Err(Error::Broken { provider: self.id(), reason })
        })
    }

    /// The request as it would be sent, without its body.
    pub(super) fn without_body(&self, described: &contract::Request) -> Result<Request<Outgoing>, Error> {
        self.build(described, Content::default())
    }

    fn build(&self, described: &contract::Request, content: Content) -> Result<Request<Outgoing>, Error> {
        let provider = &self.provider;
        let refuse = |reason: String| self.bad_request(reason);
        check_memo(&described.memo).map_err(refuse)?;
        check_size(described).map_err(refuse)?;
        let method = method(&described.method).map_err(refuse)?;
        check_body(described, &method, &content).map_err(refuse)?;
        let Some(origin) = provider.origins.get(&described.origin) else {
            return Err(refuse(format!("its description has no origin named `{}`", described.origin.escape_debug())));
        };
        let mut headers = self.headers(described, content.content_type).map_err(refuse)?;
        let mut query: Vec<(String, String)> =
            described.query.iter().map(|field| (field.name.clone(), field.value.clone())).collect();
        let goes_along =
            |_: &&Arc<Credential>| provider.plugin.description.auth.iter().any(|auth| goes_to(auth, &described.origin));
        let credential = self.credential.as_ref().filter(goes_along);
        if let Some(credential) = credential {
            binding::check(credential, origin)?;
            if credential.needs_token() {
                return Err(Error::Internal(format!("no token was made for {}@{}", self.id(), credential.label)));
            }
            credential.attach.apply(&mut headers, &mut query);
        }
        let uri = origin.join(&described.path, &query).map_err(|error| refuse(error.to_string()))?;
        let mut request = Request::new(content.bytes);
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        *request.headers_mut() = headers;
        if let Some(credential) = credential {
            // Of what is sent, so after all else.
            let body = request.body().clone();
            credential.sign(&mut request, body.pieces()).map_err(|error| refuse(error.to_string()))?;
        }
        Ok(request)
    }

    /// The client's headers that go up, then the component's own in their place, then what the host says.
    fn headers(&self, described: &contract::Request, content_type: Option<HeaderValue>) -> Result<HeaderMap, String> {
        let mut headers = HeaderMap::with_capacity(16);
        for (name, value) in self.provider.forward.headers(self.headers) {
            headers.append(name, value.clone());
        }
        for field in &described.headers {
            let header = self.provider.reserved.component_header(&field.name, &field.value);
            let (name, value) = header.map_err(|error| error.to_string())?;
            headers.insert(name, value);
        }
        if let Some(content_type) = content_type {
            headers.entry(CONTENT_TYPE).or_insert(content_type);
        }
        let accept = StreamFraming::named(&described.framing).map_or("*/*", StreamFraming::media_type);
        headers.entry(ACCEPT).or_insert(HeaderValue::from_static(accept));
        headers.entry(USER_AGENT).or_insert(HeaderValue::from_static(concat!("bitrouter/", env!("CARGO_PKG_VERSION"))));
        // A compressed answer has to be unpacked to be watched and scrubbed.
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        Ok(headers)
    }
}

fn goes_to(auth: &Auth, origin: &str) -> bool {
    auth.origins().iter().any(|name| name == origin)
}

fn method(method: &str) -> Result<Method, String> {
    match method {
        "GET" => Ok(Method::GET),
        "POST" => Ok(Method::POST),
        "PUT" => Ok(Method::PUT),
        "PATCH" => Ok(Method::PATCH),
        "DELETE" => Ok(Method::DELETE),
        other => Err(format!("the method `{}` is not one of GET, POST, PUT, PATCH, DELETE", other.escape_debug())),
    }
}

/// Refuses what a server would read otherwise than the component meant it: JSON that is none, and a body where servers expect
/// none, which they may take for the next request.
fn check_body(described: &contract::Request, method: &Method, content: &Content) -> Result<(), String> {
    if *method == Method::GET && !content.bytes.is_empty() {
        return Err("a GET has no body: say `empty`, or use POST".into());
    }
    if let Body::Json(text) = &described.body {
        serde_json::from_str::<IgnoredAny>(text).map_err(|error| format!("its JSON body is not JSON: {error}"))?;
    }
    Ok(())
}

fn check_size(request: &contract::Request) -> Result<(), String> {
    let fields = || request.headers.iter().chain(&request.query);
    let (count, bytes) = (fields().count(), fields().map(|field| field.name.len() + field.value.len()).sum::<usize>());
    if count > MAX_FIELDS || bytes > MAX_FIELD_BYTES {
        return Err(format!(
            "it has {count} headers and parameters of {bytes} bytes in all; at most {MAX_FIELDS} and {MAX_FIELD_BYTES}"
        ));
    }
    Ok(())
}
