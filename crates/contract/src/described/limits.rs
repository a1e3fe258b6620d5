//! Reads windows of limits out of an answer's headers, by the names that the description gives them. The names of most
//! are one pattern with two holes, which differ in their order: `x-ratelimit-{value}-{window}` with OpenAI,
//! `anthropic-ratelimit-{window}-{value}` with Anthropic.

use bitrouter_wait::Ends;
use serde::{Deserialize, Serialize};

use crate::description::Limits;

const WINDOW: &str = "{window}";
const VALUE: &str = "{value}";

/// What a header may say, where one word begins or ends as another the longer first.
const VALUES: [&str; 9] = [
    "used-percent",
    "utilization",
    "window-minutes",
    "window-seconds",
    "reset-after",
    "reset-at",
    "remaining",
    "limit",
    "reset",
];

/// One window of a rate limit or of a plan, as far as a provider speaks of it. As JSON it says moments, never waits.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Window {
    /// The provider's name of it.
    pub name: String,
    /// 0 to 100, where the provider says it.
    pub used_percent: Option<f64>,
    /// How many units it holds.
    pub limit: Option<u64>,
    /// How many are left.
    pub remaining: Option<u64>,
    /// Its length in seconds.
    pub length_seconds: Option<u64>,
    /// Seconds since 1970 at which it begins anew.
    pub resets_at: Option<u64>,
    /// The same as a wait from the moment of the answer on, in seconds.
    #[serde(skip)]
    pub resets_in_seconds: Option<u64>,
}

impl Limits {
    /// Whether a header says something of a limit; its name is in lower case.
    pub fn name(&self, header: &str) -> bool {
        self.headers.iter().any(|pattern| parts(pattern, header).is_some())
    }

    /// The windows that an answer's headers speak of, in the order in which they come.
    pub fn windows<'h>(&self, headers: impl IntoIterator<Item = (&'h str, &'h str)>) -> Vec<Window> {
        let mut windows: Vec<Window> = Vec::new();
        for (header, text) in headers {
            let Some((value, name)) = self.headers.iter().find_map(|pattern| parts(pattern, header)) else { continue };
            let known = windows.iter().position(|window| window.name == name);
            let at = known.unwrap_or_else(|| {
                windows.push(Window { name: name.to_owned(), ..Window::default() });
                windows.len() - 1
            });
            if let Some(window) = windows.get_mut(at) {
                read(window, value, text.trim());
            }
        }
        windows.retain(says_something);
        windows
    }
}

/// A hole of a pattern that is neither of the two.
pub(crate) fn unknown_hole(pattern: &str) -> Option<&str> {
    let mut holes = pattern.match_indices('{').filter_map(|(at, _)| {
        let rest = pattern.get(at..)?;
        rest.get(..=rest.find('}')?)
    });
    holes.find(|hole| ![WINDOW, VALUE].contains(hole))
}

/// What is wrong with a pattern whose holes are known, if anything is.
pub(crate) fn problem(pattern: &str) -> Option<String> {
    if pattern.matches(VALUE).count() != 1 || pattern.matches(WINDOW).count() > 1 {
        return Some(format!("`{pattern}` must hold {VALUE} once, and {WINDOW} at most once"));
    }
    let name = pattern.replace(WINDOW, "w").replace(VALUE, "v");
    let is_name = http::HeaderName::from_bytes(name.as_bytes()).is_ok_and(|header| header.as_str() == name);
    (!is_name).then(|| format!("`{pattern}` is not the name of a header in lower case"))
}

/// The value and the window that a header is of, if the pattern names it.
fn parts<'h>(pattern: &str, header: &'h str) -> Option<(&'static str, &'h str)> {
    let (before, rest) = pattern.split_once('{')?;
    let inner = header.strip_prefix(before)?;
    let pattern = &pattern[pattern.len() - rest.len() - 1..];
    let (window_first, rest) = match pattern.strip_prefix(WINDOW) {
        Some(rest) => (true, rest),
        None => (false, pattern.strip_prefix(VALUE)?),
    };
    let Some((between, after)) = rest.split_once(if window_first { VALUE } else { WINDOW }) else {
        let value = inner.strip_suffix(rest)?;
        return VALUES.into_iter().find(|word| *word == value).map(|value| (value, "requests"));
    };
    let inner = inner.strip_suffix(after)?;
    VALUES.into_iter().find_map(|value| {
        let window = match window_first {
            true => inner.strip_suffix(value)?.strip_suffix(between)?,
            false => inner.strip_prefix(value)?.strip_prefix(between)?,
        };
        (!window.is_empty()).then_some((value, window))
    })
}

fn read(window: &mut Window, value: &str, text: &str) {
    let whole = || text.parse::<u64>().ok();
    let times = |unit: u64| whole().filter(|length| *length > 0).and_then(|length| length.checked_mul(unit));
    let share = |of: f64| text.parse::<f64>().ok().map(|share| share * of).filter(|share| share.is_finite());
    match value {
        "used-percent" => window.used_percent = share(1.0),
        "utilization" => window.used_percent = share(100.0),
        "window-minutes" => window.length_seconds = times(60),
        "window-seconds" => window.length_seconds = times(1),
        "limit" => window.limit = whole(),
        "remaining" => window.remaining = whole(),
        "reset-at" => window.resets_at = times(1),
        _ => match Ends::read(text) {
            Some(Ends::At(at)) => window.resets_at = Some(at),
            Some(Ends::After(after)) => window.resets_in_seconds = Some(after.div_ceil(1000)),
            None => {}
        },
    }
}

/// Those that a plan does not have may come as zeros.
fn says_something(window: &Window) -> bool {
    let Window { name: _, used_percent, limit, remaining, length_seconds, resets_at, resets_in_seconds } = window;
    used_percent.is_some_and(|used| used > 0.0 || length_seconds.is_some())
        || [limit, remaining, resets_at, resets_in_seconds].into_iter().any(|value| value.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pattern: &str, headers: &[(&'static str, &'static str)]) -> Vec<String> {
        let limits = Limits { headers: pattern.split(' ').map(str::to_owned).collect() };
        let windows = limits.windows(headers.iter().copied()).into_iter();
        windows
            .map(|window| {
                let Window { name, used_percent, limit, remaining, length_seconds, resets_at, resets_in_seconds } =
                    window;
                let number = |name: &str, value: Option<u64>| value.map(|value| format!(" {name} {value}"));
                let parts = [
                    used_percent.map(|used| format!(" used {used}")),
                    number("limit", limit),
                    number("left", remaining),
                    number("length", length_seconds),
                    number("at", resets_at),
                    number("in", resets_in_seconds),
                ];
                name + &parts.into_iter().flatten().collect::<String>()
            })
            .collect()
    }

    #[test]
    fn windows_are_read_as_openai_anthropic_codex_and_others_name_them() {
        for (pattern, headers, expected) in [
            (
                "x-ratelimit-{value}-{window}",
                &[
                    ("x-ratelimit-limit-requests", "10000"),
                    ("x-ratelimit-remaining-requests", "9999"),
                    ("x-ratelimit-reset-requests", "6ms"),
                    ("x-ratelimit-limit-tokens", "150000"),
                    ("x-ratelimit-reset-tokens", "6m0s"),
                    ("x-request-id", "x"),
                ][..],
                &["requests limit 10000 left 9999 in 1", "tokens limit 150000 in 360"][..],
            ),
            (
                "anthropic-ratelimit-unified-{window}-{value} anthropic-ratelimit-{window}-{value}",
                &[
                    ("anthropic-ratelimit-input-tokens-limit", "50"),
                    ("anthropic-ratelimit-input-tokens-remaining", "20"),
                    ("anthropic-ratelimit-input-tokens-reset", "2026-01-01T00:00:00Z"),
                    ("anthropic-ratelimit-unified-5h-utilization", "0.25"),
                    ("anthropic-ratelimit-unified-5h-reset", "1767225600"),
                ],
                &["input-tokens limit 50 left 20 at 1767225600", "5h used 25 at 1767225600"],
            ),
            (
                "x-codex-{window}-{value}",
                &[
                    ("x-codex-primary-used-percent", "42.5"),
                    ("x-codex-primary-window-minutes", "300"),
                    ("x-codex-primary-reset-at", "1795500000"),
                    ("x-codex-none-used-percent", "0"),
                    ("x-codex-none-window-minutes", "0"),
                    ("x-codex-none-reset-at", "0"),
                    ("x-codex-turn-state", "abc"),
                    ("x-codex-active-limit", "premium"),
                    ("x-codex-odd-used-percent", "NaN"),
                ],
                &["primary used 42.5 length 18000 at 1795500000"],
            ),
            (
                "ratelimit-{value}",
                &[("ratelimit-limit", " 5 "), ("ratelimit-remaining", "4"), ("ratelimit-reset", "59")],
                &["requests limit 5 left 4 in 59"],
            ),
            (
                "x-{window}-left-{value}-of",
                &[("x-day-left-remaining-of", "7"), ("x-day-left-remaining", "8")],
                &["day left 7"],
            ),
        ] {
            assert_eq!(read(pattern, headers), expected, "{pattern}");
        }
    }

    #[test]
    fn a_reset_is_read_in_every_form_that_providers_write() {
        for (text, expected) in [
            ("6m0s", "tokens in 360"),
            ("2m59.56s", "tokens in 180"),
            ("120ms", "tokens in 1"),
            ("59", "tokens in 59"),
            ("1.5", "tokens in 2"),
            ("2026-01-01T00:00:00Z", "tokens at 1767225600"),
            ("Thu, 01 Jan 2026 00:00:00 GMT", "tokens at 1767225600"),
            ("1767225600", "tokens at 1767225600"),
            ("1767225600000", "tokens at 1767225600"),
        ] {
            assert_eq!(read("x-{value}-{window}", &[("x-reset-tokens", text)]), [expected], "{text}");
        }
        assert!(read("x-{value}-{window}", &[("x-reset-tokens", "soon"), ("x-limit-tokens", "many")]).is_empty());
    }

    #[test]
    fn a_header_is_one_of_limits_only_with_a_value_that_is_known() {
        let limits = Limits { headers: vec!["x-ratelimit-{value}-{window}".into()] };
        for header in ["x-ratelimit-limit-requests", "x-ratelimit-reset-after-x"] {
            assert!(limits.name(header), "{header}");
        }
        for header in
            ["x-ratelimit-", "x-ratelimit-limit", "x-ratelimit-limit-", "x-ratelimit-over-requests", "date", ""]
        {
            assert!(!limits.name(header), "{header}");
        }
    }

    #[test]
    fn a_pattern_that_names_no_value_is_a_mistake() {
        for (pattern, says) in [
            ("x-ratelimit-*", "must hold {value} once"),
            ("x-{window}", "must hold {value} once"),
            ("{value}-{value}", "must hold {value} once"),
            ("{window}-{window}-{value}", "{window} at most once"),
            ("x-{value", "must hold {value} once"),
            ("X-{value}", "in lower case"),
            ("x {value}", "not the name of a header"),
        ] {
            let problem = problem(pattern).unwrap_or_default();
            assert!(problem.contains(says), "{pattern}: {problem}");
        }
        assert_eq!(problem("x-{value}-{window}"), None);
        assert_eq!(unknown_hole("x-{window}-{kind}-{value}"), Some("{kind}"));
        assert_eq!(unknown_hole("x-{value}-{window}-{"), None);
    }
}
