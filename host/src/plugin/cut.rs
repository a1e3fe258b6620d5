//! Texts of a component's choosing, cut where they enter: they go into errors that clients read, into headers and into
//! the log, and a component may make them as long as its memory.

use super::contract::{Failure, Request};

/// Bytes of a sentence.
const SENTENCE: usize = 1024;
/// Bytes of a word, such as a code.
const WORD: usize = 256;
/// Entries of a list that is only shown.
const SHOWN: usize = 64;

/// A sentence about or by a component.
pub(crate) fn sentence(text: impl Into<String>) -> String {
    cut(text.into(), SENTENCE)
}

/// A failure that a component returned.
pub(super) fn failure(mut failure: Failure) -> Failure {
    failure.kind = cut(failure.kind, WORD);
    failure.scope = cut(failure.scope, WORD);
    failure.message = sentence(failure.message);
    failure.code = failure.code.map(|code| cut(code, WORD));
    failure
}

/// What is only shown of a request that a component described.
pub(super) fn request(request: &mut Request) {
    request.dropped.truncate(SHOWN);
    request.dropped.iter_mut().for_each(|pointer| *pointer = cut(std::mem::take(pointer), WORD));
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
    fn no_text_of_a_component_is_longer_than_its_place() {
        let long = "ü\n".repeat(1 << 20);
        assert!(sentence(long.clone()).len() <= SENTENCE + '…'.len_utf8());
        let cut = failure(Failure {
            kind: long.clone(),
            scope: long.clone(),
            message: long.clone(),
            code: Some(long),
            retry_after_ms: None,
            resets_at: None,
        });
        let texts = [cut.kind, cut.scope, cut.message, cut.code.unwrap()];
        assert!(texts.iter().all(|text| text.len() < 1100 && text.ends_with('…')));
        assert_eq!(sentence("short"), "short");
    }
}
