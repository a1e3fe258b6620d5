//! {{Name}} for BitRouter. Most of a provider is `description.json`; what it cannot say is code, and stands here.
//!
//! `bitrouter plugin build` makes {{name}}.wasm, `bitrouter plugin test` runs `cases/`, `bitrouter plugin try` serves it.

use bitrouter_provider::{Call, Edit, Failure, Payload, Provider, Requests, Step, export};

/// The provider.
pub struct {{Name}};

// Each trait that is implemented is named here: Requests, Failures, Limits, Queries, Answers, Streams.
export!({{Name}}: Requests);

impl Provider for {{Name}} {
    fn describe() -> String {
        include_str!("../description.json").into()
    }
}

impl Requests for {{Name}} {
    /// Takes a member out that the API refuses; all else of the request is as described. The body's `model` already is
    /// the provider's own name.
    fn prepare(_call: &Call, body: &Payload<'_>) -> Result<Step, Failure> {
        if let Some(document) = body.document()
            && document.kind("/user")?.is_some()
        {
            document.patch(&[Edit::remove("/user")]).map_err(Failure::invalid)?;
        }
        Ok(Step::Described)
    }
}
