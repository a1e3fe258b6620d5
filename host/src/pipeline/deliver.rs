//! The way back: from the provider's answer to one that a client can be sent, or to what made the attempt fail.
//!
//! Nothing leaves here: `Delivered` waits until its attempt is the one that the client gets.

use std::time::{Duration, Instant};

use axum::body::Body;
use axum::response::Response;
use bitrouter_dialect::Framing;
use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION};
use http::{HeaderName, StatusCode};
use http_body_util::BodyExt;

use super::failed::Failed;
use super::limits::Limits;
use super::page::{self, Page};
use super::rewrite::Rewritten;
use super::watch::Watcher;
use super::{Received, explain, fold, rewrite};
use crate::credential::{ScrubStream, Scrubber, answer_headers};
use crate::error::{Error, Status};
use crate::plugin::contract::{self, Delivery, Field, Trouble};
use crate::telemetry::Finished;
use crate::upstream::{self, Answer, AnswerBody, Deadlines};

/// How much of an answer `explain` and `resume` are shown, and how much of it is read for the client.
const SHOWN: usize = 64 << 10;
const MOST: usize = 1 << 20;
/// How much of a side request's answer `interpret` is shown: a catalogue may hold a prompt for each model.
const PAGE: usize = 4 << 20;
/// How many dropped members the client is told of.
const MAX_DROPPED: usize = 64;
/// How long such an answer may be in coming, drop by drop.
const PATIENCE: Duration = Duration::from_secs(30);
/// Longer than any credential in any encoding.
const SCRUB_MARGIN: usize = 64 << 10;

/// An answer that the client can be sent.
pub(super) struct Delivered {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: DeliveredBody,
    /// When its first byte was there.
    pub began: Instant,
}

/// The body of one.
#[allow(
    clippy::large_enum_variant,
    reason = "the larger is what nearly every request has: a box would cost each of them"
)]
pub(super) enum DeliveredBody {
    /// As it came, or folded.
    Answer(AnswerBody<Watcher>),
    /// As the component's rewriter writes it.
    Rewritten(Box<Rewritten>),
}

impl Delivered {
    /// Hands it to the client. From here on the record is the watcher's.
    pub(super) fn respond(mut self, mut finished: Finished) -> Response {
        sign(&mut self.headers, &finished);
        finished.status = self.status.as_u16();
        finished.first_byte = Some(self.began);
        let body = match self.body {
            DeliveredBody::Answer(mut body) => {
                body.watch().adopt(finished);
                Body::new(body)
            }
            DeliveredBody::Rewritten(rewritten) => rewritten.into_body(finished),
        };
        let mut response = Response::new(body);
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        response
    }
}

/// Makes an answer of what the upstream sends, or says why it is none.
pub(super) async fn deliver(received: Received) -> Result<Delivered, Failed> {
    let status = received.response.status();
    let provider = || received.provider.id().to_owned();
    if status.is_informational() {
        let reason = format!("the upstream answered {}, which is no answer to a call", Status(status));
        return Err(Error::Broken { provider: provider(), reason }.into());
    }
    if status.is_redirection() {
        let location = location(received.response.headers(), received.scrubber.as_deref());
        return Err(Error::Redirect { provider: provider(), location }.into());
    }
    let limits = Limits::in_headers(&received);
    let delivered =
        if status.is_success() { success(received).await } else { Err(Box::pin(explained(received)).await) };
    if let Some((limits, said)) = limits {
        limits.tell(said);
    }
    delivered
}

/// Where a redirect leads, for the error: scrubbed before anything is cut off or escaped.
pub(super) fn location(headers: &HeaderMap, scrubber: Option<&Scrubber>) -> String {
    let location = headers.get(LOCATION).map_or("?".into(), |value| String::from_utf8_lossy(value.as_bytes()));
    let location = scrubber.map_or(location.clone(), |scrubber| scrubber.scrub_text(&location).into_owned().into());
    location.chars().take(200).flat_map(char::escape_debug).collect()
}

/// A success: forwarded as it came, through the component's rewriter, or folded into one document.
async fn success(received: Received) -> Result<Delivered, Failed> {
    let framing = framing(&received);
    // Where one JSON document was asked for, whether it is one decides, and not its type.
    if framing != Some(Framing::Json) && page::is_of_the_web(received.response.headers()) {
        return Err(Box::pin(explained(received)).await);
    }
    let watcher = Watcher::new(&received, framing);
    match &received.request.delivery {
        Delivery::Fold if framing == Some(Framing::Sse) => Box::pin(fold::deliver(received, watcher)).await,
        // An upstream that answers with the whole although a stream was asked for has nothing to be folded.
        Delivery::Pass | Delivery::Fold => pass(received, watcher, framing).await,
        Delivery::Rewrite(_) => Box::pin(rewrite::deliver(received, watcher)).await,
    }
}

/// An answer that is forwarded as it comes, once it is clear that it is one.
async fn pass(received: Received, watcher: Watcher, framing: Option<Framing>) -> Result<Delivered, Failed> {
    let (status, headers, began) = (received.response.status(), client_headers(&received), Instant::now());
    let watcher = watcher.explaining(&received);
    let Received { provider, request, scrubber, response, sent, .. } = received;
    let events = framing == Some(Framing::Sse);
    let scrub = scrubber.clone().map(ScrubStream::new);
    let answer = Answer::new(response.into_body(), scrub, watcher, provider.deadlines, sent, events);
    let broken = |reason: String| Error::Broken { provider: provider.id().to_owned(), reason };
    let mut body = answer.begin().await.map_err(|(lost, _)| broken(lost.to_string()))?;
    let watch = body.watch();
    if watch.is_cut() {
        return Err(match page::is_of_the_web(&headers) {
            true => page::error(&provider, &request, status, &headers, Page::Other).into(),
            false => broken(watch.cut().to_owned()).into(),
        });
    }
    let refusal = watch.refusal();
    let mut delivered = Delivered { status, headers, body: DeliveredBody::Answer(body), began };
    match refusal {
        None => Ok(delivered),
        Some(event) => Err(Box::pin(async move {
            let explained = explain::event(&provider, &request.memo, scrubber, &event.raw).await;
            if let DeliveredBody::Answer(body) = &mut delivered.body {
                body.watch().explained();
            }
            Failed::in_stream(&event, explained.as_ref(), delivered)
        })
        .await),
    }
}

/// How the answer is to be watched; `None` for bytes without structure.
fn framing(received: &Received) -> Option<Framing> {
    let json = content_type(received).is_some_and(|value| value.starts_with("application/json"));
    match received.request.framing.as_str() {
        "sse" if !json => Some(Framing::Sse),
        "sse" | "json" => Some(Framing::Json),
        _ => None,
    }
}

fn content_type(received: &Received) -> Option<&str> {
    received.response.headers().get(CONTENT_TYPE)?.to_str().ok()
}

/// The upstream's headers that the client is sent, and which of its members could not be taken.
pub(super) fn client_headers(received: &Received) -> HeaderMap {
    let Received { response, scrubber, request, .. } = received;
    let answer = response.headers();
    let mut headers = HeaderMap::with_capacity(answer.len() + 6);
    for (name, value) in answer_headers(answer) {
        let value =
            scrubber.as_ref().map_or_else(|| value.clone(), |scrubber| scrubber.scrub_header(value).into_owned());
        headers.append(name, value);
    }
    if !request.dropped.is_empty() {
        let dropped = request.dropped.iter().take(MAX_DROPPED).map(|pointer| pointer.trim_start_matches('/'));
        if let Ok(value) = HeaderValue::from_str(&dropped.collect::<Vec<_>>().join(", ")) {
            headers.insert(HeaderName::from_static("x-bitrouter-dropped"), value);
        }
    }
    headers
}

/// The gateway's own headers: which way the request went.
pub(super) fn sign(headers: &mut HeaderMap, finished: &Finished) {
    let ours = [
        ("x-bitrouter-request-id", &*finished.id),
        ("x-bitrouter-provider", &*finished.provider),
        ("x-bitrouter-account", &*finished.account),
        ("x-bitrouter-model", finished.model.as_str()),
    ];
    for (name, value) in ours {
        // A model's name may hold what no header can; it is left out then.
        if !value.is_empty()
            && let Ok(value) = HeaderValue::from_str(value)
        {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    headers.insert(HeaderName::from_static("x-bitrouter-attempts"), HeaderValue::from(finished.attempts));
}

/// An answer that is not a success: the component says what it means, and the client gets it as it came. A web page says
/// nothing of the API, so no component is asked, and nobody is shown its markup.
async fn explained(received: Received) -> Failed {
    let headers = client_headers(&received);
    let Received { provider, request, scrubber, response, sent, .. } = received;
    let status = response.status();
    let until = complete_by(&provider.deadlines, sent);
    let (answer, body) = match answer(response, scrubber.as_deref(), until).await {
        Ok(answer) => answer,
        Err(reason) => return Error::Broken { provider: provider.id().to_owned(), reason }.into(),
    };
    let page = page::of(status, &headers, &body).or(status.is_success().then_some(Page::Other));
    if let Some(page) = page {
        return page::error(&provider, &request, status, &headers, page).into();
    }
    let explained = provider.plugin.explain(&Trouble::Answer(answer), &request.memo, scrubber).await;
    if let Err(error) = &explained {
        tracing::warn!(provider = provider.id(), %error, "a component could not explain a failure");
    }
    Failed::answered(status, headers, body, explained.as_ref().ok())
}

/// Reads an answer that the host needs in one piece: as a component sees it, and its bytes, both scrubbed. An error page
/// longer than a megabyte is cut.
pub(super) async fn answer(
    response: http::Response<upstream::Received>,
    scrubber: Option<&Scrubber>,
    until: Instant,
) -> Result<(contract::Answer, Bytes), String> {
    read(response, scrubber, MOST, SHOWN, until).await
}

/// When an answer that the host needs in one piece must be there: nothing is waited for longer than its request may take.
pub(super) fn complete_by(deadlines: &Deadlines, sent: Instant) -> Instant {
    let patience = Instant::now() + PATIENCE;
    deadlines.total.map_or(patience, |total| patience.min(sent + total))
}

/// Reads the answer of a side request, of which a component sees more.
pub(super) async fn page(
    response: http::Response<upstream::Received>,
    scrubber: Option<&Scrubber>,
) -> Result<contract::Answer, String> {
    let until = Instant::now() + PATIENCE;
    read(response, scrubber, PAGE + SCRUB_MARGIN, PAGE, until).await.map(|(page, _)| page)
}

async fn read(
    response: http::Response<upstream::Received>,
    scrubber: Option<&Scrubber>,
    most: usize,
    shown: usize,
    until: Instant,
) -> Result<(contract::Answer, Bytes), String> {
    let (head, mut body) = response.into_parts();
    let mut bytes = BytesMut::new();
    while bytes.len() < most {
        match tokio::time::timeout_at(until.into(), body.frame()).await {
            Ok(None) => break,
            Ok(Some(Ok(frame))) => {
                if let Some(data) = frame.data_ref() {
                    bytes.extend_from_slice(data);
                }
            }
            Ok(Some(Err(error))) => return Err(format!("the answer broke off: {error}")),
            Err(_) => return Err(format!("an answer with status {} was not complete in time", Status(head.status))),
        }
    }
    let cut = bytes.len() >= most;
    let bytes = bytes.freeze();
    let mut bytes = scrubber.map_or(bytes.clone(), |scrubber| scrubber.scrub_bytes(bytes));
    if cut {
        // A secret that lies across the cut is not found above: the answer ends before it could begin.
        bytes.truncate(bytes.len().saturating_sub(SCRUB_MARGIN));
    }
    let headers = answer_headers(&head.headers).filter_map(|(name, value)| {
        let value = value.to_str().ok()?;
        let value = scrubber.map_or(value.into(), |scrubber| scrubber.scrub_text(value));
        Some(Field { name: name.as_str().to_owned(), value: value.into_owned() })
    });
    let truncated = cut || bytes.len() > shown;
    let shown = &bytes[..bytes.len().min(shown)];
    let answer = contract::Answer {
        status: head.status.as_u16(),
        headers: headers.collect(),
        body: String::from_utf8_lossy(shown).into_owned(),
        truncated,
    };
    Ok((answer, bytes))
}
