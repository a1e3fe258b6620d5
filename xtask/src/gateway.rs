//! The verbs that build the gateway and do something with it. They leave arguments to the programs they belong to.

use std::process::Command;

use anyhow::Result;

use crate::command::{cargo, run};
use crate::guests;
use crate::root::Root;

/// Builds everything and becomes `bitrouter serve`.
pub(crate) fn serve(root: &Root, args: &[String]) -> Result<()> {
    guests::build(root)?;
    run(cargo(root).args(["build", "--release", "--package", "bitrouter"]))?;
    become_program(Command::new(root.binary("bitrouter")).arg("serve").args(args))
}

/// All tests: the workspace's, then the providers' golden files.
pub(crate) fn test(root: &Root, args: &[String]) -> Result<()> {
    guests::build(root)?;
    run(cargo(root).args(["test", "--release", "--workspace"]).args(args))?;
    run(cargo(root)
        .args(["test", "--locked", "--manifest-path", "plugins/Cargo.toml", "--target-dir"])
        .arg(root.join("target/guests"))
        .args(args))
}

/// Installs the gateway with the profile and the target folder that everything else uses.
pub(crate) fn install(root: &Root, args: &[String]) -> Result<()> {
    guests::build(root)?;
    run(cargo(root)
        .args(["install", "--locked", "--path", "host", "--target-dir"])
        .arg(root.native_target())
        .args(args))
}

/// Measures the gateway.
pub(crate) fn bench(root: &Root, args: &[String]) -> Result<()> {
    guests::build(root)?;
    run(cargo(root).args(["build", "--release", "--package", "bitrouter", "--package", "bitrouter-bench"]))?;
    let mut bench = Command::new(root.binary("bitrouter-bench"));
    bench.current_dir(root.path()).arg("run").arg("--gateway").arg(root.binary("bitrouter")).args(args);
    become_program(&mut bench)
}

/// Goes on as another program, so that signals and the exit status are its own.
fn become_program(command: &mut Command) -> Result<()> {
    #[cfg(unix)]
    {
        use anyhow::Context;
        use std::os::unix::process::CommandExt;
        let error = command.exec();
        Err(error).with_context(|| format!("`{}` did not start", crate::command::line(command)))
    }
    #[cfg(not(unix))]
    run(command)
}
