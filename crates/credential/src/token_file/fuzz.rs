//! Mutated files: one that is read is written such that it reads the same again.

use bitrouter_fuzz::Fuzz;
use secrecy::ExposeSecret;

use super::TokenFile;

const WORDS: &[&str] = &[
    "\"version\":",
    "\"credentials\":",
    "\"provider\":",
    "\"label\":",
    "\"kind\":",
    "\"api-key\"",
    "\"oauth\"",
    "\"secret\":",
    "\"origins\":",
    "\"created_at\":",
    "\"expires_at\":",
    "2026-02-30T25:61:61Z",
    "9999-12-31T23:59:60Z",
    "https://",
    "null",
    "[]",
    "{}",
    "\"\"",
    "\"",
    "\\u0000",
    "1",
    "-1",
    "1e400",
];

#[test]
fn a_fuzzed_file_that_is_read_is_written_as_it_reads() {
    Fuzz::new(env!("CARGO_MANIFEST_DIR"), &["fuzz/token-files"], WORDS).run(|bytes| {
        let Ok(text) = std::str::from_utf8(bytes) else { return };
        let Ok(file) = TokenFile::parse(text) else { return };
        let written = file.to_json();
        let again = TokenFile::parse(written.expose_secret()).unwrap_or_else(|fault| panic!("{fault}"));
        assert_eq!(again.entries.len(), file.entries.len());
        assert_eq!(again.to_json().expose_secret(), written.expose_secret());
    });
}
