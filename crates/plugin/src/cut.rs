//! What a component returned, its texts cut: what failed, and what is shown of a request.

use bitrouter_contract::cut::{sentence, word};

use super::contract::{Failure, Request};

/// Entries of a list that is only shown.
const MOST_ENTRIES: usize = 64;

/// A failure that a component returned.
pub(super) fn failure(mut failure: Failure) -> Failure {
    failure.kind = word(failure.kind);
    failure.scope = word(failure.scope);
    failure.message = sentence(failure.message);
    failure.code = failure.code.map(word);
    failure.status = failure.status.filter(|status| (400..600).contains(status));
    failure
}

/// What is only shown of a request that a component described.
pub(super) fn request(request: &mut Request) {
    request.dropped.truncate(MOST_ENTRIES);
    request.dropped.iter_mut().for_each(|pointer| *pointer = word(std::mem::take(pointer)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_of_a_component_is_longer_than_its_place() {
        let long = "ü\n".repeat(1 << 20);
        let cut = failure(Failure {
            kind: long.clone(),
            scope: long.clone(),
            message: long.clone(),
            code: Some(long),
            retry_after_ms: None,
            resets_at: None,
            status: None,
            more: String::new(),
        });
        let texts = [cut.kind, cut.scope, cut.message, cut.code.unwrap()];
        assert!(texts.iter().all(|text| text.len() < 1100 && text.ends_with('…')));
    }
}
