//! Finds, or installs, a Rust toolchain that builds for `wasm32-unknown-unknown`. `guests` calls it and builds with what
//! it answers. It must not change a toolchain that works, and says which one it took.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

use crate::command::{answer, forget_own_crate, run, succeeds};

/// The target of every component.
pub(crate) const TARGET: &str = "wasm32-unknown-unknown";

/// Debian's packages that bring a compiler together with the standard library's source.
const PACKAGES: [&str; 3] = ["rustc-web", "cargo-web", "rust-web-src"];

/// A toolchain that builds components.
pub(crate) enum Toolchain {
    /// The one on the path, which has the target.
    OnPath,
    /// The system's own, which has the target.
    System,
    /// The system's own, which builds the standard library from its source; the value is the linker.
    SystemFromSource(PathBuf),
}

impl Toolchain {
    /// Takes the first that is there, else the first that can be installed.
    pub(crate) fn find() -> Result<Self> {
        let chosen = Self::present();
        if let Some(toolchain) = chosen {
            toolchain.announce("");
            return Ok(toolchain);
        }
        if rustup_adds_target() {
            Self::OnPath.announce(", which rustup has just added");
            return Ok(Self::OnPath);
        }
        install_packages()?;
        let Some(toolchain) = Self::present() else {
            bail!("{} are installed, but cannot build for {TARGET}. {}", PACKAGES.join(", "), advice());
        };
        toolchain.announce(", from Debian's packages, which were just installed");
        Ok(toolchain)
    }

    fn present() -> Option<Self> {
        if has_target("rustc") {
            return Some(Self::OnPath);
        }
        if cfg!(not(target_os = "linux")) {
            return None;
        }
        if has_target(SYSTEM_RUSTC) {
            return Some(Self::System);
        }
        has_source(SYSTEM_RUSTC).then(linker).flatten().map(Self::SystemFromSource)
    }

    fn announce(&self, how: &str) {
        let which = match self {
            Self::OnPath => "the toolchain on the path, with its own standard library",
            Self::System => "the system's toolchain, with its own standard library",
            Self::SystemFromSource(_) => "the system's toolchain, which builds the standard library from source",
        };
        eprintln!("xtask: components are built by {which}{how}");
    }

    /// Its `cargo build`, for the target, without what belongs to other toolchains or to native builds.
    pub(crate) fn build(&self) -> Command {
        let mut command = Command::new(match self {
            Self::OnPath => "cargo",
            Self::System | Self::SystemFromSource(_) => SYSTEM_CARGO,
        });
        forget_own_crate(&mut command);
        for name in ["RUSTC", "RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_TARGET", "CARGO_TARGET_DIR"] {
            command.env_remove(name);
        }
        command.args(["build", "--release", "--locked", "--target", TARGET]);
        if !matches!(self, Self::OnPath) {
            command.env_remove("RUSTUP_TOOLCHAIN").env("RUSTC", SYSTEM_RUSTC);
        }
        if let Self::SystemFromSource(linker) = self {
            // Building the standard library is a nightly feature of cargo; with the compiler's own source it works on
            // stable too.
            command.env("RUSTC_BOOTSTRAP", "1").env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker);
            command.args(["-Z", "build-std=std,panic_abort"]);
        }
        command
    }
}

const SYSTEM_RUSTC: &str = "/usr/bin/rustc";
const SYSTEM_CARGO: &str = "/usr/bin/cargo";

fn has_target(rustc: &str) -> bool {
    let folder = answer(Command::new(rustc).args(["--print", "target-libdir", "--target", TARGET]));
    folder.is_some_and(|folder| Path::new(&folder).is_dir())
}

fn has_source(rustc: &str) -> bool {
    let sysroot = answer(Command::new(rustc).args(["--print", "sysroot"]));
    sysroot.is_some_and(|sysroot| Path::new(&sysroot).join("lib/rustlib/src/rust/library/std/Cargo.toml").is_file())
        && Path::new(SYSTEM_CARGO).is_file()
}

/// The LLVM linker that a rustup toolchain brings, else the system's.
fn linker() -> Option<PathBuf> {
    let sysroot = answer(Command::new("rustc").args(["--print", "sysroot"]))?;
    let version = answer(Command::new("rustc").arg("-vV"))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "))?;
    let bundled = Path::new(&sysroot).join("lib/rustlib").join(host).join("bin/rust-lld");
    let system = PathBuf::from("/usr/bin/wasm-ld");
    [bundled, system].into_iter().find(|linker| linker.is_file())
}

fn rustup_adds_target() -> bool {
    if !succeeds(Command::new("rustup").arg("--version")) {
        return false;
    }
    eprintln!("xtask: running `rustup target add {TARGET}`");
    succeeds(Command::new("rustup").args(["target", "add", TARGET])) && has_target("rustc")
}

fn install_packages() -> Result<()> {
    if !succeeds(Command::new("apt-get").arg("--version")) {
        bail!("no toolchain for {TARGET} is here, and `rustup target add` failed. {}", advice());
    }
    let root = answer(Command::new("id").arg("-u")).is_some_and(|id| id == "0");
    if !root && !succeeds(Command::new("sudo").args(["-n", "true"])) {
        bail!("no toolchain for {TARGET} is here, and its packages need root to install. {}", advice());
    }
    eprintln!("xtask: `rustup target add` is not possible here; installing {}", PACKAGES.join(", "));
    let apt = |args: &[&str]| {
        let mut command = if root { Command::new("apt-get") } else { Command::new("sudo") };
        if !root {
            command.args(["-n", "apt-get"]);
        }
        command.env("DEBIAN_FRONTEND", "noninteractive").args(args);
        command
    };
    let install: Vec<&str> = ["install", "-y", "-qq", "--no-install-recommends"].into_iter().chain(PACKAGES).collect();
    if succeeds(&mut apt(&install)) {
        return Ok(());
    }
    run(&mut apt(&["update", "-qq"]))?;
    run(&mut apt(&install))
}

fn advice() -> String {
    format!(
        "Run: rustup target add {TARGET}  (or, on Debian 12 or newer, as root: apt-get install --no-install-recommends {})",
        PACKAGES.join(" ")
    )
}
