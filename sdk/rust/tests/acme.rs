//! The reference of the provider that every language's SDK has as its example: what it answers is what all of them must.

#[path = "../examples/acme.rs"]
mod acme;

#[test]
fn the_reference_of_every_language_comes_out_as_the_golden_files_say() {
    bitrouter_provider::golden::check::<acme::Acme>(concat!(env!("CARGO_MANIFEST_DIR"), "/../acme"));
}
