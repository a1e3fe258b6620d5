//! The `x-ratelimit-*` headers that OpenAI answers with and many copied. `Provider::quota` calls it by default.

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
    let (limit, remaining, resets_in_seconds) = (number(limit), number(remaining), reset.and_then(seconds));
    if limit.is_none() && remaining.is_none() && resets_in_seconds.is_none() {
        return None;
    }
    Some(Window { limit, remaining, resets_in_seconds, ..Window::named(name) })
}

fn seconds(text: &str) -> Option<u64> {
    Some(milliseconds(text)?.div_ceil(1000))
}

/// A duration such as `6m0s`, `1h2m3s`, `7.66s`, `120ms`, `3seconds` or plain seconds.
pub(crate) fn milliseconds(text: &str) -> Option<u64> {
    let mut milliseconds: u64 = 0;
    let mut rest = text.trim_ascii();
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let (whole, after) = digits(rest);
        let (fraction, after) = after.strip_prefix('.').map_or(("", after), digits);
        let (unit, after) = leading(after, u8::is_ascii_alphabetic);
        let unit = match unit {
            "d" => 86_400_000,
            "h" => 3_600_000,
            "m" => 60_000,
            "s" | "second" | "seconds" | "" => 1000,
            "ms" => 1,
            _ => return None,
        };
        let mut place = unit;
        milliseconds = milliseconds.checked_add(whole.parse::<u64>().ok()?.checked_mul(unit)?)?;
        for digit in fraction.bytes() {
            place /= 10;
            milliseconds += u64::from(digit - b'0') * place;
        }
        rest = after;
    }
    Some(milliseconds)
}

fn digits(text: &str) -> (&str, &str) {
    leading(text, u8::is_ascii_digit)
}

/// The ASCII bytes of one class that a text starts with, and the rest.
fn leading(text: &str, class: fn(&u8) -> bool) -> (&str, &str) {
    let end = text.bytes().position(|byte| !class(&byte)).unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or((text, ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_in_every_form_that_providers_write() {
        for (text, expected) in [
            ("6m0s", Some(360)),
            ("1h2m3s", Some(3723)),
            ("7.66s", Some(8)),
            ("120ms", Some(1)),
            ("59", Some(59)),
            ("0s", Some(0)),
            ("1d", Some(86_400)),
            ("", None),
            ("soon", None),
            ("2026-01-01T00:00:00Z", None),
            ("99999999999999999999s", None),
        ] {
            assert_eq!(seconds(text), expected, "{text}");
        }
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
