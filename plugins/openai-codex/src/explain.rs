//! What the backend's failures mean: what the SDK knows of OpenAI's, and on top of it what only a plan answers. The
//! hook `explain` calls it, and `interpret` for a side request that failed; what is tried next is the host's decision.

use bitrouter_provider::{Answer, Failure, Json, Trouble, base64, kind, scope};

/// What a code or type means, whatever the status (an older backend answers `usage_limit_reached` with 404), or words
/// of a message that comes without one, as `{"detail": "…"}`.
const MEANINGS: [(&str, &str, &str); 4] = [
    ("usage_limit_reached", kind::USAGE_LIMIT, scope::ACCOUNT),
    ("usage_not_included", kind::FORBIDDEN, scope::ACCOUNT),
    ("cyber_policy", kind::CONTENT_FILTERED, scope::MODEL),
    // The plan of another account may have the model.
    ("not supported when using Codex with a ChatGPT account", kind::MODEL_NOT_FOUND, scope::ACCOUNT),
];

pub(crate) fn explain(trouble: &Trouble) -> Failure {
    let (text, hidden) = match trouble {
        Trouble::Answer(answer) => (&answer.body, code_in_headers(answer)),
        Trouble::Event(text) => (text, None),
    };
    let mut failure = bitrouter_provider::explain(trouble);
    let body = Json::parse(text);
    let error = body.get("error").or_else(|| body.at(&["response", "error"])).unwrap_or(body);
    failure.code = failure.code.or(hidden);
    let class = error.get("type").and_then(Json::text);
    let meaning = MEANINGS.iter().find(|(words, ..)| {
        failure.code.as_deref() == Some(words) || class.as_deref() == Some(words) || failure.message.contains(words)
    });
    if let Some((_, kind, scope)) = meaning {
        (failure.kind, failure.scope) = ((*kind).into(), (*scope).into());
    } else if failure.kind == kind::OTHER {
        // The CLI tries again after each event that it has no name for.
        failure.kind = kind::UNAVAILABLE.into();
    }
    failure.resets_at = error.get("resets_at").and_then(Json::integer);
    let seconds = || error.get("resets_in_seconds").and_then(Json::integer);
    failure.retry_after_ms = failure.retry_after_ms.or_else(|| seconds()?.checked_mul(1000));
    failure
}

/// The code of an answer whose body has none: two headers may say it, one of them as JSON in base64.
fn code_in_headers(answer: &Answer) -> Option<String> {
    let sealed = || {
        let json = String::from_utf8(base64(answer.header("x-error-json")?)?).ok()?;
        Some(Json::parse(&json).at(&["error", "code"])?.text()?.into())
    };
    answer.header("x-openai-authorization-error").map(Into::into).or_else(sealed)
}
