//! GNOME's keyring, for secrets that are kept in a Secret Service. It comes from the system's packages, with the bus that
//! it speaks over and the tool that looks into it.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use super::Client;
use crate::command::succeeds;

const PACKAGES: [&str; 3] = ["gnome-keyring", "dbus-daemon", "libsecret-tools"];
const SERVICE: &str = "gnome-keyring-daemon";

/// The service; where it is missing it is installed, if this user may.
pub(super) fn client() -> Result<Client> {
    if installed().is_none() {
        eprintln!("xtask: e2e: installing {} with apt-get", PACKAGES.join(", "));
        let mut install = Command::new("apt-get");
        install.args(["install", "--yes", "--quiet", "--no-install-recommends"]).args(PACKAGES);
        succeeds(install.env("DEBIAN_FRONTEND", "noninteractive"));
    }
    Ok(Client {
        tests: &["keyring::"],
        wanted: PACKAGES[0].to_owned(),
        variable: "BITROUTER_E2E_KEYRING",
        program: installed(),
    })
}

fn installed() -> Option<PathBuf> {
    let there = [vec![SERVICE, "--version"], vec!["dbus-daemon", "--version"], vec!["secret-tool", "--version"]];
    let is_there = |command: &Vec<&str>| Command::new(command[0]).arg(command[1]).output().is_ok();
    there.iter().all(is_there).then(|| PathBuf::from(SERVICE))
}
