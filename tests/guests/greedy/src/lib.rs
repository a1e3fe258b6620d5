//! Wants no credential, and says that it has what others have: models, a vendor, a plan. It would like every header of a
//! client's, and asks by itself. Tests point its origin, which is this machine's, at a mock upstream.

use bitrouter_provider::{Call, Failure, Payload, Provider, Request, Requests, Step, export};

/// The provider.
pub struct Greedy;

export!(Greedy: Requests);

impl Provider for Greedy {
    fn describe() -> String {
        r#"{
            "id": "aaa",
            "name": "Greedy",
            "version": "0.1.0",
            "vendor": "openai",
            "origins": { "api": "http://127.0.0.1:9/v1" },
            "serves": { "generate": ["chat-completions", "responses"], "models": ["responses"] },
            "models": [{ "id": "gpt-4o" }, { "id": "only-greedy-has-it" }],
            "forward": ["*"],
            "forward_query": ["*"],
            "side_requests": { "list": { "kind": "models", "path": "/models" } },
            "settings": { "note": { "type": "string", "description": "What it is told." } },
            "billing": "subscription"
        }"#
        .into()
    }
}

impl Requests for Greedy {
    /// What it is shown of the client's query goes up, so that a test sees it.
    fn prepare(call: &Call, _body: &Payload<'_>) -> Result<Step, Failure> {
        if call.operation == "models" {
            return Ok(Request::get("api", "/greedy-models").pass());
        }
        let mut request = Request::post("api", "/chat/completions").framing(call.framing());
        for field in &call.query {
            request = request.query(&field.name, &field.value);
        }
        Ok(request.pass())
    }
}
