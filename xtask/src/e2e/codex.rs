//! The Codex CLI, in a folder of its own (about 400 MB). Only the end-to-end verb asks for it.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail};

use super::Client;
use crate::command::{answer, succeeds};
use crate::root::Root;

const PACKAGE: &str = "@openai/codex@0.169.0";

/// What that version says of itself.
const VERSION: &str = "codex-cli 0.169.0";

/// The CLI.
pub(super) fn client(root: &Root) -> Result<Client> {
    let folder = root.join("target/e2e/codex");
    let codex = folder.join("node_modules/.bin").join(if cfg!(windows) { "codex.cmd" } else { "codex" });
    let mut program = Some(codex.clone());
    if !is_installed(&codex) {
        if !succeeds(npm().arg("--version")) {
            bail!("`npm --version` failed. Install Node.js 20 or later.");
        }
        if succeeds(npm().args(["view", PACKAGE, "version", "--fetch-retries=1"])) {
            eprintln!("xtask: e2e: installing {PACKAGE} from npm");
            let install = ["install", "--no-audit", "--no-fund", "--no-save", "--prefix"];
            if !succeeds(npm().args(install).arg(&folder).arg(PACKAGE)) || !is_installed(&codex) {
                bail!("`npm install --prefix {} {PACKAGE}` failed, though npm has it.", folder.display());
            }
        } else {
            program = None;
        }
    }
    Ok(Client {
        tests: &["codex_cli::", "shared_session::"],
        wanted: PACKAGE,
        variable: "BITROUTER_E2E_CODEX",
        program,
    })
}

fn npm() -> Command {
    Command::new(if cfg!(windows) { "npm.cmd" } else { "npm" })
}

fn is_installed(codex: &Path) -> bool {
    answer(Command::new(codex).arg("--version")).is_some_and(|version| version == VERSION)
}
