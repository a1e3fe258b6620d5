//! Stands for a provider whose streams are rewritten, event by event. The load rig holds many of them at once, to see
//! what the instance of one costs while it waits; so its state is as small as a rewriter's can be. A client that asks for
//! no stream is answered with one all the same, for the host to fold; its provider is asked for one. Its own events about
//! limits are observed, and dropped.

use bitrouter_provider::{
    Call, Edit, Event, Failure, Field, Head, Level, Limits, Payload, Provider, Request, Requests, Rewriter, Step,
    Streams, Window, export, log, quote,
};

/// The provider.
pub struct Rewriting;

export!(Rewriting: Requests, Limits, Streams);

impl Provider for Rewriting {
    fn describe() -> String {
        r#"{
            "id": "rewriting",
            "name": "Rewriting",
            "version": "0.1.0",
            "origins": { "api": "http://127.0.0.1:9/v1" },
            "serves": { "generate": ["chat-completions"], "embeddings": ["openai"] },
            "models": [{ "id": "rewriting-1" }],
            "observe": { "events": ["acme.*"] },
            "errors": { "rules": [{ "code": "throttlingException", "kind": "rate-limited" }] },
            "billing": "free"
        }"#
        .into()
    }
}

impl Requests for Rewriting {
    fn prepare(call: &Call, body: &Payload<'_>) -> Result<Step, Failure> {
        if let Some(document) = body.document().filter(|_| !call.streaming && call.operation == "generate") {
            document.patch(&[Edit::add("/stream", "true")]).map_err(Failure::invalid)?;
        }
        let path = if call.operation == "generate" { "/chat/completions" } else { "/embeddings" };
        let framing = FRAMINGS.into_iter().find(|framing| call.model.starts_with(framing)).unwrap_or("sse");
        Ok(Request::post("api", path).framing(framing).rewrite("sse"))
    }
}

impl Limits for Rewriting {
    fn quota(_headers: &[Field], event: Option<&str>) -> Option<Vec<Window>> {
        log(Level::Info, &["quota was shown ", event.unwrap_or("nothing")].concat());
        Some(Vec::new())
    }
}

impl Streams for Rewriting {
    fn rewriter(call: Call, _memo: Vec<u8>, _head: Head) -> Option<Box<dyn Rewriter>> {
        Some(if call.model.ends_with("-as-seen") { Box::new(Telling) } else { Box::new(Numbering { seen: 0 }) })
    }
}

/// Framings that the name of a model may begin with; its streams are expected in it.
const FRAMINGS: [&str; 2] = ["ndjson", "aws-event-stream"];

/// Tells all that is in an event.
struct Telling;

impl Rewriter for Telling {
    fn push(&mut self, events: Vec<Event>) -> Result<Vec<Event>, Failure> {
        let told = events.iter().map(|event| {
            let headers = event
                .headers
                .iter()
                .map(|header| ["[", &quote(&header.name), ",", &quote(&header.value), "]"].concat());
            let headers = headers.collect::<Vec<_>>().join(",");
            let binary = event.binary.iter().map(u8::to_string).collect::<Vec<_>>().join(",");
            let name = quote(event.name.as_deref().unwrap_or_default());
            let told = [
                "{\"name\":",
                &name,
                ",\"headers\":[",
                &headers,
                "],\"data\":",
                &quote(&event.data),
                ",\"binary\":[",
                &binary,
                "]}",
            ];
            Event::data(told.concat())
        });
        Ok(told.collect())
    }

    fn finish(&mut self) -> Result<Vec<Event>, Failure> {
        Ok(vec![Event::data("[DONE]")])
    }
}

/// Gives every event that is an object its number as the first member, `"event"`.
struct Numbering {
    seen: u32,
}

impl Rewriter for Numbering {
    fn push(&mut self, mut events: Vec<Event>) -> Result<Vec<Event>, Failure> {
        events.retain(|event| !event.name.as_deref().is_some_and(|name| name.starts_with("acme.")));
        for event in &mut events {
            self.seen += 1;
            if let Some(members) = event.data.strip_prefix('{') {
                event.data = ["{\"event\":", &self.seen.to_string(), ",", members].concat();
            }
        }
        Ok(events)
    }
}
