//! Reads the windows of a plan: from the event `codex.rate_limits`, and from the account's usage page. `quota` and
//! `interpret` call it. They name a window as the description does those of an answer's headers: `primary` and `secondary`
//! for the plan's own, `bengalfox-primary` for that of a further limit `codex-bengalfox`.

use bitrouter_provider::{Failure, Json, Window, usage_json};

/// The windows of `{"rate_limits": {"primary": {"used_percent", "window_minutes", "reset_at"}, "secondary": …},
/// "metered_limit_name": "codex"}`.
pub(crate) fn of_event(event: Json<'_>) -> Vec<Window> {
    let limit = event.get("metered_limit_name").and_then(Json::text).unwrap_or("codex".into()).replace('_', "-");
    let windows = event.get("rate_limits").into_iter().flat_map(Json::members).filter_map(|(name, value)| {
        let whole = |name| value.get(name)?.integer();
        let name = [limit.as_str(), "-", &name.text()?].concat();
        window(&name, value.get("used_percent")?.raw(), (whole("window_minutes"), 60), whole("reset_at"))
    });
    windows.collect()
}

/// One window, if it is one: those that a plan does not have may come as zeros. Its length is a number and its unit in
/// seconds.
fn window(name: &str, used: &str, length: (Option<u64>, u64), resets_at: Option<u64>) -> Option<Window> {
    let used: f64 = used.parse().ok()?;
    let length_seconds = length.0.filter(|length| *length > 0).and_then(|number| number.checked_mul(length.1));
    let name = name.strip_prefix("codex-").unwrap_or(name);
    (used > 0.0 || length_seconds.is_some()).then(|| Window {
        used_percent: Some(used),
        length_seconds,
        resets_at,
        ..Window::named(name)
    })
}

/// The usage page, in the form that the host reads: `{"plan_type", "rate_limit": {"primary_window": {"used_percent",
/// "limit_window_seconds", "reset_at"}, "secondary_window": …}}`.
pub(crate) fn usage(page: Json<'_>) -> Result<String, Failure> {
    let Some(plan) = page.get("plan_type").and_then(Json::text) else {
        return Err(Failure::new("other", "provider", "the usage page is not in the form of Codex: it names no plan"));
    };
    let windows = [("primary_window", "primary"), ("secondary_window", "secondary")].map(|(theirs, ours)| {
        let theirs = page.at(&["rate_limit", theirs])?;
        let whole = |name| theirs.get(name)?.integer();
        window(ours, theirs.get("used_percent")?.raw(), (whole("limit_window_seconds"), 1), whole("reset_at"))
    });
    Ok(usage_json(&windows.into_iter().flatten().collect::<Vec<_>>(), &plan))
}
