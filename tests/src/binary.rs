//! Where the things under test are: the binary and the components. Nothing here builds them.

use std::path::{Path, PathBuf};

/// The gateway's binary: `BITROUTER_BIN`, else beside the running test's target folder, else the workspace's.
pub(crate) fn gateway() -> PathBuf {
    let name = format!("bitrouter{}", std::env::consts::EXE_SUFFIX);
    if let Some(named) = std::env::var_os("BITROUTER_BIN") {
        return named.into();
    }
    let beside = std::env::current_exe().ok().and_then(|exe| Some(exe.parent()?.parent()?.join(&name)));
    let built = workspace().join("target/release").join(&name);
    let found = beside.into_iter().chain([built]).find(|binary| binary.is_file());
    found.expect("the gateway's binary is not built. Run: cargo xtask test")
}

/// The bytes of a test's component, such as `hostile`, or of a built-in one, such as `openai`.
pub fn component(name: &str) -> Vec<u8> {
    let folder = workspace().join("target/components");
    let places = [folder.join("tests"), folder].map(|folder| folder.join(format!("{name}.wasm")));
    let found = places.iter().find(|place| place.is_file());
    let found = found.unwrap_or_else(|| panic!("the component `{name}` is not built. Run: cargo xtask test"));
    std::fs::read(found).unwrap()
}

/// A file of this crate.
pub(crate) fn own(path: &str) -> PathBuf {
    manifest().join(path)
}

fn workspace() -> PathBuf {
    manifest().join("..")
}

fn manifest() -> PathBuf {
    // At run time first: a checkout may have moved since the build.
    std::env::var_os("CARGO_MANIFEST_DIR").map_or(Path::new(env!("CARGO_MANIFEST_DIR")).into(), PathBuf::from)
}
