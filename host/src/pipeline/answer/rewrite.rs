//! The rewrite: each event goes through the component's rewriter, in one call for what each read brought.
//!
//! The stages that follow see what it writes and nothing else; what the description observes is the provider's own, so it
//! is looked for here.

use std::sync::Arc;

use bitrouter_dialect::{EventKind, Splitter};
use bitrouter_plugin::Rewriter;
use bitrouter_plugin::contract::Event;
use bytes::Bytes;
use futures_util::stream;

use super::observed::Observed;
use super::source::ScrubbedSource;
use super::{AnswerSource, Broken};
use crate::error::Error;
use crate::pipeline::Received;

/// Starts the rewriter and puts it behind the source. It and its place are given back with the stage.
pub(in crate::pipeline) async fn stage(source: AnswerSource, received: &Received) -> Result<AnswerSource, Error> {
    let provider = &received.provider;
    let rewriter = Rewriter::start(
        Arc::clone(&provider.plugin),
        &received.call,
        &received.request.memo,
        received.scrubber.clone(),
    )
    .await
    .map_err(|error| Error::Hook { provider: provider.id().to_owned(), error })?;
    let rewriting = Rewriting {
        source: ScrubbedSource::new(source, received.scrubber.clone()),
        splitter: Splitter::default(),
        observed: Observed::of(received),
        rewriter,
        provider: Arc::clone(&provider.plugin.id),
        made: Vec::new().into_iter(),
        ended: false,
    };
    Ok(AnswerSource::Stage(Box::pin(stream::unfold(rewriting, |mut rewriting| async move {
        if let Some(part) = frame(&mut rewriting.made) {
            tokio::task::yield_now().await;
            return Some((Ok(part), rewriting));
        }
        if rewriting.ended {
            return None;
        }
        let next = rewriting.next().await;
        rewriting.ended |= next.is_err();
        Some((next, rewriting))
    }))))
}

/// A rewriter may make megabytes of one read. More than this is framed and passed on in parts, and whoever else waits for
/// the thread comes between them.
const PART: usize = 64 << 10;

struct Rewriting {
    source: ScrubbedSource,
    splitter: Splitter,
    observed: Option<Observed>,
    rewriter: Rewriter,
    provider: Arc<str>,
    /// What the rewriter made and the client does not have yet.
    made: std::vec::IntoIter<Event>,
    ended: bool,
}

impl Rewriting {
    /// What the rewriter makes of the next read, or of the end.
    async fn next(&mut self) -> Result<Bytes, Broken> {
        let outcome = match self.read().await? {
            Some(events) if events.is_empty() => return Ok(Bytes::new()),
            Some(events) => self.rewriter.push(&events).await,
            None => {
                self.ended = true;
                self.rewriter.finish().await
            }
        };
        let provider = || self.provider.to_string();
        match outcome {
            Ok(Ok(events)) => {
                self.made = events.into_iter();
                Ok(frame(&mut self.made).unwrap_or_default())
            }
            Ok(Err(failure)) => Err(Broken::Rewriting(Box::new(Error::refused(provider(), failure)))),
            Err(error) => Err(Broken::Rewriting(Box::new(Error::Hook { provider: provider(), error }))),
        }
    }

    /// The events that one read of the upstream completed; none at its end.
    async fn read(&mut self) -> Result<Option<Vec<Event>>, Broken> {
        let (bytes, is_last) = self.source.read().await?;
        let mut events = Vec::new();
        let mut oversized = false;
        let observed = &mut self.observed;
        let mut take = |event: bitrouter_dialect::Event<'_>| {
            if let Some(observed) = observed {
                observed.see(&event);
            }
            let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
            match event.kind {
                EventKind::Message => events.push(Event { name: event.name.map(text), data: text(event.data) }),
                EventKind::Stray => events.push(Event { name: Some("error".to_owned()), data: text(event.data) }),
                EventKind::Oversized => oversized = true,
                EventKind::Silent | EventKind::Unfinished => {}
            }
        };
        self.splitter.feed(&bytes, &mut take);
        if is_last {
            self.splitter.finish(&mut take);
        }
        if oversized {
            let reason = "the upstream sent an event that is too large to rewrite".to_owned();
            return Err(Broken::Rewriting(Box::new(Error::Broken { provider: self.provider.to_string(), reason })));
        }
        Ok(if is_last && events.is_empty() { None } else { Some(events) })
    }
}

/// The next events, as the WHATWG standard writes Server-Sent Events, until they fill a part; none where none are left.
fn frame(events: &mut std::vec::IntoIter<Event>) -> Option<Bytes> {
    let first = events.as_slice().iter().take(64);
    let mut text = String::with_capacity(first.map(|event| event.data.len() + 32).sum::<usize>().min(PART));
    while text.len() < PART
        && let Some(event) = events.next()
    {
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
    (!text.is_empty()).then(|| text.into())
}
