//! An answer that goes through the component's rewriter, event by event: one call for what each read brought.

use std::sync::Arc;

use axum::body::Body;
use bitrouter_dialect::{ApiError, ErrorKind, EventKind, Splitter};
use bytes::Bytes;
use futures_util::stream;
use http_body_util::BodyExt;

use super::Received;
use super::watch::Watcher;
use crate::credential::ScrubStream;
use crate::error::Error;
use crate::plugin::Rewriter;
use crate::plugin::contract::Event;
use crate::telemetry::Finished;
use crate::upstream::{self, Watch};

/// Starts the rewriter and returns the body that it writes.
pub(super) async fn start(received: Received, watcher: Watcher) -> Result<Body, (Error, Box<Finished>)> {
    let plugin = Arc::clone(&received.provider.plugin);
    let memo = &received.request.memo;
    let rewriter = match Rewriter::start(plugin, &received.call, memo, received.scrubber.clone()).await {
        Ok(rewriter) => rewriter,
        Err(error) => {
            let error = Error::Hook { provider: received.provider.id().to_owned(), error };
            return Err((error, Box::new(watcher.into_finished())));
        }
    };
    let state = Rewriting {
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
    Ok(Body::from_stream(stream::unfold(state, |mut state| async move {
        state.next().await.map(|bytes| (Ok::<_, std::convert::Infallible>(bytes), state))
    })))
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
    async fn next(&mut self) -> Option<Bytes> {
        while !self.ended {
            let outcome = match self.read().await {
                Ok(Some(events)) if events.is_empty() => continue,
                Ok(Some(events)) => self.rewriter.push(&events).await,
                Ok(None) => {
                    self.ended = true;
                    self.rewriter.finish().await
                }
                Err(broken) => return Some(self.fail(ErrorKind::Upstream, broken)),
            };
            let events = match outcome {
                Ok(Ok(events)) => events,
                Ok(Err(failure)) => {
                    let error = Error::Refused {
                        provider: self.provider.to_string(),
                        kind: failure.kind,
                        message: failure.message,
                    };
                    return Some(self.fail(error.kind(), error.to_string()));
                }
                Err(error) => {
                    let error = Error::Hook { provider: self.provider.to_string(), error };
                    return Some(self.fail(error.kind(), error.to_string()));
                }
            };
            self.written += events.len() as u64;
            let bytes = frame(events);
            self.watcher.bytes(&bytes);
            if self.ended {
                self.watcher.end(None);
            }
            if !bytes.is_empty() {
                return Some(bytes);
            }
        }
        None
    }

    /// The events that one read of the upstream completed; none at its end.
    async fn read(&mut self) -> Result<Option<Vec<Event>>, String> {
        let frame = match tokio::time::timeout(self.idle, self.inner.frame()).await {
            Err(_) => return Err(format!("the upstream sent nothing for {} s", self.idle.as_secs())),
            Ok(Some(Err(error))) => return Err(format!("the upstream's answer broke off: {error}")),
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
            return Err("the upstream sent an event that is too large to rewrite".into());
        }
        Ok(if end && events.is_empty() { None } else { Some(events) })
    }

    fn fail(&mut self, kind: ErrorKind, message: String) -> Bytes {
        self.ended = true;
        self.watcher.end(Some(&message));
        let mut error = ApiError::new(kind, message);
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
