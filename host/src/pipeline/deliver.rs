//! The way back: from the provider's answer to one that a client can be sent, or to what made the attempt fail.
//!
//! Nothing leaves here: `Delivered` waits until its attempt is the one that the client gets.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::response::Response;
use bitrouter_contract::{answer_headers, cut};
use bitrouter_credential::{ScrubStream, Scrubber};
use bitrouter_dialect as dialect;
use bitrouter_dialect::{Dialect, First, Fold, Framing, StreamError, StreamFraming};
use bitrouter_plugin::{
    contract,
    contract::{Delivery, Failure, Trouble},
};
use bitrouter_upstream::Deadlines;
use bytes::{Bytes, BytesMut};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION};
use http::{HeaderName, StatusCode};
use http_body_util::BodyExt;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use super::answer::fold::{self, Folding};
use super::answer::{
    Answer, AnswerBody, AnswerSource, Broken, Watcher, inside, keep, learn, rewrite, shape, translate, until_whole,
};
use super::failed::Failed;
use super::limits::Limits;
use super::page;
use super::{Received, explain, head};
use crate::error::{Error, Page, Status};
use crate::route::Provider;
use crate::telemetry::RequestRecord;

/// How much of an answer `explain` and `resume` are shown, and how much of it is read for the client.
const MOST_SHOWN: usize = 64 << 10;
const MOST_READ: usize = 1 << 20;
/// How much of a side request's answer `interpret` is shown: a catalogue may hold a prompt for each model.
const PAGE: usize = 4 << 20;
/// How many dropped members the client is told of, and in how many bytes: some clients take 16 KiB of headers in all.
const MAX_DROPPED: usize = 64;
const MAX_DROPPED_BYTES: usize = 4 << 10;
/// What is escaped in a JSON pointer that a header names: what no header can hold, and what would end it there.
const IN_A_POINTER: &AsciiSet = &CONTROLS.add(b' ').add(b',').add(b'%');
/// How long such an answer may be in coming, drop by drop.
const WHOLE_ANSWER_WITHIN: Duration = Duration::from_secs(30);
/// Longer than any credential in any encoding.
const SCRUB_MARGIN: usize = 64 << 10;

/// An answer that the client can be sent.
pub(super) struct Delivered {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: AnswerBody<Watcher>,
    /// When its first byte was there.
    pub began: Instant,
}

impl Delivered {
    /// Hands it to the client. From here on the record is the watcher's.
    pub(super) fn respond(mut self, mut record: Box<RequestRecord>) -> Response {
        sign(&mut self.headers, &record);
        record.status = self.status.as_u16();
        record.first_byte = Some(self.began);
        if let Some(answer) = self.body.under_way() {
            record.under_way().answers(answer);
        }
        self.body.watch(|watcher| watcher.adopt(record));
        let mut response = Response::new(Body::new(self.body));
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
    if let Some((limits, report)) = limits {
        limits.hand_on(report);
    }
    delivered
}

/// Where a redirect leads, for the error: scrubbed before anything is cut off or escaped.
pub(super) fn location(headers: &HeaderMap, scrubber: Option<&Scrubber>) -> String {
    let location = headers.get(LOCATION).map_or("?".into(), |value| String::from_utf8_lossy(value.as_bytes()));
    let location = scrubber.map_or(location.clone(), |scrubber| scrubber.scrub_text(&location).into_owned().into());
    location.chars().take(200).flat_map(char::escape_debug).collect()
}

/// A success, on its way through the stages: as it comes, through the component's rewriter, and folded into one document
/// where no stream was asked for.
async fn success(mut received: Received) -> Result<Delivered, Failed> {
    let (status, began) = (received.response.status(), Instant::now());
    let stream = StreamFraming::named(&received.request.framing);
    let (first, framing) = match stream {
        Some(stream) => Box::pin(framed(&mut received, stream)).await?,
        None if received.request.framing == "json" => (None, Some(Framing::Json)),
        // A file may be a web page itself.
        _ if received.endpoint.operation == "files" => (None, None),
        _ if page::is_of_the_web(received.response.headers()) => return Err(Box::pin(explained(received)).await),
        _ => (None, None),
    };
    let events = framing == Some(Framing::Sse);
    let through_component = matches!(received.request.delivery, Delivery::Rewrite(_));
    let rewrites = through_component && events;
    let shapes = through_component && framing == Some(Framing::Json) && received.provider.plugin.shapes_answers();
    let folds = events && !received.call.streaming && received.call.operation == "generate";
    let headers = client_headers(&received, framing);
    let translates = received.translating.is_some();
    let watcher = Watcher::new(&received, framing, rewrites || shapes || translates);
    // What is kept on its way is scrubbed there.
    let scrub = received.scrubber.clone().filter(|_| received.keeping.is_none()).map(ScrubStream::new);
    let (deadlines, sent) = (received.provider.deadlines, received.sent.into());

    // The stages, in their order; `Answer` has the scrub, the tap and the gathering.
    let body = std::mem::replace(received.response.body_mut(), bitrouter_upstream::Received::none());
    let source = AnswerSource::Upstream { first, body };
    let gathers = shapes
        || translates
        || received.learning.is_some()
        || received.provider.plugin.description.errors.inside.is_some();
    let source = if gathers && framing == Some(Framing::Json) { until_whole::stage(source) } else { source };
    let source = inside::stage(source, &received, framing);
    let source = match stream.filter(|_| rewrites) {
        Some(stream) => Box::pin(rewrite::stage(source, stream, &received)).await?,
        None => source,
    };
    let source = if shapes { shape::stage(source, &received) } else { source };
    let source = keep::stage(source, &mut received, framing);
    let source = learn::stage(source, &mut received, framing);
    let source = translate::stage(source, &mut received, framing, !rewrites);
    let explaining = Explaining::of(received, !rewrites && !shapes && !translates);
    if folds {
        let folding = Folding::new(watcher, Fold::new(explaining.shape));
        let answer = Answer::new(source, scrub, folding, deadlines, sent, false);
        return Box::pin(fold::whole(answer, headers, began, explaining)).await;
    }
    let answer = Answer::new(source, scrub, watcher, deadlines, sent, events);
    let mut body = answer.begin().await.map_err(|(broken, _)| explaining.broke(broken))?;
    if let Some(cut) = body.watch(|watcher| watcher.is_cut().then(|| watcher.cut())) {
        return Err(match page::is_of_the_web(&headers) {
            true => page::error(&explaining.provider, &explaining.request, status, &headers, Page::Other).into(),
            false => explaining.broken(cut.to_owned()).into(),
        });
    }
    let refusal = body.watch(|watcher| watcher.refusal());
    let delivered = Delivered { status, headers, body, began };
    match refusal {
        None if framing == Some(Framing::Json) && through_component && !shapes => {
            let reason = "the upstream answered with a document where a stream of events was asked for".to_owned();
            Err(explaining.broken(reason).into())
        }
        None => Ok(delivered),
        Some(event) => Err(Box::pin(refused(event, delivered, events, explaining)).await),
    }
}

/// An answer that reported an error before any content. A stream in the client's dialect is the upstream's own word, as it
/// comes; anything else is an error with a status.
async fn refused(event: StreamError, mut delivered: Delivered, events: bool, explaining: Explaining) -> Failed {
    let explained = explaining.event(&event).await;
    if event.readable && events {
        delivered.body.watch(Watcher::explained);
        Failed::in_stream(&event, explained.as_ref(), delivered)
    } else {
        Failed::folded(&event, explained, explaining.shape, delivered.headers)
    }
}

/// What is still known of an attempt once its answer is on its way.
pub(super) struct Explaining {
    pub shape: Dialect,
    pub scrubber: Option<Arc<Scrubber>>,
    provider: Arc<Provider>,
    request: Arc<contract::Request>,
    /// Whether the component is asked: what its rewriter wrote it need not be.
    asks: bool,
}

impl Explaining {
    fn of(received: Received, asks: bool) -> Self {
        let Received { endpoint, provider, request, scrubber, .. } = received;
        Explaining { shape: endpoint.shape, scrubber, provider, request, asks }
    }

    /// What the component says of an error event.
    pub(super) async fn event(&self, event: &StreamError) -> Option<Failure> {
        if !self.asks {
            return None;
        }
        let event = contract::Event::text(None, event.raw.clone());
        explain::event(&self.provider, &self.request.memo, self.scrubber.clone(), event).await
    }

    pub(super) fn broken(&self, reason: String) -> Error {
        Error::Broken { provider: self.provider.id().to_owned(), reason }
    }

    fn broke(&self, broken: Broken) -> Failed {
        match broken {
            Broken::Rewriting(error) => (*error).into(),
            other => self.broken(other.to_string()).into(),
        }
    }
}

/// How an answer is framed where a stream was asked for, and what was read to find it out: the first bytes decide, since
/// there are servers that give their streams any content type. Whatever the stream's framing, it is one of Server-Sent Events
/// behind the rewrite.
async fn framed(received: &mut Received, stream: StreamFraming) -> Result<(Option<Bytes>, Option<Framing>), Failed> {
    let deadlines = received.provider.deadlines;
    let (within, broken) = match deadlines.total {
        Some(total) if total < deadlines.idle => (total, Broken::Total(total)),
        _ => (deadlines.idle, Broken::Idle(deadlines.idle)),
    };
    let provider = received.provider.id().to_owned();
    let lost = |broken: Broken| Error::Broken { provider: provider.clone(), reason: broken.to_string() };
    let body = received.response.body_mut();
    let mut first = Bytes::new();
    let looks = loop {
        match tokio::time::timeout_at((received.sent + within).into(), body.frame()).await {
            Err(_) => return Err(lost(broken).into()),
            Ok(Some(Err(error))) => return Err(lost(error.into()).into()),
            Ok(None) => break None,
            Ok(Some(Ok(frame))) => {
                let Ok(bytes) = frame.into_data() else { continue };
                first = if first.is_empty() { bytes } else { [first, bytes].concat().into() };
                let looks = Framing::of_first_bytes(&first);
                if looks.is_some() || first.len() > MOST_SHOWN {
                    break looks;
                }
            }
        }
    };
    let (json, html) = (has_type(received, "application/json"), has_type(received, "text/html"));
    let framing = match looks {
        Some(First::Events) => Framing::Sse,
        // A document on one line is told from the first of many by what is in it.
        Some(First::Json) if stream == StreamFraming::Ndjson => Framing::Sse,
        Some(First::Json) => Framing::Json,
        Some(First::Markup) => return Err(web_page(received).into()),
        Some(First::Other) | None if html => return Err(web_page(received).into()),
        Some(First::Other) | None if json => Framing::Json,
        Some(First::Other) | None => Framing::Sse,
    };
    Ok(((!first.is_empty()).then_some(first), Some(framing)))
}

/// A captive portal's page, or that of a proxy on the way, where a stream of events was asked for.
fn web_page(received: &Received) -> Error {
    let headers = client_headers(received, None);
    page::error(&received.provider, &received.request, received.response.status(), &headers, Page::Other)
}

fn has_type(received: &Received, essence: &str) -> bool {
    let value = received.response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    value.is_some_and(|value| value.get(..essence.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(essence)))
}

/// Says that a body is a stream of events, to the client and to proxies that would gather it. What the upstream says of
/// caches stays.
pub(super) fn as_event_stream(headers: &mut HeaderMap) {
    let value = headers.get(CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
    if !value.get(..17).is_some_and(|begin| begin.eq_ignore_ascii_case(b"text/event-stream")) {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    }
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-cache"));
    headers.entry(HeaderName::from_static("x-accel-buffering")).or_insert(HeaderValue::from_static("no"));
}

/// The upstream's headers that the client is sent, and which of its members could not be taken.
fn client_headers(received: &Received, framing: Option<Framing>) -> HeaderMap {
    let Received { response, scrubber, request, translating, .. } = received;
    let answer = response.headers();
    let mut headers = HeaderMap::with_capacity(answer.len() + 6);
    for (name, value) in answer_headers(answer) {
        let value =
            scrubber.as_ref().map_or_else(|| value.clone(), |scrubber| scrubber.scrub_header(value).into_owned());
        headers.append(name, value);
    }
    let lost = translating.as_ref().map(|translating| &translating.lost);
    let dropped = lost.map_or(&request.dropped, |lost| &lost.dropped);
    name_pointers(&mut headers, "x-bitrouter-dropped", dropped, scrubber.as_deref());
    let approximated = lost.map_or(&[][..], |lost| &lost.approximated);
    name_pointers(&mut headers, "x-bitrouter-approximated", approximated, scrubber.as_deref());
    match framing {
        Some(Framing::Sse) => as_event_stream(&mut headers),
        Some(Framing::Json) if has_type(received, "text/event-stream") => {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        Some(Framing::Json) | None => {}
    }
    headers
}

/// Names members of the client's body in a header, as JSON pointers. Where there are more than are shown, it ends in `...`.
fn name_pointers(headers: &mut HeaderMap, name: &'static str, pointers: &[String], scrubber: Option<&Scrubber>) {
    if pointers.is_empty() {
        return;
    }
    let scrubbed = |pointer| scrubber.map_or(Cow::Borrowed(pointer), |scrubber| scrubber.scrub_text(pointer));
    let mut list = String::new();
    for (shown, pointer) in pointers.iter().enumerate() {
        let pointer = cut::word(scrubbed(pointer.trim_start_matches('/')).into_owned());
        let pointer = utf8_percent_encode(&pointer, IN_A_POINTER).to_string();
        if shown == MAX_DROPPED || list.len() + pointer.len() > MAX_DROPPED_BYTES {
            list.push_str(", ...");
            break;
        }
        list.push_str(if list.is_empty() { "/" } else { ", /" });
        list.push_str(&pointer);
    }
    if let Ok(value) = HeaderValue::from_str(&list) {
        headers.insert(HeaderName::from_static(name), value);
    }
}

/// The gateway's own headers: which way the request went.
pub(super) fn sign(headers: &mut HeaderMap, record: &RequestRecord) {
    let ours = [
        ("x-bitrouter-request-id", &*record.id),
        ("x-bitrouter-provider", &*record.provider),
        ("x-bitrouter-account", &*record.account),
        ("x-bitrouter-model", record.model.as_str()),
    ];
    for (name, value) in ours {
        // A model's name may hold what no header can; it is left out then.
        if !value.is_empty()
            && let Ok(value) = HeaderValue::from_str(value)
        {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    headers.insert(HeaderName::from_static("x-bitrouter-attempts"), HeaderValue::from(record.attempts));
}

/// An answer that is not a success: the component says what it means, and the client gets it as it came. A web page says
/// nothing of the API, so no component is asked, and nobody is shown its markup.
async fn explained(received: Received) -> Failed {
    let mut headers = client_headers(&received, None);
    let Received { provider, request, scrubber, response, sent, translating, endpoint, .. } = received;
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
    let body = match translating {
        // The vendor's sentence in the client's shape: its tools act on a prompt that is too long. What is an error of no dialect is
        // written by what was explained.
        Some(translating) if dialect::is_error_of(translating.dialect, &body) => {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            dialect::translate::error(translating.dialect, endpoint.shape, status.as_u16(), &body).body(endpoint.shape)
        }
        _ => body,
    };
    Failed::answered(status, headers, body, explained.as_ref().ok())
}

/// Reads an answer that the host needs in one piece: as a component sees it, and its bytes, both scrubbed. An error page
/// longer than a megabyte is cut.
pub(super) async fn answer(
    response: http::Response<bitrouter_upstream::Received>,
    scrubber: Option<&Scrubber>,
    until: Instant,
) -> Result<(contract::Answer, Bytes), String> {
    read(response, scrubber, MOST_READ, MOST_SHOWN, until).await
}

/// When an answer that the host needs in one piece must be there: nothing is waited for longer than its request may take.
pub(super) fn complete_by(deadlines: &Deadlines, sent: Instant) -> Instant {
    let latest = Instant::now() + WHOLE_ANSWER_WITHIN;
    deadlines.total.map_or(latest, |total| latest.min(sent + total))
}

/// Reads the answer of a side request, of which a component sees more.
pub(super) async fn page(
    response: http::Response<bitrouter_upstream::Received>,
    scrubber: Option<&Scrubber>,
) -> Result<contract::Answer, String> {
    let until = Instant::now() + WHOLE_ANSWER_WITHIN;
    read(response, scrubber, PAGE + SCRUB_MARGIN, PAGE, until).await.map(|(page, _)| page)
}

async fn read(
    response: http::Response<bitrouter_upstream::Received>,
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
    let headers = head::fields(&head.headers, scrubber);
    let truncated = cut || bytes.len() > shown;
    let shown = &bytes[..bytes.len().min(shown)];
    let answer = contract::Answer {
        status: head.status.as_u16(),
        headers,
        body: String::from_utf8_lossy(shown).into_owned(),
        truncated,
        more: String::new(),
    };
    Ok((answer, bytes))
}
