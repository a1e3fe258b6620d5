//! An answer that goes through the component's rewriter, event by event: one call for what each read brought.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Instant;

use axum::body::Body;
use bitrouter_dialect::{ApiError, EventKind, Splitter};
use bytes::{Bytes, BytesMut};
use futures_util::stream;
use http_body_util::BodyExt;

use super::Received;
use super::deliver::{Delivered, DeliveredBody, client_headers};
use super::failed::Failed;
use super::watch::Watcher;
use crate::credential::ScrubStream;
use crate::error::Error;
use crate::plugin::Rewriter;
use crate::plugin::contract::Event;
use crate::telemetry::Finished;
use crate::upstream::{self, Watch};

/// Starts the rewriter and waits until what it writes is an answer.
pub(super) async fn deliver(received: Received, watcher: Watcher) -> Result<Delivered, Failed> {
    let (status, headers, began) = (received.response.status(), client_headers(&received), Instant::now());
    let plugin = Arc::clone(&received.provider.plugin);
    let memo = &received.request.memo;
    let rewriter = Rewriter::start(plugin, &received.call, memo, received.scrubber.clone()).await;
    let rewriter = rewriter.map_err(|error| Error::Hook { provider: received.provider.id().to_owned(), error })?;
    let mut state = Rewriting {
        inner: received.response.into_body(),
        scrub: received.scrubber.map(ScrubStream::new),
        splitter: Splitter::default(),
        rewriter,
        provider: Arc::clone(&received.provider.plugin.id),
        watcher,
        idle: received.provider.deadlines.idle,
        written: 0,
        ended: false,
    };
    let mut held = BytesMut::new();
    while !state.watcher.commits() {
        match state.next().await? {
            Some(bytes) => held.extend_from_slice(&bytes),
            None => break,
        }
    }
    let provider = || state.provider.to_string();
    if state.watcher.is_cut() {
        return Err(Error::Broken { provider: provider(), reason: state.watcher.cut().to_owned() }.into());
    }
    let refusal = state.watcher.refusal();
    let body = DeliveredBody::Rewritten(Box::new(Rewritten { held: held.freeze(), state }));
    let delivered = Delivered { status, headers, body, began };
    match refusal {
        None => Ok(delivered),
        Some(event) => Err(Failed::in_stream(&event, None, delivered)),
    }
}

/// What the rewriter wrote so far, and what it will.
pub(super) struct Rewritten {
    held: Bytes,
    state: Rewriting,
}

impl Rewritten {
    /// The client's, from here on.
    pub(super) fn into_body(self, finished: Finished) -> Body {
        let Rewritten { held, mut state } = self;
        state.watcher.adopt(finished);
        let first = (!held.is_empty()).then_some(held);
        Body::from_stream(stream::unfold((first, state), |(first, mut state)| async move {
            let bytes = match first {
                Some(first) => Some(first),
                None => match state.next().await {
                    Ok(bytes) => bytes,
                    Err(error) => Some(state.fail(&error)),
                },
            };
            bytes.map(|bytes| (Ok::<_, Infallible>(bytes), (None, state)))
        }))
    }
}

struct Rewriting {
    inner: upstream::Received,
    scrub: Option<ScrubStream>,
    splitter: Splitter,
    rewriter: Rewriter,
    provider: Arc<str>,
    watcher: Watcher,
    idle: std::time::Duration,
    written: u64,
    ended: bool,
}

impl Rewriting {
    /// The next bytes for the client; none once the stream is over.
    async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        while !self.ended {
            let outcome = match self.read().await? {
                Some(events) if events.is_empty() => continue,
                Some(events) => self.rewriter.push(&events).await,
                None => {
                    self.ended = true;
                    self.rewriter.finish().await
                }
            };
            let provider = || self.provider.to_string();
            let events = match outcome {
                Ok(Ok(events)) => events,
                Ok(Err(failure)) => return Err(Error::refused(provider(), failure)),
                Err(error) => return Err(Error::Hook { provider: provider(), error }),
            };
            self.written += events.len() as u64;
            let bytes = frame(events);
            self.watcher.bytes(&bytes);
            if self.ended {
                self.watcher.end(None);
            }
            if !bytes.is_empty() {
                return Ok(Some(bytes));
            }
        }
        Ok(None)
    }

    /// The events that one read of the upstream completed; none at its end.
    async fn read(&mut self) -> Result<Option<Vec<Event>>, Error> {
        let broken = |reason: String| Error::Broken { provider: self.provider.to_string(), reason };
        let frame = match tokio::time::timeout(self.idle, self.inner.frame()).await {
            Err(_) => return Err(broken(format!("the upstream sent nothing for {} s", self.idle.as_secs_f32()))),
            Ok(Some(Err(error))) => return Err(broken(format!("the upstream's answer broke off: {error}"))),
            Ok(Some(Ok(frame))) => Some(frame),
            Ok(None) => None,
        };
        let mut events = Vec::new();
        let mut oversized = false;
        let mut take = |event: bitrouter_dialect::Event<'_>| match event.kind {
            EventKind::Message => events.push(Event {
                name: event.name.map(|name| String::from_utf8_lossy(name).into_owned()),
                data: String::from_utf8_lossy(event.data).into_owned(),
            }),
            EventKind::Oversized => oversized = true,
            EventKind::Silent | EventKind::Unfinished => {}
        };
        let end = frame.is_none();
        let bytes = match (frame.map(http_body::Frame::into_data), &mut self.scrub) {
            (Some(Ok(bytes)), Some(scrub)) => scrub.push(bytes),
            (Some(Ok(bytes)), None) => bytes,
            (Some(Err(_)), _) | (None, None) => Bytes::new(),
            (None, Some(scrub)) => scrub.finish(),
        };
        self.splitter.feed(&bytes, &mut take);
        if end {
            self.splitter.finish(&mut take);
        }
        if oversized {
            return Err(broken("the upstream sent an event that is too large to rewrite".into()));
        }
        Ok(if end && events.is_empty() { None } else { Some(events) })
    }

    /// What broke the stream off, in the client's dialect.
    fn fail(&mut self, error: &Error) -> Bytes {
        self.ended = true;
        let message = error.to_string();
        self.watcher.end(Some(&message));
        let mut error = ApiError::new(error.kind(), message);
        error.request_id = Some(self.watcher.id().to_string());
        error.as_event(self.watcher.shape(), self.written)
    }
}

/// Server-Sent Events as the WHATWG standard writes them.
fn frame(events: Vec<Event>) -> Bytes {
    let mut text = String::with_capacity(events.iter().map(|event| event.data.len() + 32).sum());
    for event in events {
        if let Some(name) = event.name.filter(|name| !name.contains(['\r', '\n'])) {
            text.push_str("event: ");
            text.push_str(&name);
            text.push('\n');
        }
        for line in event.data.split('\n') {
            text.push_str("data: ");
            text.push_str(line.trim_end_matches('\r'));
            text.push('\n');
        }
        text.push('\n');
    }
    text.into()
}
