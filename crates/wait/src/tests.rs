use super::*;

/// Sun, 06 Nov 1994 08:49:37 GMT, the example of RFC 9110.
const THEN: u64 = 784_111_777;

#[test]
fn a_date_is_read_in_the_three_forms_of_http_and_in_that_of_rfc_3339() {
    for text in [
        "Sun, 06 Nov 1994 08:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
        " Sun, 6 Nov 1994 08:49:37 UTC ",
        "1994-11-06T08:49:37Z",
        "1994-11-06T08:49:37.123456Z",
        "1994-11-06T10:19:37+01:30",
        "1994-11-05t23:49:37-09:00",
        "1994-11-06 08:49:37Z",
    ] {
        assert_eq!(date(text), Some(THEN), "{text}");
    }
    for (text, expected) in [
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
        ("Tue, 29 Feb 2028 23:59:59 GMT", 1_835_481_599),
        ("Wednesday, 01-Mar-28 00:00:00 GMT", 1_835_481_600),
        ("2026-12-31T23:59:60Z", 1_798_761_600),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 253_402_300_799),
    ] {
        assert_eq!(date(text), Some(expected), "{text}");
    }
    for text in [
        "",
        "soon",
        "Sun",
        "Sun, 06 Nov 1994",
        "Sun, 06 Nov 1994 08:49 GMT",
        "Sun, 06 Nov 1994 24:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 CET",
        "Sun, 06 Now 1994 08:49:37 GMT",
        "Sun, 99 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1894 08:49:37 GMT",
        "1994-11-06",
        "1994-11-06T08:49:37",
        "1994-13-06T08:49:37Z",
        "ä994-11-06T08:49:37Z",
        "1994-11-06T08:49:3äZ",
    ] {
        assert_eq!(date(text), None, "{text}");
    }
}

#[test]
fn a_wait_is_read_in_every_form_that_providers_write() {
    for (text, expected) in [
        ("59", 59_000),
        (" 1.5 ", 1500),
        ("0", 0),
        ("6m0s", 360_000),
        ("1h2m3s", 3_723_000),
        ("7.66s", 7660),
        ("2m59.56s", 179_560),
        ("120ms", 120),
        ("3seconds", 3000),
        ("45.837906927s", 45_837),
        ("1d", 86_400_000),
    ] {
        assert_eq!(milliseconds(text), Some(expected), "{text}");
    }
    for text in
        ["", "soon", "-5", "+5", "1e3", "5x", ".", "1.2.3", "NaN", "99999999999999999999", "18446744073709551615"]
    {
        assert_eq!(milliseconds(text), None, "{text}");
    }
}

#[test]
fn a_number_that_cannot_be_a_wait_is_a_moment() {
    assert_eq!(Ends::read("784111777.5"), Some(Ends::After(784_111_777_500)));
    assert_eq!(Ends::read("1794111777"), Some(Ends::At(1_794_111_777)));
    assert_eq!(Ends::read("1794111777000"), Some(Ends::At(1_794_111_777)));
    assert_eq!(Ends::read("2026-11-06T08:49:37Z"), Some(Ends::At(1_793_954_977)));
}

fn told_at(now: Option<u64>, headers: &[(&str, &str)]) -> Option<Ends> {
    retry_after(headers.iter().copied(), now)
}

#[test]
fn every_form_of_retry_after_is_a_wait_from_the_answers_own_date_on() {
    const DATE: (&str, &str) = ("date", "Sun, 06 Nov 1994 08:49:07 GMT");
    for (value, expected) in [
        ("30", 30_000),
        ("1.5", 1500),
        ("Sun, 06 Nov 1994 08:49:37 GMT", 30_000),
        ("Sunday, 06-Nov-94 08:49:37 GMT", 30_000),
        ("Sun Nov  6 08:49:37 1994", 30_000),
        ("1994-11-06T08:49:37Z", 30_000),
    ] {
        // This machine's clock is a day ahead.
        assert_eq!(
            told_at(Some(THEN + 86_400), &[DATE, ("retry-after", value)]),
            Some(Ends::After(expected)),
            "{value}"
        );
    }
    let date = ("retry-after", "Sun, 06 Nov 1994 08:49:37 GMT");
    assert_eq!(told_at(None, &[date]), Some(Ends::At(THEN)), "without a clock it stays a moment");
    assert_eq!(told_at(Some(THEN - 90), &[date]), Some(Ends::At(THEN)));
    assert_eq!(told_at(None, &[("retry-after-ms", "1500.5"), ("retry-after", "9")]), Some(Ends::After(1500)));
    assert_eq!(told_at(None, &[("retry-after-ms", "soon"), ("retry-after", "9")]), Some(Ends::After(9000)));
    assert_eq!(told_at(None, &[("retry-after", "soon"), ("retry-after", "9")]), Some(Ends::After(9000)));
}

#[test]
fn what_has_gone_by_is_nonsense_or_is_far_too_long_is_nothing() {
    for value in [
        "",
        "0",
        "-1",
        "soon",
        "0x10",
        "99999999",
        "9999999999",
        "99999999999999999999999",
        "Sun, 06 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:36 GMT",
        "Fri, 31 Dec 9999 23:59:59 GMT",
        "784111777",
    ] {
        assert_eq!(told_at(Some(THEN), &[("retry-after", value)]), None, "{value}");
    }
    for value in ["99999999999", "99999999999999", "Fri, 31 Dec 9999 23:59:59 GMT", "soon", "0"] {
        assert_eq!(told_at(None, &[("retry-after", value)]), None, "{value}, without a clock");
    }
}

#[test]
fn the_window_that_is_used_up_says_when_it_resets() {
    for (headers, expected) in [
        // OpenAI's and Groq's: the tokens are what was used up.
        (
            &[
                ("x-ratelimit-remaining-requests", "99"),
                ("x-ratelimit-reset-requests", "6m0s"),
                ("x-ratelimit-remaining-tokens", "0"),
                ("x-ratelimit-reset-tokens", "2m59.56s"),
            ][..],
            Some(Ends::After(179_560)),
        ),
        // Both: the last.
        (
            &[
                ("x-ratelimit-remaining-requests", "0"),
                ("x-ratelimit-reset-requests", "120ms"),
                ("x-ratelimit-remaining-tokens", "0"),
                ("x-ratelimit-reset-tokens", "3"),
            ],
            Some(Ends::After(3000)),
        ),
        // Neither: nobody knows which it was.
        (
            &[
                ("x-ratelimit-remaining-requests", "1"),
                ("x-ratelimit-reset-requests", "120ms"),
                ("x-ratelimit-reset-tokens", "3"),
            ],
            None,
        ),
        // Anthropic's.
        (
            &[
                ("anthropic-ratelimit-tokens-remaining", "0"),
                ("anthropic-ratelimit-tokens-reset", "1994-11-06T08:50:37Z"),
                ("anthropic-ratelimit-requests-remaining", "5"),
                ("anthropic-ratelimit-requests-reset", "1994-11-06T08:59:37Z"),
            ],
            Some(Ends::At(THEN + 60)),
        ),
        // One window alone: of the draft, of OpenRouter in milliseconds, and one that has gone by.
        (&[("ratelimit-reset", "30")], Some(Ends::After(30_000))),
        (&[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset-after", "1.5")], Some(Ends::After(1500))),
        (&[("x-ratelimit-remaining", "5"), ("x-ratelimit-reset", "30")], None),
        (&[("x-ratelimit-reset", "0")], None),
        (&[("x-ratelimit-limit-requests", "60")], None),
    ] {
        assert_eq!(limit_ends(headers.iter().copied(), Some(THEN)), expected, "{headers:?}");
        assert_eq!(told_at(Some(THEN), headers), None, "only a limit ends with its window: {headers:?}");
    }
    let openrouter = [("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1794111777000")];
    let ends = limit_ends(openrouter.into_iter(), Some(1_794_111_700));
    assert_eq!(ends, Some(Ends::At(1_794_111_777)));
}
