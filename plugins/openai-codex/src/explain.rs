//! What the backend's failures mean: what the SDK knows of OpenAI's, and on top of it what only a plan answers. The
//! hook `explain` calls it, and `interpret` for a side request that failed; what is tried next is the host's decision.

use bitrouter_provider::{Failure, Trouble, kind, scope};

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
    let mut failure = bitrouter_provider::explain(trouble);
    let said = |words: &str| failure.code.as_deref() == Some(words) || failure.message.contains(words);
    if let Some((_, kind, scope)) = MEANINGS.iter().find(|(words, ..)| said(words)) {
        (failure.kind, failure.scope) = ((*kind).into(), (*scope).into());
    } else if failure.kind == kind::OTHER && matches!(trouble, Trouble::Event(_)) {
        // The CLI tries again after each event that it has no name for.
        failure.kind = kind::UNAVAILABLE.into();
    }
    failure
}
