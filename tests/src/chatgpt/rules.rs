//! What ChatGPT's backend refuses. [`super::ChatGpt`] asks here before it answers. It is as strict as what is publicly
//! known of the real one, and where only the refusal is known but not its words, the words are ours.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::wire::Seen;

/// Parameters of the public API that the backend does not take.
const UNSUPPORTED: [&str; 15] = [
    "context_management",
    "generate",
    "max_completion_tokens",
    "max_output_tokens",
    "max_tokens",
    "metadata",
    "previous_response_id",
    "prompt_cache_options",
    "prompt_cache_retention",
    "safety_identifier",
    "temperature",
    "top_k",
    "top_p",
    "truncation",
    "user",
];

/// The longest id of a call.
const LONGEST_CALL_ID: usize = 64;

/// Why a request is refused.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) body: Value,
}

impl Refusal {
    pub(crate) fn detail(status: u16, detail: impl Into<String>) -> Self {
        Refusal { status, body: json!({ "detail": detail.into() }) }
    }

    /// The token is none, or none that is still good.
    pub(crate) fn token(code: &str) -> Self {
        let message = "Provided authentication token is expired. Please try signing in again.";
        let error = json!({"message": message, "type": "invalid_request_error", "code": code, "param": null});
        Refusal { status: 401, body: json!({ "error": error, "status": 401 }) }
    }
}

/// What a token says of itself holds: whose it is, and until when.
pub(crate) fn unexpired(authorization: &str, account: Option<&str>) -> Result<(), Refusal> {
    let payload = authorization.split('.').nth(1).and_then(|part| URL_SAFE_NO_PAD.decode(part).ok());
    let claims: Value = payload.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
    let now = std::time::UNIX_EPOCH.elapsed().unwrap_or_default().as_secs();
    if claims["exp"].as_u64().is_none_or(|expiry| expiry <= now) {
        return Err(Refusal::token("token_expired"));
    }
    match account {
        Some(account) if claims["https://api.openai.com/auth"]["chatgpt_account_id"] == account => Ok(()),
        _ => Err(Refusal::detail(403, "The account of the request is not the token's")),
    }
}

/// The body of a JSON request, decompressed.
pub(crate) fn body(request: &Seen) -> Result<Vec<u8>, Refusal> {
    let media_type = request.header("content-type").unwrap_or_default().split(';').next().unwrap_or_default();
    if media_type.trim() != "application/json" {
        return Err(Refusal::detail(415, format!("Unsupported content type: {media_type}")));
    }
    match request.header("content-encoding") {
        None | Some("identity") => Ok(request.body.clone()),
        Some("zstd") => zstd::decode_all(request.body.as_slice()).map_err(|_| Refusal::detail(400, "Invalid zstd")),
        Some(other) => Err(Refusal::detail(415, format!("Unsupported content encoding: {other}"))),
    }
}

/// What holds for a turn and for a compaction.
pub(crate) fn common(body: &Value, offered: &[String]) -> Result<(), Refusal> {
    let no = |detail: String| Err(Refusal::detail(400, detail));
    let model = body["model"].as_str().unwrap_or_default();
    if !offered.iter().any(|known| known == model) {
        return no(format!("The '{model}' model is not supported when using Codex with a ChatGPT account."));
    }
    if let Some(name) = UNSUPPORTED.iter().find(|name| body.get(**name).is_some()) {
        return no(format!("Unsupported parameter: {name}"));
    }
    let Some(input) = body["input"].as_array() else { return no("Input must be a list".to_owned()) };
    if input.iter().any(|item| item["role"] == "system") {
        return no("System messages are not allowed".to_owned());
    }
    let instructed = body["instructions"].as_str().is_some_and(|text| !text.is_empty())
        || input.iter().any(|item| item["role"] == "developer");
    if !instructed {
        return no("Instructions are required".to_owned());
    }
    Ok(())
}

/// What holds for a turn alone.
pub(crate) fn turn(body: &Value) -> Result<(), Refusal> {
    let no = |detail: String| Err(Refusal::detail(400, detail));
    // Left out, it counts as true.
    if body["store"] != false {
        return no("Store must be set to false".to_owned());
    }
    if body["stream"] != true {
        return no("Stream must be set to true".to_owned());
    }
    if body.get("service_tier").is_some_and(|tier| tier != "priority") {
        return no(format!("Unsupported service_tier: {}", body["service_tier"]));
    }
    let options = body["stream_options"].as_object().into_iter().flatten();
    if options.map(|(name, _)| name).any(|name| name != "reasoning_summary_delivery") {
        return no("Unsupported parameter: stream_options".to_owned());
    }
    Ok(())
}

/// What holds for a compaction alone: it is no stream and nothing of it is stored.
pub(crate) fn compaction(body: &Value) -> Result<(), Refusal> {
    match ["store", "stream"].iter().find(|name| body.get(**name).is_some()) {
        Some(name) => Err(Refusal::detail(400, format!("Unsupported parameter: {name}"))),
        None => Ok(()),
    }
}

/// Nothing is kept between two turns: what points at an item of an earlier answer, and does not bring it along, is
/// refused. `issued` are the ids of the items that the backend gave out.
pub(crate) fn items(input: &[Value], issued: &[String]) -> Result<(), Refusal> {
    for item in input {
        let id = item["id"].as_str().unwrap_or_default();
        let brought_along = item["encrypted_content"].is_string() && issued.iter().any(|known| known == id);
        if item["type"] == "item_reference" || id.starts_with("rs_") && !brought_along {
            let detail = format!(
                "Item with id '{id}' not found. Items are not persisted when `store` is set to false. Try again with \
                 `store` set to true, or remove this item from your input."
            );
            return Err(Refusal::detail(400, detail));
        }
    }
    Ok(())
}

/// The reasoning of earlier answers comes back as it was given: its content, its summary, and its id unless it is left
/// out.
pub(crate) fn reasoning(input: &[Value], given: &[Value]) -> Result<(), Refusal> {
    for item in given {
        let unchanged = |back: &&Value| {
            let same = |name: &str| back[name] == item[name];
            back["type"] == "reasoning"
                && same("encrypted_content")
                && same("summary")
                && (back.get("id").is_none() || same("id"))
        };
        if !input.iter().any(|back| unchanged(&back)) {
            return Err(Refusal::detail(
                400,
                format!("Reasoning item {} did not come back as it was given", item["id"]),
            ));
        }
    }
    Ok(())
}

/// Each call has its output and each output its call, under an id that fits, and no reasoning stands without what followed it.
pub(crate) fn pairs(input: &[Value]) -> Result<(), Refusal> {
    let no = |detail: String| Err(Refusal::detail(400, detail));
    let ids = |ends: &str| -> Vec<&str> {
        let of = |item: &&Value| {
            item["type"].as_str().is_some_and(|kind| {
                ["function_", "custom_tool_"].iter().any(|begins| kind.strip_prefix(begins) == Some(ends))
            })
        };
        input.iter().filter(of).map(|item| item["call_id"].as_str().unwrap_or_default()).collect()
    };
    let (calls, outputs) = (ids("call"), ids("call_output"));
    if let Some(id) = calls.iter().find(|id| id.is_empty() || id.len() > LONGEST_CALL_ID) {
        return no(format!("Invalid 'input[].call_id': '{id}'. Expected a string of 1 to {LONGEST_CALL_ID} letters."));
    }
    if let Some(id) = calls.iter().find(|id| !outputs.contains(id)) {
        return no(format!("No tool output found for function call {id}."));
    }
    if let Some(id) = outputs.iter().find(|id| !calls.contains(id)) {
        return no(format!("No tool call found for function call output with call_id {id}."));
    }
    for pair in input.windows(2).filter(|pair| pair[0]["type"] == "reasoning") {
        let follows = pair[1]["role"] == "assistant"
            || pair[1]["type"].as_str().is_some_and(|kind| kind == "reasoning" || kind.ends_with("_call"));
        if !follows {
            let detail = "of type 'reasoning' was provided without its required following item.";
            return no(format!("Item '{}' {detail}", pair[0]["id"].as_str().unwrap_or_default()));
        }
    }
    Ok(())
}
