//! The provider of the SDK's own golden files, as a component: its cases come out as they do natively.

// Natively nothing is exported, and so nothing is used.
#[cfg_attr(not(target_arch = "wasm32"), allow(dead_code))]
#[path = "../../../../sdk/rust/tests/golden/alien.rs"]
mod alien;
