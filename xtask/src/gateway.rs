//! The verbs that build the gateway and do something with it. They leave arguments to the programs they belong to.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::command::{answer, cargo, run};
use crate::guests;
use crate::root::Root;

/// Builds everything and becomes `bitrouter serve`.
pub(crate) fn serve(root: &Root, args: &[String]) -> Result<()> {
    build(root)?;
    become_program(Command::new(root.binary("bitrouter")).arg("serve").args(own(args)))
}

/// Puts the gateway beside cargo's own programs, which are on the PATH of whoever has Rust.
pub(crate) fn install(root: &Root) -> Result<()> {
    guests::build(root)?;
    let mut build = everything(root);
    // So that `bitrouter --version` says what it is; none where this is no checkout.
    let mut git = Command::new("git");
    git.current_dir(root.path()).args(["describe", "--always", "--dirty", "--exclude", "*"]);
    if let Some(commit) = answer(&mut git) {
        build.env("BITROUTER_COMMIT", commit);
    }
    run(&mut build)?;
    let folder = cargo_bin()?;
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let built = root.binary("bitrouter");
    let target = folder.join(built.file_name().unwrap_or_default());
    // Beside and renamed: a gateway that is running keeps its file.
    let beside = target.with_extension("new");
    std::fs::copy(&built, &beside)
        .and_then(|_| std::fs::rename(&beside, &target))
        .with_context(|| format!("cannot write {}", target.display()))?;
    eprintln!("xtask: installed {}", target.display());
    Ok(())
}

/// Where cargo installs programs.
fn cargo_bin() -> Result<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let home = || set("HOME").or_else(|| set("USERPROFILE")).map(|home| home.join(".cargo"));
    let root = set("CARGO_INSTALL_ROOT").or_else(|| set("CARGO_HOME")).or_else(home);
    Ok(root.context("neither CARGO_HOME nor HOME is set, so there is nowhere to install to")?.join("bin"))
}

/// Builds the components and everything native. Always the whole workspace: cargo unites the features of the packages it
/// is asked for, so another selection would compile wasmtime a second time.
pub(crate) fn build(root: &Root) -> Result<()> {
    guests::build(root)?;
    run(&mut everything(root))
}

fn everything(root: &Root) -> Command {
    let mut build = cargo(root);
    build.args(["build", "--release", "--workspace"]);
    build
}

/// Hands the gateway to a verb of the rig: what it costs, what hurts it, what it keeps.
pub(crate) fn bench(root: &Root, verb: &str, args: &[String]) -> Result<()> {
    build(root)?;
    let mut bench = Command::new(root.binary("bitrouter-bench"));
    bench.current_dir(root.path()).arg(verb);
    if !args.iter().any(|arg| arg == "--gateway" || arg.starts_with("--gateway=")) {
        bench.arg("--gateway").arg(root.binary("bitrouter"));
    }
    become_program(bench.args(own(args)))
}

/// What is behind a first `--`, which says that it is not xtask's.
fn own(args: &[String]) -> &[String] {
    match args {
        [first, rest @ ..] if first == "--" => rest,
        all => all,
    }
}

/// Goes on as another program, so that signals and the exit status are its own.
fn become_program(command: &mut Command) -> Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::process::CommandExt;
        let error = command.exec();
        Err(error).with_context(|| format!("`{}` did not start", crate::command::line(command)))
    }
    #[cfg(not(unix))]
    run(command)
}
