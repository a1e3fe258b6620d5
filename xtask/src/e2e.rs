//! The tests that need real clients. These come from PyPI and npm into a folder of the project's, and a browser
//! from the system's packages; where one cannot be had, its tests are skipped, and that is said aloud. Before them two
//! abuses run for a second each, and two rows of the bench, to see that the rig works: its figures are shown, not judged.

mod chromium;
mod faketime;
mod keyring;
mod npm;
mod pinned;
mod python;

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use crate::command::{self, cargo};
use crate::gateway;
use crate::root::Root;

/// What some test files need.
struct Client {
    /// The files' modules, which begin the names of their tests.
    tests: &'static [&'static str],
    /// What is installed.
    wanted: String,
    /// The environment variable that names the program to the tests.
    variable: &'static str,
    /// The program; none where it cannot be had.
    program: Option<PathBuf>,
}

/// What the rig is tried with.
const SMOKE: [&[&str]; 2] = [
    &["abuse", "--quick", "--only", "silent,foreign-headers"],
    &["run", "--quick", "--only", "whole,burst", "--upstream", "plain"],
];

/// Builds everything, gets the clients, and runs the tests that are otherwise ignored.
pub(crate) fn run(root: &Root) -> Result<()> {
    gateway::build(root)?;
    let gateway = root.binary("bitrouter");
    for arguments in SMOKE {
        let mut smoke = Command::new(root.binary("bitrouter-bench"));
        smoke.current_dir(root.path()).args(arguments).arg("--gateway");
        command::run(smoke.arg(&gateway))?;
    }
    let mut tests = cargo(root);
    tests.args(["test", "--release", "--package", "bitrouter-tests", "--", "--ignored"]);
    let of_the_system = [chromium::client()?, faketime::client()?, keyring::client()?];
    let of_npm = pinned::NPM.iter().map(|npm| npm::client(root, npm)).collect::<Result<Vec<_>>>()?;
    let sdks = pinned::SDK.iter().map(|sdk| python::sdk(root, sdk)).collect::<Result<Vec<_>>>()?;
    let of_pypi = [python::client(root)?, python::aider(root)?].into_iter().chain(sdks);
    for client in of_pypi.chain(of_the_system).chain(of_npm) {
        match &client.program {
            Some(program) => tests.env(client.variable, program),
            None => {
                let skipped = client.tests.join(", ");
                eprintln!("xtask: e2e: SKIPPED {skipped}: {} cannot be had from its registry", client.wanted);
                tests.args(client.tests.iter().flat_map(|name| ["--skip", name]))
            }
        };
    }
    command::run(&mut tests)
}
