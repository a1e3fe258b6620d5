//! From a core module to a component, in this process: what `wasm-tools component new` does.

use std::error::Error;

use wasi_preview1_component_adapter_provider::{
    WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER,
};
use wit_component::ComponentEncoder;

/// Makes a component of a module that holds the types of its world. One that imports WASI preview 1 gets the adapter.
pub(super) fn of_module(module: &[u8]) -> Result<Vec<u8>, Box<dyn Error>> {
    let failed = |error| format!("the module does not make a component: {error:#}");
    let mut encoder = ComponentEncoder::default();
    encoder.validate(true).module(module).map_err(failed)?;
    if imports_preview1(module) {
        encoder.adapter(WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER).map_err(failed)?;
    }
    Ok(encoder.encode().map_err(failed)?)
}

/// Whether a module imports anything of WASI preview 1. The name stands in the import section as it is; where it stands
/// elsewhere by chance, the adapter is not used and not there in the end.
fn imports_preview1(module: &[u8]) -> bool {
    let name = WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME.as_bytes();
    module.windows(name.len()).any(|window| window == name)
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_is_no_module_of_a_world_is_said_to_be_none() {
        let error = super::of_module(b"\0asm\x01\0\0\0").unwrap_err().to_string();
        assert!(error.starts_with("the module does not make a component: "), "{error}");
    }
}
