//! Clients from npm, each in a folder of its own, where they stay. Only the end-to-end verb asks for them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, bail};
use serde_json::Value;

use super::Client;
use super::pinned::Npm;
use crate::command::{succeeds, succeeds_within};
use crate::root::Root;

/// How long one of them may take: the largest is there in a quarter of a minute where the registry is near.
const INSTALL_WITHIN: Duration = Duration::from_secs(300);

/// How long the registry may take to say whether it has something.
const ASK_WITHIN: Duration = Duration::from_secs(60);

/// One client.
pub(super) fn client(root: &Root, npm: &Npm) -> Result<Client> {
    let folder = root.join("target/e2e").join(npm.folder);
    if !is_installed(&folder, npm) {
        if !succeeds(program().arg("--version")) {
            bail!("`npm --version` failed. Install Node.js 20 or later.");
        }
        eprintln!("xtask: e2e: installing {} from npm", npm.packages.join(" and "));
        install(&folder, npm)?;
    }
    let named = match npm.program {
        Some(name) => {
            folder.join("node_modules/.bin").join(if cfg!(windows) { format!("{name}.cmd") } else { name.to_owned() })
        }
        None => folder.clone(),
    };
    let program = is_installed(&folder, npm).then_some(named);
    Ok(Client { tests: npm.tests, wanted: npm.packages.join(" and "), variable: npm.variable, program })
}

/// Gets the packages. Where the registry has them all and they cannot be installed, something is wrong here.
fn install(folder: &Path, npm: &Npm) -> Result<()> {
    let is_there =
        |package: &str| succeeds_within(ASK_WITHIN, program().args(["view", package, "version", "--fetch-retries=1"]));
    if !npm.packages.iter().all(|package| is_there(package)) {
        return Ok(());
    }
    // What was there before is of other versions.
    let _ = fs::remove_dir_all(folder);
    let install = ["install", "--no-audit", "--no-fund", "--no-save", "--prefix"];
    let installed = succeeds_within(INSTALL_WITHIN, program().args(install).arg(folder).args(npm.packages));
    if !installed || !is_installed(folder, npm) {
        let packages = npm.packages.join(" ");
        bail!("`npm install --prefix {} {packages}` failed or took too long, though npm has it.", folder.display());
    }
    Ok(())
}

/// Whether each package is there, in its version.
fn is_installed(folder: &Path, npm: &Npm) -> bool {
    npm.packages.iter().all(|package| {
        let Some((name, version)) = package.rsplit_once('@') else { return false };
        let manifest = fs::read(folder.join("node_modules").join(name).join("package.json")).unwrap_or_default();
        serde_json::from_slice::<Value>(&manifest).is_ok_and(|manifest| manifest["version"] == version)
    })
}

fn program() -> Command {
    Command::new(PathBuf::from(if cfg!(windows) { "npm.cmd" } else { "npm" }))
}
