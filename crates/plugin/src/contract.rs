//! The contract in Rust: bindings made from `wit/0.1.0`, and which version of it a component speaks.
//!
//! The version is read from the component's import and export names before anything is compiled, so that a component of
//! another age is refused with a sentence instead of a type error.

use bitrouter_contract::cut::sentence;
use bitrouter_contract::section;
use wasmparser::{Parser, Payload};

/// Made from the contract; what each item means is said there.
#[allow(missing_docs)]
mod bindings {
    wasmtime::component::bindgen!({
        path: "../../wit/0.1.0",
        world: "full",
        imports: {
            // What may be long waits for its turn.
            "bitrouter:host/document.[method]document.kind": async | trappable,
            "bitrouter:host/document.[method]document.size": async | trappable,
            "bitrouter:host/document.[method]document.get": async | trappable,
            "bitrouter:host/document.[method]document.keys": async | trappable,
            "bitrouter:host/document.[method]document.text": async | trappable,
            "bitrouter:host/document.[method]document.find": async | trappable,
            "bitrouter:host/document.[method]document.patch": async | trappable,
            "bitrouter:host/document.[method]document.patch-each": async | trappable,
            default: trappable,
        },
        exports: { default: async },
        with: { "bitrouter:host/document.document": crate::document::Body },
    });
}

/// All that a component may export; it need not export all of it.
pub use bindings::Full;
pub use bindings::bitrouter::host::field::Field;
pub use bindings::bitrouter::host::{document, field, log};
pub use bindings::bitrouter::provider::types;
pub use bindings::bitrouter::provider::types::{
    Account, Answer, Blob, Call, Delivery, Event, Exchange, Failure, Head, Reply, Request, Step, Trouble, Window,
};
pub use bindings::exports::bitrouter::provider::requests::Payload as BodyArgument;
pub(super) use bindings::exports::bitrouter::provider::{
    answers, failures, limits, provider, queries, requests, streams,
};

impl Event {
    /// An event of a framing without headers.
    pub fn text(name: Option<String>, data: String) -> Self {
        Event { name, headers: Vec::new(), data, binary: Vec::new() }
    }
}

/// The package whose `provider` interface a component exports.
const PACKAGE: &str = "bitrouter:provider/provider@";
/// The contract versions that this build understands, as `major.minor`, the newest first. Each is an enum's variant in `code`.
/// The test's own (`code/next.rs`) is one that no other build knows.
pub const UNDERSTOOD: &[&str] = if cfg!(test) { &["0.2", "0.1"] } else { &["0.1"] };

/// What the names in a component say, read without compiling it.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// The contract version that it exports, such as `0.1.0`.
    pub version: String,
    /// True if it imports any WASI interface.
    pub wasi: bool,
    /// Every import and every export, by name, as they stand there.
    pub imports: Vec<String>,
    /// The same of exports.
    pub exports: Vec<String>,
    /// What it says of itself in its section, where it has one: nothing of it had to run.
    pub description: Option<String>,
}

/// Why a file is not a provider component.
#[derive(Debug, thiserror::Error)]
pub enum NotAProvider {
    /// The bytes are not a component.
    #[error("it is not a WebAssembly component")]
    NotAComponent,
    /// It begins as a component does, and is damaged.
    #[error("it is a damaged WebAssembly component: {0}")]
    Damaged(String),
    /// It is a core module.
    #[error("it is a core WebAssembly module, not a component. Encode it first: wasm-tools component new")]
    CoreModule,
    /// It exports no provider interface.
    #[error("it is a component, but it exports no bitrouter:provider/provider interface")]
    NoProvider,
    /// What it says of itself in its section cannot be read.
    #[error("its section `{name}` {0}", name = section::NAME)]
    Section(&'static str),
    /// It speaks another version.
    #[error("it speaks version {0} of bitrouter:provider; this BitRouter understands {known}", known = UNDERSTOOD.join(" and "))]
    Version(String),
}

/// Reads the outermost import and export names of a component.
pub fn names(component: &[u8]) -> Result<Names, NotAProvider> {
    let mut names = Names::default();
    let mut versions: Vec<String> = Vec::new();
    let mut depth = 0usize;
    if !component.starts_with(b"\0asm") {
        return Err(NotAProvider::NotAComponent);
    }
    let not_a_component = |error: wasmparser::BinaryReaderError| {
        NotAProvider::Damaged(error.message().lines().next().unwrap_or_default().to_owned())
    };
    for payload in Parser::new(0).parse_all(component) {
        match payload.map_err(not_a_component)? {
            Payload::Version { encoding: wasmparser::Encoding::Module, .. } if depth == 0 => {
                return Err(NotAProvider::CoreModule);
            }
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(section) if depth == 0 => {
                for import in section {
                    let import = import.map_err(not_a_component)?;
                    names.wasi |= import.name.name.starts_with("wasi:");
                    names.imports.push(sentence(import.name.name));
                }
            }
            Payload::ComponentExportSection(section) if depth == 0 => {
                for export in section {
                    let export = export.map_err(not_a_component)?;
                    names.exports.push(sentence(export.name.name));
                    if let Some(version) = export.name.name.strip_prefix(PACKAGE) {
                        versions.push(sentence(version));
                    }
                }
            }
            Payload::CustomSection(custom) if depth == 0 && custom.name() == section::NAME => {
                if names.description.is_some() {
                    // Whoever reads the first and whoever reads the last must not be shown two things.
                    return Err(NotAProvider::Section("is there more than once"));
                }
                let text = std::str::from_utf8(custom.data()).map_err(|_| NotAProvider::Section("is no UTF-8"))?;
                names.description = Some(text.to_owned());
            }
            _ => {}
        }
    }
    // One that exports several is for gateways of several ages.
    let newest = UNDERSTOOD.iter().find_map(|understood| {
        let same = |version: &&String| minor(version) == Some(understood);
        versions.iter().find(same).cloned()
    });
    match newest {
        Some(version) => Ok(Names { version, ..names }),
        None if versions.is_empty() => Err(NotAProvider::NoProvider),
        None => Err(NotAProvider::Version(versions.join(" and "))),
    }
}

/// `0.1` of `0.1.0`.
pub(super) fn minor(version: &str) -> Option<&str> {
    let (major, rest) = version.split_once('.')?;
    let digits = rest.find('.')?;
    version.get(..major.len() + 1 + digits)
}
