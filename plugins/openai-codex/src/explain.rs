//! What the backend's failures mean: what the SDK knows of OpenAI's, and on top of it what only a plan answers. The
//! hook `explain` calls it, and `interpret` for a side request that failed; it decides nothing about what is tried next.

use bitrouter_provider::{Answer, Failure, Field, Json, Trouble, kind, scope};

/// What a code or type means, whatever the status. An older backend says `usage_limit_reached` with a 404.
const CODES: [(&str, &str, &str); 3] = [
    ("usage_limit_reached", kind::USAGE_LIMIT, scope::ACCOUNT),
    ("usage_not_included", kind::FORBIDDEN, scope::ACCOUNT),
    ("cyber_policy", kind::CONTENT_FILTERED, scope::MODEL),
];

/// What a message means that comes without a code, as `{"detail": "…"}`. Another account's plan may have the model.
const PHRASES: [(&str, &str, &str); 1] =
    [("not supported when using Codex with a ChatGPT account", kind::MODEL_NOT_FOUND, scope::ACCOUNT)];

pub(crate) fn explain(trouble: &Trouble) -> Failure {
    let (text, hidden) = match trouble {
        Trouble::Answer(answer) => (&answer.body, code_in_headers(answer)),
        Trouble::Event(text) => match answer_in(Json::parse(text)) {
            Some(answer) => return explain(&Trouble::Answer(answer)),
            None => (text, None),
        },
    };
    let mut failure = bitrouter_provider::explain(trouble);
    let body = Json::parse(text);
    let error = body.get("error").or_else(|| body.at(&["response", "error"])).unwrap_or(body);
    failure.code = failure.code.or(hidden);
    let coded = CODES.iter().find(|(code, ..)| {
        let said = |name| error.get(name).is_some_and(|value| value.is(code));
        said("code") || said("type") || failure.code.as_deref() == Some(code)
    });
    if let Some((_, kind, scope)) = coded.or_else(|| PHRASES.iter().find(|(words, ..)| failure.message.contains(words))) {
        (failure.kind, failure.scope) = ((*kind).into(), (*scope).into());
    } else if failure.kind == kind::OTHER {
        // The CLI tries again after each event that it has no name for.
        failure.kind = kind::UNAVAILABLE.into();
    }
    failure.resets_at = error.get("resets_at").and_then(Json::integer);
    if failure.retry_after_ms.is_none() {
        let seconds = error.get("resets_in_seconds").and_then(Json::integer);
        let delay = || (failure.kind == kind::RATE_LIMITED).then(|| delay_ms(&failure.message)).flatten();
        failure.retry_after_ms = seconds.map(|seconds| seconds.saturating_mul(1000)).or_else(delay);
    }
    failure
}

/// An event that carries a whole answer: `{"type": "error", "status": 429, "error": {…}, "headers": {…}}`.
fn answer_in(event: Json<'_>) -> Option<Answer> {
    let status = u16::try_from(event.get("status")?.integer()?).ok()?;
    let headers = event.get("headers").into_iter().flat_map(Json::members).filter_map(|(name, value)| {
        Some(Field::new(name.text()?.to_ascii_lowercase(), value.text().unwrap_or(value.raw().into())))
    });
    Some(Answer { status, headers: headers.collect(), body: event.raw().into(), truncated: false })
}

/// The code of an answer whose body says none: it may stand in two headers, in one of them inside JSON in base64.
fn code_in_headers(answer: &Answer) -> Option<String> {
    if let Some(code) = answer.header("x-openai-authorization-error") {
        return Some(code.into());
    }
    let error = base64(answer.header("x-error-json")?)?;
    Some(Json::parse(&error).at(&["error", "code"])?.text()?.into_owned())
}

fn base64(text: &str) -> Option<String> {
    let (mut bytes, mut bits, mut held) = (Vec::new(), 0_u32, 0);
    for byte in text.trim_end_matches('=').bytes() {
        let digit = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return None,
        };
        (bits, held) = (bits << 6 | u32::from(digit), held + 6);
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held) as u8);
        }
    }
    String::from_utf8(bytes).ok()
}

/// The delay of "Please try again in 1.2s", which may also be written with `ms`, `second` or `seconds`.
fn delay_ms(message: &str) -> Option<u64> {
    let message = message.to_ascii_lowercase();
    let rest = message.split_once("try again in")?.1.trim_start();
    let unit = rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
    let number: f64 = rest.strip_suffix(unit)?.parse().ok()?;
    let unit = unit.trim_start();
    let factor = if unit.starts_with("ms") { 1.0 } else if unit.starts_with('s') { 1000.0 } else { return None };
    Some((number * factor).ceil() as u64)
}
