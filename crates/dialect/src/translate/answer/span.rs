//! Places in a text, counted in characters, while the text stands between the quotes of a JSON string: citations of Chat
//! Completions and Responses are told by them. An escape is one character, and so is a pair of surrogates.

/// How many characters a text has.
pub(super) fn characters(inside: &[u8]) -> u64 {
    let (mut count, mut at) = (0, 0);
    while let Some(next) = step(inside, at) {
        count += 1;
        at = next;
    }
    count
}

/// The characters from one place up to another; none if there are not so many, or none between.
pub(super) fn slice(inside: &[u8], start: u64, end: u64) -> Option<&[u8]> {
    let (mut count, mut at, mut from) = (0, 0, None);
    loop {
        if count == start {
            from = Some(at);
        }
        if count == end {
            return inside.get(from?..at).filter(|words| !words.is_empty());
        }
        at = step(inside, at)?;
        count += 1;
    }
}

/// The offset behind the character that begins at `at`.
fn step(inside: &[u8], at: usize) -> Option<usize> {
    let first = *inside.get(at)?;
    if first == b'\\' {
        let end = at + escape(inside, at);
        // Half of a pair, with the other half behind it.
        let paired = half(inside, at) == Some(true) && half(inside, end) == Some(false);
        let end = if paired { end + escape(inside, end) } else { end };
        return Some(end.min(inside.len()));
    }
    let rest = inside.get(at + 1..)?.iter().take_while(|byte| **byte & 0xC0 == 0x80).count();
    Some(at + 1 + rest)
}

fn escape(inside: &[u8], at: usize) -> usize {
    if inside.get(at + 1) == Some(&b'u') { 6 } else { 2 }
}

/// Whether an escape is the first half of a surrogate pair, or the second; none if it is neither.
fn half(inside: &[u8], at: usize) -> Option<bool> {
    let escape = inside.get(at..at + 4)?;
    if !escape.starts_with(b"\\u") || !escape[2].eq_ignore_ascii_case(&b'd') {
        return None;
    }
    match escape[3].to_ascii_lowercase() {
        b'8' | b'9' | b'a' | b'b' => Some(true),
        b'c'..=b'f' => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::translate::writer::{escaped, unescaped};
    use proptest::prelude::*;

    #[test]
    fn an_escape_is_one_character_and_so_is_a_pair() {
        assert_eq!(characters(br#"a\n\"\u00e9\ud83d\ude00\\"#), 6);
        assert_eq!(characters("aé\u{1F600}".as_bytes()), 3);
        assert_eq!(slice(br"a\ud83d\ude00b", 1, 2), Some(&br"\ud83d\ude00"[..]));
        assert_eq!(slice(b"abc", 1, 1), None);
        assert_eq!(slice(b"abc", 2, 1), None);
        assert_eq!(slice(b"abc", 1, 4), None);
        assert_eq!(slice(b"abc", 1, 3), Some(&b"bc"[..]));
    }

    proptest! {
        #[test]
        fn places_are_those_of_the_text(text: String, start in 0_usize..8, length in 1_usize..8) {
            let inside = escaped(&text);
            prop_assert_eq!(characters(&inside), text.chars().count() as u64);
            let words: String = text.chars().skip(start).take(length).collect();
            let found = slice(&inside, start as u64, (start + length) as u64).map(|it| unescaped(it).unwrap().into_owned());
            prop_assert_eq!(found, (text.chars().count() >= start + length).then_some(words));
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes: Vec<u8>, start: u64, end: u64) {
            let _ = characters(&bytes);
            let _ = slice(&bytes, start, end);
        }
    }
}
