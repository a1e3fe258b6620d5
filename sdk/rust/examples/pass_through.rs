//! A whole provider: it serves Chat Completions and embeddings as they come, and leaves failures and rate limits to the
//! SDK's defaults. In a crate of your own this is `src/lib.rs`, and `crate-type = ["cdylib"]` is in its Cargo.toml.

use bitrouter_provider::{Call, Failure, Payload, Provider, Request, Step, export};

/// The provider.
pub struct Acme;

export!(Acme);

impl Provider for Acme {
    /// Everything that the host needs to know before any call: where requests go, how the key is attached, what is
    /// served. The key itself never comes in here.
    fn describe() -> String {
        r#"{
            "id": "acme",
            "name": "Acme AI",
            "version": "0.1.0",
            "vendor": "acme",
            "origins": { "api": "https://api.acme.example/v1" },
            "auth": [{
                "method": "api-key",
                "env": ["ACME_API_KEY"],
                "create_url": "https://acme.example/keys",
                "attach": [{ "header": "authorization", "format": "Bearer {}" }]
            }],
            "serves": { "generate": ["chat-completions"], "embeddings": ["openai"] },
            "models": [{ "id": "acme-large", "context_window": 200000 }],
            "observe": { "headers": ["x-ratelimit-*"] },
            "settings": {
                "region": { "type": "string", "description": "Sent as x-acme-region." }
            }
        }"#
        .into()
    }

    /// One call in, one request out. The body goes up as it came; its `model` member already is the provider's own
    /// name of the model.
    fn prepare(call: &Call, _body: &Payload<'_>) -> Result<Step, Failure> {
        let path = match call.operation.as_str() {
            "generate" => "/chat/completions",
            "embeddings" => "/embeddings",
            _ => return Err(Failure::unsupported("acme serves generate and embeddings")),
        };
        let mut request = Request::post("api", path).framing(call.framing());
        if let Some(region) = call.setting("region") {
            request = request.header("x-acme-region", region);
        }
        Ok(request.pass())
    }
}
