//! OpenAI's official Python client, in a virtual environment of its own. Only the end-to-end verb asks for it.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail};

use super::Client;
use crate::command::succeeds;
use crate::root::Root;

const PACKAGE: &str = "openai==3.54.0";

/// A Python that has the client.
pub(super) fn client(root: &Root) -> Result<Client> {
    let folder = root.join("target/e2e");
    let python = folder.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" });
    if !has_package(&python) {
        if !succeeds(Command::new("python3").args(["-m", "venv"]).arg(&folder)) {
            bail!("`python3 -m venv {}` failed. Install Python 3 with its venv module.", folder.display());
        }
        eprintln!("xtask: e2e: installing {PACKAGE} from PyPI");
        let install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", PACKAGE];
        succeeds(Command::new(&python).args(install));
    }
    let program = has_package(&python).then_some(python);
    Ok(Client { tests: &["python_sdk"], wanted: PACKAGE, variable: "BITROUTER_E2E_PYTHON", program })
}

fn has_package(python: &Path) -> bool {
    let (name, version) = PACKAGE.split_once("==").unwrap_or((PACKAGE, ""));
    let test = format!("from importlib.metadata import version; exit(version('{name}') != '{version}')");
    succeeds(Command::new(python).args(["-c", &test]))
}
