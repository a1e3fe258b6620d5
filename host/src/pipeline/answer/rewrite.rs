//! The rewrite: each event goes through the component's rewriter, in one call for what each read brought. What comes may be in
//! any framing, what leaves is Server-Sent Events.
//!
//! The stages that follow see what it writes and nothing else; what the description observes is the provider's own, so it
//! is looked for here. What the framing itself says is an error ends the stream, with the meaning that `explain` gives it.

use std::sync::Arc;

use bitrouter_credential::Scrubber;
use bitrouter_dialect::{EventKind, EventReader, FrameError, Framed, StreamFraming};
use bitrouter_plugin::Rewriter;
use bitrouter_plugin::contract::{self, Event, Field};
use bytes::Bytes;

use super::observed::Observed;
use super::source::Step;
use super::{AnswerSource, Broken};
use crate::error::Error;
use crate::pipeline::{Received, explain, failed, head};
use crate::route::Provider;

/// Starts the rewriter and puts it behind the source. It and its place are given back with the stage.
pub(in crate::pipeline) async fn stage(
    source: AnswerSource,
    framing: StreamFraming,
    received: &Received,
) -> Result<AnswerSource, Error> {
    let provider = &received.provider;
    let rewriter = Rewriter::start(
        Arc::clone(&provider.plugin),
        &received.call,
        &received.request.memo,
        &head::of(received),
        received.scrubber.clone(),
    )
    .await
    .map_err(|error| Error::Hook { provider: provider.id().to_owned(), error })?;
    let rewriting = Rewriting {
        source,
        framing,
        reader: EventReader::new(framing),
        scrubber: received.scrubber.clone(),
        observed: Observed::of(received),
        rewriter,
        provider: Arc::clone(provider),
        request: Arc::clone(&received.request),
        made: Vec::new().into_iter(),
        halt: None,
        ended: false,
    };
    Ok(AnswerSource::of(rewriting))
}

/// A rewriter may make megabytes of one read. More than this is framed and passed on in parts, and whoever else waits for
/// the thread comes between them.
const PART: usize = 64 << 10;

struct Rewriting {
    source: AnswerSource,
    framing: StreamFraming,
    reader: EventReader,
    scrubber: Option<Arc<Scrubber>>,
    observed: Option<Observed>,
    rewriter: Rewriter,
    provider: Arc<Provider>,
    request: Arc<contract::Request>,
    /// What the rewriter made and the client does not have yet.
    made: std::vec::IntoIter<Event>,
    /// Why nothing more is rewritten, once what came before is.
    halt: Option<Halt>,
    ended: bool,
}

/// Why a stream cannot be rewritten to its end.
enum Halt {
    /// Its framing says that this is an error.
    Exception(Event),
    /// It is not in its framing.
    Unreadable(FrameError),
    /// An event is too long to be kept.
    Oversized,
    /// It ended within an event.
    Cut,
}

impl Step for Rewriting {
    /// What the rewriter makes of the next read, or of the end; in parts, where that is much.
    async fn next(&mut self) -> Result<Bytes, Broken> {
        if let Some(part) = frame(&mut self.made) {
            tokio::task::yield_now().await;
            return Ok(part);
        }
        if let Some(halt) = self.halt.take() {
            return Err(self.halted(halt).await);
        }
        let outcome = match self.read().await? {
            Some(events) if events.is_empty() => return Ok(Bytes::new()),
            Some(events) => self.rewriter.push(&events).await,
            None => {
                self.ended = true;
                self.rewriter.finish().await
            }
        };
        let provider = || self.provider.id().to_owned();
        match outcome {
            Ok(Ok(events)) => {
                self.made = events.into_iter();
                Ok(frame(&mut self.made).unwrap_or_default())
            }
            Ok(Err(failure)) => Err(Broken::Rewriting(Box::new(failed::reported(provider(), failure)))),
            Err(error) => Err(Broken::Rewriting(Box::new(Error::Hook { provider: provider(), error }))),
        }
    }

    fn is_over(&self) -> bool {
        self.ended && self.made.as_slice().is_empty()
    }
}

impl Rewriting {
    /// The events that one read of the upstream completed; none at its end.
    async fn read(&mut self) -> Result<Option<Vec<Event>>, Broken> {
        let read = std::future::poll_fn(|context| self.source.poll(context)).await.transpose()?;
        let mut events = Vec::new();
        let Self { reader, scrubber, observed, framing, halt, .. } = self;
        let mut take = |framed: Framed<'_>| {
            // What follows an error is not looked at.
            if halt.is_some() {
                return;
            }
            match framed.event.kind {
                EventKind::Message | EventKind::Stray => {
                    let event = told(&framed, *framing, scrubber.as_deref());
                    if let Some(observed) = observed {
                        let name = event.name.as_deref().map(str::as_bytes);
                        observed.see(&bitrouter_dialect::Event { name, data: event.data.as_bytes(), ..framed.event });
                    }
                    match framed.is_exception() {
                        true => *halt = Some(Halt::Exception(event)),
                        false => events.push(event),
                    }
                }
                EventKind::Oversized => *halt = Some(Halt::Oversized),
                // A last event of Server-Sent Events may lack its end; of what broke off within a frame nothing is told.
                EventKind::Unfinished if *framing != StreamFraming::Sse => *halt = Some(Halt::Cut),
                EventKind::Silent | EventKind::Unfinished => {}
            }
        };
        let unreadable = match &read {
            Some(bytes) => reader.feed(bytes, &mut take).err(),
            None => {
                reader.finish(&mut take);
                None
            }
        };
        if halt.is_none() {
            *halt = unreadable.map(Halt::Unreadable);
        }
        Ok(if read.is_none() && events.is_empty() && self.halt.is_none() { None } else { Some(events) })
    }

    /// What the client is told of a stream that ends here.
    async fn halted(&mut self, halt: Halt) -> Broken {
        let provider = self.provider.id().to_owned();
        let reason = match halt {
            Halt::Cut => return Broken::Cut,
            Halt::Exception(event) => {
                let reason = format!("the upstream reported {}", event.name.as_deref().unwrap_or("an error"));
                let explained = explain::event(&self.provider, &self.request.memo, self.scrubber.clone(), event);
                match explained.await {
                    Some(failure) => return Broken::Rewriting(Box::new(failed::reported(provider, failure))),
                    None => reason,
                }
            }
            Halt::Unreadable(error) => error.to_string(),
            Halt::Oversized => "the upstream sent an event that is too large to rewrite".to_owned(),
        };
        Broken::Rewriting(Box::new(Error::Broken { provider, reason }))
    }
}

/// An event as the component is told of it, without a secret in it.
fn told(framed: &Framed<'_>, framing: StreamFraming, scrubber: Option<&Scrubber>) -> Event {
    let clean =
        |text: &str| scrubber.map_or_else(|| text.to_owned(), |scrubber| scrubber.scrub_text(text).into_owned());
    let text = |bytes: &[u8]| clean(&String::from_utf8_lossy(bytes));
    let name = match framed.event.kind {
        EventKind::Stray => Some("error".to_owned()),
        _ => framed.event.name.map(text),
    };
    let headers = framed.headers.iter();
    let headers = headers.map(|(name, value)| Field { name: (*name).to_owned(), value: clean(value) }).collect();
    match std::str::from_utf8(framed.event.data) {
        Ok(data) => Event { name, headers, data: clean(data), binary: Vec::new() },
        // A frame may hold any bytes; what else is no text is damaged.
        Err(_) if framing == StreamFraming::AwsEventStream => {
            let bytes = Bytes::copy_from_slice(framed.event.data);
            let binary = scrubber.map_or(bytes.clone(), |scrubber| scrubber.scrub_bytes(bytes)).into();
            Event { name, headers, data: String::new(), binary }
        }
        Err(_) => Event { name, headers, data: text(framed.event.data), binary: Vec::new() },
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
