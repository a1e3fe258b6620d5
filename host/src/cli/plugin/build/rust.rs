//! Rust: `cargo build` for `wasm32-unknown-unknown`, with a toolchain that has its standard library.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use toml_edit::DocumentMut;

use super::{Made, Project, Recipe, Tool};
use crate::cli::print;

/// The target of every component.
const TARGET: &str = "wasm32-unknown-unknown";
const INSTALL: &str = "curl --proto '=https' -sSf https://sh.rustup.rs | sh  (or see https://rustup.rs)";
/// Where Debian's packages (rustc-web, rust-web-src) put a compiler with the standard library's source.
const SYSTEM_RUSTC: &str = "/usr/bin/rustc";
const SYSTEM_CARGO: &str = "/usr/bin/cargo";

pub(super) struct Rust;

impl Recipe for Rust {
    fn told_by(&self) -> &'static str {
        "Cargo.toml (Rust)"
    }

    fn is_of(&self, project: &Project) -> bool {
        project.has("Cargo.toml")
    }

    fn build(&self, project: &Project) -> Result<Made, Box<dyn Error>> {
        let name = package(project)?;
        let folder = project.folder();
        let cargo = toolchain(folder)?;
        let args = ["build", "--release", "--target", TARGET, "--message-format", "json-render-diagnostics"];
        let messages = cargo.args(args).run()?;
        let file = module(&messages, &project.at("Cargo.toml"))
            .ok_or("cargo made no .wasm of this package. Its Cargo.toml needs: [lib] crate-type = [\"cdylib\"]")?;
        let module = fs::read(&file).map_err(|error| format!("{} cannot be read: {error}", file.display()))?;
        Ok(Made::Module { name, module })
    }
}

/// The package's name.
fn package(project: &Project) -> Result<String, Box<dyn Error>> {
    let manifest = project.at("Cargo.toml");
    let text = project.read("Cargo.toml")?;
    let toml: DocumentMut = text.parse().map_err(|error| format!("{}: {error}", manifest.display()))?;
    let name = toml.get("package").and_then(|package| package.get("name")).and_then(|name| name.as_str());
    Ok(name.map(str::to_owned).ok_or_else(|| {
        format!("{}: it has no [package] with a name. Name the folder of a package", manifest.display())
    })?)
}

/// The cargo that builds for the target: the one on the path, after rustup has added the target where it is missing; else the
/// system's own, which may build the standard library from its source.
fn toolchain(folder: &Path) -> Result<Tool, Box<dyn Error>> {
    let cargo = || Tool::new("cargo", folder, INSTALL);
    if has_target("rustc", folder) {
        return Ok(cargo());
    }
    let rustup = Tool::new("rustup", folder, INSTALL).args(["target", "add", TARGET]);
    let has_rustup = Tool::new("rustup", folder, INSTALL).args(["--version"]).answer().is_some();
    if has_rustup && rustup.run().is_ok() && has_target("rustc", folder) {
        return Ok(cargo());
    }
    if cfg!(target_os = "linux") {
        let system = || Tool::new(SYSTEM_CARGO, folder, INSTALL).env("RUSTC", SYSTEM_RUSTC);
        if has_target(SYSTEM_RUSTC, folder) {
            print::note("the system's own Rust has the target, and builds it");
            return Ok(system());
        }
        if let Some(linker) = linker(folder).filter(|_| has_source(folder)) {
            print::note("the system's own Rust builds it, with the standard library from its source");
            return Ok(system()
                // Building the standard library is a nightly feature of cargo; with the compiler's own source it works on
                // stable, too.
                .env("RUSTC_BOOTSTRAP", "1")
                .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker)
                .args(["-Z", "build-std=std,panic_abort"]));
        }
    }
    if Tool::new("cargo", folder, INSTALL).args(["--version"]).answer().is_none() {
        return Err(format!("cargo is not installed. Run: {INSTALL}").into());
    }
    Err(format!(
        "this Rust has no standard library for {TARGET}. Run: rustup target add {TARGET}  (or, on Debian 12 or newer, as \
         root: apt-get install --no-install-recommends rustc-web cargo-web rust-web-src)"
    )
    .into())
}

fn has_target(rustc: &str, folder: &Path) -> bool {
    let ask = Tool::new(rustc, folder, INSTALL).args(["--print", "target-libdir", "--target", TARGET]);
    ask.answer().is_some_and(|folder| Path::new(&folder).is_dir())
}

fn has_source(folder: &Path) -> bool {
    let sysroot = Tool::new(SYSTEM_RUSTC, folder, INSTALL).args(["--print", "sysroot"]).answer();
    sysroot.is_some_and(|sysroot| Path::new(&sysroot).join("lib/rustlib/src/rust/library/std/Cargo.toml").is_file())
        && Path::new(SYSTEM_CARGO).is_file()
}

/// The LLVM linker that a rustup toolchain brings, else the system's.
fn linker(folder: &Path) -> Option<PathBuf> {
    let rustc = || Tool::new("rustc", folder, INSTALL);
    let bundled = || {
        let sysroot = rustc().args(["--print", "sysroot"]).answer()?;
        let version = rustc().args(["-vV"]).answer()?;
        let host = version.lines().find_map(|line| line.strip_prefix("host: "))?.to_owned();
        Some(Path::new(&sysroot).join("lib/rustlib").join(host).join("bin/rust-lld"))
    };
    let places = [bundled(), Some(PathBuf::from("/usr/bin/wasm-ld"))];
    places.into_iter().flatten().find(|linker| linker.is_file())
}

/// The module of the package with this manifest, as cargo reports it.
fn module(messages: &str, manifest: &Path) -> Option<PathBuf> {
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let own = |message: &Value| {
        let of = message["manifest_path"].as_str().and_then(|path| Path::new(path).canonicalize().ok());
        of.is_some() && of == manifest.canonicalize().ok()
    };
    let files = messages.filter(own).flat_map(|mut message| match message["filenames"].take() {
        Value::Array(files) => files,
        _ => Vec::new(),
    });
    let mut files = files.filter_map(|file| Some(PathBuf::from(file.as_str()?)));
    files.find(|file| file.extension().is_some_and(|extension| extension == "wasm"))
}
