//! Temporary
fn main() {
    let out = std::env::var("OUT_DIR").unwrap();
    std::fs::write(format!("{out}/built_in.rs"), format!("/// x\npub static BUILT_IN: &[(&str, &[u8])] = &[(\"openai\", include_bytes!(\"{}/../target/components/openai.wasm\"))];", std::env::var("CARGO_MANIFEST_DIR").unwrap())).unwrap();
}
