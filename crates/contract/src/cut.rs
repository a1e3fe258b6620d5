//! Texts of a component's choosing, cut where they enter: they go into errors that clients read, into headers and into
//! the log, and a component may make them as long as its memory.

/// Bytes of a sentence.
const SENTENCE: usize = 1024;
/// Bytes of a word, such as a code.
const WORD: usize = 256;

/// A sentence about or by a component.
pub fn sentence(text: impl Into<String>) -> String {
    cut(text.into(), SENTENCE)
}

/// A word of a component's, such as a code.
pub fn word(text: String) -> String {
    cut(text, WORD)
}

fn cut(mut text: String, most: usize) -> String {
    if text.len() > most {
        text.truncate(text.floor_char_boundary(most));
        text.push('…');
        text.shrink_to_fit();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_is_longer_than_its_place() {
        let long = "ü\n".repeat(1 << 20);
        for (cut, most) in [(sentence(long.clone()), SENTENCE), (word(long), WORD)] {
            assert!(cut.len() <= most + '…'.len_utf8() && cut.ends_with('…'));
        }
        assert_eq!(sentence("short"), "short");
    }
}
