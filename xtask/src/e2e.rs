//! The tests that need real clients. Their Python packages come from PyPI into a folder of the project's; where PyPI
//! is out of reach they are skipped, and that is said aloud.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

use crate::command::{self, cargo, succeeds};
use crate::gateway;
use crate::root::Root;

/// The clients, pinned: an end-to-end test must fail because we changed, not because they did.
const CLIENTS: [&str; 1] = ["openai==3.54.0"];

/// Names the Python that has the clients to the tests.
const PYTHON_VARIABLE: &str = "BITROUTER_E2E_PYTHON";

/// Builds everything, gets the clients, and runs the tests that are otherwise ignored.
pub(crate) fn run(root: &Root) -> Result<()> {
    gateway::build(root)?;
    let Some(python) = python(root)? else {
        eprintln!("xtask: e2e: SKIPPED, nothing was tested: {} cannot be had from PyPI", CLIENTS.join(", "));
        return Ok(());
    };
    let mut tests = cargo(root);
    tests.args(["test", "--release", "--package", "bitrouter-tests", "--", "--ignored"]);
    command::run(tests.env(PYTHON_VARIABLE, python))
}

/// A Python of our own that has the clients; none where they cannot be had.
fn python(root: &Root) -> Result<Option<PathBuf>> {
    let folder = root.join("target/e2e");
    let python = folder.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" });
    if has_clients(&python) {
        return Ok(Some(python));
    }
    if !succeeds(Command::new("python3").args(["-m", "venv"]).arg(&folder)) {
        bail!("`python3 -m venv {}` failed. Install Python 3 with its venv module.", folder.display());
    }
    eprintln!("xtask: e2e: installing {} from PyPI", CLIENTS.join(", "));
    let install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
    succeeds(Command::new(&python).args(install).args(CLIENTS));
    Ok(has_clients(&python).then_some(python))
}

fn has_clients(python: &Path) -> bool {
    CLIENTS.iter().all(|client| {
        let (name, version) = client.split_once("==").unwrap_or((client, ""));
        let test = format!("from importlib.metadata import version; exit(version('{name}') != '{version}')");
        succeeds(Command::new(python).args(["-c", &test]))
    })
}
