//! Mutated descriptions: one that is accepted reads the same when it is written and read again.

use bitrouter_contract::validate;
use bitrouter_fuzz::Fuzz;

const WORDS: &[&str] = &[
    "\"id\":",
    "\"origins\":",
    "\"auth\":",
    "\"oauth\"",
    "\"api-key\"",
    "\"attach\":",
    "\"bearer\"",
    "\"header\":",
    "https://",
    "http://",
    "http://127.0.0.1",
    "@",
    ":0",
    ":65536",
    "/../",
    "%2e%2e",
    "*",
    "**",
    "{claim}",
    "authorization",
    "x-",
    "\\r\\n",
    "null",
    "[]",
    "{}",
    "\"",
    "-1",
    "1e99",
    "\u{202e}",
];

#[test]
fn a_fuzzed_description_that_is_accepted_reads_the_same_again() {
    Fuzz::new(env!("CARGO_MANIFEST_DIR"), &["fuzz/descriptions"], WORDS).run(|bytes| {
        let Ok(text) = std::str::from_utf8(bytes) else { return };
        let Ok(description) = validate::description(text) else { return };
        let written = serde_json::to_string(&description).unwrap();
        let again = validate::description(&written).unwrap_or_else(|error| panic!("{error:?}: {written}"));
        assert_eq!(serde_json::to_string(&again).unwrap(), written);
    });
}
