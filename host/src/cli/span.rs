//! Spans of time in words, as commands show them: short, and rounded down to two units.

use bitrouter_files::Timestamp;

/// A number of seconds by its two largest units: `45 s`, `1 min 30 s`, `3 h`, `2 d 4 h`.
pub(super) fn words(seconds: u64) -> String {
    const UNITS: [(&str, u64); 4] = [("d", 86_400), ("h", 3600), ("min", 60), ("s", 1)];
    let largest = UNITS.iter().position(|(_, unit)| seconds >= *unit).unwrap_or(UNITS.len() - 1);
    let (unit, length) = UNITS[largest];
    let (many, rest) = (seconds / length, seconds % length);
    match UNITS.get(largest + 1) {
        Some((smaller, length)) if rest >= *length => format!("{many} {unit} {} {smaller}", rest / length),
        _ => format!("{many} {unit}"),
    }
}

/// How long ago something was, in seconds since 1970.
pub(super) fn ago(then: u64, now: Timestamp) -> String {
    match u64::try_from(now.unix()).unwrap_or_default().saturating_sub(then) {
        0..60 => "just now".into(),
        seconds => format!("{} ago", words(seconds)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_has_at_most_two_units() {
        for (seconds, expected) in [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (61, "1 min 1 s"),
            (3599, "59 min 59 s"),
            (3600, "1 h"),
            (3659, "1 h"),
            (3660, "1 h 1 min"),
            (7200, "2 h"),
            (18_000, "5 h"),
            (604_800, "7 d"),
            (604_799, "6 d 23 h"),
            (200_000, "2 d 7 h"),
        ] {
            assert_eq!(words(seconds), expected);
        }
    }

    #[test]
    fn what_was_a_moment_ago_or_lies_ahead_is_now() {
        let now = Timestamp::from_unix(10_000).unwrap();
        for (then, expected) in [(10_050, "just now"), (9950, "just now"), (9800, "3 min 20 s ago")] {
            assert_eq!(ago(then, now), expected);
        }
    }
}
