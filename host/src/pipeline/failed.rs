//! A failed attempt: what may be tried after it, and what the client is answered if nothing else answers.
//!
//! Each step of an attempt that does not succeed ends in one. The client gets the most useful of them, in the upstream's
//! own words where there are any.

use std::cmp::Ordering;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::body::Body;
use axum::response::Response;
use bitrouter_contract::{FailureKind, Scope};
use bitrouter_credential::Scrubber;
use bitrouter_dialect::{ApiError, Dialect, ErrorKind, Position, StreamError, is_error_of, parse_error};
use bitrouter_plugin::contract::Failure;
use bitrouter_route::cooldown::Reason;
use bitrouter_route::{Candidate, Meaning};
use bytes::Bytes;
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};

use super::deliver::{self, Delivered};
use super::wait;
use crate::call;
use crate::error::{self, Error, Status};
use crate::telemetry::{Outcome, RequestRecord};

/// A failed attempt.
pub(super) struct Failed {
    /// What it means.
    pub meaning: Meaning,
    /// What happened, for the log.
    pub sentence: String,
    /// Whether content had come before: then nothing else is tried.
    pub committed: bool,
    /// What was asked; nothing where it failed before that.
    pub asked: Option<Box<Candidate>>,
    /// What takes the account's secret out of what the client is told: a component may have put pieces of it together.
    scrubber: Option<Arc<Scrubber>>,
    reply: Reply,
}

/// The record names what an attempt asked.
pub(super) fn name_in(record: &mut RequestRecord, asked: &Candidate) {
    record.provider = Arc::clone(&asked.provider);
    record.account = asked.account.as_ref().map_or_else(|| "".into(), |account| Arc::clone(&account.label));
    record.model = asked.model.to_string();
}

/// What the client would be answered.
enum Reply {
    /// The gateway's own sentence.
    Ours(Box<Error>),
    /// What the upstream answered, and what the component says of it.
    Theirs { status: StatusCode, headers: HeaderMap, body: Bytes, explained: Option<Box<Failure>> },
    /// A stream that begins with an error, as it comes.
    Stream(Box<Delivered>),
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Failed {
            meaning: error.meaning(),
            sentence: error.to_string(),
            committed: false,
            asked: None,
            scrubber: None,
            reply: Reply::Ours(Box::new(error)),
        }
    }
}

impl Failed {
    /// An answer that is not a success, and what the component says of it.
    pub(super) fn answered(
        status: StatusCode,
        mut headers: HeaderMap,
        body: Bytes,
        explained: Option<&Failure>,
    ) -> Self {
        let read = parse_error(status.as_u16(), &body);
        let mut meaning = match explained {
            Some(failure) => meaning(failure, status),
            None => {
                let kind = read.as_ref().map_or_else(|| ErrorKind::from_status(status.as_u16()), |read| read.kind);
                Meaning::theirs(kind, scope_of(kind), None)
            }
        };
        let sentence = match explained {
            Some(failure) => format!("{}, {} of {}: {}", Status(status), failure.kind, failure.scope, failure.message),
            None => Status(status).to_string(),
        };
        let in_headers = || if meaning.is_limit() { wait::limit(&headers) } else { wait::after(&headers) };
        let in_body = || read.as_ref().and_then(|read| wait::reported_in_body(read.resets_at, read.retry_after));
        meaning.ends = meaning.ends.or_else(in_headers).or_else(in_body);
        wait::report(&mut headers, meaning.ends);
        let reply = Reply::Theirs { status, headers, body, explained: explained.cloned().map(Box::new) };
        Failed { meaning, sentence, committed: false, asked: None, scrubber: None, reply }
    }

    /// What the client is told passes this scrubber last.
    pub(super) fn scrubbed_by(mut self, scrubber: Option<Arc<Scrubber>>) -> Self {
        self.scrubber = scrubber;
        self
    }

    fn scrub(&self, text: String) -> String {
        match &self.scrubber {
            Some(scrubber) => scrubber.scrub_text(&text).into_owned(),
            None => text,
        }
    }

    /// An error event before any content, in an answer that is forwarded as it comes.
    pub(super) fn in_stream(event: &StreamError, explained: Option<&Failure>, delivered: Delivered) -> Self {
        let (meaning, sentence) = of_event(event, explained);
        let reply = Reply::Stream(Box::new(delivered));
        Failed { meaning, sentence, committed: false, asked: None, scrubber: None, reply }
    }

    /// An error event in an answer that is folded: as the answer that it would have been without a stream, in the
    /// upstream's own words where they are whole.
    pub(super) fn folded(
        event: &StreamError,
        explained: Option<Failure>,
        shape: Dialect,
        mut headers: HeaderMap,
    ) -> Self {
        let (meaning, sentence) = of_event(event, explained.as_ref());
        let error = api_error(event, explained);
        let status = StatusCode::from_u16(error.status_in(shape)).unwrap_or(StatusCode::BAD_GATEWAY);
        let ends = meaning.ends.or_else(|| wait::reported_in_body(error.resets_at, error.retry_after));
        let ends = ends.or_else(|| wait::after(&headers));
        wait::report(&mut headers, ends);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let body = event.body(shape).unwrap_or_else(|| error.body(shape));
        let reply = Reply::Theirs { status, headers, body, explained: None };
        Failed { meaning, sentence, committed: false, asked: None, scrubber: None, reply }
    }

    /// The one of two that tells the client more.
    pub(super) fn or_more_useful(self, other: Option<Failed>) -> Self {
        match other {
            Some(other) if !self.is_more_useful_than(&other) => other,
            Some(_) | None => self,
        }
    }

    /// Whether this one tells the client more than the other.
    fn is_more_useful_than(&self, other: &Failed) -> bool {
        let rank = self.meaning.usefulness().cmp(&other.meaning.usefulness());
        let now = SystemTime::now();
        let left = |failed: &Failed| failed.meaning.ends.map_or(Duration::MAX, |ends| ends.left(now));
        // Of two limits, the one that ends first says when to come back.
        rank.is_gt() || (rank.is_eq() && self.meaning.is_limit() && left(self) < left(other))
    }

    /// Whether this one, which is from memory, takes the place of what was just answered: only where it tells more, as an
    /// answer has the upstream's own words.
    pub(super) fn stands_in_for(&self, answered: &Failed) -> bool {
        match self.meaning.usefulness().cmp(&answered.meaning.usefulness()) {
            Ordering::Greater => true,
            Ordering::Equal => answered.meaning.ends.is_some() && self.is_more_useful_than(answered),
            Ordering::Less => false,
        }
    }

    /// The answer for the client, and the end of the record: in the upstream's own words where they are an error of the
    /// client's dialect, else written in it.
    pub(super) fn respond(self, shape: Dialect, mut record: Box<RequestRecord>) -> Response {
        if let Some(asked) = &self.asked {
            name_in(&mut record, asked);
        }
        let error = self.written(&record.id);
        let sentence = self.scrub(self.sentence.clone());
        let mut response = match self.reply {
            Reply::Stream(delivered) => {
                record.outcome = Outcome::Failed(sentence);
                return delivered.respond(record);
            }
            Reply::Theirs { status, headers, body, .. } if is_error_of(shape, &body) => {
                let body = match &self.scrubber {
                    Some(scrubber) => scrubber.scrub_bytes(body),
                    None => body,
                };
                let mut response = Response::new(Body::from(body));
                *response.status_mut() = status;
                *response.headers_mut() = headers;
                response
            }
            Reply::Theirs { mut headers, .. } => {
                let mut response = call::written_error(&error, shape, &record.id);
                // What the upstream says beside its body goes on: limits, ids, and when to come back.
                for (name, value) in response.headers() {
                    if *name != RETRY_AFTER || !headers.contains_key(RETRY_AFTER) {
                        headers.insert(name, value.clone());
                    }
                }
                *response.headers_mut() = headers;
                response
            }
            Reply::Ours(_) => call::written_error(&error, shape, &record.id),
        };
        deliver::sign(response.headers_mut(), &record);
        record.status = response.status().as_u16();
        record.outcome = Outcome::Failed(sentence);
        response
    }

    /// The failure as an event of the client's dialect, for a stream whose head has left already.
    pub(super) fn event(self, shape: Dialect, mut record: Box<RequestRecord>) -> Bytes {
        if let Some(asked) = &self.asked {
            name_in(&mut record, asked);
        }
        record.status = StatusCode::OK.as_u16();
        let error = self.written(&record.id);
        record.outcome = Outcome::Failed(self.scrub(self.sentence.clone()));
        error.as_event(shape, &Position::default())
    }

    /// The failure as an error of no dialect yet.
    fn written(&self, request_id: &str) -> ApiError {
        let kind = self.meaning.kind;
        let mut error = match &self.reply {
            Reply::Ours(error) => error.to_api(request_id),
            Reply::Theirs { status, body, explained, .. } => {
                let read = parse_error(status.as_u16(), body).unwrap_or_default();
                let said = explained.as_ref().map(|failure| failure.message.clone()).unwrap_or_default();
                let message = [read.message, said].into_iter().find(|message| !message.is_empty());
                let mut error = ApiError::new(
                    kind,
                    message.unwrap_or_else(|| format!("the provider answered {}", Status(*status))),
                );
                error.code = explained.as_ref().and_then(|failure| failure.code.clone()).or(read.code);
                match explained.as_ref().and_then(|failure| failure.status) {
                    Some(said) => error.status = said,
                    None if fits(*status, kind) => error.status = status.as_u16(),
                    None => {}
                }
                error.param = read.param;
                (error.retry_after, error.resets_at) = (read.retry_after, read.resets_at);
                error
            }
            Reply::Stream(_) => ApiError::new(kind, self.sentence.clone()),
        };
        let left = self.meaning.ends.map(|ends| ends.left(SystemTime::now()).as_secs().max(1));
        error.retry_after = error.retry_after.or(left);
        error.request_id = Some(request_id.to_owned());
        error.message = self.scrub(error.message);
        error.code = error.code.map(|code| self.scrub(code));
        error
    }
}

/// Whether clients know a status, and do on it what the failure asks for: log in, wait, try again, or change the request.
fn fits(status: StatusCode, kind: ErrorKind) -> bool {
    let same = match kind {
        // Of what nobody pays for, 402 says more, and no client tries it again by itself.
        ErrorKind::UsageLimit => status == kind.status() || status == StatusCode::PAYMENT_REQUIRED,
        ErrorKind::Unauthorized | ErrorKind::RateLimited => status == kind.status(),
        // 408 is of a server that gave up waiting: clients know it, and try again.
        ErrorKind::NotImplemented
        | ErrorKind::Overloaded
        | ErrorKind::Unavailable
        | ErrorKind::Timeout
        | ErrorKind::Upstream
        | ErrorKind::Internal => status.is_server_error() || status == StatusCode::REQUEST_TIMEOUT,
        ErrorKind::InvalidRequest
        | ErrorKind::PayloadTooLarge
        | ErrorKind::UnsupportedMediaType
        | ErrorKind::ContextWindow
        | ErrorKind::ContentFilter
        | ErrorKind::Forbidden
        | ErrorKind::NotFound => status.is_client_error(),
    };
    same && status.canonical_reason().is_some()
}

/// What a component's failure means; where it has no word for it, the status says.
fn meaning(failure: &Failure, status: StatusCode) -> Meaning {
    let said = error::refusal(&failure.kind);
    let kind = if said == ErrorKind::Upstream { ErrorKind::from_status(status.as_u16()) } else { said };
    let nothing_there = said == ErrorKind::Upstream && kind == ErrorKind::NotFound;
    let why = if nothing_there { Some(Reason::NotFound) } else { why_limited(kind, failure) };
    Meaning { why, ..Meaning::theirs(kind, Scope::of(&failure.scope), wait::reported_by_component(failure)) }
}

/// Why an account is at its limit where that is no plan's: it has no credit, and a workspace that is switched off is no limit.
fn why_limited(kind: ErrorKind, failure: &Failure) -> Option<Reason> {
    if kind != ErrorKind::UsageLimit {
        return None;
    }
    let code = failure.code.as_deref().unwrap_or_default();
    let says = |words: &str| code.contains(words) || failure.message.to_ascii_lowercase().contains(words);
    if says("deactivated") || says("workspace_disabled") || says("account_disabled") {
        return Some(Reason::Deactivated);
    }
    (FailureKind::of(&failure.kind) == FailureKind::NoCredit).then_some(Reason::NoCredit)
}

/// A failure that a component found in an answer of another status.
pub(super) fn reported(provider: String, failure: Failure) -> Error {
    let meaning = meaning(&failure, StatusCode::BAD_GATEWAY);
    let Failure { message, code, status, .. } = failure;
    Error::Reported { provider, meaning, message, code, status }
}

fn of_event(event: &StreamError, explained: Option<&Failure>) -> (Meaning, String) {
    match explained {
        Some(failure) => {
            let said = error::refusal(&failure.kind);
            let kind = if said == ErrorKind::Upstream { event.error.kind } else { said };
            let meaning = Meaning::theirs(kind, Scope::of(&failure.scope), wait::reported_by_component(failure));
            (Meaning { why: why_limited(kind, failure), ..meaning }, super::explain::sentence(failure))
        }
        None => {
            let kind = event.error.kind;
            (Meaning::theirs(kind, scope_of(kind), None), event.error.message.clone())
        }
    }
}

/// What a failure most likely concerns, where nobody says it.
fn scope_of(kind: ErrorKind) -> Scope {
    match kind {
        ErrorKind::RateLimited | ErrorKind::UsageLimit | ErrorKind::Unauthorized | ErrorKind::Forbidden => {
            Scope::Account
        }
        ErrorKind::NotFound | ErrorKind::ContextWindow | ErrorKind::ContentFilter | ErrorKind::Overloaded => {
            Scope::Model
        }
        ErrorKind::InvalidRequest | ErrorKind::PayloadTooLarge | ErrorKind::UnsupportedMediaType => Scope::Request,
        ErrorKind::NotImplemented
        | ErrorKind::Unavailable
        | ErrorKind::Timeout
        | ErrorKind::Upstream
        | ErrorKind::Internal => Scope::Provider,
    }
}

/// What the event says, and above it what the component says of it.
pub(super) fn api_error(event: &StreamError, explained: Option<Failure>) -> ApiError {
    let read = &event.error;
    let mut error = ApiError::new(read.kind, read.message.clone());
    error.code.clone_from(&read.code);
    error.param.clone_from(&read.param);
    error.retry_after = read.retry_after;
    error.resets_at = read.resets_at;
    if let Some(failure) = explained {
        let kind = error::refusal(&failure.kind);
        if kind != ErrorKind::Upstream {
            (error.kind, error.status) = (kind, kind.status());
        }
        if !failure.message.is_empty() {
            error.message = failure.message;
        }
        error.code = error.code.or(failure.code);
        error.retry_after = failure.retry_after_ms.map(|after| after.div_ceil(1000)).or(error.retry_after);
        error.resets_at = failure.resets_at.or(error.resets_at);
    }
    error
}
