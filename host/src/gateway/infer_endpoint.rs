//! Infers the endpoint that a body was written for from its shape.
//!
//! Only `bitrouter route --request` calls it, for a person who has a body and no path. It never routes a request.

use bitrouter_document::{Document, Error, Kind};

use crate::call::{Endpoint, endpoint};

/// The path that this body is most likely sent to; none where nothing in it says. `operations` are those that the model is
/// listed with, none where it is not listed.
pub fn infer_endpoint(document: &mut Document, operations: &[String]) -> Result<Option<&'static Endpoint>, Error> {
    let kind = |document: &mut Document, name: &str| document.kind(&format!("/{name}"));
    let mut has = |name: &str| kind(document, name).map(|kind| kind.is_some());
    let only = |operation: &str| !operations.is_empty() && operations.iter().all(|known| known == operation);
    let path = if has("messages")? {
        // What only one of the two has; the tools are told apart by where their schema is.
        let mut messages = false;
        for name in ["system", "stop_sequences", "thinking", "anthropic_version", "top_k", "tools/0/input_schema"] {
            messages |= has(name)?;
        }
        if messages { "/v1/messages" } else { "/v1/chat/completions" }
    } else if has("contents")? || has("generateContentRequest")? {
        "/v1beta/models/{model}:generateContent"
    } else if has("voice")? {
        "/v1/audio/speech"
    } else if has("prompt")? {
        let mut image = operations.iter().any(|operation| operation.starts_with("images/"));
        for name in ["size", "quality", "background", "output_format"] {
            image |= has(name)?;
        }
        if image { "/v1/images/generations" } else { "/v1/completions" }
    } else if has("input")? {
        let embeds = has("encoding_format")? || has("dimensions")?;
        if embeds || only("embeddings") {
            "/v1/embeddings"
        } else if only("moderations") {
            "/v1/moderations"
        } else {
            "/v1/responses"
        }
    } else if has("previous_response_id")? || matches!(kind(document, "instructions")?, Some(Kind::String)) {
        "/v1/responses"
    } else {
        return Ok(None);
    };
    Ok(endpoint(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_endpoint_is_inferred_from_the_shape_of_a_body() {
        for (body, operations, path) in [
            (r#"{"messages":[]}"#, [].as_slice(), Some("/v1/chat/completions")),
            (r#"{"messages":[],"max_tokens":9,"stop":"x"}"#, &[], Some("/v1/chat/completions")),
            (r#"{"messages":[],"tools":[{"type":"function","function":{}}]}"#, &[], Some("/v1/chat/completions")),
            (r#"{"messages":[],"system":"x"}"#, &[], Some("/v1/messages")),
            (r#"{"messages":[],"tools":[{"name":"a","input_schema":{}}]}"#, &[], Some("/v1/messages")),
            (r#"{"contents":[]}"#, &[], Some("/v1beta/models/{model}:generateContent")),
            (r#"{"input":"x"}"#, &["generate"], Some("/v1/responses")),
            (r#"{"input":[]}"#, &[], Some("/v1/responses")),
            (r#"{"input":"x"}"#, &["embeddings"], Some("/v1/embeddings")),
            (r#"{"input":"x","dimensions":9}"#, &[], Some("/v1/embeddings")),
            (r#"{"input":"x"}"#, &["moderations"], Some("/v1/moderations")),
            (r#"{"input":"x","voice":"alloy"}"#, &[], Some("/v1/audio/speech")),
            (r#"{"prompt":"x"}"#, &[], Some("/v1/completions")),
            (r#"{"prompt":"x","size":"1024x1024"}"#, &[], Some("/v1/images/generations")),
            (r#"{"prompt":"x"}"#, &["images/generations", "images/edits"], Some("/v1/images/generations")),
            (r#"{"instructions":"x"}"#, &[], Some("/v1/responses")),
            (r#"{"model":"x"}"#, &[], None),
        ] {
            let operations: Vec<String> = operations.iter().map(|name| (*name).to_owned()).collect();
            let mut document = Document::parse(body.to_owned()).unwrap();
            let found = infer_endpoint(&mut document, &operations).unwrap().map(|endpoint| endpoint.path);
            assert_eq!(found, path, "{body}");
        }
    }
}
