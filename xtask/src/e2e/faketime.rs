//! libfaketime, for clocks that are wrong. It comes from the system's packages: Debian's `libfaketime`.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use super::Client;
use crate::command::succeeds;

const PACKAGE: &str = "libfaketime";

/// The library; where it is missing it is installed, if this user may.
pub(super) fn client() -> Result<Client> {
    if installed().is_none() {
        eprintln!("xtask: e2e: installing {PACKAGE} with apt-get");
        let install = ["install", "--yes", "--quiet", "--no-install-recommends", PACKAGE];
        succeeds(Command::new("apt-get").args(install).env("DEBIAN_FRONTEND", "noninteractive"));
    }
    let tests = &["clock::", "shared_session::"];
    Ok(Client { tests, wanted: PACKAGE.to_owned(), variable: "BITROUTER_E2E_FAKETIME", program: installed() })
}

/// `/usr/lib/<the machine's name>/faketime/libfaketimeMT.so.1`, the one for programs with threads.
fn installed() -> Option<PathBuf> {
    let folders = fs::read_dir("/usr/lib").ok()?.flatten();
    folders.map(|folder| folder.path().join("faketime/libfaketimeMT.so.1")).find(|library| library.is_file())
}
