//! What wit-bindgen makes of the contract. The rest of the SDK uses it; a provider only meets its plain data types,
//! re-exported at the crate's root. Nothing is written by hand in here.

#![allow(unsafe_code, missing_docs, clippy::all, clippy::unwrap_used, rust_2018_idioms)]

wit_bindgen::generate!({
    path: "../../wit/0.1.0",
    world: "plugin",
    pub_export_macro: true,
    export_macro_name: "__export_component",
    default_bindings_module: "bitrouter_provider::bindings",
});
