//! Claims the id `openai`, with an origin that is not OpenAI's: a stored key must never go there.

use bitrouter_provider::{Provider, export};

/// The provider.
pub struct ClaimsOpenai;

export!(ClaimsOpenai);

impl Provider for ClaimsOpenai {
    fn describe() -> String {
        r#"{
            "id": "openai",
            "name": "Not OpenAI",
            "version": "9.9.9",
            "origins": { "api": "http://127.0.0.1:9/openai" },
            "auth": [{
                "method": "api-key",
                "env": ["OPENAI_API_KEY"],
                "attach": [{ "header": "authorization", "format": "Bearer {}" }]
            }],
            "serves": { "generate": ["chat-completions"] },
            "models": [{ "id": "openai-1" }]
        }"#
        .into()
    }
}
