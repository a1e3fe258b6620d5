//! Reads the windows of a plan: from an answer's headers, from the event `codex.rate_limits`, and from the account's
//! usage page. `quota` and `interpret` call it. All three name a window alike: `primary` and `secondary` for the plan's
//! own, `bengalfox-primary` for those of a further limit `codex-bengalfox`.

use bitrouter_provider::{Failure, Field, Json, Window, quote};

/// The windows of `x-<limit>-<window>-{used-percent,window-minutes,reset-at}`, where `x-codex-*` brings them.
pub(crate) fn of_headers(headers: &[Field]) -> Vec<Window> {
    let used = headers.iter().filter_map(|used| Some((used.name.strip_suffix("-used-percent")?, &used.value)));
    let windows = used.filter_map(|(start, used)| {
        let part = |end: &str| {
            let mut fields = headers.iter();
            fields.find(|field| field.name.strip_prefix(start) == Some(end))?.value.trim().parse::<u64>().ok()
        };
        window(start.strip_prefix("x-")?, used.trim().parse().ok(), part("-window-minutes"), part("-reset-at"))
    });
    windows.collect()
}

/// The windows of `{"rate_limits": {"primary": {"used_percent", "window_minutes", "reset_at"}, "secondary"},
/// "metered_limit_name": "codex"}`.
pub(crate) fn of_event(event: Json<'_>) -> Vec<Window> {
    let limit = event.get("metered_limit_name").or_else(|| event.get("limit_name")).and_then(Json::text);
    let limit = limit.map_or("codex".into(), |name| name.replace('_', "-"));
    let windows = event.get("rate_limits").into_iter().flat_map(Json::members).filter_map(|(name, value)| {
        let whole = |name| value.get(name).and_then(Json::integer);
        let used = value.get("used_percent").and_then(|used| used.raw().parse().ok());
        window(&[limit.as_str(), "-", &name.text()?].concat(), used, whole("window_minutes"), whole("reset_at"))
    });
    windows.collect()
}

/// A window that the backend says something of; one that it does not use comes as zeros.
fn window(name: &str, used_percent: Option<f64>, minutes: Option<u64>, resets_at: Option<u64>) -> Option<Window> {
    let length_seconds = minutes.filter(|minutes| *minutes > 0).map(|minutes| minutes.saturating_mul(60));
    let resets_at = resets_at.filter(|at| *at > 0);
    let speaks = used_percent.is_some_and(|used| used > 0.0) || length_seconds.is_some() || resets_at.is_some();
    speaks.then(|| Window {
        name: name.strip_prefix("codex-").unwrap_or(name).into(),
        used_percent,
        limit: None,
        remaining: None,
        length_seconds,
        resets_at,
        resets_in_seconds: None,
    })
}

/// What each window of the usage page is called here.
const USAGE: [(&str, &str, &str); 4] = [
    ("rate_limit", "primary_window", "primary"),
    ("rate_limit", "secondary_window", "secondary"),
    ("code_review_rate_limit", "primary_window", "code-review-primary"),
    ("code_review_rate_limit", "secondary_window", "code-review-secondary"),
];

/// The usage page, `{"plan_type", "rate_limit": {"primary_window": {"used_percent", "limit_window_seconds", "reset_at"},
/// "secondary_window"}, "code_review_rate_limit"}`, in the form that the host reads.
pub(crate) fn usage(page: Json<'_>) -> Result<String, Failure> {
    let Some(plan) = page.get("plan_type").and_then(Json::text) else {
        return Err(Failure::new("other", "provider", "the usage page is not in the form of Codex: it names no plan"));
    };
    let mut text = String::from("{\"windows\":[");
    for (limit, window, name) in USAGE {
        let Some(window) = page.at(&[limit, window]) else { continue };
        let members = [("used_percent", "used_percent"), ("limit_window_seconds", "length_seconds"), ("reset_at", "resets_at")];
        let Some(_) = window.get("used_percent") else { continue };
        text.push_str(if text.ends_with('[') { "{\"name\":" } else { ",{\"name\":" });
        text.push_str(&quote(name));
        for (theirs, ours) in members {
            let Some(value) = window.get(theirs).filter(|value| value.integer().is_some()) else { continue };
            text.push_str(&[",", &quote(ours), ":", value.raw()].concat());
        }
        text.push('}');
    }
    text.push_str(&["],\"plan\":", &quote(&plan), "}"].concat());
    Ok(text)
}
