//! Puts the built-in providers into the binary: a component for each package in `plugins/`, as `cargo xtask guests`
//! built it, and each description there that has no package. It builds no component itself: that takes another target and another toolchain check. Without them it warns,
//! so that `cargo check`, `cargo doc` and rust-analyzer work in a fresh checkout; `serve` then says what it lacks.

#[path = "build/templates.rs"]
mod templates;

use std::env;
use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// Names the commit that is built, for `--version`. Not asked of git here: each commit would compile the gateway anew.
const COMMIT_VARIABLE: &str = "BITROUTER_COMMIT";

/// Names another folder of components than `target/components`, for packagers.
const FOLDER_VARIABLE: &str = "BITROUTER_COMPONENTS";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-env-changed={FOLDER_VARIABLE}");
    println!("cargo::rerun-if-env-changed={COMMIT_VARIABLE}");
    let commit = env::var(COMMIT_VARIABLE).ok().filter(|commit| !commit.is_empty());
    let commit = commit.map_or_else(String::new, |commit| format!(" ({commit})"));
    println!("cargo::rustc-env=BITROUTER_VERSION={}{commit}", env::var("CARGO_PKG_VERSION")?);
    let workspace = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("..").canonicalize()?;
    let named = env::var_os(FOLDER_VARIABLE).map(PathBuf::from);
    let folder = named.clone().unwrap_or_else(|| workspace.join("target/components"));
    let out = PathBuf::from(env::var("OUT_DIR")?);

    let (mut items, mut missing) = (String::new(), Vec::new());
    let plugins = workspace.join("plugins");
    for name in providers(&plugins)? {
        if !plugins.join(&name).join("Cargo.toml").is_file() {
            let description = plugins.join(&name).join("description.json");
            println!("cargo::rerun-if-changed={}", description.display());
            fs::copy(&description, out.join(format!("{name}.json")))?;
            writeln!(items, "    ({name:?}, include_bytes!(concat!(env!(\"OUT_DIR\"), \"/{name}.json\"))),")?;
            continue;
        }
        let file = format!("{name}.wasm");
        let component = folder.join(&file);
        if !component.is_file() {
            missing.push(name);
            continue;
        }
        println!("cargo::rerun-if-changed={}", component.display());
        fs::copy(&component, out.join(&file))?;
        writeln!(items, "    ({name:?}, include_bytes!(concat!(env!(\"OUT_DIR\"), \"/{file}\"))),")?;
    }
    if !missing.is_empty() {
        let what = format!("the components of {} are not in {}", missing.join(", "), folder.display());
        if named.is_some() {
            println!("cargo::error={what}, which {FOLDER_VARIABLE} names");
            return Ok(());
        }
        println!("cargo::warning={what}, so this build has no such providers. Run: cargo xtask guests");
        // Watched for them to come. A path that does not exist would run this script, and compile the crate, each time.
        fs::create_dir_all(&folder)?;
        println!("cargo::rerun-if-changed={}", folder.display());
    }
    let tables =
        format!("static BUILT_IN: &[(&str, &[u8])] = &[\n{items}];\nstatic NOT_BUILT_IN: &[&str] = &{missing:?};\n");
    fs::write(out.join("built_in.rs"), tables)?;
    fs::write(out.join("templates.rs"), templates::table(&workspace)?)?;
    Ok(())
}

/// The names of the folders in `plugins/` that hold a provider, in order: a package, or a description without one.
fn providers(plugins: &Path) -> Result<Vec<String>, Box<dyn Error>> {
    // A new provider is a new member there.
    println!("cargo::rerun-if-changed={}", plugins.join("Cargo.toml").display());
    let mut names = Vec::new();
    for entry in fs::read_dir(plugins)? {
        let entry = entry?;
        if entry.path().join("description.json").is_file() {
            names.push(entry.file_name().into_string().map_err(|name| format!("{} is not UTF-8", name.display()))?);
        }
    }
    names.sort();
    Ok(names)
}
