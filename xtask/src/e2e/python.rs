//! The official Python clients of OpenAI, Anthropic and Google, LangChain, and what AWS and Google sign and verify with, in a virtual
//! environment of their own. Only the end-to-end verb asks for it.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

use super::Client;
use super::pinned::{AIDER, PYTHON, Sdk};
use crate::command::succeeds;
use crate::root::Root;

/// A Python that has the clients.
pub(super) fn client(root: &Root) -> Result<Client> {
    let tests =
        &["python_sdk::", "python_translated::", "endings::", "typed::", "signed_by_others::", "framings::botocore"];
    let python = environment(&root.join("target/e2e"), &PYTHON)?;
    Ok(Client { tests, wanted: PYTHON.join(" and "), variable: "BITROUTER_E2E_PYTHON", program: python })
}

/// aider, which demands other versions than the clients have, in an environment of its own.
pub(super) fn aider(root: &Root) -> Result<Client> {
    let python = environment(&root.join("target/e2e/aider"), &[AIDER])?;
    let name = if cfg!(windows) { "aider.exe" } else { "aider" };
    let program = python.map(|python| python.with_file_name(name));
    let tests = &["connected_clients::aider"];
    Ok(Client { tests, wanted: AIDER.to_owned(), variable: "BITROUTER_E2E_AIDER", program })
}

/// What builds components of one language.
pub(super) fn sdk(root: &Root, sdk: &Sdk) -> Result<Client> {
    let python = environment(&root.join("target/e2e").join(sdk.folder), sdk.packages)?;
    Ok(Client { tests: sdk.tests, wanted: sdk.packages.join(" and "), variable: sdk.variable, program: python })
}

/// The Python of a virtual environment that has these packages; none where they cannot be had.
fn environment(folder: &Path, packages: &[&str]) -> Result<Option<PathBuf>> {
    let python = folder.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" });
    if !has_packages(&python, packages) {
        if !succeeds(Command::new("python3").args(["-m", "venv"]).arg(folder)) {
            bail!("`python3 -m venv {}` failed. Install Python 3 with its venv module.", folder.display());
        }
        eprintln!("xtask: e2e: installing {} from PyPI", packages.join(" and "));
        let install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
        succeeds(Command::new(&python).args(install).args(packages));
    }
    Ok(has_packages(&python, packages).then_some(python))
}

fn has_packages(python: &Path, packages: &[&str]) -> bool {
    let wrong: Vec<String> = packages
        .iter()
        .map(|package| {
            let (name, version) = package.split_once("==").unwrap_or((package, ""));
            format!("version('{name}') != '{version}'")
        })
        .collect();
    let test = format!("from importlib.metadata import version; exit({})", wrong.join(" or "));
    succeeds(Command::new(python).args(["-c", &test]))
}
