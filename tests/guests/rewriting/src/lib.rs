//! Stands for a provider whose streams are rewritten, event by event. The load rig holds many of them at once, to see
//! what the instance of one costs while it waits; so its state is as small as a rewriter's can be.

use bitrouter_provider::{Call, Event, Failure, Payload, Provider, Request, Rewriter, Step, export};

/// The provider.
pub struct Rewriting;

export!(Rewriting);

impl Provider for Rewriting {
    fn describe() -> String {
        r#"{
            "id": "rewriting",
            "name": "Rewriting",
            "version": "0.1.0",
            "origins": { "api": "http://127.0.0.1:9/v1" },
            "serves": { "generate": ["chat-completions"] },
            "models": [{ "id": "rewriting-1" }],
            "billing": "free"
        }"#
        .into()
    }

    fn prepare(call: &Call, _body: &Payload<'_>) -> Result<Step, Failure> {
        let request = Request::post("api", "/chat/completions").framing(call.framing());
        Ok(if call.streaming { request.rewrite("sse") } else { request.pass() })
    }

    fn rewriter(_call: Call, _memo: Vec<u8>) -> Option<Box<dyn Rewriter>> {
        Some(Box::new(Numbering { seen: 0 }))
    }
}

/// Gives every event that is an object its number as the first member, `"event"`.
struct Numbering {
    seen: u32,
}

impl Rewriter for Numbering {
    fn push(&mut self, mut events: Vec<Event>) -> Result<Vec<Event>, Failure> {
        for event in &mut events {
            self.seen += 1;
            if let Some(members) = event.data.strip_prefix('{') {
                event.data = ["{\"event\":", &self.seen.to_string(), ",", members].concat();
            }
        }
        Ok(events)
    }
}
