//! Checks the Rust version that we promise. `lint` calls it. Clippy, which reads the same version, refuses what the
//! standard library got later; here it is said once, no dependency asks for more, and that toolchain compiles it if it is
//! here.

use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::command::{answer, cargo, run, succeeds};
use crate::members;
use crate::root::Root;

/// The workspaces, which promise the same.
const WORKSPACES: [&str; 3] = ["Cargo.toml", "plugins/Cargo.toml", "tests/guests/Cargo.toml"];

/// Holds every package against the version that the workspace's manifest says.
pub(super) fn check(root: &Root) -> Result<()> {
    let promised = members::all(root)?.into_iter().find_map(|member| member.rust_version);
    let promised = promised.context("Cargo.toml says no rust-version")?;
    let mut wrong = Vec::new();
    for manifest in WORKSPACES {
        for package in members::packages(root, manifest, &["--locked"])? {
            let (name, version) = (package["name"].as_str().unwrap_or_default(), package["rust_version"].as_str());
            if package["source"] == Value::Null && version != Some(&*promised) {
                wrong.push(format!("{name} of {manifest} promises {}, not {promised}", version.unwrap_or("nothing")));
            } else if version.is_some_and(|version| minor(version) > minor(&promised)) {
                wrong.push(format!("{name}, below {manifest}, needs {}", version.unwrap_or_default()));
            }
        }
    }
    let contributing = std::fs::read_to_string(root.join("CONTRIBUTING.md"))?;
    if !contributing.contains(&format!("Rust {promised} or newer")) {
        wrong.push(format!("CONTRIBUTING.md does not say `Rust {promised} or newer`"));
    }
    if !wrong.is_empty() {
        bail!("rust-version is {promised}, but\n  {}", wrong.join("\n  "));
    }
    compiles(root, &promised)
}

/// Compiles with the toolchain of that version: the one that runs us, or another that rustup has. None is installed for it.
fn compiles(root: &Root, promised: &str) -> Result<()> {
    let here = answer(Command::new("rustc").arg("--version")).context("rustc does not say its version")?;
    let here = here.split_whitespace().nth(1).unwrap_or_default();
    if minor(here) < minor(promised) {
        bail!("rustc is {here}, older than the {promised} that Cargo.toml promises");
    }
    if minor(here) == minor(promised) {
        eprintln!("xtask: lint: rust version: this toolchain, {here}, is the oldest that is promised");
        return Ok(());
    }
    if !succeeds(Command::new("rustup").args(["run", promised, "rustc", "--version"])) {
        eprintln!(
            "xtask: lint: rust version: compiling with {promised} SKIPPED: rustup has no such toolchain \
             (rustup toolchain install {promised} --profile minimal)"
        );
        return Ok(());
    }
    let mut check = cargo(root);
    check.env("RUSTUP_TOOLCHAIN", promised).args(["check", "--release", "--workspace", "--target-dir"]);
    run(check.arg(root.join("target/oldest")))
}

/// The second number of a version: 95 of 1.95.0.
fn minor(version: &str) -> u32 {
    version.split('.').nth(1).and_then(|minor| minor.parse().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_with_and_without_a_patch_is_the_same_release() {
        assert_eq!(minor("1.95"), minor("1.95.0"));
        assert!(minor("1.100.0") > minor("1.95"));
    }
}
