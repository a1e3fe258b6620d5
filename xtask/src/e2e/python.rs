//! The official Python clients of OpenAI and Anthropic, in a virtual environment of their own. Only the end-to-end verb asks for it.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail};

use super::Client;
use crate::command::succeeds;
use crate::root::Root;

const PACKAGES: [&str; 2] = ["openai==3.54.0", "anthropic==2.14.0"];

/// Both, as they are named where they are missing.
const WANTED: &str = "openai==3.54.0 and anthropic==2.14.0";

/// A Python that has the clients.
pub(super) fn client(root: &Root) -> Result<Client> {
    let folder = root.join("target/e2e");
    let python = folder.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" });
    if !has_packages(&python) {
        if !succeeds(Command::new("python3").args(["-m", "venv"]).arg(&folder)) {
            bail!("`python3 -m venv {}` failed. Install Python 3 with its venv module.", folder.display());
        }
        eprintln!("xtask: e2e: installing {WANTED} from PyPI");
        let install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
        succeeds(Command::new(&python).args(install).args(PACKAGES));
    }
    let program = has_packages(&python).then_some(python);
    let tests = &["python_sdk", "endings::"];
    Ok(Client { tests, wanted: WANTED, variable: "BITROUTER_E2E_PYTHON", program })
}

fn has_packages(python: &Path) -> bool {
    let wrong = PACKAGES.map(|package| {
        let (name, version) = package.split_once("==").unwrap_or((package, ""));
        format!("version('{name}') != '{version}'")
    });
    let test = format!("from importlib.metadata import version; exit({})", wrong.join(" or "));
    succeeds(Command::new(python).args(["-c", &test]))
}
