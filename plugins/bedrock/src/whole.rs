//! Makes an answer of Converse a message of Messages. `Answers` calls it; the texts stay where they are.

use bitrouter_provider::{Call, Document, Edit, Failure, Kind, at, quote};

use crate::stream::stop_reason;

const BLOCKS: &str = "/output/message/content/*";

/// Edits a whole answer.
pub(crate) fn shape(call: &Call, id: &str, body: &Document<'_>) -> Result<(), Failure> {
    let broken = |why: String| {
        Failure::new("unavailable", "provider", ["Converse answered otherwise than it should: ", &why].concat())
    };
    if body.kind("/output/message/content")? != Some(Kind::Array) {
        return Err(broken("there is no `output.message.content`".into()));
    }
    let having =
        |member: &str, edits: &[Edit]| body.each(BLOCKS).only(at(member).is_there()).patch(edits).map_err(broken);
    having(
        "/toolUse",
        &[Edit::move_to("/toolUse", ""), Edit::move_to("/toolUseId", "/id"), Edit::add("/type", "\"tool_use\"")],
    )?;
    having(
        "/reasoningContent/redactedContent",
        &[
            Edit::move_to("/reasoningContent/redactedContent", "/data"),
            Edit::remove("/reasoningContent"),
            Edit::add("/type", "\"redacted_thinking\""),
        ],
    )?;
    let unsigned = body.each(BLOCKS).only(at("/reasoningContent/reasoningText").is_there());
    let unsigned = unsigned.only(at("/reasoningContent/reasoningText/signature").is_there().not());
    unsigned.patch(&[Edit::add("/reasoningContent/reasoningText/signature", "\"\"")]).map_err(broken)?;
    having(
        "/reasoningContent/reasoningText",
        &[
            Edit::move_to("/reasoningContent/reasoningText", ""),
            Edit::move_to("/text", "/thinking"),
            Edit::add("/type", "\"thinking\""),
        ],
    )?;
    having("/text", &[Edit::add("/type", "\"text\"")])?;
    // What Messages has no block for.
    body.each(BLOCKS).only(at("/type").is_there().not()).patch(&[Edit::remove("")]).map_err(broken)?;

    let reason = body.text("/stopReason", 64)?.unwrap_or_default();
    let reason = stop_reason(&reason)?;
    let new = [
        "{\"id\":",
        &quote(id),
        ",\"type\":\"message\",\"role\":\"assistant\",\"model\":",
        &quote(&call.model),
        ",\"stop_reason\":",
        &quote(reason),
        ",\"stop_sequence\":null,\"usage\":{}}",
    ];
    let mut edits = vec![Edit::add("/new", new.concat()), Edit::move_to("/output/message/content", "/new/content")];
    for (theirs, ours) in [
        ("/additionalModelResponseFields/stop_sequence", "/new/stop_sequence"),
        ("/usage/inputTokens", "/new/usage/input_tokens"),
        ("/usage/cacheWriteInputTokens", "/new/usage/cache_creation_input_tokens"),
        ("/usage/cacheReadInputTokens", "/new/usage/cache_read_input_tokens"),
        ("/usage/outputTokens", "/new/usage/output_tokens"),
    ] {
        if body.kind(theirs)?.is_some() {
            edits.push(Edit::move_to(theirs, ours));
        }
    }
    edits.push(Edit::move_to("/new", ""));
    body.patch(&edits).map_err(broken)
}
