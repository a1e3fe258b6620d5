//! A client's program, run without a terminal, with a home of its own that is gone after the test. It cannot get out of this
//! machine: every proxy variable names a listener that only counts who comes. The wrappers of the real clients run in it.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::setup::{Ran, read};
use crate::upstream::Upstream;
use crate::wait::eventually_within;

/// Where programs keep what is theirs; all of it is in the home.
const FOLDERS: [&str; 5] = ["XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME", "TMPDIR"];

/// The home.
pub(crate) struct OwnHome {
    folder: TempDir,
    outside: Upstream,
}

impl OwnHome {
    /// A home with a working directory, a place for all else, and nothing in either.
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["work", "tmp"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        OwnHome { folder, outside: Upstream::start() }
    }

    /// The home folder.
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Where the program runs, and what a model's commands find.
    pub(crate) fn work(&self) -> PathBuf {
        self.path().join("work")
    }

    /// The program that the end-to-end verb names in this variable, in this home and with nothing else of the machine's.
    pub(crate) fn program(&self, variable: &str) -> Command {
        let program = std::env::var_os(variable);
        self.command(program.unwrap_or_else(|| panic!("{variable} names no program. Run: cargo xtask e2e")))
    }

    /// Any program in this home, with nothing else of the machine's.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.work()).env_clear();
        command.envs(["PATH", "SYSTEMROOT"].iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
        command.env("HOME", self.path()).env("TZ", "UTC").env("LANG", "C.UTF-8");
        command.envs(FOLDERS.map(|name| (name, self.path().join("tmp"))));
        for proxy in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
            command.env(proxy, self.outside.origin()).env(proxy.to_lowercase(), self.outside.origin());
        }
        command.env("NO_PROXY", "127.0.0.1").env("no_proxy", "127.0.0.1");
        command
    }

    /// Runs it to its end; one that does not end in time is killed, and the test fails.
    #[track_caller]
    pub(crate) fn run(&self, mut command: Command, seconds: u64) -> Ran {
        let (mut stdout, mut stderr) = (tempfile::tempfile().unwrap(), tempfile::tempfile().unwrap());
        command.stdin(Stdio::null()).stdout(stdout.try_clone().unwrap()).stderr(stderr.try_clone().unwrap());
        let mut child = command.spawn().unwrap();
        let ended = eventually_within(seconds, || child.try_wait().unwrap().is_some());
        let _ = child.kill();
        let status = child.wait().unwrap();
        let (ok, code) = (status.success(), status.code());
        let ran = Ran { ok, code, stdout: read(&mut stdout), stderr: read(&mut stderr) };
        assert!(ended, "{:?} does not end: {ran:?}", command.get_program());
        ran
    }

    /// Checks that nothing was asked for outside of this machine.
    #[track_caller]
    pub(crate) fn stayed_inside(&self) {
        assert_eq!(self.outside.connections(), 0, "it went outside: {:?}", self.outside.requests());
    }
}
