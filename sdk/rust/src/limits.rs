//! The `x-ratelimit-*` headers that OpenAI answers with and many copied. `Provider::quota` calls it by default.

use bitrouter_wait::Ends;

use crate::call::value;
use crate::{Field, Window};

impl Window {
    /// A window of which only the name is known yet.
    pub fn named(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            used_percent: None,
            limit: None,
            remaining: None,
            length_seconds: None,
            resets_at: None,
            resets_in_seconds: None,
        }
    }
}

/// The windows `requests` and `tokens`, as far as `x-ratelimit-{limit,remaining,reset}-{requests,tokens}` say them.
pub fn rate_limits(headers: &[Field]) -> Vec<Window> {
    let requests = window(
        "requests",
        [
            value(headers, "x-ratelimit-limit-requests"),
            value(headers, "x-ratelimit-remaining-requests"),
            value(headers, "x-ratelimit-reset-requests"),
        ],
    );
    let tokens = window(
        "tokens",
        [
            value(headers, "x-ratelimit-limit-tokens"),
            value(headers, "x-ratelimit-remaining-tokens"),
            value(headers, "x-ratelimit-reset-tokens"),
        ],
    );
    requests.into_iter().chain(tokens).collect()
}

fn window(name: &str, [limit, remaining, reset]: [Option<&str>; 3]) -> Option<Window> {
    let number = |text: Option<&str>| text?.trim_ascii().parse().ok();
    let (limit, remaining, reset) = (number(limit), number(remaining), reset.and_then(Ends::read));
    if limit.is_none() && remaining.is_none() && reset.is_none() {
        return None;
    }
    let (resets_at, resets_in_seconds) = match reset {
        Some(Ends::At(at)) => (Some(at), None),
        Some(Ends::After(after)) => (None, Some(after.div_ceil(1000))),
        None => (None, None),
    };
    Some(Window { limit, remaining, resets_at, resets_in_seconds, ..Window::named(name) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reset_is_read_in_every_form_that_providers_write() {
        for (text, expected) in [
            ("6m0s", (None, Some(360))),
            ("2m59.56s", (None, Some(180))),
            ("120ms", (None, Some(1))),
            ("59", (None, Some(59))),
            ("2026-01-01T00:00:00Z", (Some(1_767_225_600), None)),
            ("1767225600", (Some(1_767_225_600), None)),
        ] {
            let windows = rate_limits(&[Field::new("x-ratelimit-reset-tokens", text)]);
            assert_eq!((windows[0].resets_at, windows[0].resets_in_seconds), expected, "{text}");
        }
        assert!(rate_limits(&[Field::new("x-ratelimit-reset-tokens", "soon")]).is_empty());
    }

    #[test]
    fn only_windows_that_a_header_speaks_of_are_there() {
        let headers =
            [Field::new("x-ratelimit-remaining-tokens", "149984"), Field::new("x-ratelimit-reset-tokens", "6ms")];
        let windows = rate_limits(&headers);
        assert_eq!(windows.len(), 1);
        assert_eq!((windows[0].name.as_str(), windows[0].remaining, windows[0].limit), ("tokens", Some(149_984), None));
        assert_eq!(windows[0].resets_in_seconds, Some(1));
        assert!(rate_limits(&[]).is_empty());
    }
}
