//! A small disk of a test's own, which can be filled up and made read-only. It is in memory, and gone when it is dropped.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// A disk.
pub struct Disk {
    folder: TempDir,
}

impl Disk {
    /// Mounts one of so many MiB. Nothing where this user may not, or the system has none: then the test is skipped, and
    /// that is said aloud.
    pub fn of(mebibytes: u32) -> Option<Self> {
        let disk = Disk { folder: tempfile::tempdir().unwrap() };
        let options = format!("size={mebibytes}m,mode=700");
        if disk.mount(&["-t", "tmpfs", "-o", &options, "bitrouter-test"]) {
            return Some(disk);
        }
        // Not `eprintln`, which the test runner keeps to itself.
        let _ = writeln!(std::io::stderr(), "SKIPPED: this user may not mount a disk");
        None
    }

    /// Where it is mounted.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Fills it up to the last byte.
    pub fn fill(&self) {
        let mut file = File::create(self.filler()).unwrap();
        for size in [1 << 16, 1 << 12, 1] {
            let piece = vec![0; size];
            while file.write_all(&piece).is_ok() {}
        }
    }

    /// Makes room again.
    pub fn clear(&self) {
        fs::remove_file(self.filler()).unwrap();
    }

    /// Lets nobody write to it, or lets them again.
    pub fn read_only(&self, is: bool) {
        assert!(self.mount(&["-o", if is { "remount,ro" } else { "remount,rw" }]));
    }

    /// Mounts a file of it over itself, as a container has a file that is mounted alone: it can be written to, and not be
    /// replaced.
    pub fn mounts_alone(&self, file: &Path) {
        assert!(Command::new("mount").arg("--bind").args([file, file]).output().unwrap().status.success());
    }

    fn mount(&self, arguments: &[&str]) -> bool {
        let mounted = Command::new("mount").args(arguments).arg(self.folder.path()).output();
        mounted.is_ok_and(|ran| ran.status.success())
    }

    fn filler(&self) -> PathBuf {
        self.folder.path().join("filler")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: a process that is killed this very moment may still have files open.
        let _ = Command::new("umount").arg("--lazy").arg(self.folder.path()).output();
    }
}
