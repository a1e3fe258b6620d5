//! Stands for a backend that only streams: a client that asks for no stream gets the stream folded. It observes limits
//! in headers and events, and logs what its `quota` is shown.

use bitrouter_provider::{
    Call, Failure, Field, Level, Limits, Payload, Provider, Request, Requests, Step, Window, export, log,
};

/// The provider.
pub struct Folding;

export!(Folding: Requests, Limits);

impl Provider for Folding {
    fn describe() -> String {
        r#"{
            "id": "folding",
            "name": "Folding",
            "version": "0.1.0",
            "origins": { "api": "http://127.0.0.1:9/v1" },
            "serves": {
                "generate": ["chat-completions", "responses", "messages"],
                "embeddings": ["openai"]
            },
            "models": [{ "id": "folding-1" }],
            "observe": { "events": ["codex.rate_limits"] },
            "limits": { "headers": ["x-ratelimit-{value}-{window}"] },
            "billing": "free"
        }"#
        .into()
    }
}

impl Requests for Folding {
    fn prepare(call: &Call, _body: &Payload<'_>) -> Result<Step, Failure> {
        if call.operation == "embeddings" {
            // What cannot be: there is no one document of such a stream.
            return Ok(Request::post("api", "/embeddings").framing("sse").pass());
        }
        Ok(Request::post("api", "/generate").framing("sse").pass())
    }
}

impl Limits for Folding {
    fn quota(headers: &[Field], event: Option<&str>) -> Option<Vec<Window>> {
        for header in headers {
            log(Level::Info, &["quota was shown ", &header.name, ": ", &header.value].concat());
        }
        let event = event?;
        log(Level::Info, &["quota was shown ", event].concat());
        Some(vec![Window {
            name: "primary".into(),
            used_percent: Some(41.5),
            limit: None,
            remaining: None,
            length_seconds: None,
            resets_at: None,
            resets_in_seconds: None,
            more: String::new(),
        }])
    }
}
