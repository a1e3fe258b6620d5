//! Passes Chat Completions, Responses and Messages through without a credential. Tests point its origin at a mock
//! upstream; without that it leads to the discard port, where nobody answers.

use bitrouter_provider::{Call, Failure, Payload, Provider, Request, Requests, Step, export};

/// The provider.
pub struct Echo;

export!(Echo: Requests);

impl Provider for Echo {
    fn describe() -> String {
        include_str!("../description.json").into()
    }
}

impl Requests for Echo {
    fn prepare(call: &Call, _body: &Payload<'_>) -> Result<Step, Failure> {
        let path = match (call.operation.as_str(), call.dialect.as_str()) {
            ("generate", "responses") => "/responses",
            ("generate", "messages") => "/messages",
            ("generate", _) => "/chat/completions",
            ("embeddings", _) => "/embeddings",
            ("audio/transcriptions", _) => {
                return Ok(Request::post("api", "/audio/transcriptions").framing("raw").pass());
            }
            _ => return Err(Failure::unsupported("echo does not serve this operation")),
        };
        Ok(Request::post("api", path).framing(call.framing()).pass())
    }
}
