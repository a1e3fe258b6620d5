//! Spans of time in words, as commands show them: short, and rounded down to two units.

use bitrouter_credential::Timestamp;

/// A number of seconds: `45 s`, `12 min`, `3 h 5 min`, `2 d 4 h`.
pub(super) fn words(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    let both =
        |large: String, small: u64, unit: &str| if small == 0 { large } else { format!("{large} {small} {unit}") };
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{minutes} min"),
        3600..86_400 => both(format!("{hours} h"), minutes % 60, "min"),
        _ => both(format!("{days} d"), hours % 24, "h"),
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
            (3599, "59 min"),
            (3600, "1 h"),
            (3660, "1 h 1 min"),
            (18_000, "5 h"),
            (604_800, "7 d"),
            (604_799, "6 d 23 h"),
        ] {
            assert_eq!(words(seconds), expected);
        }
    }

    #[test]
    fn what_was_a_moment_ago_or_lies_ahead_is_now() {
        let now = Timestamp::from_unix(10_000).unwrap();
        for (then, expected) in [(10_050, "just now"), (9950, "just now"), (9800, "3 min ago")] {
            assert_eq!(ago(then, now), expected);
        }
    }
}
