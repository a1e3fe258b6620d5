//! A clock that is wrong for one process, and may be set while it runs: Debian's libfaketime. The monotonic clock stays as
//! it is, as it does where somebody sets a real clock.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// A clock.
pub struct WrongClock {
    folder: TempDir,
}

impl WrongClock {
    /// One that is so many seconds ahead, or behind.
    pub fn ahead(seconds: i64) -> Self {
        let clock = WrongClock { folder: tempfile::tempdir().unwrap() };
        clock.set(seconds);
        clock
    }

    /// Sets it, for processes that run already too.
    pub fn set(&self, seconds: i64) {
        // Replaced, so that nobody reads half of it.
        let new = self.folder.path().join("new");
        fs::write(&new, format!("{seconds:+}s\n")).unwrap();
        fs::rename(new, self.file()).unwrap();
    }

    /// What a process is started with.
    pub(crate) fn environment(&self) -> [(&'static str, String); 4] {
        let library = std::env::var("BITROUTER_E2E_FAKETIME").expect("where libfaketime is. Run: cargo xtask e2e");
        assert!(Path::new(&library).is_file(), "{library}");
        [
            ("LD_PRELOAD", library),
            ("FAKETIME_TIMESTAMP_FILE", self.file().display().to_string()),
            ("FAKETIME_NO_CACHE", "1".to_owned()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
        ]
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("clock")
    }
}
