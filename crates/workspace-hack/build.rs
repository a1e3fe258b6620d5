//! There is nothing to build; without a build script cargo leaves out `[build-dependencies]`.

fn main() {}
