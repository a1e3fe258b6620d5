//! Locks between processes, each a file of its own: never the data file, which is replaced under its lock.
//!
//! The store locks its writes, a refresh its account, and the write-back to a vendor's file the vendor's own
//! locks. A running gateway locks its control socket.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind};
use std::path::Path;
use std::time::{Duration, Instant};

/// How often a held lock is tried again: a write takes some milliseconds.
const PAUSE: Duration = Duration::from_millis(15);

/// A lock that is held until it is dropped, or the process ends. The file stays.
#[derive(Debug)]
pub(crate) struct FileLock {
    _file: File,
}

impl FileLock {
    /// Waits for a lock, blocking. [`ErrorKind::TimedOut`] where it is held for longer than that.
    pub(crate) fn take(path: &Path, patience: Duration) -> io::Result<Self> {
        let (file, end) = (open(path)?, Instant::now() + patience);
        while !locked(&file)? {
            if Instant::now() > end {
                return Err(ErrorKind::TimedOut.into());
            }
            std::thread::sleep(PAUSE);
        }
        Ok(FileLock { _file: file })
    }

    /// The same without blocking a thread while it waits.
    pub(crate) async fn wait(path: &Path, patience: Duration) -> io::Result<Self> {
        let (file, end) = (open(path)?, Instant::now() + patience);
        while !locked(&file)? {
            if Instant::now() > end {
                return Err(ErrorKind::TimedOut.into());
            }
            tokio::time::sleep(PAUSE).await;
        }
        Ok(FileLock { _file: file })
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
    options.create(true).truncate(false).write(true);
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
