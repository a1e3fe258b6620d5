//! The tests that need real clients. These come from PyPI and npm into a folder of the project's, and a browser
//! from the system's packages; where one cannot be had, its tests are skipped, and that is said aloud.

mod chromium;
mod codex;
mod keyring;
mod python;

use std::path::PathBuf;

use anyhow::Result;

use crate::command::{self, cargo};
use crate::gateway;
use crate::root::Root;

/// What one test file needs.
struct Client {
    /// The file's module, which begins the names of its tests.
    tests: &'static str,
    /// What is installed, pinned: an end-to-end test must fail because we changed, not because they did.
    wanted: &'static str,
    /// The environment variable that names the program to the tests.
    variable: &'static str,
    /// The program; none where it cannot be had.
    program: Option<PathBuf>,
}

/// Builds everything, gets the clients, and runs the tests that are otherwise ignored.
pub(crate) fn run(root: &Root) -> Result<()> {
    gateway::build(root)?;
    let mut tests = cargo(root);
    tests.args(["test", "--release", "--package", "bitrouter-tests", "--", "--ignored"]);
    for client in [python::client(root)?, codex::client(root)?, chromium::client()?, keyring::client()?] {
        match &client.program {
            Some(program) => tests.env(client.variable, program),
            None => {
                eprintln!("xtask: e2e: SKIPPED {}: {} cannot be had from its registry", client.tests, client.wanted);
                tests.args(["--skip", client.tests])
            }
        };
    }
    command::run(&mut tests)
}
