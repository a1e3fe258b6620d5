//! The official Python clients of OpenAI, Anthropic and Google, and what AWS and Google sign and verify with, in a virtual
//! environment of their own. Only the end-to-end verb asks for it.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail};

use super::Client;
use super::pinned::PYTHON;
use crate::command::succeeds;
use crate::root::Root;

/// A Python that has the clients.
pub(super) fn client(root: &Root) -> Result<Client> {
    let folder = root.join("target/e2e");
    let python = folder.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" });
    let wanted = PYTHON.join(" and ");
    if !has_packages(&python) {
        if !succeeds(Command::new("python3").args(["-m", "venv"]).arg(&folder)) {
            bail!("`python3 -m venv {}` failed. Install Python 3 with its venv module.", folder.display());
        }
        eprintln!("xtask: e2e: installing {wanted} from PyPI");
        let install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
        succeeds(Command::new(&python).args(install).args(PYTHON));
    }
    let program = has_packages(&python).then_some(python);
    let tests = &["python_sdk::", "python_translated::", "endings::", "typed::", "signed_by_others::"];
    Ok(Client { tests, wanted, variable: "BITROUTER_E2E_PYTHON", program })
}

fn has_packages(python: &Path) -> bool {
    let wrong = PYTHON.map(|package| {
        let (name, version) = package.split_once("==").unwrap_or((package, ""));
        format!("version('{name}') != '{version}'")
    });
    let test = format!("from importlib.metadata import version; exit({})", wrong.join(" or "));
    succeeds(Command::new(python).args(["-c", &test]))
}
