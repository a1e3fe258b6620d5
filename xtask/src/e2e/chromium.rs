//! Chromium, for the login through a browser. It comes from the system's packages: Debian's `chromium`.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use super::Client;
use crate::command::succeeds;

const PACKAGE: &str = "chromium";

/// The browser; where it is missing it is installed, if this user may.
pub(super) fn client() -> Result<Client> {
    if installed().is_none() {
        eprintln!("xtask: e2e: installing {PACKAGE} with apt-get");
        // Most machines ask for more than this user may; then its tests are skipped.
        let install = ["install", "--yes", "--quiet", "--no-install-recommends", PACKAGE];
        succeeds(Command::new("apt-get").args(install).env("DEBIAN_FRONTEND", "noninteractive"));
    }
    Ok(Client {
        tests: &["login::chromium"],
        wanted: PACKAGE.to_owned(),
        variable: "BITROUTER_E2E_CHROMIUM",
        program: installed(),
    })
}

fn installed() -> Option<PathBuf> {
    let names = [PACKAGE, "chromium-browser", "google-chrome"];
    let found = names.into_iter().find(|name| succeeds(Command::new(name).arg("--version")));
    found.map(PathBuf::from)
}
