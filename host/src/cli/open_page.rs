//! Opening a page in the user's browser, by a process of our own that has no keys in its environment: a browser and what it
//! starts live on with the environment that they were given.

use std::ffi::OsStr;
use std::io;
use std::process::{Command, ExitCode};

/// Not a command: the process starts itself with this verb and a page.
pub const VERB: &str = "__open-page";

/// How the names of variables end that hold secrets.
const SECRET: [&str; 9] = [
    "_API_KEY",
    "_ACCESS_KEY",
    "_SECRET_KEY",
    "_API_TOKEN",
    "_AUTH_TOKEN",
    "_ACCESS_TOKEN",
    "_SESSION_TOKEN",
    "_SECRET",
    "_PASSWORD",
];

/// Opens a page; false where no browser was found.
pub(super) fn open(page: &str) -> bool {
    start(page).is_ok_and(|opened| opened)
}

fn start(page: &str) -> io::Result<bool> {
    let mut command = Command::new(std::env::current_exe()?);
    for (name, _) in std::env::vars_os().filter(|(name, _)| is_secret(name)) {
        command.env_remove(name);
    }
    command.arg(VERB).arg(page);
    Ok(command.status()?.success())
}

fn is_secret(name: &OsStr) -> bool {
    let name = name.to_string_lossy().to_ascii_uppercase();
    SECRET.iter().any(|end| name.ends_with(end))
}

/// What the process does that was started so.
pub fn child(page: &str) -> ExitCode {
    if webbrowser::open(page).is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_desktop_needs_is_no_secret() {
        for name in ["OPENAI_API_KEY", "AWS_SECRET_ACCESS_KEY", "ANTHROPIC_AUTH_TOKEN", "my_client_secret"] {
            assert!(is_secret(OsStr::new(name)), "{name}");
        }
        for name in ["DISPLAY", "DBUS_SESSION_BUS_ADDRESS", "XDG_ACTIVATION_TOKEN", "BROWSER", "PATH", "XAUTHORITY"] {
            assert!(!is_secret(OsStr::new(name)), "{name}");
        }
    }
}
