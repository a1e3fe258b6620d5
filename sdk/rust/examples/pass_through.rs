//! A whole provider: its description says where requests go, what is served and what the headers say of limits. The one thing
//! that takes code is a member of the body that its API refuses. In a crate of your own this is `src/lib.rs`, and
//! `crate-type = ["cdylib"]` is in its Cargo.toml.

use bitrouter_provider::{Call, Edit, Failure, Payload, Provider, Requests, Step, export};

/// The provider.
pub struct Acme;

// `export!(Acme);` where the description is all.
export!(Acme: Requests);

impl Provider for Acme {
    /// Everything that the host needs to know before any call. The key itself never comes in here.
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
            "limits": { "headers": ["x-ratelimit-{value}-{window}"] },
            "settings": {
                "region": { "type": "string", "description": "Where it runs.", "header": "x-acme-region" }
            }
        }"#
        .into()
    }
}

impl Requests for Acme {
    /// Takes the member out; all else of the request is as described. The body's `model` already is the provider's own name.
    fn prepare(_call: &Call, body: &Payload<'_>) -> Result<Step, Failure> {
        if let Some(document) = body.document()
            && document.kind("/user")?.is_some()
        {
            document.patch(&[Edit::remove("/user")]).map_err(Failure::invalid)?;
        }
        Ok(Step::Described)
    }
}
