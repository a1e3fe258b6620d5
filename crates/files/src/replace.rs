//! Replacing a file so that it is whole at every moment, whatever ends the process or the power.
//!
//! The store and the write-back to a vendor's file call it, under their locks. The room on the disk can be set aside
//! first, so that what must not be lost is not begun where it could not be kept. What a process that was killed left of
//! it, which may hold tokens, is removed by whoever comes next.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::lock::make_folder;

/// What the names of unfinished files begin with.
const PREFIX: &str = ".bitrouter-";

/// Elsewhere a locked file cannot be read or renamed as well, so there leftovers stay.
const LOCKS: bool = cfg!(unix);

/// What becomes of files that killed processes of ours left in a folder.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Leftovers {
    /// They are removed: they may hold tokens, and the folder is ours or holds sessions.
    Remove,
    /// They stay, as the folder is another program's: what we write there is settings, and there may be anything else.
    Stay,
}

/// Room on the disk, in the file that is to take another's place. It is given back when this is dropped.
#[derive(Debug)]
pub struct Reserved {
    file: NamedTempFile,
    target: PathBuf,
}

impl Reserved {
    /// Sets this many bytes aside, for this user alone to read, beside the file that is to be replaced. Where that is a
    /// symbolic link, what it leads to is replaced.
    pub fn beside(path: &Path, size: usize, leftovers: Leftovers) -> io::Result<Self> {
        let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let folder = target.parent().unwrap_or(Path::new("."));
        make_folder(folder)?;
        if leftovers == Leftovers::Remove {
            remove_leftovers(folder);
        }
        let file = make_in(folder)?;
        set_aside(file.as_file(), size)?;
        Ok(Reserved { file, target })
    }

    /// Gives it the permissions that a file has, instead of this user's alone.
    pub fn with_permissions_of(self, file: &Path) -> io::Result<Self> {
        if let Ok(metadata) = fs::metadata(file) {
            self.file.as_file().set_permissions(metadata.permissions())?;
        }
        Ok(self)
    }

    /// Puts these bytes in the file's place, and returns once they are on the disk.
    pub fn replace(mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        let bytes = bytes.as_ref();
        self.file.write_all(bytes)?;
        self.file.as_file().set_len(bytes.len() as u64)?;
        self.file.as_file().sync_all()?;
        self.file.persist(&self.target).map_err(|error| error.error)?;
        // It is in its place by now: whoever was told otherwise would undo what it names.
        if let Err(error) = sync_folder(&self.target) {
            tracing::warn!(%error, "{}: written, but its folder could not be synced to the disk", self.target.display());
        }
        Ok(())
    }
}

/// Makes a file that is locked for as long as it is in use, so that it can be told from one that was left behind.
fn make_in(folder: &Path) -> io::Result<NamedTempFile> {
    loop {
        // A NamedTempFile is made with mode 0600.
        let file = tempfile::Builder::new().prefix(PREFIX).tempfile_in(folder)?;
        // Somebody who tidies up may have come in between: then it is tried under another name.
        match file.as_file().try_lock() {
            Err(TryLockError::WouldBlock) if LOCKS => {}
            _ if !file.path().exists() => {}
            // Where there are no locks nothing is tidied up either.
            _ => return Ok(file),
        }
    }
}

/// Removes what processes left that were killed. A lock ends with its process, so what can be locked is nobody's.
fn remove_leftovers(folder: &Path) {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let ours = entries.filter(|entry| LOCKS && entry.file_name().to_string_lossy().starts_with(PREFIX));
    for entry in ours {
        if let Ok(file) = File::open(entry.path())
            && file.try_lock().is_ok()
        {
            // Not to be removed is no failure of what is to be written.
            let _ = fs::remove_file(entry.path());
        }
    }
}

#[cfg(target_os = "linux")]
fn set_aside(file: &File, size: usize) -> io::Result<()> {
    use rustix::fs::{FallocateFlags, fallocate};
    use rustix::io::Errno;
    match fallocate(file, FallocateFlags::empty(), 0, size.max(1) as u64) {
        // Some file systems cannot: then a full disk is found when it is written to.
        Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => Ok(()),
        other => Ok(other?),
    }
}

#[cfg(not(target_os = "linux"))]
fn set_aside(file: &File, size: usize) -> io::Result<()> {
    file.set_len(size as u64)
}

#[cfg(unix)]
fn sync_folder(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_process_left_is_removed_and_what_is_in_use_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let (left, other) = (folder.path().join(".bitrouter-left"), folder.path().join("other"));
        fs::write(&left, "canary").unwrap();
        fs::write(&other, "").unwrap();
        let first = Reserved::beside(&folder.path().join("a.json"), 100, Leftovers::Remove).unwrap();
        assert!(!left.exists() && other.exists());
        let second = Reserved::beside(&folder.path().join("b.json"), 100, Leftovers::Remove).unwrap();
        first.replace("a").unwrap();
        second.replace("b").unwrap();
        let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
        assert_eq!((read("a.json"), read("b.json")), ("a".to_owned(), "b".to_owned()));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3);
    }

    #[test]
    fn many_that_write_at_once_do_not_take_each_others_files_for_leftovers() {
        let folder = tempfile::tempdir().unwrap();
        let write = |at: usize| {
            for _ in 0..50 {
                Reserved::beside(&folder.path().join(format!("{at}.json")), 100, Leftovers::Remove)
                    .unwrap()
                    .replace("x")
                    .unwrap();
            }
        };
        std::thread::scope(|scope| (0..4).for_each(|at| drop(scope.spawn(move || write(at)))));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 4);
    }
}
