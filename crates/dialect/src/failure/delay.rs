//! The wait that only a sentence says: OpenAI's "Please try again in 1.2s.", also `20ms`, `6m0s` and `3 seconds`, and
//! Google's "Please retry in 10h17m5.7s.".

use bitrouter_wait::milliseconds;

/// What stands before it, in lower case.
const BEFORE: [&str; 2] = ["try again in ", "retry in "];

/// The wait in milliseconds.
pub(super) fn in_sentence(sentence: &str) -> Option<u64> {
    let lower = sentence.to_ascii_lowercase();
    let rest = BEFORE.iter().find_map(|words| Some(lower.split_once(words)?.1))?;
    let mut words = rest.split_ascii_whitespace().map(|word| word.trim_end_matches(['.', ',']));
    let delay = words.next()?;
    match delay.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        true => milliseconds(&[delay, words.next()?].concat()),
        false => milliseconds(delay),
    }
}

#[cfg(test)]
mod tests {
    use super::in_sentence;

    #[test]
    fn a_wait_in_a_sentence_is_read_in_every_form() {
        for (sentence, expected) in [
            ("Limit 1, used 1. Please try again in 1.2s. Visit a page.", Some(1200)),
            ("Please try again in 20ms.", Some(20)),
            ("Try again in 6m0s", Some(360_000)),
            ("try again in 1m2.5s, or later", Some(62_500)),
            ("try again in 3 seconds.", Some(3000)),
            ("Please retry in 10h17m5.7s.", Some(37_025_700)),
            ("Please try again in a while.", None),
            ("Please try again in 5", None),
            ("Please try again in", None),
            ("", None),
        ] {
            assert_eq!(in_sentence(sentence), expected, "{sentence}");
        }
    }
}
