//! Locks between processes, each a file of its own: never the data file, which is replaced under its lock.
//!
//! The store locks its writes, a refresh its account, and the write-back to a vendor's file the vendor's own
//! locks. A running gateway locks its control socket.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read as _, Seek as _, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

/// How often a held lock is tried again: a write takes some milliseconds.
const RETRY_EVERY: Duration = Duration::from_millis(15);

/// The longest note, in bytes.
const LONGEST_NOTE: u64 = 1024;

/// A lock that is held until it is dropped, or the process ends. The file stays.
#[derive(Debug)]
pub struct FileLock {
    file: File,
}

impl FileLock {
    /// Waits for a lock, blocking. [`ErrorKind::TimedOut`] where it is held for longer than that.
    pub fn take(path: &Path, within: Duration) -> io::Result<Self> {
        let (file, end) = (open(path)?, Instant::now() + within);
        while !locked(&file)? {
            if Instant::now() > end {
                return Err(ErrorKind::TimedOut.into());
            }
            std::thread::sleep(RETRY_EVERY);
        }
        Ok(FileLock { file })
    }

    /// What a holder left in the file for those after it.
    pub fn note(&self) -> String {
        let (mut file, mut note) = (&self.file, String::new());
        let read = file.rewind().and_then(|()| file.take(LONGEST_NOTE).read_to_string(&mut note));
        read.map_or_else(|_| String::new(), |_| note)
    }

    /// Leaves a line for those that hold the lock next. It may get lost, with the power or on a full disk.
    pub fn leave(&self, note: &str) {
        let mut file = &self.file;
        let left = file.set_len(0).and_then(|()| file.rewind()).and_then(|()| file.write_all(note.as_bytes()));
        if let Err(error) = left {
            tracing::debug!(%error, "a note was not left in a lock file");
        }
    }
}

/// Makes a folder, and those above it, for this user alone. Those that are there stay as they are.
pub(crate) fn make_folder(folder: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

fn open(path: &Path) -> io::Result<File> {
    if let Some(folder) = path.parent() {
        make_folder(folder)?;
    }
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).read(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn locked(file: &File) -> io::Result<bool> {
    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error),
    }
}
