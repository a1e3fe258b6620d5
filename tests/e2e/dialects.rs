//! The dialects that have an endpoint, as they look on the wire, for tests that hold in each of them.

use bitrouter_tests::{Answer, Gateway, Reply, Upstream};
use serde_json::json;

pub(crate) const DIALECTS: [Wire; 3] = [
    Wire {
        path: "/v1/chat/completions",
        preamble: r#"{"choices":[{"index":0,"delta":{"role":"assistant"}}]}"#,
        content: r#"{"choices":[{"index":0,"delta":{"content":"half"}}]}"#,
        error: r#"{"error":{"type":"server_error","code":"server_is_overloaded","message":"because"}}"#,
        last: "[DONE]",
        heartbeat: ": ",
    },
    Wire {
        path: "/v1/responses",
        preamble: r#"{"type":"response.created","response":{"id":"r"}}"#,
        content: r#"{"type":"response.output_text.delta","delta":"half"}"#,
        error: r#"{"type":"response.failed","response":{"id":"r","error":{"code":"server_is_overloaded","message":"because"}}}"#,
        last: r#"{"type":"response.completed","response":{"id":"r"}}"#,
        heartbeat: ": ",
    },
    Wire {
        path: "/v1/messages",
        preamble: r#"{"type":"message_start","message":{"id":"m"}}"#,
        content: r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"half"}}"#,
        error: r#"{"type":"error","error":{"type":"overloaded_error","message":"because"}}"#,
        last: r#"{"type":"message_stop"}"#,
        heartbeat: "event: ping",
    },
];

/// One dialect on the wire.
#[derive(Clone, Copy)]
pub(crate) struct Wire {
    pub path: &'static str,
    pub preamble: &'static str,
    pub content: &'static str,
    pub error: &'static str,
    /// What says that the answer is whole.
    pub last: &'static str,
    pub heartbeat: &'static str,
}

/// An event with this data. Anthropic's clients know an error by its name alone.
pub(crate) fn data(event: &str) -> String {
    let name = if event.starts_with("{\"type\":\"error\",\"error\"") { "event: error\n" } else { "" };
    format!("{name}data: {event}\n\n")
}

impl Wire {
    /// The answer of a target that works.
    pub(crate) fn second(self, streamed: bool) -> Reply {
        match streamed {
            true => {
                let content = self.content.replace("half", "second");
                Reply::sse().send(data(self.preamble)).send(data(&content)).send(data(self.last))
            }
            false => Reply::json(&json!({"said": "second"})),
        }
    }
}

/// A gateway whose provider `echo` sends to this upstream, in every dialect.
pub(crate) fn echo_at(upstream: &Upstream) -> Gateway {
    let setup = Gateway::start().with_plugin("echo").with_origin("echo", upstream);
    setup.with("/providers/echo/timeouts/first_byte_ms", json!(400)).run()
}

/// A call with a list of models.
pub(crate) fn ask(gateway: &Gateway, wire: Wire, models: &[&str], streamed: bool) -> Answer {
    gateway.post(wire.path).json(&json!({"models": models, "messages": [], "input": "hi", "stream": streamed})).send()
}
