//! The verbs `test` and `fuzz`: all tests, those of the small crates once more with overflow checks, and a list of the
//! slowest. `main` calls it, and cargo does, as the runner of each test program.

use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::command::{cargo, line, run};
use crate::gateway;
use crate::members::{self, Member};
use crate::root::Root;

/// The hidden verb with which cargo starts a test program through us.
pub(crate) const RUNNER: &str = "run-test-program";

/// How many of the slowest tests are named.
const SLOWEST: usize = 10;

/// How long each fuzz target runs, where nothing is said.
const FUZZ_SECONDS: u32 = 30;

/// All tests: the workspace's, those of the crates without wasmtime with overflow checks, the providers' golden files.
pub(crate) fn test(root: &Root, args: &[String]) -> Result<()> {
    let times = root.join("target/tmp/test-times");
    fs::create_dir_all(root.join("target/tmp"))?;
    fs::write(&times, "")?;
    let runner = runner(root)?;
    // The end-to-end tests start the program, so it must be built before they run.
    gateway::build(root)?;
    let outcome = run(timed(root, &runner, &times).args(["test", "--release", "--workspace"]).args(args));
    let times = fs::read_to_string(&times)?;
    outcome?;
    // A flag selects something of the workspace's that the others may not have.
    if !args.iter().take_while(|arg| *arg != "--").any(|arg| arg.starts_with('-')) {
        run(checked(root)?.args(args))?;
        run(cargo(root)
            .args(["test", "--locked", "--manifest-path", "plugins/Cargo.toml", "--target-dir"])
            .arg(root.join("target/guests"))
            .args(args))?;
    }
    let slowest = slowest(&times);
    if !slowest.is_empty() {
        eprintln!("xtask: the slowest tests, in seconds:");
        slowest.iter().for_each(|(seconds, name)| eprintln!("xtask: {seconds:>8.2}  {name}"));
    }
    Ok(())
}

/// Runs the fuzz targets, which are the tests that have `fuzz` in their names, for longer than `cargo test` does.
pub(crate) fn fuzz(root: &Root, args: &[String]) -> Result<()> {
    let seconds = match args {
        [] => FUZZ_SECONDS,
        [seconds] => seconds.parse().with_context(|| format!("`{seconds}` is not a number of seconds"))?,
        [_, extra, ..] => bail!("`fuzz` takes a number of seconds, and `{extra}` is one argument more"),
    };
    let mut tests = cargo(root);
    tests.env("FUZZ_SECONDS", seconds.to_string());
    run(tests.args(["test", "--release", "--workspace", "--lib", "--tests", "--", "fuzz", "--nocapture"]))
}

/// A copy of this program: cargo builds the workspace, and with it this program anew, before it starts the first test.
fn runner(root: &Root) -> Result<PathBuf> {
    let copy = root.join(&format!("target/tmp/test-runner{}", std::env::consts::EXE_SUFFIX));
    let program = std::env::current_exe().context("the program's own file cannot be found")?;
    fs::copy(&program, &copy).with_context(|| format!("copy {} to {}", program.display(), copy.display()))?;
    Ok(copy)
}

/// A cargo that starts test programs through us, so that their tests are timed.
fn timed(root: &Root, runner: &Path, times: &Path) -> Command {
    let mut command = cargo(root);
    let runner = format!("target.\"cfg(all())\".runner=['{}', '{RUNNER}', '{}']", runner.display(), times.display());
    command.arg("--config").arg(runner);
    command
}

/// `cargo test` of the published libraries that do without wasmtime, with overflow checks in them and in nothing below
/// them, so that nothing else is compiled anew. What is never published serves tests, the end-to-end ones among them.
fn checked(root: &Root) -> Result<Command> {
    let mut command = cargo(root);
    command.args(["test", "--release"]);
    let small = |member: &Member| member.is_library() && member.is_published && !member.depends_on(root, "wasmtime");
    let members: Vec<_> = members::all(root)?.into_iter().filter(small).collect();
    for Member { name, .. } in &members {
        command.args(["--package", name, "--config", &format!("profile.release.package.{name}.overflow-checks=true")]);
    }
    let names: Vec<_> = members.iter().map(|member| member.name.as_str()).collect();
    eprintln!("xtask: with overflow checks: {}", names.join(", "));
    Ok(command)
}

/// Runs a test program as cargo would, shows what it prints, and adds the time of each test to a file. The arguments are
/// the file, the program, and the program's own.
pub(crate) fn run_test_program(args: &[String]) -> Result<()> {
    let [times, program, args @ ..] = args else { bail!("`{RUNNER}` is for cargo to call") };
    let mut command = Command::new(program);
    command.args(args);
    // Programs of documentation tests stand elsewhere, and know no flags.
    if !Path::new(program).parent().is_some_and(|folder| folder.ends_with("deps")) {
        return run(&mut command);
    }
    // libtest keeps the flag for nightly toolchains; the variable is what says that it may be used on others.
    command.env("RUSTC_BOOTSTRAP", "1").args(["-Z", "unstable-options", "--report-time"]);
    let mut child = command.stdout(Stdio::piped()).spawn().with_context(|| format!("{program} did not start"))?;
    let mut times = OpenOptions::new().append(true).open(times)?;
    let stdout = child.stdout.take().context("a test program without standard output")?;
    for printed in BufReader::new(stdout).lines() {
        let printed = printed?;
        let Some((test, seconds)) = time(&printed) else {
            println!("{printed}");
            continue;
        };
        println!("{test}");
        let name = test.strip_prefix("test ").and_then(|test| test.split(" ... ").next()).unwrap_or(test);
        writeln!(times, "{seconds} {name}")?;
    }
    match child.wait()? {
        status if status.success() => Ok(()),
        status => bail!("`{}` failed ({status})", line(&command)),
    }
}

/// The line of a test as it is without `--report-time`, and the seconds: `test a::b ... ok <0.012s>`.
fn time(line: &str) -> Option<(&str, f64)> {
    let (test, time) = line.strip_suffix("s>")?.rsplit_once(" <")?;
    Some((test, time.parse().ok().filter(|_| test.starts_with("test "))?))
}

/// The slowest first, out of lines of seconds and a name.
fn slowest(times: &str) -> Vec<(f64, &str)> {
    let entries = times.lines().filter_map(|line| line.split_once(' '));
    let mut tests: Vec<_> = entries.filter_map(|(seconds, name)| Some((seconds.parse().ok()?, name))).collect();
    tests.sort_by(|a: &(f64, _), b| b.0.total_cmp(&a.0));
    tests.truncate(SLOWEST);
    tests
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tests_time_is_read_and_taken_off_its_line() {
        assert_eq!(time("test a::b ... ok <0.012s>"), Some(("test a::b ... ok", 0.012)));
        assert_eq!(time("test a::b ... FAILED <61.5s>"), Some(("test a::b ... FAILED", 61.5)));
        assert_eq!(time("test a::b ... ok"), None);
        assert_eq!(time("a line of a test's own <3s>"), None);
    }

    #[test]
    fn the_slowest_tests_come_first_and_are_ten() {
        let times: String = (0..20).map(|n| format!("{}.5 test_{n}\n", n % 7)).collect();
        let slowest = slowest(&times);
        assert_eq!(slowest.len(), SLOWEST);
        assert_eq!(slowest[0], (6.5, "test_6"));
        assert!(slowest.is_sorted_by(|a, b| a.0 >= b.0));
    }
}
