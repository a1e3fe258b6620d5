//! The Anthropic API: Messages and the counting of their tokens, passed through as they come. All of it is in
//! `description.json`.

use bitrouter_provider::{Provider, export};

/// The provider.
pub struct Anthropic;

export!(Anthropic);

impl Provider for Anthropic {
    fn describe() -> String {
        include_str!("../description.json").into()
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_description_is_sound_and_every_case_comes_out_as_its_golden_file_says() {
        bitrouter_provider::golden::check::<super::Anthropic>(env!("CARGO_MANIFEST_DIR"));
    }
}
