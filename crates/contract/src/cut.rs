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

/// The same text on one line, without what a terminal would obey or turn around.
pub fn one_line(text: &str) -> String {
    let odd = |letter: char| {
        letter.is_control()
            || matches!(letter, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}')
    };
    let mut line = String::with_capacity(text.len());
    for letter in text.chars() {
        if odd(letter) { line.extend(letter.escape_default()) } else { line.push(letter) }
    }
    line
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

    #[test]
    fn a_line_writes_nothing_on_a_terminal() {
        assert_eq!(one_line("a\r\n\u{1b}[31mü\u{202e}"), "a\\r\\n\\u{1b}[31mü\\u{202e}");
    }
}
