//! The Gemini API: generateContent, the counting of its tokens and embeddings, passed through as they come. All of it is in
//! `description.json`.

use bitrouter_provider::{Provider, export};

/// The provider.
pub struct Google;

export!(Google);

impl Provider for Google {
    fn describe() -> String {
        include_str!("../description.json").into()
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_description_is_sound_and_every_case_comes_out_as_its_golden_file_says() {
        bitrouter_provider::golden::check::<super::Google>(env!("CARGO_MANIFEST_DIR"));
    }
}
