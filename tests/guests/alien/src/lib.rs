//! The provider of the SDK's own golden files, as a component: its cases come out as they do natively.

#[path = "../../../../sdk/rust/tests/golden/alien.rs"]
mod alien;
