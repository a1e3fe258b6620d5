//! Where the components are that `cargo xtask guests` built. Every test file that loads one asks here.

use std::path::Path;

/// A component's bytes, by its file below `target/components`.
pub(crate) fn read(file: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/components").join(file);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}. Run: cargo xtask guests", path.display()))
}
